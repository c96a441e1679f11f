/* SPDX-License-Identifier: MIT */
/* How a product with 9 to 64 rows is cut up and launched. */
#include "batch_table.h"
#include "layout.h"

enum { BATCH_SLOTS = 2, FEW_SHARED = 72 << 10 };

static batch_fn find_kernel(int type, int m_tiles, int n_tiles)
{
    batch_fn fn = batch_k(type, m_tiles, n_tiles);

    fn = fn != NULL ? fn : batch_simple(type, m_tiles, n_tiles);
    return fn != NULL ? fn : batch_plain(type, m_tiles, n_tiles);
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

/* How a segment's product is cut up; returns the shared memory of a block. */
static int plan(const launcher *l, batch_args *a, int m_tiles, int n_tiles)
{
    const weight_segment *s = &a->segment;
    layout_info info = layout_get(s->type);
    int groups = info.steps > 0 ? 4 * info.steps : 8, unit_bytes = groups * n_tiles * 512;
    int sums = m_tiles * n_tiles * 512, room = l->shared_bytes - 1024, most = 0, ring;
    int jobs = a->pair_rows > 0 ? a->pair_rows / 16 : s->tiles;

    for (a->warp_bits = batch_warp_bits(m_tiles);;
         a->warp_bits--) { /* one slot will do: a unit in use is in registers */
        ring = batch_ring(m_tiles * info.unit_bytes, sums);
        most = (room - ((ring + sums + 8) << a->warp_bits)) / (unit_bytes + 8);
        if (most > 0 || a->warp_bits == 0)
            break;
    }
    a->slices = (s->units + most - 1) / most;
    a->slice_units = (s->units + a->slices - 1) / a->slices;
    for (a->slots = BATCH_SLOTS; a->slots > 1; a->slots--) {
        ring = batch_ring(a->slots * m_tiles * info.unit_bytes, sums);
        if (((ring + sums + 8 * a->slots) << a->warp_bits) + a->slice_units * (unit_bytes + 8) <=
            room)
            break;
    }
    a->ring_bytes = batch_ring(a->slots * m_tiles * info.unit_bytes, sums);
    a->slices = (s->units + a->slice_units - 1) / a->slice_units;
    a->blocks = l->n_sm / a->slices > 0 ? l->n_sm / a->slices : 1;
    a->blocks = a->blocks < jobs ? a->blocks : jobs;
    return a->slice_units * (unit_bytes + 8) +
           ((a->ring_bytes + sums + 8 * a->slots) << a->warp_bits);
}

/* Floats and counters that launch_batch() needs. */
void batch_scratch(const launcher *l, const trueno_weight *w, const product *p, int n_tiles,
                   size_t *floats, size_t *counters)
{
    int passes = (p->n + 8 * n_tiles - 1) / (8 * n_tiles);

    *floats = *counters = 0;
    for (int i = 0; i < w->n_segments; i++) {
        batch_args a = {};
        int m_tiles = p->pair_rows > 0 ? 2 : 1;
        size_t jobs;

        a.segment = w->segment[i];
        a.pair_rows = p->pair_rows;
        (void)plan(l, &a, m_tiles, n_tiles);
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
                  float *partial, unsigned *arrived, int beside_which)
{
    batch_args a = {};

    a.x = (const uint4 *)x->data;
    a.x_scale = x->scale;
    a.pass_size = (size_t)x->stride / 32 * x->tiles * 32;
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
    a.beside = (beside)beside_which;
    for (int i = 0; i < w->n_segments; i++) {
        int m_tiles = p->pair_rows > 0 ? 2 : 1, shared;

        a.segment = w->segment[i];
        shared = plan(l, &a, m_tiles, x->tiles);
        LAUNCH(l, find_kernel(a.segment.type, m_tiles, x->tiles),
               dim3(a.blocks * a.slices, (p->n + 8 * x->tiles - 1) / (8 * x->tiles)),
               32 << a.warp_bits, shared, a);
    }
}
