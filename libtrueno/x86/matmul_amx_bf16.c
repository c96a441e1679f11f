/* SPDX-License-Identifier: MIT */
/*
 * BF16 weights with AMX's BF16 tiles: sixteen times the multiplications of AVX-512.
 *
 * The instruction multiplies BF16 exactly and rounds its sums to F32. A line of a group is a row of
 * a tile as it lies. An activation is cut into two BF16 halves, first + second, which hold all but
 * 2^-16 of it. For every 32 weights along K, first of the second halves, then of the first ones,
 * the instruction sums even and odd k apart, each in order from zero, and y = y + (even + odd).
 * Every operation is an FMA or an addition that takes and gives denormal numbers as zeros. One row
 * does the same with vectors. The scalar twin that fixes all this is in tests/kernels/halves.h.
 */
#include "kernels/matmul.h"
#include "tiles.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    BLOCK_PAIRS = BLOCK_WEIGHTS / 2,  /* lines of a block */
    BLOCK_HALVES = 2 * BLOCK_WEIGHTS, /* both halves of a lone token's block */
    UNIT_LINES = 8,
    UNIT_BYTES = UNIT_LINES * LINE_BYTES,
    BLOCK_BYTES = BLOCK_PAIRS * LINE_BYTES,     /* of a group */
    ONE_GROUPS = 4,                             /* of a lone token, whose additions overlap */
    WEIGHT_WORDS = BLOCK_WEIGHTS * GROUP_ROWS,  /* a block of a group */
    TOKEN_WORDS = BLOCK_WEIGHTS * PANEL_TOKENS, /* a block of one half of a panel */
    BOTH_HALVES = 2 * TOKEN_WORDS,
    DENORMALS_ZERO = 0x8040 /* bits of MXCSR: FTZ, DAZ */
};

/* Tile registers, beside those of tiles.h. Sums: panel, group. */
#define SUMS_00 0
#define SUMS_01 1
#define SUMS_10 2
#define SUMS_11 3

static int64_t blocks_of(const activations *a)
{
    return (a->x_cols + BLOCK_WEIGHTS - 1) / BLOCK_WEIGHTS;
}

INLINE __m512 upper_words(__m512i x)
{
    return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)));
}

/*
 * x rounded to BF16, nearest even. A NaN of ones becomes zero here; what is left of it is NaN, and
 * the second half shows it.
 */
INLINE __m512 first_half(__m512 x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));

    return upper_words(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))));
}

INLINE void store_words(uint16_t *to, __m512 x)
{
    __m512i words = _mm512_srli_epi32(_mm512_castps_si512(x), 16);

    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtepi32_epi16(words));
}

static void halve(const float *x, int64_t cols, const activations *a, int64_t token)
{
    int64_t w = a->width, blocks = blocks_of(a);
    int64_t start = (token / w * blocks * 2 * w + token % w) * BLOCK_WEIGHTS;

    for (int64_t k = 0; k < blocks * BLOCK_WEIGHTS; k += 16) {
        int64_t left = cols - k;
        int64_t at = start + k / BLOCK_WEIGHTS * 2 * w * BLOCK_WEIGHTS + k % BLOCK_WEIGHTS;
        __mmask16 mask = (__mmask16)(left >= 16 ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
        __m512 v = _mm512_maskz_loadu_ps(mask, x + k), first = first_half(v);
        __m512 second = upper_words(_mm512_castps_si512(_mm512_sub_ps(v, first)));

        if (w == 1) {
            _mm512_storeu_ps((float *)a->halves + at, first);
            _mm512_storeu_ps((float *)a->halves + at + BLOCK_WEIGHTS, second);
        } else {
            store_words((uint16_t *)a->halves + at, first);
            store_words((uint16_t *)a->halves + at + w * BLOCK_WEIGHTS, second);
        }
    }
}

static void unpack_bf16(const uint8_t *units, int64_t n_units, void *stripe)
{
    size_t bytes = (size_t)n_units * UNIT_BYTES;

    memcpy(stripe, units, bytes);
    if (n_units % 2 != 0)
        memset((uint8_t *)stripe + bytes, 0, UNIT_BYTES);
}

/* Up to two panels and two groups. */
typedef struct tile_walk {
    const uint16_t *weights[2], *tokens[2];
    float *sums[2][2];
} tile_walk;

#define LOAD_SUMS(tile, p, g)                             \
    do {                                                  \
        if ((p) < panels && (g) < groups && fresh)        \
            _tile_zero(tile);                             \
        else if ((p) < panels && (g) < groups)            \
            _tile_loadd(tile, w->sums[p][g], LINE_BYTES); \
    } while (0)
#define STORE_SUMS(tile, p, g)                             \
    do {                                                   \
        if ((p) < panels && (g) < groups)                  \
            _tile_stored(tile, w->sums[p][g], LINE_BYTES); \
    } while (0)

/* One half of the activations times weights that are loaded. */
#define MULTIPLY(half)                                                          \
    do {                                                                        \
        _tile_loadd(TOKENS_0, x0 + (size_t)(half)*TOKEN_WORDS, LINE_BYTES);     \
        if (panels == 2)                                                        \
            _tile_loadd(TOKENS_1, x1 + (size_t)(half)*TOKEN_WORDS, LINE_BYTES); \
        _tile_dpbf16ps(SUMS_00, TOKENS_0, WEIGHTS_0);                           \
        if (groups == 2)                                                        \
            _tile_dpbf16ps(SUMS_01, TOKENS_0, WEIGHTS_1);                       \
        if (panels == 2)                                                        \
            _tile_dpbf16ps(SUMS_10, TOKENS_1, WEIGHTS_0);                       \
        if (panels == 2 && groups == 2)                                         \
            _tile_dpbf16ps(SUMS_11, TOKENS_1, WEIGHTS_1);                       \
    } while (0)

INLINE void fold(const tile_walk *w, int panels, int groups, int64_t blocks, bool fresh)
{
    const uint16_t *x0 = w->tokens[0], *x1 = w->tokens[1];
    const uint16_t *w0 = w->weights[0], *w1 = w->weights[1];

    LOAD_SUMS(SUMS_00, 0, 0);
    LOAD_SUMS(SUMS_01, 0, 1);
    LOAD_SUMS(SUMS_10, 1, 0);
    LOAD_SUMS(SUMS_11, 1, 1);
    for (int64_t i = 0; i < blocks; i++) {
        _tile_loadd(WEIGHTS_0, w0, LINE_BYTES);
        if (groups == 2)
            _tile_loadd(WEIGHTS_1, w1, LINE_BYTES);
        MULTIPLY(1);
        MULTIPLY(0);
        x0 += BOTH_HALVES;
        x1 += BOTH_HALVES;
        w0 += WEIGHT_WORDS;
        w1 += WEIGHT_WORDS;
    }
    STORE_SUMS(SUMS_00, 0, 0);
    STORE_SUMS(SUMS_01, 0, 1);
    STORE_SUMS(SUMS_10, 1, 0);
    STORE_SUMS(SUMS_11, 1, 1);
}

static void tile_halves(const uint16_t *stripe, int n_groups, int64_t first, int64_t n,
                        const activations *a, float *acc, int64_t acc_stride)
{
    int64_t blocks = (n + BLOCK_WEIGHTS - 1) / BLOCK_WEIGHTS;
    int64_t x_panel = blocks_of(a) * 2 * TOKEN_WORDS;
    const uint16_t *x = (const uint16_t *)a->halves + first / BLOCK_WEIGHTS * 2 * TOKEN_WORDS;
    tile_config config = {.palette = 1};
    bool fresh = first == 0;

    assert(a->width == PANEL_TOKENS && first % BLOCK_WEIGHTS == 0 && n_groups <= 2);
    for (int i = SUMS_00; i <= WEIGHTS_1; i++) {
        config.rows[i] = 16;
        config.row_bytes[i] = LINE_BYTES;
    }
    /* gcc 12's intrinsic for this tells the compiler of 8 of the 64 bytes only */
    tile_configure(&config);
    for (int64_t p = 0; p < a->n_panels; p += 2) {
        int panels = a->n_panels - p < 2 ? 1 : 2;
        tile_walk w;

        for (int i = 0; i < 2; i++) {
            w.weights[i] = stripe + i * blocks * WEIGHT_WORDS;
            w.tokens[i] = x + (p + i) * x_panel;
            for (int g = 0; g < 2; g++)
                w.sums[i][g] = acc + g * acc_stride + (p + i) * PANEL_TOKENS * GROUP_ROWS;
        }
        if (panels == 2 && n_groups == 2)
            fold(&w, 2, 2, blocks, fresh);
        else if (panels == 2)
            fold(&w, 2, 1, blocks, fresh);
        else if (n_groups == 2)
            fold(&w, 1, 2, blocks, fresh);
        else
            fold(&w, 1, 1, blocks, fresh);
    }
    _tile_release();
}

/*
 * y[i] += one block of one token for `count` groups: 16 lines each, group_bytes apart, times the
 * first and second halves of 32 activations.
 */
INLINE void add_block(__m512 *y, const uint8_t *lines, size_t group_bytes, int count,
                      const float *x, bool more_follow)
{
    __m512 even[ONE_GROUPS][2], odd[ONE_GROUPS][2];

    for (int i = 0; i < 2 * count; i++)
        even[i / 2][i % 2] = odd[i / 2][i % 2] = _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int i = 0; i < BLOCK_PAIRS; i++, lines += LINE_BYTES, x += 2) {
        __m512 x0 = _mm512_set1_ps(x[0]), x1 = _mm512_set1_ps(x[1]);
        __m512 rest0 = _mm512_set1_ps(x[BLOCK_WEIGHTS]);
        __m512 rest1 = _mm512_set1_ps(x[BLOCK_WEIGHTS + 1]);

        for (int g = 0; g < count; g++) {
            const uint8_t *line = lines + (size_t)g * group_bytes;
            __m512i both = _mm512_loadu_si512(line);
            __m512 w = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16)), v = upper_words(both);

            if (more_follow)
                __builtin_prefetch(line + 2048, 0, 3);
            even[g][0] = _mm512_fmadd_ps(w, x0, even[g][0]);
            odd[g][0] = _mm512_fmadd_ps(v, x1, odd[g][0]);
            even[g][1] = _mm512_fmadd_ps(w, rest0, even[g][1]);
            odd[g][1] = _mm512_fmadd_ps(v, rest1, odd[g][1]);
        }
    }
    for (int g = 0; g < count; g++) {
        y[g] = _mm512_add_ps(y[g], _mm512_add_ps(even[g][1], odd[g][1]));
        y[g] = _mm512_add_ps(y[g], _mm512_add_ps(even[g][0], odd[g][0]));
    }
}

INLINE void groups_bf16(const uint8_t *groups, size_t group_bytes, int count, const activations *a,
                        float *out)
{
    int64_t whole = a->x_cols / BLOCK_WEIGHTS;
    const float *x = a->halves;
    __m512 y[ONE_GROUPS];

    for (int g = 0; g < count; g++)
        y[g] = _mm512_setzero_ps();
    for (int64_t b = 0; b < whole; b++) {
        add_block(y, groups, group_bytes, count, x, true);
        x += BLOCK_HALVES;
        groups += BLOCK_BYTES;
    }
    if (whole < blocks_of(a)) {
        uint8_t last[ONE_GROUPS][BLOCK_BYTES] = {{0}};

        for (int g = 0; g < count; g++)
            memcpy(last[g], groups + (size_t)g * group_bytes, UNIT_BYTES);
        add_block(y, last[0], sizeof last[0], count, x, false);
    }
    for (int64_t g = 0; g < count; g++)
        _mm512_storeu_ps(out + GROUP_ROWS * g, y[g]);
}

/* Not inlined, so that no operation moves out of where denormal numbers are zeros. */
static __attribute__((noinline)) void products(const uint8_t *groups, size_t group_bytes,
                                               int64_t n_groups, const activations *a, float *out)
{
    int64_t g = 0;

    for (; g + ONE_GROUPS <= n_groups; g += ONE_GROUPS)
        groups_bf16(groups + (size_t)g * group_bytes, group_bytes, ONE_GROUPS, a,
                    out + GROUP_ROWS * g);
    for (; g < n_groups; g++)
        groups_bf16(groups + (size_t)g * group_bytes, group_bytes, 1, a, out + GROUP_ROWS * g);
}

static void one_bf16(const uint8_t *groups, size_t group_bytes, int64_t n_groups,
                     const activations *a, float *out)
{
    unsigned int state = _mm_getcsr();

    _mm_setcsr(state | DENORMALS_ZERO);
    products(groups, group_bytes, n_groups, a, out);
    _mm_setcsr(state);
}

void matmul_init_amx_bf16(matmul_kernels *k)
{
    k->halve = halve;
    k->tile_halves = tile_halves;
    k->of[TRUENO_BF16].halves = true;
    k->of[TRUENO_BF16].unpack = unpack_bf16;
    k->of[TRUENO_BF16].one = one_bf16;
}
