/* SPDX-License-Identifier: MIT */
/* The inside of an open model, for the readers that fill it. */
#ifndef APR_MODEL_PRIVATE_H
#define APR_MODEL_PRIVATE_H

#include <apr/model.h>
#include <trueno/sys/arena.h>
#include <trueno/sys/mapfile.h>

#include "architectures.h"

/* One file of a model. */
typedef struct apr_source {
    trueno_map map;
    const char *path; /* in the arena */
} apr_source;

/* What is known of the file's own checksums. */
typedef enum apr_checksum {
    APR_CHECKSUM_NONE,
    APR_CHECKSUM_VALID,
    APR_CHECKSUM_WRONG
} apr_checksum;

/* A format's own name of each role. */
typedef enum apr_role_names { APR_NAMES_GGUF, APR_NAMES_HF } apr_role_names;

struct apr_model {
    apr_model_options options;
    trueno_arena arena; /* everything below that is not the files' own bytes */
    const char *path;
    const char *format;
    apr_source *sources;
    size_t n_sources;

    apr_checksum checksum;

    const apr_architecture *architecture; /* NULL: none of ours */
    apr_config config;
    apr_generation_defaults defaults;
    const char *chat_template;
    bool has_vocab;
    apr_vocab vocab;

    apr_tensor *tensors;
    size_t n_tensors;
    struct apr_packed *packed; /* tensors that lie compressed, NULL: none (packed_tensors.h) */
    struct apr_blend *blend; /* makes other weights of these on their way out, or NULL (blend.h) */
    uint32_t *by_name;
    apr_meta *meta;
    size_t n_meta;
    uint32_t *by_key;
    int32_t *experts; /* 1 + tensor index by [layer][gate, up, down][expert], NULL: none apart */
    apr_role_names names;
    int32_t *roles; /* 1 + tensor index by [layer][role], layer 0 also holding the global ones */
};

/* Arena memory, TRUENO_NO_MEMORY naming the file and the thing when there is none. */
trueno_status apr_model_allocate(apr_model *m, void *out, size_t count, size_t size,
                                 const char *what, trueno_error *err);

/*
 * The strict reader's refusal `err` of something that can be read safely all the same: passes it
 * on, or logs it and gives TRUENO_OK under `lenient`.
 */
trueno_status apr_model_tolerate(const apr_model *m, trueno_status status, trueno_error *err);

/* Map one more file as source n_sources; the sources array has room. */
trueno_status apr_model_add_file(apr_model *m, const char *path, trueno_error *err);

/* Build the index over tensors: TRUENO_FORMAT for two of one name. */
trueno_status apr_model_index_tensors(apr_model *m, trueno_error *err);

/* As above over metadata keys (the last of two stays under `lenient`). */
trueno_status apr_model_index_meta(apr_model *m, trueno_error *err);

/* Order of tensors for apr_make_index(): by file, then by first byte. */
int apr_extent_order(const void *tensors, uint32_t a, uint32_t b);

/*
 * The tensor that plays that part (layer and expert where the role has them), or without a role
 * that of the name; NULL: none.
 */
const apr_tensor *apr_tensor_like(const apr_model *m, int32_t role, int32_t layer, int32_t expert,
                                  const char *name);

/* Refuse tensors whose bytes overlap within a file, or that leave [begin of data, end of file). */
trueno_status apr_model_check_extents(const apr_model *m, trueno_error *err);

/* Fill role and layer of every tensor, and the table behind apr_model_role(). */
trueno_status apr_model_assign_roles(apr_model *m, apr_role_names names, trueno_error *err);

#endif
