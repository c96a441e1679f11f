/* SPDX-License-Identifier: MIT */
/* The parts of the GGUF reader. */
#ifndef APR_GGUF_H
#define APR_GGUF_H

#include "../model_private.h"
#include "../reader.h"

/* What one file's header says. */
typedef struct apr_gguf_header {
    uint32_t version;
    uint64_t n_tensors, n_keys;
} apr_gguf_header;

/*
 * The name that an entry of a table begins with, at most `limit` bytes, in the model's arena.
 * `kind` is what errors call the entry from here on, with its name.
 */
trueno_status apr_gguf_read_name(apr_model *m, apr_reader *r, const char *kind, uint64_t limit,
                                 const char **out, trueno_error *err);

/* The key-value table: header.n_keys entries into meta[0..n_keys), which are zeroed. */
trueno_status apr_gguf_read_keys(apr_model *m, apr_reader *r, apr_meta *meta, size_t n_keys,
                                 trueno_error *err);

/*
 * An entry that must be of a kind if it is there: NULL when it is not. TRUENO_FORMAT for another
 * kind, naming both. Any integer type serves as INT or UINT.
 */
trueno_status apr_gguf_find(const apr_model *m, const char *key, apr_meta_kind kind,
                            const apr_meta **out, trueno_error *err);

/* A whole number of any integer type within [least, most]; *out keeps its value when absent. */
trueno_status apr_gguf_integer(const apr_model *m, const char *key, int64_t least, int64_t most,
                               int64_t *out, trueno_error *err);

/* An array of `element`s, NULL when absent; wrong types refused. */
trueno_status apr_gguf_array(const apr_model *m, const char *key, apr_meta_kind element,
                             const apr_meta **out, trueno_error *err);

/* config, generation defaults and chat template from the keys. */
trueno_status apr_gguf_read_config(apr_model *m, trueno_error *err);

/* What the config takes from the tensors: vocabulary size, tied embeddings, long RoPE factors. */
trueno_status apr_gguf_config_from_tensors(apr_model *m, trueno_error *err);

/* The vocabulary from the keys. */
trueno_status apr_gguf_read_vocab(apr_model *m, trueno_error *err);

/*
 * Paths of the other files of a split set. If split.count says that source 0 is part of a set:
 * *count is its number of files and name_of() gives their paths.
 */
trueno_status apr_gguf_split(const apr_model *m, int64_t *number, int64_t *count,
                             trueno_error *err);

/* Path of file `number` (from 0) of the set that `path` belongs to, into out[0..capacity). */
trueno_status apr_gguf_split_path(const char *path, int64_t number, int64_t count, char *out,
                                  size_t capacity, trueno_error *err);

#endif
