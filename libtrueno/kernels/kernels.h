/* SPDX-License-Identifier: MIT */
/**
 * @file kernels.h  The small kernels of a transformer, one table a CPU level.
 *
 * Every kernel is written once, over vectors of 16 floats ("lanes", kernels/lanes_*.h): the plain C
 * lanes are the specification, the levels supply the same few operations in their registers.
 * Order of sums and the polynomials are part of the body, so all levels give equal bits.
 * Kernels cannot fail; shapes were checked by the backend. Float arrays need no alignment.
 */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stdint.h>
#include <trueno/backend.h>

enum {
    KERNEL_LANES = 16,
    KV_BLOCK = 64,         /* positions in a block of keys or values; blocks start at multiples */
    ATTENTION_QUERIES = 6, /* most queries that share one pass over a block */
    KV_SCALE_GROUP = 32    /* elements along a head that share a scale in Q8_0 storage */
};

/** Running state of one query over blocks of keys; plus float acc[head stride] beside it. */
typedef struct softmax_state {
    float max;                    /* largest score so far; meaningless while `empty` */
    bool empty;                   /* no key seen yet */
    float sum[KERNEL_LANES];      /* of exp(score - max), key k in lane k % 16 */
    float weighted[KERNEL_LANES]; /* of exp(score - max) * score; kept only when watched */
} softmax_state;

/** How scores become weights: score = softcap(scale * q.k); see trueno_attention. */
typedef struct score_rule {
    float scale, softcap;
    bool watch;
} score_rule;

/**
 * Storage of KV_BLOCK positions of one head, all positions of a block together:
 *   keys    [4 groups of 16 positions][head_dim][16 positions]: a vector is one element of 16 keys,
 *           so scores need no horizontal sums and a group of 128 elements in F16 is one 4 KiB page;
 *   values  [64 positions][stride], stride = head_dim rounded up to 16, the rest zero.
 * Q8_0 puts after the bytes one F16 scale per KV_SCALE_GROUP elements of a position:
 *   keys    [4][groups of elements][16 positions], values [64 positions][groups of elements].
 */
typedef struct kv_codec {
    /** Write position `slot` (0..63) of a block from head_dim floats. */
    void (*store_key)(void *keys, int32_t head_dim, int32_t slot, const float *x);
    void (*store_value)(void *values, int32_t head_dim, int32_t slot, const float *x);
    /** Expand key groups 0..n_groups-1 to floats [n_groups][head_dim][16], in `out` or in place. */
    const float *(*load_keys)(const void *keys, int32_t head_dim, int32_t n_groups, float *out);
    /** Expand positions 0..n-1 to [n][stride] floats: into `out`, or in place. */
    const float *(*load_values)(const void *values, int32_t head_dim, int32_t n, float *out);
} kv_codec;

typedef struct kernel_table {
    const char *level;

    /** y = x / sqrt(mean(x^2) + eps) * weight (+ bias); weight NULL: 1. y may be x. */
    void (*rms_norm)(const float *x, const float *weight, const float *bias, int32_t width,
                     float eps, float *y);
    /** y = (x - mean) / sqrt(mean((x - mean)^2) + eps) * weight (+ bias). y may be x. */
    void (*layer_norm)(const float *x, const float *weight, const float *bias, int32_t width,
                       float eps, float *y);
    /** Turn the pairs of one head in place. turns: [n_rot / 2] cosines, then [n_rot / 2] sines. */
    void (*rotate)(trueno_rope_type type, int32_t n_rot, const float *turns, float *head);
    /** y = act(gate) * up over n values; y may be gate or up. */
    void (*glu)(trueno_activation act, const float *gate, const float *up, int64_t n, float *y);
    /** y = act(x) over n values; y may be x. */
    void (*activate)(trueno_activation act, const float *x, int64_t n, float *y);
    /** y += scale * x over n values. */
    void (*add_scaled)(const float *x, float scale, int64_t n, float *y);
    /** x = cap * tanh(x / cap) over n values. */
    void (*softcap)(float cap, float *x, int64_t n);
    /** Index of the largest of n >= 1 values, the lowest on ties; NaN is never the largest. */
    int32_t (*argmax)(const float *x, int32_t n);
    /** x = exp(x - max(x)) / sum over n >= 1 values. */
    void (*softmax)(float *x, int32_t n);

    /** scores[i][64] = q[i] . keys for n <= ATTENTION_QUERIES queries and n_groups of 16 keys. */
    void (*attention_scores)(const float *const *q, int32_t n, const float *keys, int32_t head_dim,
                             int32_t n_groups, float *scores);
    /**
     * Fold keys [begin, end) of a block into a query's state: scores[64] become weights
     * exp(score - new max), defined for keys in [begin, end) only, begin < end. Returns the factor
     * that the accumulator must be multiplied with before the block's values are added.
     */
    float (*attention_weights)(const score_rule *rule, int32_t begin, int32_t end, float *scores,
                               softmax_state *state);
    /** acc[i] += sum over positions k = begin..end-1 in order of weights[i][k] * values[k], n <= 6.
     */
    void (*attention_values)(const float *weights, int32_t n, const float *values, int32_t stride,
                             int32_t begin, int32_t end, float *const *acc);
    /** x *= factor over n values (n a multiple of 16). */
    void (*scale)(float factor, int32_t n, float *x);
    /** Add the state and accumulator `from` (a later range of keys) into `to`; stride floats. */
    void (*attention_merge)(const softmax_state *from, const float *from_acc, int32_t stride,
                            softmax_state *to, float *to_acc);
    /** out[head_dim] = acc / sum; log_sum_exp and mean_score where not NULL. */
    void (*attention_finish)(const softmax_state *state, const float *acc, int32_t head_dim,
                             float *out, float *log_sum_exp, float *mean_score);

    kv_codec kv[3]; /* by trueno_kv_type */
} kernel_table;

/** The table of the highest level in `flags` that has kernels; static. */
const kernel_table *kernels_for(uint32_t flags);

extern const kernel_table kernels_c;
extern const kernel_table kernels_avx2;
extern const kernel_table kernels_avx512;
extern const kernel_table kernels_neon;

/** Elements of a head rounded up to whole vectors. */
static inline int32_t kv_stride(int32_t head_dim)
{
    return (head_dim + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

/** Groups of elements that share a scale. */
static inline int32_t kv_scale_groups(int32_t head_dim)
{
    return (head_dim + KV_SCALE_GROUP - 1) / KV_SCALE_GROUP;
}

#endif
