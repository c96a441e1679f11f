/* SPDX-License-Identifier: MIT */
/* How a product with 9 to 64 rows is cut up and launched. */
#include "batch_table.h"
#include "layout.h"

/* PAIR_WARPS: that do for pairs */
enum { BATCH_SLOTS = 2, PAIR_WARPS = 8, FEW_SHARED = 72 << 10 };

/* Bytes of a slot of a warp's ring, for one row tile. */
static int slot_bytes(int type, int m_tiles)
{
    layout_info info = layout_get(type);

    return info.steps > 0 ? info.unit_bytes : piece_bytes(type, m_tiles);
}

static batch_fn find_kernel(int type, int m_tiles, int n_tiles, int planes)
{
    batch_fn fn = batch_k(type, m_tiles, n_tiles);

    fn = fn != NULL ? fn : batch_simple(type, m_tiles, n_tiles);
    return fn != NULL ? fn : batch_plain(type, m_tiles, n_tiles, planes);
}

/* More than 32 rows go through in passes: their operands would not leave enough shared memory. */
int batch_row_tiles(const launcher *l, int n)
{
    return n <= 16 || l->shared_bytes < FEW_SHARED ? 2 : 4;
}

/* A ring's memory also takes the sums of a warp's last job. */
static int batch_ring(int bytes, int sums)
{
    return ((bytes > sums ? bytes : sums) + 127) / 128 * 128;
}

/* Shared memory of `warps` warps with `slots` units each in their rings. */
static int warps_bytes(int warps, int slots, int m_tiles, int n_tiles, int unit_bytes)
{
    int sums = m_tiles * n_tiles * 512;

    return warps * (batch_ring(slots * m_tiles * unit_bytes, sums) + sums + 8 * slots);
}

/* Units of x that a block has room for; one slot will do: a unit in use is in registers. */
static int units_that_fit(const launcher *l, int warps, int m_tiles, int n_tiles, int unit_bytes,
                          int x_bytes)
{
    int room = l->shared_bytes - 1024 - warps_bytes(warps, 1, m_tiles, n_tiles, unit_bytes);

    return room > 0 ? room / x_bytes : 0;
}

/* How a segment's product with `passes` passes of rows is cut up, so that all blocks run at once;
 * returns the shared memory of a block. */
static int plan(const launcher *l, batch_args *a, int m_tiles, int n_tiles, int planes, int passes)
{
    const weight_segment *s = &a->segment;
    layout_info info = layout_get(s->type);
    int groups = info.steps > 0 ? 4 * info.steps : 8, slot = slot_bytes(s->type, m_tiles);
    int x_bytes = groups * n_tiles * planes * 512 + 8;
    int jobs = a->pair_rows > 0 ? a->pair_rows / 16 : s->tiles, most;

    for (a->warps = batch_warps(m_tiles);; a->warps = a->warps > 4 ? a->warps - 4 : a->warps / 2) {
        most = units_that_fit(l, a->warps, m_tiles, n_tiles, slot, x_bytes);
        if (m_tiles == 2 && a->warps > PAIR_WARPS && most < s->units &&
            units_that_fit(l, PAIR_WARPS, m_tiles, n_tiles, slot, x_bytes) >= s->units)
            continue; /* further slices would cost more than further warps save */
        if (most > 0 || a->warps == 1)
            break;
    }
    a->slices = (s->units + most - 1) / most;
    a->slice_units = (s->units + a->slices - 1) / a->slices;
    for (a->slots = BATCH_SLOTS; a->slots > 1; a->slots--)
        if (warps_bytes(a->warps, a->slots, m_tiles, n_tiles, slot) + a->slice_units * x_bytes <=
            l->shared_bytes - 1024)
            break;
    a->ring_bytes = batch_ring(a->slots * m_tiles * slot, m_tiles * n_tiles * 512);
    a->slices = (s->units + a->slice_units - 1) / a->slice_units;
    a->blocks = l->n_sm / (a->slices * passes) > 0 ? l->n_sm / (a->slices * passes) : 1;
    a->blocks = a->blocks < jobs ? a->blocks : jobs;
    return a->slice_units * x_bytes + warps_bytes(a->warps, a->slots, m_tiles, n_tiles, slot);
}

/* Floats and counters that launch_batch() needs. */
void batch_scratch(const launcher *l, const trueno_weight *w, const product *p, const half_rows *x,
                   size_t *floats, size_t *counters)
{
    int n_tiles = x->tiles, passes = (p->n + 8 * n_tiles - 1) / (8 * n_tiles);

    *floats = *counters = 0;
    for (int i = 0; i < w->n_segments; i++) {
        batch_args a = {};
        int m_tiles = p->pair_rows > 0 ? 2 : 1;
        size_t jobs;

        a.segment = w->segment[i];
        a.pair_rows = p->pair_rows;
        (void)plan(l, &a, m_tiles, n_tiles, x->planes, passes);
        jobs = (size_t)passes * (a.segment.tiles / m_tiles);
        if (a.slices == 1)
            continue;
        if (jobs * n_tiles > *counters)
            *counters = jobs * n_tiles;
        if (jobs * a.slices * m_tiles * n_tiles * 128 > *floats)
            *floats = jobs * a.slices * m_tiles * n_tiles * 128;
    }
}

void launch_batch(const launcher *l, const trueno_weight *w, const product *p, const half_rows *x,
                  float *partial, unsigned *arrived, beside side)
{
    batch_args a = {};
    int passes;

    a.x = (const uint4 *)x->data;
    a.x_scale = x->scale;
    a.pass_size = (size_t)x->stride * x->tiles * x->planes;
    a.n = p->n;
    a.y = p->y;
    a.y_stride = p->pair_rows > 0 ? p->pair_rows : w->rows;
    a.bias = p->bias;
    a.add = p->add;
    a.activate = p->activate;
    a.pair_rows = p->pair_rows;
    a.activation = p->activation;
    a.partial = partial;
    a.arrived = arrived;
    a.beside = side;
    passes = (p->n + 8 * x->tiles - 1) / (8 * x->tiles);
    for (int i = 0; i < w->n_segments; i++) {
        int m_tiles = p->pair_rows > 0 ? 2 : 1, shared;

        a.segment = w->segment[i];
        shared = plan(l, &a, m_tiles, x->tiles, x->planes, passes);
        LAUNCH(l, find_kernel(a.segment.type, m_tiles, x->tiles, x->planes),
               dim3(a.blocks * a.slices, passes), 32 * a.warps, shared, a);
    }
}
