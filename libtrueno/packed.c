/* SPDX-License-Identifier: MIT */
/* Packed weights: make them from the file's rows, and read rows back. */
#define _DEFAULT_SOURCE
#include "packed_inner.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <trueno/sys/mapfile.h>

enum {
    UNIT_BYTES_LIMIT = 256, /* of the file, asserted in segment_init() */
    HUGE_PAGE = 2 << 20,
    PACK_PIECE_BYTES = 1 << 20 /* source bytes a thread packs before it drops them */
};

/* Rows or weights that end inside a group or a unit are staged with zeros around them. */
static void pack_staged(const matmul_kernels *k, const packed_segment *s, const uint8_t *rows,
                        int64_t n_rows, int64_t unit, uint8_t *out)
{
    uint8_t staged[GROUP_ROWS * UNIT_BYTES_LIMIT] = {0};
    size_t from = (size_t)unit * s->unit_bytes, bytes = s->source.row_bytes - from;

    if (bytes > s->unit_bytes)
        bytes = s->unit_bytes;
    for (int64_t r = 0; r < n_rows; r++)
        memcpy(staged + (size_t)r * s->unit_bytes, rows + (size_t)r * s->source.row_bytes + from,
               bytes);
    k->pack(s->f, staged, s->unit_bytes, 1, s->unit_bytes, out);
}

void packed_pack_units(const matmul_kernels *k, const packed_segment *s, int64_t group,
                       int64_t first, int64_t n, uint8_t *out)
{
    const trueno_tensor *t = &s->source;
    const uint8_t *rows = (const uint8_t *)t->data + (size_t)(group * GROUP_ROWS) * t->row_bytes;
    int64_t n_rows = t->rows - group * GROUP_ROWS, whole = t->cols / s->f->unit - first;

    if (n_rows > GROUP_ROWS)
        n_rows = GROUP_ROWS;
    whole = n_rows < GROUP_ROWS ? 0 : whole < n ? whole : n;
    if (whole > 0)
        k->pack(s->f, rows + (size_t)first * s->unit_bytes, t->row_bytes, whole, s->unit_bytes,
                out);
    for (int64_t u = whole < 0 ? 0 : whole; u < n; u++)
        pack_staged(k, s, rows, n_rows, first + u, out + (size_t)u * s->f->lines * LINE_BYTES);
}

typedef struct pack_job {
    const matmul_kernels *kernels;
    const packed_segment *segment;
} pack_job;

static void pack_groups(void *context, int64_t begin, int64_t end, int thread)
{
    const pack_job *job = context;
    const packed_segment *s = job->segment;
    size_t group_source = GROUP_ROWS * s->source.row_bytes;

    (void)thread;
    for (int64_t g = begin; g < end; g++)
        packed_pack_units(job->kernels, s, g, 0, s->n_units,
                          s->groups + (size_t)g * s->group_bytes);
    if (s->source.mapped) {
        size_t from = (size_t)begin * group_source, to = (size_t)end * group_source;
        size_t all = trueno_tensor_bytes(&s->source);

        trueno_map_drop((const uint8_t *)s->source.data + from, (to < all ? to : all) - from);
    }
}

static trueno_status segment_init(packed_segment *s, const trueno_tensor *t, int64_t first_row,
                                  trueno_error *err)
{
    const trueno_type_info *info = trueno_type_get(t->type);
    const packed_format *f = packed_format_get(t->type);

    if (info == NULL || f == NULL)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "weight type %d (%s) has no CPU kernels",
                           (int)t->type, info == NULL ? "unknown" : info->name);
    *s = (packed_segment){.f = f,
                          .source = *t,
                          .first_row = first_row,
                          .n_groups = (t->rows + GROUP_ROWS - 1) / GROUP_ROWS,
                          .n_units = packed_units(f, t->cols),
                          .unit_bytes = (size_t)f->unit_blocks * (size_t)info->bytes};
    assert(s->unit_bytes <= UNIT_BYTES_LIMIT);
    s->group_bytes = (size_t)s->n_units * f->lines * LINE_BYTES;
    return TRUENO_OK;
}

/* Memory for all segments; huge pages are asked for where whole ones fit. */
static trueno_status weight_memory(packed_weight *w, trueno_error *err)
{
    size_t bytes = 0, align = LINE_BYTES;

    for (int i = 0; i < w->n_segments; i++)
        bytes += (size_t)w->segments[i].n_groups * w->segments[i].group_bytes;
    if (bytes >= HUGE_PAGE)
        align = HUGE_PAGE;
    w->memory = trueno_allocate(w->allocator, bytes, align);
    if (w->memory == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY,
                           "no memory for a weight of %zu bytes (%lld x %lld)", bytes,
                           (long long)w->rows, (long long)w->cols);
    w->memory_bytes = bytes;
    if (align == HUGE_PAGE)
        (void)madvise(w->memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* best effort */
    return TRUENO_OK;
}

static void pack_segments(packed_weight *w, packed_work *work)
{
    uint8_t *to = w->memory;

    for (int i = 0; i < w->n_segments; i++) {
        packed_segment *s = &w->segments[i];
        int64_t grain = PACK_PIECE_BYTES / (int64_t)(GROUP_ROWS * s->source.row_bytes);

        s->groups = to;
        to += (size_t)s->n_groups * s->group_bytes;
        trueno_pool_for(work->pool, s->n_groups, grain < 1 ? 1 : grain, pack_groups,
                        &(pack_job){&work->kernels, s});
        s->source.data = NULL;
    }
}

trueno_status packed_new(packed_weight **out, packed_work *work, const trueno_tensor *parts,
                         int n_parts, bool keep_mapping, trueno_error *err)
{
    packed_weight *w = trueno_allocate_zero(work->allocator, sizeof *w);
    size_t group_bytes = 0;
    bool halves = false;
    trueno_status st;

    assert(n_parts >= 1 && n_parts <= PACKED_PARTS_LIMIT);
    *out = NULL;
    if (w == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a weight's description");
    w->allocator = work->allocator;
    w->n_segments = n_parts;
    w->cols = parts[0].cols;
    for (int i = 0; i < n_parts; i++) {
        assert(parts[i].cols == w->cols && parts[i].rows > 0);
        if ((st = segment_init(&w->segments[i], &parts[i], w->rows, err)) < 0)
            goto fail;
        w->rows += parts[i].rows;
        if (w->segments[i].group_bytes > group_bytes)
            group_bytes = w->segments[i].group_bytes;
        halves |= work->kernels.of[parts[i].type].halves;
    }
    if ((st = packed_work_reserve(work, w->cols, keep_mapping ? group_bytes : 0, halves, err)) < 0)
        goto fail;
    if (!keep_mapping) {
        if ((st = weight_memory(w, err)) < 0)
            goto fail;
        pack_segments(w, work);
    }
    *out = w;
    return TRUENO_OK;
fail:
    packed_free(w);
    return st;
}

void packed_set_fine(packed_weight *w)
{
    w->fine = true;
}

void packed_free(packed_weight *w)
{
    if (w == NULL)
        return;
    trueno_release(w->allocator, w->memory, w->memory_bytes);
    trueno_release(w->allocator, w, sizeof *w);
}

int64_t packed_rows(const packed_weight *w)
{
    return w->rows;
}

int64_t packed_cols(const packed_weight *w)
{
    return w->cols;
}

size_t packed_bytes(const packed_weight *w)
{
    return w->memory_bytes + sizeof *w;
}

size_t packed_read_bytes(const packed_weight *w)
{
    size_t bytes = w->memory_bytes;

    if (w->memory == NULL)
        for (int i = 0; i < w->n_segments; i++)
            bytes += trueno_tensor_bytes(&w->segments[i].source);
    return bytes;
}

/* Bit 8 b + i back to bit 4 i + b: undoes PIECE_BITS. */
static uint32_t gather_bits(uint32_t x)
{
    uint32_t y = 0;

    for (int bit = 0; bit < 32; bit++)
        y |= (x >> (8 * (bit % 4) + bit / 4) & 1) << bit;
    return y;
}

static void unpack_line(const packed_piece *p, size_t i, const uint8_t *line, size_t r,
                        uint8_t *row)
{
    uint32_t u;

    switch ((piece_kind)p->kind) {
    case PIECE_DWORDS:
        memcpy(row + p->from + 4 * i, line + 4 * r, 4);
        break;
    case PIECE_BITS:
        memcpy(&u, line + 4 * r, sizeof u);
        u = gather_bits(u);
        memcpy(row + p->from, &u, sizeof u);
        break;
    case PIECE_WORDS:
        memcpy(row + p->second + 4 * i, line + 32 + 2 * r, 2);
        memcpy(row + p->from + 4 * i, line + 2 * r, 2);
        break;
    case PIECE_WORD:
        memcpy(row + p->from, line + 2 * r, 2);
        break;
    case PIECE_END:
        break;
    }
}

/* The file's bytes of unit `unit` of row `r` of a group. */
static void unit_blocks(const packed_segment *s, int64_t row, int64_t unit, uint8_t *blocks)
{
    const uint8_t *line = s->groups + (size_t)(row / GROUP_ROWS) * s->group_bytes +
                          (size_t)unit * s->f->lines * LINE_BYTES;

    for (const packed_piece *p = s->f->pieces; p->kind != PIECE_END; p++)
        for (int i = 0; i < p->count; i++, line += LINE_BYTES)
            unpack_line(p, i, line, (size_t)(row % GROUP_ROWS), blocks);
}

static const packed_segment *segment_of(const packed_weight *w, int64_t *row)
{
    const packed_segment *s = w->segments;

    assert(*row >= 0 && *row < w->rows);
    while (*row >= s->source.rows)
        *row -= (s++)->source.rows;
    return s;
}

void packed_row(const packed_weight *w, int64_t row, float *out)
{
    const packed_segment *s = segment_of(w, &row);
    const trueno_type_info *info = trueno_type_get(s->source.type);
    uint8_t blocks[UNIT_BYTES_LIMIT];

    if (s->groups == NULL) {
        trueno_tensor_row_to_f32(&s->source, row, out);
        return;
    }
    for (int64_t u = 0, k = 0; u < s->n_units; u++, k += s->f->unit) {
        unit_blocks(s, row, u, blocks);
        info->dequantize(blocks, out + k, w->cols - k < s->f->unit ? w->cols - k : s->f->unit);
    }
}

void packed_row_blocks(const packed_weight *w, int64_t row, void *out)
{
    const packed_segment *s = segment_of(w, &row);
    uint8_t blocks[UNIT_BYTES_LIMIT];
    size_t left = s->source.row_bytes;

    if (s->groups == NULL) {
        memcpy(out, (const uint8_t *)s->source.data + (size_t)row * left, left);
        return;
    }
    for (int64_t u = 0; u < s->n_units; u++) {
        size_t bytes = left < s->unit_bytes ? left : s->unit_bytes;

        unit_blocks(s, row, u, blocks);
        memcpy((uint8_t *)out + (size_t)u * s->unit_bytes, blocks, bytes);
        left -= bytes;
    }
}
