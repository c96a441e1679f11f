/* SPDX-License-Identifier: MIT */
/**
 * @file engine.h  A loaded model: immutable, shared by any number of sessions and threads.
 *
 * An engine is model + backend + bound weights + tokenizer. Sessions (session.h) are timelines over
 * it. Steps of several threads are gathered into one, so there are never more computing threads
 * than the engine's pool has. A fork has none of that pool's threads: a child opens its own engine,
 * and its steps over an inherited one fail with TRUENO_USAGE.
 */
#ifndef REALIZAR_ENGINE_H
#define REALIZAR_ENGINE_H

#include <apr/model.h>
#include <realizar/tokenizer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct realizar_engine realizar_engine;

typedef struct realizar_engine_options {
    size_t size; /**< sizeof, as filled by realizar_engine_options_init() */
    const char
        *backend;    /**< "cpu", "cuda", "reference"; NULL: a GPU where the model fits, else CPU */
    int32_t threads; /**< CPU threads; 0: physical cores in the affinity mask and quota */
    int32_t device;  /**< GPU ordinal */
    int32_t context; /**< positions a session may have; 0: the model's limit */
    int32_t step_rows; /**< most rows computed at once; 0: 512, 1,024 for 1 GB and more on a GPU */
    trueno_kv_type kv_type;
    bool keep_mapping; /**< compute from the file's own layout (less memory written, slower); also
                          done, with a warning, where a copy would not fit the memory */
    bool lenient, verify;              /**< as in apr_model_options */
    bool bench_only;                   /**< accept a file without a vocabulary */
    const trueno_allocator *allocator; /**< NULL: default; must outlive the engine */
    trueno_log log;
} realizar_engine_options;

/** Defaults into *o; `size` is the caller's sizeof *o. */
TRUENO_API void realizar_engine_options_init(realizar_engine_options *o, size_t size);

/**
 * Open a model file (any format of apr_model_open()) and bind it to a backend. options NULL:
 * defaults. On failure *out is NULL. Errors: those of apr_model_open(); TRUENO_UNSUPPORTED names
 * the architecture, weight type, missing tensor or contradicting shape; TRUENO_NO_DEVICE.
 */
TRUENO_API trueno_status realizar_engine_open(realizar_engine **out, const char *path,
                                              const realizar_engine_options *options,
                                              trueno_error *err);

/** As realizar_engine_open() for a model in memory, which must outlive the engine. */
TRUENO_API trueno_status realizar_engine_open_memory(realizar_engine **out, const void *data,
                                                     size_t bytes,
                                                     const realizar_engine_options *options,
                                                     trueno_error *err);

/** Open the tiny demo model linked into this library; TRUENO_NO_DEVICE when built without it. */
TRUENO_API trueno_status realizar_engine_open_demo(realizar_engine **out,
                                                   const realizar_engine_options *options,
                                                   trueno_error *err);

/** The demo model's GGUF bytes (static), or NULL when built without it. */
TRUENO_API const void *realizar_demo_model(size_t *bytes);

/** Free; all its sessions must be freed before. NULL is fine. */
TRUENO_API void realizar_engine_close(realizar_engine *engine);

/** The model behind the engine. */
TRUENO_API const apr_model *realizar_engine_model(const realizar_engine *engine);

/** The tokenizer, or NULL for a bench_only file without a vocabulary. */
TRUENO_API const realizar_tokenizer *realizar_engine_tokenizer(const realizar_engine *engine);

/** "cpu", "cuda", "reference". */
TRUENO_API const char *realizar_engine_backend(const realizar_engine *engine);

/** "avx512-vnni, 2 threads". */
TRUENO_API const char *realizar_engine_device(const realizar_engine *engine);

/** Positions a session may have. */
TRUENO_API int32_t realizar_engine_context(const realizar_engine *engine);

/** Logits in a row: the rows of the output matrix. */
TRUENO_API int32_t realizar_engine_vocab_size(const realizar_engine *engine);

/** Floats in a hidden state. */
TRUENO_API int32_t realizar_engine_hidden_size(const realizar_engine *engine);

/** Are tokens chosen by the backend, so that logits need not come to the host? */
TRUENO_API bool realizar_engine_chooses(const realizar_engine *engine);

/** Bytes of weights that one decoded token reads. */
TRUENO_API uint64_t realizar_engine_bytes_per_token(const realizar_engine *engine);

/**
 * How fast the memory that holds the weights can be read right now, by the backend's threads or
 * device, in GB/s (1e9 bytes a second): realizar_engine_bytes_per_token() over this is the shortest
 * time of a token. Takes some tenths of a second and up to 1 GiB meanwhile. TRUENO_NO_MEMORY,
 * TRUENO_UNSUPPORTED where the backend cannot, TRUENO_INFERENCE when a device failed. Any thread:
 * waits while a step is computed, and steps wait for it.
 */
TRUENO_API trueno_status realizar_engine_bandwidth(realizar_engine *engine, double *gb_s,
                                                   trueno_error *err);

/** Bytes in use now. */
TRUENO_API void realizar_engine_memory(const realizar_engine *engine, trueno_memory_use *out);

/** Names of the architectures that run, in table order; NULL past the last. */
TRUENO_API const char *realizar_architecture(int index);

/** Library version "0.1.0". */
TRUENO_API const char *realizar_version(void);

#ifdef __cplusplus
}
#endif
#endif
