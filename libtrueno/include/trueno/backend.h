/* SPDX-License-Identifier: MIT */
/**
 * @file backend.h  A backend: memory and the operations of a transformer over rows of sessions.
 *
 * A *row* is one token of one session at one position. A step is a list of rows: a prompt chunk is
 * many rows of one session, a decode step of a server one row of each of many sessions, and the two
 * mix. All row arrays are row-major F32 in the backend's own memory, [n_rows, width]. Operations
 * are queued in order and may run later (CUDA); read() and step_end() wait for them. They cannot
 * fail: shapes are checked when weights are bound. A row's result never depends on the other rows
 * of the step, bit for bit (a backend that promises less says so in `row_tolerance`).
 *
 * One thread at a time uses a backend. The table is filled once when it is opened.
 */
#ifndef TRUENO_BACKEND_H
#define TRUENO_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/cpu.h>
#include <trueno/log.h>
#include <trueno/memory.h>
#include <trueno/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Raised on any change of the structs in this header: a module with another number is refused. */
#define TRUENO_BACKEND_ABI 4

typedef struct trueno_backend trueno_backend;

/** A matrix, or matrices of equal cols stacked along rows, in the backend's own form. */
typedef struct trueno_weight trueno_weight;

/** One session's keys and values of all layers. */
typedef struct trueno_kv trueno_kv;

/** How keys and values are stored. */
typedef enum trueno_kv_type {
    TRUENO_KV_F16 = 0,
    TRUENO_KV_F32 = 1,
    TRUENO_KV_Q8_0 = 2
} trueno_kv_type;

typedef struct trueno_kv_shape {
    int32_t n_layers, n_kv_heads, head_dim;
    int32_t n_positions; /**< address space is reserved for these; memory is committed as used */
    trueno_kv_type type;
} trueno_kv_shape;

/** n_rows consecutive rows of one session: row first_row + i has position first_pos + i. */
typedef struct trueno_span {
    trueno_kv *kv;
    int32_t first_row, n_rows, first_pos;
} trueno_span;

/** Instead of a token: the one that choose() chose last for the row's session. */
#define TRUENO_TOKEN_CHOSEN (-1)

/** The rows of one step. Host memory, valid until step_end(). Spans cover rows 0..n_rows-1 in
 * order. */
typedef struct trueno_rows {
    int32_t n_rows, n_spans;
    const int32_t *tokens; /**< [n_rows]; TRUENO_TOKEN_CHOSEN where the backend has choose() */
    const trueno_span *spans;
} trueno_rows;

typedef enum trueno_norm_kind { TRUENO_NORM_RMS = 0, TRUENO_NORM_LAYER = 1 } trueno_norm_kind;

/** y = normalised x, times weight (plus bias). Weight and bias are device arrays of `width`. */
typedef struct trueno_norm {
    trueno_norm_kind kind;
    int32_t width;
    float eps;
    const float *weight, *bias; /**< bias NULL: none */
} trueno_norm;

typedef enum trueno_rope_type { TRUENO_ROPE_NORM = 0, TRUENO_ROPE_NEOX = 2 } trueno_rope_type;

/**
 * Rotary positions. Pair j of a head turns by position * inverse_frequency[j] and is scaled by
 * `magnitude`. NORM pairs elements (2j, 2j+1); NEOX pairs (j, j + n_rot/2). Elements from n_rot on
 * pass through. inverse_frequency: host memory, [n_rot / 2], lives as long as the engine.
 */
typedef struct trueno_rope {
    trueno_rope_type type;
    int32_t n_rot;
    float magnitude;
    const float *inverse_frequency;
} trueno_rope;

/**
 * Facts of one layer's attention. A row of qkv is [n_heads * head_dim | n_kv_heads * head_dim |
 * n_kv_heads * head_dim]. Row at position p sees positions max(0, p - window + 1) .. p (window 0:
 * all). score = softcap(scale * q.k), softcap(s) = cap * tanh(s / cap) when cap > 0.
 * q_norm, k_norm: device arrays of head_dim, RMS-normalised per head before the rotation; or NULL.
 */
typedef struct trueno_attention {
    int32_t layer, n_heads, n_kv_heads, head_dim, window;
    float scale, softcap, qk_norm_eps;
    const float *q_norm, *k_norm;
    trueno_rope rope;
} trueno_attention;

/** What a watcher may ask of attention: [n_rows, n_heads] each, host memory, filled when step ends.
 */
typedef struct trueno_attention_watch {
    float *log_sum_exp; /**< log of the softmax denominator of each head */
    float *mean_score;  /**< sum over positions of probability * score */
} trueno_attention_watch;

typedef enum trueno_activation {
    TRUENO_SILU = 0,
    TRUENO_GELU_TANH = 1, /**< 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    TRUENO_GELU_ERF = 2   /**< 0.5 x (1 + erf(x / sqrt(2))) */
} trueno_activation;

enum {
    TRUENO_MOST_CANDIDATES = 256, /**< largest top_k of choose() */
    TRUENO_MOST_RECENT = 64,
    TRUENO_MOST_BIAS = 16,
    TRUENO_CHOICES_KEPT = 4 /**< results of a session that chosen() can still be asked for */
};

/** Added to a token's logit; -INFINITY forbids it. */
typedef struct trueno_bias {
    int32_t id;
    float bias;
} trueno_bias;

/**
 * How the token after a row of logits is chosen: bias, penalties, top-k, top-p, min-p, temperature
 * in this order, as <realizar/sampler.h> describes them.
 */
typedef struct trueno_choice {
    trueno_kv *kv;            /**< the row's session */
    const uint8_t *forbidden; /**< [width], in the backend's memory: tokens that are never chosen
                                 and count for nothing; NULL: none */
    const trueno_bias *bias;  /**< [n_bias], host memory */
    int32_t n_bias;           /**< at most TRUENO_MOST_BIAS */
    const int32_t *recent;    /**< [n_recent] tokens that penalties are for; host memory */
    int32_t n_recent;         /**< at most TRUENO_MOST_RECENT, with recent_chosen one less */
    bool recent_chosen;       /**< the session's last chosen token is one more of them */
    float repeat_penalty, frequency_penalty, presence_penalty;
    int32_t top_k; /**< 1 to TRUENO_MOST_CANDIDATES; 0: nothing is chosen for this row */
    float top_p, min_p, temperature; /**< temperature 0: the largest logit */
    double random;                   /**< in [0, 1): what is drawn */
    uint64_t ticket;                 /**< set by choose() */
} trueno_choice;

/** Instead of an id: a logit was NaN or infinity; all were -infinity or forbidden. */
#define TRUENO_CHOSEN_NOT_FINITE (-1)
#define TRUENO_CHOSEN_NONE       (-2)

typedef struct trueno_chosen {
    int32_t id;
    float
        log_probability; /**< of the logits as they came, over the tokens that are not forbidden */
    float probability;   /**< after the settings */
} trueno_chosen;

/** Which forms of a weight a caller needs. */
enum {
    TRUENO_USE_MATMUL = 1 << 0,
    TRUENO_USE_EMBED = 1 << 1, /**< rows are also read one by one by embed() */
    /** Products are logits: a backend that rounds activations rounds these more finely. */
    TRUENO_USE_LOGITS = 1 << 2
};

typedef struct trueno_backend_options {
    size_t size;       /**< sizeof, as filled by trueno_backend_options_init() */
    int32_t threads;   /**< CPU threads; 0: trueno_cpu_default_threads(). A GPU's backend copies
                            weights with them while a model is loaded, with 8 at most */
    int32_t device;    /**< GPU ordinal */
    bool keep_mapping; /**< CPU: compute from the file's own layout, do not repack (--mmap) */
    const trueno_allocator *allocator; /**< NULL: default; must outlive the backend */
    trueno_log log;
} trueno_backend_options;

/** Bytes in use, for reports: measured from the backend's own allocations. */
typedef struct trueno_memory_use {
    uint64_t weights, kv, activations;
    uint64_t device_total, device_free; /**< 0 on the CPU */
} trueno_memory_use;

/**
 * The table. `n` is a number of rows. Arrays must not overlap unless said. Fields after `optional`
 * may be NULL.
 */
struct trueno_backend {
    uint32_t abi;        /**< TRUENO_BACKEND_ABI */
    const char *name;    /**< "cpu", "cuda", "reference" */
    char device[128];    /**< "avx512-vnni, 2 threads", "NVIDIA H100 80GB HBM3, sm_90" */
    float row_tolerance; /**< 0: rows of a batch are bit-equal to the same rows alone */

    void (*close)(trueno_backend *be);

    /* Memory of this backend, 64-byte aligned (256 on a device). write() and read() copy from and
       to host memory; read() waits for all queued operations. */
    trueno_status (*alloc)(trueno_backend *be, size_t bytes, void **out, trueno_error *err);
    void (*release)(trueno_backend *be, void *p);
    trueno_status (*write)(trueno_backend *be, void *to, const void *from, size_t bytes,
                           trueno_error *err);
    trueno_status (*read)(trueno_backend *be, void *to, const void *from, size_t bytes,
                          trueno_error *err);
    void (*memory_use)(const trueno_backend *be, trueno_memory_use *out);

    /**
     * Make a weight from n_parts (1..4) matrices of equal cols, stacked: outputs of part 0 first.
     * The parts' bytes must stay valid only during the call when the weight is copied or repacked;
     * with keep_mapping they must outlive the weight. Repacking drops `mapped` pages as it goes.
     * TRUENO_UNSUPPORTED names a type that the backend has no kernel for; TRUENO_NO_MEMORY both
     * sizes.
     */
    trueno_status (*weight_new)(trueno_backend *be, const trueno_tensor *parts, int n_parts,
                                unsigned uses, trueno_weight **out, trueno_error *err);
    void (*weight_free)(trueno_backend *be, trueno_weight *w);

    /** Storage for one session. Reserves address space (GPU: pages of a pool), commits as used. */
    trueno_status (*kv_new)(trueno_backend *be, const trueno_kv_shape *shape, trueno_kv **out,
                            trueno_error *err);
    void (*kv_free)(trueno_backend *be, trueno_kv *kv);
    /** Make sure positions [0, n_positions) can be stored; n_positions <= shape.n_positions. */
    trueno_status (*kv_reserve)(trueno_backend *be, trueno_kv *kv, int32_t n_positions,
                                trueno_error *err);
    size_t (*kv_bytes)(const trueno_kv *kv); /**< committed bytes */

    /**
     * Begin and end a step. `rows` must stay valid between. step_end() waits and reports failures.
     * A backend may compute neighbouring operations in one go: an array that a later operation of
     * the step reads holds its value for the host only if read() asks for it first after it was
     * written, before any other read().
     */
    trueno_status (*step_begin)(trueno_backend *be, const trueno_rows *rows, trueno_error *err);
    trueno_status (*step_end)(trueno_backend *be, trueno_error *err);

    /** x[i] = scale * table[tokens[i]] for the step's rows. */
    void (*embed)(trueno_backend *be, const trueno_weight *table, float scale, float *x);
    /** y = norm(x); y may be x. */
    void (*norm)(trueno_backend *be, const trueno_norm *p, const float *x, int32_t n, float *y);
    /** y = W x (+ bias[rows of W]); with `add`, y += W x (+ bias). Written whole. */
    void (*matmul)(trueno_backend *be, const trueno_weight *w, const float *bias, const float *x,
                   int32_t n, bool add, float *y);
    /** Head norms, rotation, and storing of keys and values of the step's rows; q is changed in
     * place. */
    void (*rope_store)(trueno_backend *be, const trueno_attention *p, float *qkv);
    /** out[n_rows, n_heads * head_dim] = causal attention of the step's rows. watch NULL: not
     * watched. */
    void (*attention)(trueno_backend *be, const trueno_attention *p, const float *qkv, float *out,
                      const trueno_attention_watch *watch);
    /** y[n, width] = act(gate_up[:, :width]) * gate_up[:, width:]. */
    void (*glu)(trueno_backend *be, trueno_activation act, const float *gate_up, int32_t n,
                int32_t width, float *y);
    /** y = act(x) elementwise over n * width; y may be x. */
    void (*activate)(trueno_backend *be, trueno_activation act, const float *x, int32_t n,
                     int32_t width, float *y);
    /** y += x, elementwise over n * width. */
    void (*add)(trueno_backend *be, const float *x, int32_t n, int32_t width, float *y);
    /** y[i] = x[rows[i]] for i < n; `rows` is host memory. */
    void (*gather)(trueno_backend *be, const float *x, const int32_t *rows, int32_t n,
                   int32_t width, float *y);
    /** x = cap * tanh(x / cap), in place. */
    void (*softcap)(trueno_backend *be, float cap, float *x, int32_t n, int32_t width);
    /**
     * Mixture of experts: for each row, the n_used largest of softmax(router) are weighted
     * (rescaled to sum 1 when `renormalize`) and y = sum p_e * down_e(act(gate_e x) * up_e x),
     * summed in the order of e; of equal probabilities the lower expert is taken. router [n,
     * n_experts]. gate_up, down: host arrays of n_experts weights, [2 * ff, cols] (gate first) and
     * [cols, ff].
     */
    void (*experts)(trueno_backend *be, const trueno_weight *const *gate_up,
                    const trueno_weight *const *down, const float *router, int32_t n_experts,
                    int32_t n_used, bool renormalize, trueno_activation act, const float *x,
                    int32_t n, float *y);
    /**
     * y[i] += x[i] / (1 + exp(-gate[i])) for rows i < n of `width`: the output of an expert that
     * every row uses, weighed by a score of its own. gate [n].
     */
    void (*add_gated)(trueno_backend *be, const float *gate, const float *x, int32_t n,
                      int32_t width, float *y);

    /* Optional, NULL when a backend has nothing better than the composition above. A fused
       operation is a pure optimisation: kernel tests compare it with the plain ones. */
    const void *optional;
    /** ids[i] = index of the largest of logits[i, 0..width), lowest index on ties; host memory. */
    trueno_status (*argmax)(trueno_backend *be, const float *logits, int32_t n, int32_t width,
                            int32_t *ids, trueno_error *err);
    /**
     * Queue the choice of a token for each of n <= 64 rows of logits of the step under way, and set
     * the tickets. The results are as the host's sampler gives them, up to the last bit of an
     * exponential. chosen() waits for one; unlike all others it may be called by any thread while
     * another uses the backend. step_leave() ends a step as step_end() does, but returns while its
     * operations run: failures of those are reported by chosen(). All three are there, or none.
     */
    trueno_status (*choose)(trueno_backend *be, const float *logits, int32_t n, int32_t width,
                            trueno_choice *choices, trueno_error *err);
    trueno_status (*chosen)(trueno_backend *be, const trueno_kv *kv, uint64_t ticket,
                            trueno_chosen *out, trueno_error *err);
    trueno_status (*step_leave)(trueno_backend *be, trueno_error *err);
    /**
     * How fast the backend's memory can be read now, in GB/s (1e9 bytes a second): the best of
     * several passes over an array far larger than caches, which is allocated and released.
     */
    trueno_status (*bandwidth)(trueno_backend *be, double *gb_s, trueno_error *err);
};

/** Defaults into *o; `size` is sizeof *o of the caller. */
TRUENO_API void trueno_backend_options_init(trueno_backend_options *o, size_t size);

/**
 * Open a backend by name: "cpu", "cuda" (a module opened with dlopen), "reference" (weights
 * dequantised, F32 activations, double accumulation: the yardstick). options NULL: defaults. Close
 * with be->close(be). On failure *out is NULL: TRUENO_USAGE for another name, TRUENO_NO_DEVICE when
 * the module or the device is missing, TRUENO_NO_MEMORY. Any thread.
 */
TRUENO_API trueno_status trueno_backend_open(trueno_backend **out, const char *name,
                                             const trueno_backend_options *options,
                                             trueno_error *err);

/** One line about backend `index` of those built in ("cpu: avx512-vnni"), or false past the last.
 */
TRUENO_API bool trueno_backend_describe(int index, char *line, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
