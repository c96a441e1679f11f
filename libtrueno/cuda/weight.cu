/* SPDX-License-Identifier: MIT */
/* Weights: how they lie on the device, and the kernels that bring a file's rows into that form. */
#include "internal.h"
#include "layout_pack.h"

enum { WEIGHT_ALIGN = 256 };

/* A warp packs a unit; the block's y counts row tiles of this chunk. */
__global__ void pack_kernel(int type, const uint8_t *rows, int n_rows, size_t row_bytes, int cols,
                            int units, uint8_t *out)
{
    const int unit = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    const layout_info info = layout_get(type);
    const int unit_cols = info.steps * LAYOUT_STEP, block_cols = info.steps == 2 ? 256 : 32;
    const uint8_t *row[LAYOUT_ROWS];
    __shared__ uint8_t zeros[1024]; /* a row that is not there: blocks of zero bytes */

    for (int i = threadIdx.x; i < (int)sizeof zeros; i += blockDim.x)
        zeros[i] = 0;
    __syncthreads();
    if (unit >= units)
        return;
    const int first_block = unit * unit_cols / block_cols;
    const int left = cols / block_cols - first_block;

    for (int r = 0; r < LAYOUT_ROWS; r++) {
        const int at = blockIdx.y * LAYOUT_ROWS + r;

        row[r] = at < n_rows ? rows + at * row_bytes + (size_t)first_block * info.block : zeros;
    }
    layout_pack_lane(type, row, left < 4 ? left : 4, lane,
                     out + ((size_t)blockIdx.y * units + unit) * info.unit_bytes);
}

void launch_pack(cudaStream_t stream, int type, const uint8_t *rows, int n_rows, size_t row_bytes,
                 int cols, int units, uint8_t *out)
{
    dim3 grid((units + 3) / 4, (n_rows + LAYOUT_ROWS - 1) / LAYOUT_ROWS);

    pack_kernel<<<grid, 128, 0, stream>>>(type, rows, n_rows, row_bytes, cols, units, out);
}

/* Rows of plain weights, each padded with zeros to `padded` bytes. Bytes: files promise no
 * alignment. */
__global__ void pad_kernel(const uint8_t *rows, int n_rows, size_t row_bytes, int padded,
                           uint8_t *out)
{
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < (size_t)n_rows * padded;
         i += (size_t)gridDim.x * blockDim.x) {
        size_t col = i % padded;

        out[i] = col < row_bytes ? rows[i / padded * row_bytes + col] : 0;
    }
}

void launch_pad(cudaStream_t stream, const uint8_t *rows, int n_rows, size_t row_bytes, int padded,
                uint8_t *out)
{
    pad_kernel<<<1024, 256, 0, stream>>>(rows, n_rows, row_bytes, padded, out);
}

/* Segment of rows [first, first + rows) with the given type; data is an offset until memory is
 * there. */
static weight_segment make_segment(int type, int first, int rows, int cols, size_t *bytes)
{
    layout_info info = layout_get(type);
    weight_segment s = {};

    s.type = type;
    s.first_row = first;
    s.rows = rows;
    s.tiles = (rows + LAYOUT_ROWS - 1) / LAYOUT_ROWS;
    s.data = (const uint8_t *)(uintptr_t)*bytes;
    if (info.steps == 0) {
        s.units = (cols + 255) / 256;
        s.row_bytes = (cols + 31) / 32 * 32 * (type == TRUENO_F32 ? 4 : 2);
        *bytes += (size_t)rows * s.row_bytes;
    } else {
        int unit_cols = info.steps * LAYOUT_STEP;

        s.units = (cols + unit_cols - 1) / unit_cols;
        *bytes += (size_t)s.tiles * s.units * info.unit_bytes;
    }
    *bytes = (*bytes + WEIGHT_ALIGN - 1) / WEIGHT_ALIGN * WEIGHT_ALIGN;
    return s;
}

static bool has_kernel(int type)
{
    return type == TRUENO_F32 || type == TRUENO_F16 || type == TRUENO_BF16 ||
           layout_get(type).steps > 0;
}

/* Neighbouring parts of one type become one segment. */
static trueno_status plan(trueno_weight *w, const trueno_tensor *parts, int n_parts,
                          trueno_error *err)
{
    int64_t rows = 0;

    for (int i = 0; i < n_parts; i++) {
        if (!has_kernel(parts[i].type))
            return trueno_fail(err, TRUENO_UNSUPPORTED, "weight type %d has no kernel on the GPU",
                               (int)parts[i].type);
        if (parts[i].rows < 1 || parts[i].cols < 1 || parts[i].cols > INT32_MAX / 8 ||
            (rows += parts[i].rows) > INT32_MAX / 2)
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "a weight of %lld x %lld is too large for the GPU",
                               (long long)parts[i].rows, (long long)parts[i].cols);
    }
    w->cols = (int)parts[0].cols;
    w->rows = (int)rows;
    rows = 0;
    for (int i = 0; i < n_parts;) {
        int from = i;
        int64_t count = 0;

        for (; i < n_parts && parts[i].type == parts[from].type; i++)
            count += parts[i].rows;
        w->segment[w->n_segments++] =
            make_segment(parts[from].type, (int)rows, (int)count, w->cols, &w->bytes);
        rows += count;
    }
    return TRUENO_OK;
}

trueno_status cuda_weight_new(trueno_backend *table, const trueno_tensor *parts, int n_parts,
                              unsigned uses, trueno_weight **out, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    trueno_weight *w = (trueno_weight *)trueno_allocate_zero(be->allocator, sizeof *w);
    trueno_status status;

    (void)uses; /* one form serves all */
    *out = NULL;
    if (w == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a weight");
    if ((status = plan(w, parts, n_parts, err)) < 0 ||
        (status = device_alloc(be, w->bytes, "weights", &w->memory, err)) < 0)
        goto failed;
    be->weight_bytes += w->bytes;
    for (int i = 0, part = 0; i < w->n_segments; i++) {
        weight_segment *s = &w->segment[i];
        int64_t rows = 0;

        s->data = (const uint8_t *)w->memory + (uintptr_t)s->data;
        if ((status = upload_segment(be, s, &parts[part], w->cols, err)) < 0)
            goto failed;
        while (part < n_parts && rows < s->rows)
            rows += parts[part++].rows;
    }
    *out = w;
    return TRUENO_OK;
failed:
    cuda_weight_free(table, w);
    return status;
}

static void expert_tables_drop(cuda_backend *be, const trueno_weight *first)
{
    for (int i = 0; i < be->n_experts; i++)
        if (be->experts[i].first == first) {
            (void)cudaFree(be->experts[i].device);
            be->experts[i--] = be->experts[--be->n_experts];
        }
}

void cuda_weight_free(trueno_backend *table, trueno_weight *w)
{
    cuda_backend *be = cuda_of(table);

    if (w == NULL)
        return;
    if (w->memory != NULL) {
        (void)cudaStreamSynchronize(be->stream);
        graphs_drop(be); /* a later weight may get the same address */
        expert_tables_drop(be, w);
        be->weight_bytes -= w->bytes;
        (void)cudaFree(w->memory);
    }
    trueno_release(be->allocator, w, sizeof *w);
}
