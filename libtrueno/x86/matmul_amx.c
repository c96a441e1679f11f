/* SPDX-License-Identifier: MIT */
/*
 * Integer sums with AMX: a step's eight lines are a tile of 16 output rows as they lie in a stripe,
 * a panel's step is a tile of 16 tokens, and one instruction multiplies them. Scaling the sums
 * costs more than the product, so the sums go through cache while the next tiles are under way.
 */
#include "kernels/matmul.h"
#include "tiles.h"

#include <assert.h>
#include <immintrin.h>

/* Tile registers, beside those of tiles.h. */
#define SUMS_0 0
#define SUMS_1 1
#define SUMS_2 2
#define SUMS_3 3

/* Tiles for integer sums over `sub` weights. */
static tile_config config_for(int sub)
{
    tile_config c = {.palette = 1};

    for (int i = SUMS_0; i <= SUMS_3; i++) {
        c.rows[i] = PANEL_TOKENS;
        c.row_bytes[i] = LINE_BYTES;
    }
    for (int i = TOKENS_0; i <= TOKENS_1; i++) {
        c.rows[i] = PANEL_TOKENS;
        c.row_bytes[i] = (uint16_t)sub;
    }
    for (int i = WEIGHTS_0; i <= WEIGHTS_1; i++) {
        c.rows[i] = (uint8_t)(sub / 4);
        c.row_bytes[i] = LINE_BYTES;
    }
    return c;
}

/* One panel and one stripe; pointers advance a step of 32 at a time. */
typedef struct tile_walk {
    const uint8_t *stripe;
    const int8_t *q;
    const float *scale;
    int step_lines;
} tile_walk;

#define INLINE static inline __attribute__((always_inline))

INLINE const uint8_t *weights_of(const tile_walk *w, int64_t i, int subs)
{
    return w->stripe + LINE_BYTES * (i / subs * w->step_lines + i % subs * (BLOCK_LINES / subs));
}

INLINE const int8_t *tokens_of(const tile_walk *w, int64_t i, int subs)
{
    return w->q + i / subs * BLOCK_WEIGHTS * PANEL_TOKENS + i % subs * (BLOCK_WEIGHTS / subs);
}

/* Start the integer sums of sub-block i in tile register `sums`. */
#define START(sums, tokens, weights, i)                             \
    do {                                                            \
        _tile_loadd(tokens, tokens_of(&w, i, subs), BLOCK_WEIGHTS); \
        _tile_loadd(weights, weights_of(&w, i, subs), LINE_BYTES);  \
        _tile_zero(sums);                                           \
        _tile_dpbssd(sums, tokens, weights);                        \
    } while (0)

/* 1.5 * 2^23 as a float and as its bits: adding an integer below 2^22 to the bits adds it to the
 * float. */
#define MAGIC      12582912.0f
#define MAGIC_BITS 0x4b400000

/*
 * acc[token] = fma(float(sum) * scale of the rows, scale of the token, acc).
 *
 * For some 250 cycles after any tile instruction the second 512-bit multiplier rests, so a step is
 * bound by its multiplications and conversions (measured: 32 of them take 32 cycles, alone 16).
 * Integer additions are not affected. So the sum becomes a float by an addition, and the constant
 * that it leaves is taken off inside the multiplication: (MAGIC + sum) * scale - MAGIC * scale is
 * rounded once, as float(sum) * scale is, because scales have at most 19 significant bits.
 */
INLINE void scale_sums(const int32_t *sums, const tile_walk *w, int64_t i, int subs,
                       __m512 acc[PANEL_TOKENS])
{
    const uint8_t *scales =
        w->stripe + LINE_BYTES * (i / subs * w->step_lines + BLOCK_LINES + i % subs);
    const float *token_scale = w->scale + i / subs * PANEL_TOKENS;
    __m512 scale = _mm512_load_ps((const float *)(const void *)scales);
    __m512 surplus = _mm512_mul_ps(scale, _mm512_set1_ps(-MAGIC));
    __m512i magic = _mm512_set1_epi32(MAGIC_BITS);

#pragma GCC unroll 16
    for (size_t t = 0; t < PANEL_TOKENS; t++) {
        __m512i bits = _mm512_add_epi32(magic, _mm512_load_si512(sums + GROUP_ROWS * t));
        __m512 x = _mm512_fmadd_ps(_mm512_castsi512_ps(bits), scale, surplus);

        acc[t] = _mm512_fmadd_ps(x, _mm512_set1_ps(token_scale[t]), acc[t]);
    }
}

/* Sub-block i is scaled while i + 2 leaves its tile register and i + 5 is multiplied. */
#define STEP(i, left, leaving, sums_leaving, sums_starting, tokens, weights) \
    do {                                                                     \
        if ((left) > 5)                                                      \
            START(sums_starting, tokens, weights, (i) + 5);                  \
        if ((left) > 2)                                                      \
            _tile_stored(sums_leaving, sums[leaving], LINE_BYTES);           \
        scale_sums(sums[((leaving) + 2) % 4], &w, i, subs, acc);             \
    } while (0)

/*
 * Sub-blocks [0, n) of one panel. Tile instructions run in order and a product takes some 50 cycles
 * until it can be stored, so products run three steps ahead of stores, and stores two ahead of the
 * loads that scale them.
 */
INLINE void fold_panel(tile_walk w, int64_t n, int subs, bool fresh, float *to)
{
    _Alignas(LINE_BYTES) int32_t sums[4][PANEL_TOKENS * GROUP_ROWS];
    __m512 acc[PANEL_TOKENS];

#pragma GCC unroll 16
    for (size_t t = 0; t < PANEL_TOKENS; t++)
        acc[t] = fresh ? _mm512_setzero_ps() : _mm512_load_ps(to + GROUP_ROWS * t);
    START(SUMS_0, TOKENS_0, WEIGHTS_0, 0);
    if (n > 1)
        START(SUMS_1, TOKENS_1, WEIGHTS_1, 1);
    if (n > 2)
        START(SUMS_2, TOKENS_0, WEIGHTS_0, 2);
    if (n > 3)
        START(SUMS_3, TOKENS_1, WEIGHTS_1, 3);
    _tile_stored(SUMS_0, sums[0], LINE_BYTES);
    if (n > 4)
        START(SUMS_0, TOKENS_0, WEIGHTS_0, 4);
    if (n > 1)
        _tile_stored(SUMS_1, sums[1], LINE_BYTES);
    for (int64_t i = 0; i < n; i += 4) {
        int64_t left = n - i;

        STEP(i, left, 2, SUMS_2, SUMS_1, TOKENS_1, WEIGHTS_1);
        if (left > 1)
            STEP(i + 1, left - 1, 3, SUMS_3, SUMS_2, TOKENS_0, WEIGHTS_0);
        if (left > 2)
            STEP(i + 2, left - 2, 0, SUMS_0, SUMS_3, TOKENS_1, WEIGHTS_1);
        if (left > 3)
            STEP(i + 3, left - 3, 1, SUMS_1, SUMS_0, TOKENS_0, WEIGHTS_0);
    }
#pragma GCC unroll 16
    for (size_t t = 0; t < PANEL_TOKENS; t++)
        _mm512_store_ps(to + GROUP_ROWS * t, acc[t]);
}

INLINE void fold_panels(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                        const activations *a, int subs, float *acc)
{
    tile_config config = config_for(BLOCK_WEIGHTS / subs);

    tile_configure(&config);
    for (int64_t p = 0; p < a->n_panels; p++) {
        int64_t at = (p * a->n_blocks + first) * PANEL_TOKENS;
        tile_walk w = {stripe, a->q + BLOCK_WEIGHTS * at, a->scale + at, stripe_block_lines(f)};

        fold_panel(w, n * subs, subs, first == 0, acc + p * PANEL_TOKENS * GROUP_ROWS);
    }
    _tile_release();
}

static void tile_amx(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                     const activations *a, float *acc)
{
    assert(a->width == PANEL_TOKENS);
    if (f->sub == 32)
        fold_panels(f, stripe, first, n, a, 1, acc);
    else
        fold_panels(f, stripe, first, n, a, 2, acc);
}

void matmul_init_amx(matmul_kernels *k)
{
    k->tile = tile_amx;
}
