/* SPDX-License-Identifier: MIT */
/* Sets of .apr files, "-00001-of-00003.apr", and their manifest. */
#ifndef APR_APR_SHARDS_H
#define APR_APR_SHARDS_H

#include "../plan.h"
#include "apr.h"

enum { APR_SET_WORD = 9 };

/* The member `sharding` of a shard's metadata. */
typedef struct apr_sharding {
    int64_t count, index;
    int64_t total_bytes, n_tensors; /* of the whole set, bytes as they are decompressed */
    char set[APR_SET_WORD];         /* the same in all shards of a set */
} apr_sharding;

/* All tensors of the set that `opened`, source 0, is a shard of; shard 0 says the metadata. */
trueno_status apr_shards_read(apr_model *m, apr_part *opened, trueno_error *err);

/* Source 0 is a set's manifest, parsed as `manifest`: read the set. */
trueno_status apr_manifest_read(apr_model *m, const json_t *manifest, trueno_error *err);

/* True for JSON that is a manifest. */
bool apr_manifest_probe(const json_t *root);

/*
 * Name of shard `index` (from 0) and of the manifest ("X.apr.index.json") of the set that is called
 * `stem`, into out[0..capacity); false when it does not fit.
 */
bool apr_shard_name(const char *stem, int64_t index, int64_t count, char *out, size_t capacity);
bool apr_manifest_name(const char *stem, char *out, size_t capacity);

/*
 * The metadata of a file with the tensors of `plan` as JSON text, for the caller to release (*bytes
 * + 1 bytes): all that is known of the model, or, of a shard that is not the first, what it says of
 * itself.
 */
trueno_status apr_format_metadata(const apr_model *m, const apr_plan *plan,
                                  const apr_sharding *sharding, char **out, size_t *bytes,
                                  trueno_error *err);

#endif
