/* SPDX-License-Identifier: MIT */
/**
 * @file model.h  Open a model file and look at it: config, named tensor views, vocabulary,
 * metadata.
 *
 * A model is immutable once open; any number of threads may read it. Everything that a getter
 * returns is borrowed and lives until apr_model_close().
 */
#ifndef APR_MODEL_H
#define APR_MODEL_H

#include <apr/config.h>
#include <apr/roles.h>
#include <apr/vocab.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/log.h>
#include <trueno/memory.h>
#include <trueno/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct apr_model apr_model;

typedef struct apr_model_options {
    size_t size;     /**< sizeof, as filled by apr_model_options_init() */
    bool lenient;    /**< accept what can be read safely though the strict reader refuses it */
    bool verify;     /**< read and check every checksum that the format carries */
    bool vocab_only; /**< do not require tensors or a runnable config (tokenize, render) */
    const trueno_allocator *allocator; /**< NULL: default; must outlive the model */
    trueno_log log;                    /**< warnings of a lenient read */
    /** Compressed tensors are decompressed when their data are asked for, not at the open; see
     * apr_model_fetch(). Implied by vocab_only. */
    bool lazy;
} apr_model_options;

/** Defaults into *o; `size` is the caller's sizeof *o. */
TRUENO_API void apr_model_options_init(apr_model_options *o, size_t size);

/**
 * Open a model: a GGUF, SafeTensors or .apr file, any shard of a set, an index, or a Hugging Face
 * folder. The file is mapped, not read; its tables are checked whole before this returns.
 * options NULL: defaults. On failure *out is NULL and err names the file and the field:
 * TRUENO_NOT_FOUND; TRUENO_FORMAT, the bytes break the format's rules; TRUENO_CONTENT, a checksum
 * (with `verify`) or a compressed tensor is wrong; TRUENO_UNSUPPORTED, a companion, shard or
 * required field is missing, or parts contradict each other; TRUENO_IO; TRUENO_NO_MEMORY;
 * TRUENO_USAGE, a path that is too long. Any thread.
 */
TRUENO_API trueno_status apr_model_open(apr_model **out, const char *path,
                                        const apr_model_options *options, trueno_error *err);

/** As apr_model_open() for a single-file model in memory, whose bytes must outlive the model. */
TRUENO_API trueno_status apr_model_open_memory(apr_model **out, const void *data, size_t bytes,
                                               const apr_model_options *options, trueno_error *err);

/** Unmap and free; NULL is fine. */
TRUENO_API void apr_model_close(apr_model *model);

/** The file's path as given, "memory" for one from memory. */
TRUENO_API const char *apr_model_path(const apr_model *model);

/** "GGUF v3", "SafeTensors", "APR". */
TRUENO_API const char *apr_model_format(const apr_model *model);

/** Bytes of all files of the model. */
TRUENO_API uint64_t apr_model_bytes(const apr_model *model);

/** Hyperparameters. Of a vocabulary-only file, fields may be zero. */
TRUENO_API const apr_config *apr_model_config(const apr_model *model);

/** The vocabulary, or NULL when the file has none. */
TRUENO_API const apr_vocab *apr_model_vocab(const apr_model *model);

/** The chat template (Jinja text, NUL-terminated), or NULL. */
TRUENO_API const char *apr_model_chat_template(const apr_model *model);

/** Generation defaults the model carries. */
TRUENO_API const apr_generation_defaults *apr_model_generation_defaults(const apr_model *model);

/**
 * A named tensor: shape outermost dimension first ([out, in]), bytes in place. `type` may be one
 * that the registry does not hold (trueno_type_get() gives NULL): such a tensor can be listed and
 * copied, but not computed with.
 */
typedef struct apr_tensor {
    const char *name; /**< as in the file */
    trueno_type type;
    int32_t n_dims;
    int64_t dims[4]; /**< unused ones are 1 */
    const void *data;
    uint64_t bytes;
    uint64_t offset; /**< of the data in its file */
    int32_t file;    /**< which file of a set */
    int32_t role;    /**< apr_role, -1 when unknown */
    int32_t layer;   /**< -1 for tensors outside the layers */
    int32_t expert;  /**< of a matrix that is one expert's alone (Hugging Face files), else -1 */
    int32_t packed;  /**< compressed in its file: its number among such tensors from 1 on, else 0 */
} apr_tensor;

/** Number of tensors. */
TRUENO_API size_t apr_model_tensor_count(const apr_model *model);

/** Tensor `index` in the file's order; asserts the range. */
TRUENO_API const apr_tensor *apr_model_tensor(const apr_model *model, size_t index);

/**
 * Have a tensor's data in memory. Only of a model opened as lazy, and there only for compressed
 * tensors (`packed`), they are not there before, and must not be read: this decompresses one tensor
 * and lets the memory of the one before go. TRUENO_CONTENT when they are damaged,
 * TRUENO_NO_MEMORY. Not for two threads at once.
 */
TRUENO_API trueno_status apr_model_fetch(const apr_model *model, const apr_tensor *tensor,
                                         trueno_error *err);

/** Bytes that a tensor takes in its file: fewer than `bytes` when it is compressed. */
TRUENO_API uint64_t apr_tensor_stored_bytes(const apr_model *model, const apr_tensor *tensor);

/** The tensor of that name, or NULL. */
TRUENO_API const apr_tensor *apr_model_find(const apr_model *model, const char *name);

/**
 * The name that the role's tensor has in files of the model's format ("blk.3.attn_k.weight" in
 * GGUF, "model.layers.3.self_attn.k_proj.weight" elsewhere), whether the model has it or not; for
 * messages, cut at `bytes`, of which there is one at least. `layer` is ignored for roles outside
 * the layers. Any thread.
 */
TRUENO_API void apr_model_role_name(const apr_model *model, apr_role role, int32_t layer, char *out,
                                    size_t bytes);

/** The tensor playing `role` in `layer` (ignored for roles outside the layers), or NULL. */
TRUENO_API const apr_tensor *apr_model_role(const apr_model *model, apr_role role, int32_t layer);

/**
 * One expert's matrix, whether the file stacks the experts of a layer in one tensor (GGUF) or has
 * one for each (Hugging Face): `role` is one of APR_FFN_GATE_EXPERTS, UP and DOWN. False when there
 * is none.
 */
TRUENO_API bool apr_model_expert(const apr_model *model, apr_role role, int32_t layer,
                                 int32_t expert, trueno_tensor *out);

/** A matrix view: rows = all dimensions but the last, cols = the last; 1-D is one row. */
TRUENO_API trueno_tensor apr_tensor_matrix(const apr_model *model, const apr_tensor *tensor);

typedef enum apr_meta_kind {
    APR_META_INT,
    APR_META_UINT,
    APR_META_FLOAT,
    APR_META_BOOL,
    APR_META_STRING,
    APR_META_ARRAY,
    APR_META_JSON /**< any JSON value as text (Hugging Face configs, .apr custom keys) */
} apr_meta_kind;

/** One metadata entry of the file, in file order. */
typedef struct apr_meta {
    const char *key;
    apr_meta_kind kind;
    apr_meta_kind element; /**< of an array; nested arrays are refused */
    union {
        int64_t i;      /**< INT, and BOOL as 0 or 1 */
        uint64_t u;     /**< UINT */
        double f;       /**< FLOAT */
        uint64_t count; /**< ARRAY: number of elements */
    };
    apr_text text;         /**< STRING, JSON; not NUL-terminated */
    const char *type_name; /**< as the format calls it: "u32", "arr[str]" */
    const void *data;      /**< an array's elements in the file, read by apr_meta_element() */
    int32_t storage;       /**< the format's own number for the type, of an array's elements */
} apr_meta;

/** Number of metadata entries. */
TRUENO_API size_t apr_model_meta_count(const apr_model *model);

/** Entry `index` in file order; asserts the range. */
TRUENO_API const apr_meta *apr_model_meta(const apr_model *model, size_t index);

/** The entry of that key, or NULL. */
TRUENO_API const apr_meta *apr_model_meta_find(const apr_model *model, const char *key);

/**
 * Element `index` of an array entry as a scalar entry (without a key); false when out of range or
 * no array. Strings have no index in the file: of an array of strings this walks from the
 * beginning, so use apr_meta_next() to visit them all.
 */
TRUENO_API bool apr_meta_element(const apr_meta *array, uint64_t index, apr_meta *out);

/** A position in an array entry; a zeroed one is at the beginning. */
typedef struct apr_meta_cursor {
    uint64_t index; /**< of the next element */
    size_t offset;  /**< of its bytes from the array's data */
} apr_meta_cursor;

/** The next element as a scalar entry (without a key); false at the end, or when no array. */
TRUENO_API bool apr_meta_next(const apr_meta *array, apr_meta_cursor *cursor, apr_meta *out);

/** Name of a tensor's element type ("Q4_K", "IQ2_XS", "I32"), also of those outside the registry.
 */
TRUENO_API const char *apr_tensor_type_name(const apr_tensor *tensor);

/** Number of elements of a tensor. */
TRUENO_API uint64_t apr_tensor_elements(const apr_tensor *tensor);

/**
 * Every known role's tensor against the shape that the config asks for. TRUENO_UNSUPPORTED naming
 * the tensor, its shape and the wanted one. Which roles must be present is the architecture's
 * affair.
 */
TRUENO_API trueno_status apr_model_check_shapes(const apr_model *model, trueno_error *err);

/** Total number of weights in all tensors. */
TRUENO_API uint64_t apr_model_parameters(const apr_model *model);

#ifdef __cplusplus
}
#endif
#endif
