/* SPDX-License-Identifier: MIT */
/* Arguments and launchers of the kernels: what lower.cu may ask of the other files. */
#ifndef CUDA_KERNELS_H
#define CUDA_KERNELS_H

#include <cuda_runtime.h>
#include <stdint.h>
#include <trueno/backend.h>

/* How a launch goes out: onto which stream, whether it may begin before its predecessor ends. */
typedef struct launcher {
    cudaStream_t stream;
    bool dependent;         /* programmatic dependent launch: compute capability 9.0 and up */
    int n_sm, shared_bytes; /* shared_bytes: most that a block may have */
    int capability;         /* compute capability: 75, 80, .. */
} launcher;

/* A row of a step as kernels see it. */
typedef struct row_info {
    const uint64_t *pages; /* device addresses of the session's pages; before them, see kv.cu */
    int32_t token, position;
    int32_t alone; /* the only row of its session in this step */
    int32_t pad;
} row_info;

/* Some consecutive rows of a weight that have one type. */
typedef struct weight_segment {
    const uint8_t *data;
    int type;
    int first_row, rows;
    int tiles, units; /* 16 rows each; units along the columns, 256 columns for plain types */
    int row_bytes;    /* F32, F16, BF16: padded to 32 weights */
} weight_segment;

enum { MAX_SEGMENTS = 4 };

struct trueno_weight {
    int n_segments, rows, cols;
    weight_segment segment[MAX_SEGMENTS];
    void *memory;
    size_t bytes;
};

/* Rounded rows for matvec of 2 to 8 rows: two int8 planes, x = d (256 high + low), per 32 columns.
 */
typedef struct rounded_rows {
    uint2 *planes; /* [groups][stride rows][2 planes][4] words in operand order */
    float *scale;  /* [groups][stride] */
    float2 *sums;  /* [groups][stride], of 16 columns each */
    int stride;    /* 4 or 8 */
} rounded_rows;

/* Rows for the kernels of F16 and BF16 weights: x = scale (first + second plane), both numbers of
 * the weights' type. */
typedef struct split_rows {
    uint16_t *planes; /* [rows][2][stride] */
    float *scale;     /* [rows] */
    int stride;       /* columns, padded to 256, and 32 */
} split_rows;

/* Rows as halves. */
typedef struct half_rows {
    uint16_t *data; /* [n][stride]; with tiles: passes of 8 tiles rows, see batch.cuh */
    float *scale;   /* [n]: x = scale * data */
    int stride;     /* columns, padded to 256 */
    int tiles;      /* row tiles of a pass; 0: rows one behind the other */
    int planes;     /* 1; 2, with tiles: x = scale * (first + second), tiles of both in turn */
} half_rows;

/* Rows that are in the form of a product already: its planes or its halves, else NULL. */
typedef struct ready_rows {
    rounded_rows rounded;
    half_rows halves;
    bool operands; /* halves are in the order of packed weights */
} ready_rows;

/* What one product does beside multiplying. */
typedef struct product {
    const float *x;          /* [n, cols] */
    const trueno_norm *norm; /* host; applied to x first, NULL: none */
    const float *bias;       /* [rows] or NULL */
    bool add;                /* y += */
    bool precise;            /* 9 to 64 rows of plain weights: x as two halves a number */
    bool activate;           /* y = act(..) */
    int pair_rows;           /* > 0: y[i] = act(r[i]) * r[i + pair_rows] */
    trueno_activation activation;
    float *y; /* [n, rows or pair_rows] */
    int n;
    ready_rows ready; /* pairs of a library's product: where results go instead, if anywhere */
} product;

/* Experts: product p of `count` uses the matrix at data[expert[p]], which is like the weight, and
 * row p / shared of x. All arrays lie on the device. */
typedef struct expert_choice {
    const int32_t *expert;
    const uint64_t *data;
    int count, shared;
} expert_choice;

/* matvec.cu: weights times 1 to 8 rows; for n > 1, `rounded` are the rows where there are segments
 * of block types, `split` memory for the rows where there are F16 or BF16. */
void launch_matvec(const launcher *l, const trueno_weight *w, const product *p,
                   const rounded_rows *rounded, const split_rows *split,
                   const expert_choice *experts);
bool matvec_can_pair(const trueno_weight *w, int pair_rows);
bool matvec_can_norm(const trueno_weight *w, int n, const trueno_norm *norm);
void launch_round_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                       const rounded_rows *out);

/* gemm.cu: any weights times 9 rows and more, through halves. */
void launch_half_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                      bool operand_order, const half_rows *out);
/* Rows [first, first + count) of a segment as halves times 256, [count][stride]. */
void launch_expand(const launcher *l, const weight_segment *s, int cols, int first, int count,
                   int stride, uint16_t *out);
void launch_finish(const launcher *l, const float *sums, int sums_stride, const half_rows *x,
                   const product *p, float factor, int rows, int first_row, int y_stride);

/* Of pairs, to p->ready.halves; widths that are multiples of 4. */
void launch_finish_halves(const launcher *l, const float *sums, int sums_stride, const half_rows *x,
                          const product *p, float factor);

/* Two kernels in a row that need only what was before both may run side by side: the first lets the
 * second start when that is there, and the second ends when the first has ended. */
enum beside { BESIDE_NONE, BESIDE_NEXT, BESIDE_PREVIOUS };

/* batch.cu: any weights times 9 rows and more, 8 tiles of them in a pass. */
int batch_row_tiles(const launcher *l, int n);
void batch_scratch(const launcher *l, const trueno_weight *w, const product *p, const half_rows *x,
                   size_t *floats, size_t *counters);
void launch_batch(const launcher *l, const trueno_weight *w, const product *p, const half_rows *x,
                  float *partial, unsigned *arrived, beside side);

/* weight.cu */
void launch_pack(cudaStream_t stream, int type, const uint8_t *rows, int n_rows, size_t row_bytes,
                 int cols, int units, uint8_t *out);
void launch_pad(cudaStream_t stream, const uint8_t *rows, int n_rows, size_t row_bytes, int padded,
                uint8_t *out);

/* Cosines and sines of a step's rows for one rotation. */
typedef struct turn_job {
    const float *frequency; /* [n_pairs] */
    float magnitude;
    int n_pairs;
    float2 *turns; /* [n, n_pairs], times the magnitude */
} turn_job;

/* elementwise.cu; turns: computed in the same kernel, NULL: none. */
void launch_embed(const launcher *l, const trueno_weight *w, const row_info *rows, int n,
                  float scale, float *x, const turn_job *turns);
void launch_turns(const launcher *l, const row_info *rows, int n, const turn_job *job);
void launch_norm(const launcher *l, const trueno_norm *norm, const float *x, int n, float *y);
void launch_glu(const launcher *l, trueno_activation act, const float *gate_up, int n, int width,
                float *y);
void launch_activate(const launcher *l, trueno_activation act, const float *x, int n, int width,
                     float *y);
void launch_add(const launcher *l, const float *x, int n, int width, float *y);
void launch_add_gated(const launcher *l, const float *gate, const float *x, int n, int width,
                      float *y);
void launch_gather(const launcher *l, const float *x, const int32_t *rows, int n, int width,
                   float *y);
void launch_softcap(const launcher *l, float cap, float *x, int n, int width);
void launch_argmax(const launcher *l, const float *logits, int n, int width, float2 *scratch,
                   int32_t *ids);
enum { ARGMAX_BLOCKS = 64 }; /* float2 of scratch a row */

/* experts.cu */
void launch_route(const launcher *l, const float *router, int n, int n_experts, int n_used,
                  bool renormalize, int32_t *ids, float *weights);
void launch_mix(const launcher *l, const float *outputs, const float *weights, int n, int n_used,
                int width, float *y);

/* attention.cu */
enum { PAGE_POSITIONS = 64 };

/* Where a layer's keys and values lie in a page. */
typedef struct kv_layout {
    int type;                     /* trueno_kv_type */
    int head_bytes;               /* of PAGE_POSITIONS rows of one head */
    int key_offset, value_offset; /* of the layer in a page */
} kv_layout;

typedef struct attention_job {
    trueno_attention facts; /* host copy; q_norm and k_norm are device arrays */
    kv_layout kv;
    const row_info *rows;
    const float2 *turns; /* [n][n_rot / 2]: cosine and sine, times the magnitude */
    float *qkv, *out;
    int n, longest;                  /* longest: positions that no row goes beyond */
    ready_rows ready;                /* where results go instead of `out`, if anywhere */
    bool store;                      /* rotate and store in the same kernel: every row is alone */
    float *partial;                  /* scratch, attention_scratch() floats */
    unsigned *arrived;               /* zeroed counters, n * n_kv_heads */
    float *log_sum_exp, *mean_score; /* device [n, n_heads] or NULL */
} attention_job;

/* A run of query rows (token, head of the group) of one session, for many rows of it. */
typedef struct query_tile {
    int32_t first_row, n_rows,
        offset; /* step rows of the span; tile begins at its (row, head) number */
    int32_t pad;
} query_tile;

/* PART_EXTRA: floats of a split's part behind its head: largest score, total, alignment.
 * SPLIT_POSITIONS: what the warps of a block take at once. ONE_CLUSTER: how often they do, at most,
 * where that saves further clusters, which are of up to MOST_CLUSTER blocks. */
enum { TILE_ROWS = 64, MAX_SPLITS = 64, PART_EXTRA = 4, SPLIT_POSITIONS = 128 };
enum { MOST_CLUSTER = 8, ONE_CLUSTER = 2 };
enum { CLUSTER_POSITIONS = ONE_CLUSTER * MOST_CLUSTER * SPLIT_POSITIONS };

/* Has the device room for a whole cluster for each of a step's rows and kv heads? Clusters that
 * have to wait until several blocks find room at once cost more than they save. */
bool attention_has_clusters(const launcher *l, int rows_and_heads);
/* Blocks along the positions, where no row has more than `longest`; floats of scratch for any. */
int attention_splits(const launcher *l, const trueno_attention *facts, int n, int longest);
size_t attention_scratch(const launcher *l, const trueno_attention *facts, int n);
bool attention_has_tiles(const trueno_attention *facts, int kv_type);
void launch_rope_store(const launcher *l, const attention_job *job);
void launch_attention(const launcher *l, const attention_job *job);
void launch_attention_tiles(const launcher *l, const attention_job *job, const query_tile *tiles,
                            int n_tiles);

/* choose.cu: a row's settings on the device, and its result in the host's memory. */
typedef struct choice_row {
    const uint8_t *forbidden;
    const int32_t *last; /* one more recent token; NULL: none */
    int32_t *place;      /* where the next step finds the token */
    double random;
    float repeat_penalty, frequency_penalty, presence_penalty, top_p, min_p, temperature;
    int32_t top_k, n_recent, n_bias;
    int32_t recent[TRUENO_MOST_RECENT];
    trueno_bias bias[TRUENO_MOST_BIAS];
    struct choice_result *result; /* pinned */
    uint32_t number;
} choice_row;

/* Numbers of 32 bits, each beside the number of its choice in the upper half of a word: whoever
 * sees the latter has the former, without an order between the words. */
enum { CHOSEN_ID, CHOSEN_LOG_PROBABILITY, CHOSEN_PROBABILITY, CHOSEN_WORDS };
typedef struct choice_result {
    uint64_t word[CHOSEN_WORDS];
} choice_result;

enum { CHOICE_PARTS = 1024, CHOICE_FACTS_BYTES = 16 * CHOICE_PARTS, CHOICE_ROWS = 64 };
/* facts: CHOICE_FACTS_BYTES a row. */
void launch_look(const launcher *l, const choice_row *rows, const float *logits, int n, int width,
                 void *facts);
void launch_choose(const launcher *l, const choice_row *rows, const float *logits, int n, int width,
                   void *facts);

/* Start `kernel` the way `l` says, in clusters of `cluster` blocks along x (1: none). */
#define LAUNCH_CLUSTERS(l, cluster, kernel, grid, block, shared, ...)                   \
    do {                                                                                \
        auto function = kernel;                                                         \
        cudaLaunchConfig_t config = {};                                                 \
        cudaLaunchAttribute attribute[2];                                               \
        config.gridDim = (grid);                                                        \
        config.blockDim = (block);                                                      \
        config.dynamicSmemBytes = (size_t)(shared);                                     \
        config.stream = (l)->stream;                                                    \
        config.attrs = attribute;                                                       \
        if ((l)->dependent) {                                                           \
            attribute[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;       \
            attribute[0].val.programmaticStreamSerializationAllowed = 1;                \
            config.numAttrs = 1;                                                        \
        }                                                                               \
        if ((cluster) > 1) {                                                            \
            attribute[config.numAttrs].id = cudaLaunchAttributeClusterDimension;        \
            attribute[config.numAttrs].val.clusterDim.x = (unsigned)(cluster);          \
            attribute[config.numAttrs].val.clusterDim.y = 1;                            \
            attribute[config.numAttrs++].val.clusterDim.z = 1;                          \
        }                                                                               \
        if ((size_t)(shared) > 48 * 1024)                                               \
            cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, \
                                 (int)(shared));                                        \
        cudaLaunchKernelEx(&config, function, __VA_ARGS__);                             \
    } while (0)

/* Start `kernel` the way `l` says. */
#define LAUNCH(l, kernel, grid, block, shared, ...) \
    LAUNCH_CLUSTERS(l, 1, kernel, grid, block, shared, __VA_ARGS__)

#endif
