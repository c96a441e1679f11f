/* SPDX-License-Identifier: MIT */
/* The CUDA backend's host side: the backend, its sessions, the recorded operations of a step. */
#ifndef CUDA_INTERNAL_H
#define CUDA_INTERNAL_H

#include "kernels.h"

#include <trueno/backend.h>
#include <trueno/sys/threads.h>

/* Device memory that grows and is kept; growing it makes captured graphs invalid. */
typedef struct scratch {
    void *data;
    size_t bytes;
} scratch;

enum scratch_use {
    SCRATCH_PLANES,
    SCRATCH_SCALES,
    SCRATCH_SUMS,
    SCRATCH_HALVES,
    SCRATCH_HALF_SCALES,
    SCRATCH_EXPANDED,
    SCRATCH_PRODUCT,
    SCRATCH_PARTIAL,
    SCRATCH_ARRIVED,
    SCRATCH_TURNS,
    SCRATCH_TURNS_1,
    SCRATCH_TURNS_2,
    SCRATCH_TURNS_3,
    SCRATCH_TILES,
    SCRATCH_STEP,
    SCRATCH_STEP_1,
    SCRATCH_CHOICES,
    SCRATCH_ARGMAX,
    SCRATCH_ROUTE,
    SCRATCH_EXPERTS,
    SCRATCH_WATCH,
    N_SCRATCH
};

typedef enum op_kind {
    OP_EMBED,
    OP_NORM,
    OP_MATMUL,
    OP_ROPE_STORE,
    OP_ATTENTION,
    OP_GLU,
    OP_ACTIVATE,
    OP_ADD,
    OP_ADD_GATED,
    OP_GATHER,
    OP_SOFTCAP,
    OP_EXPERTS,
    OP_CHOOSE
} op_kind;

/* An operation as it was asked for. Zeroed first, so that equal operations are equal bytes. */
typedef struct operation {
    op_kind kind;
    int32_t n, width;
    const trueno_weight *weight;
    const float *x, *bias;
    float *y, number; /* embedding scale, soft cap */
    bool add;
    trueno_activation activation;
    trueno_norm norm;
    trueno_attention attention;
    trueno_attention_watch watch;
    int32_t first_row;              /* gather: where its rows lie among the step's */
    bool whole;                     /* gather: of all rows of the step, in order */
    const uint64_t *gate_up, *down; /* experts: device addresses of their matrices */
    const trueno_weight *down_weight;
    int32_t n_experts, n_used;
    bool renormalize;
    int32_t choices; /* where their settings lie in the step's memory, in bytes */
} operation;

/* What a list of operations stands on besides the operations. */
typedef struct step_key {
    int32_t n_rows;
    bool alone;      /* every row has a session of its own */
    int32_t longest; /* positions, rounded up: attention's grid depends on it */
    kv_layout kv;
    int32_t layer_bytes;
} step_key;

/* Steps take turns with two places in device memory, so that one can be copied there while the one
 * before it runs. */
enum { N_PLACES = 2 };

/* A list that was run; from its second run on as a graph, one for each place of its rows. */
typedef struct graph_entry {
    step_key key;
    operation *ops;
    int n_ops;
    const void *kept;
    cudaGraphExec_t exec[N_PLACES];
    uint64_t used;
} graph_entry;

/* Pinned memory of a step: row_info[n_rows], numbers of gathers, settings of choices. `read` is
 * recorded when the device has been told to copy it. */
typedef struct step_memory {
    void *data;
    size_t bytes;
    cudaEvent_t read;
} step_memory;

enum { N_STEPS = 4 };

enum { MAX_GRAPHS = 24, MAX_GRAPH_ROWS = 64, MAX_FREQUENCIES = 4, N_STAGING = 2 };

/* Frequencies of a rotation, copied to the device once. */
typedef struct frequency_copy {
    int32_t n;
    float *host, *device;
} frequency_copy;

/* Device addresses of the matrices of a layer's experts. */
typedef struct expert_table {
    const trueno_weight *first;
    uint64_t *device;
} expert_table;

enum { MAX_EXPERT_TABLES = 512 };

struct cublas_library;

typedef struct cuda_backend {
    trueno_backend table; /* first: a trueno_backend * of this kind is a cuda_backend * */
    const trueno_allocator *allocator;
    trueno_log log;
    int device;
    cudaStream_t stream, copies; /* copies: of steps' rows, which the stream waits for */
    launcher launch;
    trueno_error failure;
    uint64_t weight_bytes, kv_bytes, activation_bytes;
    scratch scratch[N_SCRATCH];
    uint64_t scratch_moves; /* how often any of them was allocated anew */

    void *staging[N_STAGING], *staging_device[N_STAGING]; /* uploads: pinned and device memory */
    cudaEvent_t staging_free[N_STAGING];
    uint32_t staging_at;  /* the next one, counted on */
    trueno_pool *copiers; /* while a model is loaded; NULL: the caller alone */
    int n_copiers;

    const trueno_rows *rows; /* of the step under way, or NULL */
    step_key key;
    step_memory steps[N_STEPS], *step; /* step: the one under way */
    uint32_t step_at;
    int place;                 /* of the step under way on the device */
    const uint8_t *step_rows;  /* what went up, there */
    cudaEvent_t ran[N_PLACES]; /* recorded behind the last kernel that reads the place */
    int32_t n_gathered, n_choices;
    bool uploaded, flushed; /* the step's rows; any of its operations */

    operation *ops;
    int n_ops, room_ops;
    graph_entry graphs[MAX_GRAPHS];
    uint64_t graph_clock, graph_moves; /* graph_moves: scratch_moves that the graphs know */

    const query_tile *tiles; /* of the operations under way */
    int n_tiles;
    bool tiles_ready;

    frequency_copy frequencies[MAX_FREQUENCIES];
    expert_table experts[MAX_EXPERT_TABLES];
    int n_experts;
    struct cublas_library *cublas;
    bool cublas_tried;
} cuda_backend;

/* A session: pages of PAGE_POSITIONS positions of all layers, and their addresses on the device. */
struct trueno_kv {
    trueno_kv_shape shape;
    kv_layout layer0;
    int32_t layer_bytes;
    size_t page_bytes;
    int32_t n_pages, max_pages;
    uint64_t *pages_host; /* pinned */
    void *table;          /* device: the token chosen last, and the pages */
    uint64_t *pages;
    choice_result *choices; /* pinned, [TRUENO_CHOICES_KEPT] */
    uint32_t n_chosen;
    void **blocks; /* device allocations of one page or more */
    int32_t n_blocks;
};

static inline cuda_backend *cuda_of(trueno_backend *be)
{
    return (cuda_backend *)be;
}

/* backend.cu */
trueno_status cuda_check(cudaError_t code, const char *what, trueno_error *err);
void cuda_note(cuda_backend *be, cudaError_t code, const char *what);
trueno_status device_alloc(cuda_backend *be, size_t bytes, const char *what, void **out,
                           trueno_error *err);
void *scratch_get(cuda_backend *be, enum scratch_use use, size_t bytes);

/* weight.cu */
trueno_status cuda_weight_new(trueno_backend *table, const trueno_tensor *parts, int n_parts,
                              unsigned uses, trueno_weight **out, trueno_error *err);
void cuda_weight_free(trueno_backend *table, trueno_weight *w);

/* upload.cu */
/* How many threads copy; 0: as the processor has. */
void staging_threads(cuda_backend *be, int32_t threads);
/* All rows of a segment, whose memory is there; parts: from the segment's first on. */
trueno_status upload_segment(cuda_backend *be, const weight_segment *s, const trueno_tensor *parts,
                             int cols, trueno_error *err);
void staging_free(cuda_backend *be);

/* kv.cu */
trueno_status cuda_kv_new(trueno_backend *table, const trueno_kv_shape *shape, trueno_kv **out,
                          trueno_error *err);
void cuda_kv_free(trueno_backend *table, trueno_kv *kv);
trueno_status cuda_kv_reserve(trueno_backend *table, trueno_kv *kv, int32_t n_positions,
                              trueno_error *err);
size_t cuda_kv_bytes(const trueno_kv *kv);

/* record.cu: the table's operations put themselves on the list. */
void record_fill(trueno_backend *table);

/* step.cu */
trueno_status cuda_step_begin(trueno_backend *table, const trueno_rows *rows, trueno_error *err);
trueno_status cuda_step_end(trueno_backend *table, trueno_error *err);
trueno_status cuda_step_leave(trueno_backend *table, trueno_error *err);
/* Make room in pinned memory, keeping what is there. */
bool step_room(cuda_backend *be, step_memory *m, size_t bytes);
/* The next of `n` memories, when the device has read it. */
step_memory *step_memory_next(cuda_backend *be, step_memory *memories, uint32_t *at, uint32_t n);
void step_memory_free(step_memory *m);
/* Put row numbers beside the step's rows; returns where, counted in numbers. */
int32_t step_numbers(cuda_backend *be, const int32_t *numbers, int32_t n);
/* Pinned memory for the settings of n choices, and where they lie in the step's memory, in bytes;
 * NULL: none. */
choice_row *step_choices(cuda_backend *be, int32_t n, int32_t *at);
/* Run what is on the list; the array that holds `kept` must have its value afterwards. */
void flush(cuda_backend *be, const void *kept);
void record_choose(cuda_backend *be, const float *logits, int32_t n, int32_t width,
                   int32_t choices);
void graphs_drop(cuda_backend *be);

/* choices.cu */
trueno_status cuda_choose(trueno_backend *table, const float *logits, int32_t n, int32_t width,
                          trueno_choice *choices, trueno_error *err);
trueno_status cuda_chosen(trueno_backend *table, const trueno_kv *kv, uint64_t ticket,
                          trueno_chosen *out, trueno_error *err);

/* bandwidth.cu */
trueno_status cuda_bandwidth(trueno_backend *table, double *gb_s, trueno_error *err);

/* turns.cu */
void frequencies_free(cuda_backend *be);
/* Cosines and sines of the step's rows, computed where a rotation first needs them; `known`: those
 * that this run over the step's operations has. NULL: none, or a failure. */
const float2 *step_turns(cuda_backend *be, const trueno_rope *rope,
                         const float2 *known[MAX_FREQUENCIES]);
/* The same, for another kernel to compute them: they are known from then on. */
bool first_turns(cuda_backend *be, const trueno_rope *rope, const float2 *known[MAX_FREQUENCIES],
                 turn_job *job);

/* lower.cu: launch the operations of the list, neighbours in one kernel where that is possible. */
void run_operations(cuda_backend *be, const operation *ops, int n_ops, const void *kept);

/* product.cu */
/* ready: the rows are there in the product's form already; NULL: they are floats. */
void run_product(cuda_backend *be, const trueno_weight *w, const product *p, float *unpaired,
                 const ready_rows *ready);
bool product_form(cuda_backend *be, const trueno_weight *w, int n, ready_rows *out);
/* The same for what a product with pairs gives, into memory that its floats would be in: only a
 * library's leaves them so. */
bool pairs_form(cuda_backend *be, const trueno_weight *w, int n, float *array, ready_rows *out);

/* cublas.cu */
bool cublas_ready(cuda_backend *be);
/* c [n][ld] = factor a [n, cols] (stride) times w [rows, cols] (w_stride) transposed. */
bool cublas_multiply(cuda_backend *be, const uint16_t *w, int rows, int w_stride, const uint16_t *a,
                     int n, int cols, int stride, float factor, float *c, int ld);
void cublas_close(cuda_backend *be);

#endif
