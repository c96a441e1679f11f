/* SPDX-License-Identifier: MIT */
/* Matrix products, scalar: the specification that every level equals bit for bit. */
#include "matmul.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <trueno/cpu.h>

/* Blocks whose largest magnitude is below this count as zeros: 127 / amax must stay finite. */
#define SMALLEST_AMAX 1e-30f

/*
 * Scale amax / 127 and q = x / scale rounded to nearest even. A block with an infinity or a NaN
 * gets the scale NaN, so that whatever is computed from it is NaN.
 */
static float round_block(const float *x, int64_t n, int8_t q[BLOCK_WEIGHTS])
{
    float amax = 0;

    memset(q, 0, BLOCK_WEIGHTS);
    for (int64_t k = 0; k < n; k++) {
        if (!(fabsf(x[k]) <= FLT_MAX))
            return NAN;
        amax = fmaxf(amax, fabsf(x[k]));
    }
    if (amax < SMALLEST_AMAX)
        return 0;
    for (int64_t k = 0; k < n; k++)
        q[k] = (int8_t)lrintf(x[k] * (127.0f / amax));
    return amax / 127.0f;
}

static void quantize_c(const float *x, int64_t cols, const activations *a, int64_t token)
{
    int64_t w = a->width, panel = token / w, t = token % w;

    for (int64_t b = 0; b < a->n_blocks; b++) {
        int64_t at = panel * a->n_blocks + b, left = cols - b * BLOCK_WEIGHTS;
        int8_t *q = a->q + (at * w + t) * BLOCK_WEIGHTS;
        float scale = round_block(x + b * BLOCK_WEIGHTS,
                                  left < 0               ? 0
                                  : left < BLOCK_WEIGHTS ? left
                                                         : BLOCK_WEIGHTS,
                                  q);
        int sums[2] = {0, 0};

        for (int k = 0; k < BLOCK_WEIGHTS; k++)
            sums[k / 16] += q[k];
        a->scale[at * w + t] = scale;
        a->sum[0][at * w + t] = scale * (float)(sums[0] + sums[1]);
        a->offset[0][at * w + t] = -128 * (sums[0] + sums[1]);
        for (int i = 0; i < 2; i++) {
            a->sum[1][(2 * at + i) * w + t] = scale * (float)sums[i];
            a->offset[1][(2 * at + i) * w + t] = -128 * sums[i];
        }
    }
}

static void spread_c(const float *x, int64_t cols, const activations *a, int64_t token)
{
    int64_t w = a->width, t = token % w;
    float *to = a->x + token / w * a->x_cols * w + t;

    for (int64_t k = 0; k < cols; k++)
        to[k * w] = x[k];
    for (int64_t k = cols; k < a->x_cols; k++)
        to[k * w] = 0;
}

static uint32_t dword_at(const uint8_t *p)
{
    uint32_t u;

    memcpy(&u, p, sizeof u);
    return u;
}

/* Exchange the bits of x under `mask` with those `shift` above them. */
static uint32_t swap_bits(uint32_t x, uint32_t mask, int shift)
{
    uint32_t t = (x >> shift ^ x) & mask;

    return x ^ t ^ t << shift;
}

/*
 * Bit 4 i + b to bit 8 b + i: four fifth bits of neighbours to four bytes. The number of a bit,
 * (i2 i1 i0 b1 b0), becomes (b1 b0 i2 i1 i0); each step exchanges two of its five digits.
 */
static uint32_t spread_bits(uint32_t x)
{
    x = swap_bits(x, 0x0000cccc, 14); /* digits 4 and 1 */
    x = swap_bits(x, 0x00aa00aa, 7);  /* 3 and 0 */
    x = swap_bits(x, 0x0c0c0c0c, 2);  /* 2 and 1 */
    return swap_bits(x, 0x22222222, 1);
}

/* Lines of one piece of a unit; rows are row_bytes apart. */
static void pack_piece(const packed_piece *p, const uint8_t *rows, size_t row_bytes, uint8_t *out)
{
    for (size_t r = 0; r < GROUP_ROWS; r++, rows += row_bytes) {
        uint32_t u;

        switch ((piece_kind)p->kind) {
        case PIECE_DWORDS:
            for (size_t i = 0; i < (size_t)p->count; i++)
                memcpy(out + LINE_BYTES * i + 4 * r, rows + p->from + 4 * i, 4);
            break;
        case PIECE_BITS:
            u = spread_bits(dword_at(rows + p->from));
            memcpy(out + 4 * r, &u, sizeof u);
            break;
        case PIECE_WORDS:
            for (size_t i = 0; i < (size_t)p->count; i++) {
                memcpy(out + LINE_BYTES * i + 2 * r, rows + p->from + 4 * i, 2);
                memcpy(out + LINE_BYTES * i + 32 + 2 * r, rows + p->second + 4 * i, 2);
            }
            break;
        case PIECE_WORD:
            memcpy(out + 2 * r, rows + p->from, 2);
            memset(out + 32 + 2 * r, 0, 2);
            break;
        case PIECE_END:
            break;
        }
    }
}

static void pack_c(const packed_format *f, const uint8_t *rows, size_t row_bytes, int64_t n_units,
                   size_t unit_bytes, uint8_t *out)
{
    for (int64_t u = 0; u < n_units; u++, rows += unit_bytes)
        for (const packed_piece *p = f->pieces; p->kind != PIECE_END; p++) {
            pack_piece(p, rows, row_bytes, out);
            out += LINE_BYTES * (size_t)p->count;
        }
}

/* Integer sum of one sub-block for lane r. */
static int32_t sum_of(const uint8_t *lines, const int8_t *q, int r, int n)
{
    int32_t sum = 0;

    for (int k = 0; k < n; k++)
        sum += (int8_t)lines[LINE_BYTES * (k / 4) + 4 * r + k % 4] * q[k];
    return sum;
}

static void clear(const activations *a, float *acc)
{
    memset(acc, 0, sizeof *acc * (size_t)(a->n_panels * a->width * GROUP_ROWS));
}

/* Scale line `i` of a step of a stripe. */
static const float *scales_at(const uint8_t *step, int64_t i)
{
    return (const float *)(const void *)(step + LINE_BYTES * (BLOCK_LINES + i));
}

static void tile_c(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                   const activations *a, float *acc)
{
    int subs = BLOCK_WEIGHTS / f->sub, lines = stripe_block_lines(f);
    int64_t w = a->width;

    if (first == 0)
        clear(a, acc);
    for (int64_t i = 0; i < a->n_panels * w; i++)
        for (int64_t b = 0; b < n; b++) {
            int64_t at = (i / w * a->n_blocks + first + b) * w + i % w;
            const uint8_t *step = stripe + b * lines * LINE_BYTES;
            const int8_t *q = a->q + at * BLOCK_WEIGHTS;

            for (int s = 0; s < subs; s++)
                for (int r = 0; r < GROUP_ROWS; r++) {
                    int32_t sum = sum_of(step + s * LINE_BYTES * f->sub / 4, q + (size_t)s * f->sub,
                                         r, f->sub);
                    float *y = &acc[i * GROUP_ROWS + r];

                    *y = fmaf((float)sum * scales_at(step, s)[r], a->scale[at], *y);
                }
        }
}

static void minima_c(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                     const activations *a, float *acc)
{
    int subs = BLOCK_WEIGHTS / f->sub, lines = stripe_block_lines(f);
    int64_t w = a->width;

    if (first == 0)
        clear(a, acc);
    for (int64_t i = 0; i < a->n_panels * w; i++)
        for (int64_t b = 0; b < n * subs; b++) {
            int64_t at = i / w * a->n_blocks * subs + first * subs + b;
            const float *minimum =
                scales_at(stripe + b / subs * lines * LINE_BYTES, (int)(subs + b % subs));

            for (int r = 0; r < GROUP_ROWS; r++) {
                float *y = &acc[i * GROUP_ROWS + r];

                *y = fmaf(minimum[r], a->sum[subs - 1][at * w + i % w], *y);
            }
        }
}

static void tile_float_c(const float *stripe, int n_groups, int64_t first, int64_t n,
                         const activations *a, float *acc, int64_t acc_stride)
{
    int64_t w = a->width;

    for (int g = 0; g < n_groups; g++, stripe += n * GROUP_ROWS, acc += acc_stride) {
        if (first == 0)
            clear(a, acc);
        for (int64_t i = 0; i < a->n_panels * w; i++) {
            const float *x = a->x + (i / w * a->x_cols + first) * w + i % w;

            for (int64_t k = 0; k < n; k++)
                for (int r = 0; r < GROUP_ROWS; r++) {
                    float *y = &acc[i * GROUP_ROWS + r];

                    *y = fmaf(stripe[k * GROUP_ROWS + r], x[k * w], *y);
                }
        }
    }
}

static void finish_c(const float *products, const float *minima, int64_t stride, int64_t n_groups,
                     const float *bias, bool add, float *y)
{
    for (int64_t i = 0; i < n_groups * GROUP_ROWS; i++) {
        int64_t at = i / GROUP_ROWS * stride + i % GROUP_ROWS;
        float v = minima == NULL ? products[at] : products[at] + minima[at];

        if (bias != NULL)
            v += bias[i];
        y[i] = add ? v + y[i] : v;
    }
}

void matmul_kernels_init(matmul_kernels *k, uint32_t flags)
{
    *k = (matmul_kernels){.quantize = quantize_c,
                          .spread = spread_c,
                          .pack = pack_c,
                          .tile = tile_c,
                          .minima = minima_c,
                          .tile_float = tile_float_c,
                          .finish = finish_c};
    matmul_init_unpack_c(k);
#if defined(__x86_64__)
    if (flags & TRUENO_CPU_AVX2)
        matmul_init_avx2(k);
    if (flags & TRUENO_CPU_AVX512)
        matmul_init_avx512(k);
    if (flags & TRUENO_CPU_AMX_INT8)
        matmul_init_amx(k);
    if (flags & TRUENO_CPU_AMX_BF16)
        matmul_init_amx_bf16(k);
#elif defined(__aarch64__)
    if (flags & TRUENO_CPU_NEON)
        matmul_init_neon(k);
    if (flags & TRUENO_CPU_DOTPROD)
        matmul_init_dotprod(k);
#else
    (void)flags;
#endif
}
