/* SPDX-License-Identifier: MIT */
/*
 * Entries of a model's metadata that no writer makes from the model itself: what each of them is,
 * and how the formats keep it for the others. docs/conversions.md has the table.
 */
#ifndef APR_SOURCE_KEYS_H
#define APR_SOURCE_KEYS_H

#include "../json_read.h"
#include "../json_write.h"
#include "../model_private.h"

/* The member of config.json and the key of GGUF files that hold what has no other place there. */
#define APR_SOURCE_METADATA "source_metadata"
#define APR_SOURCE_TYPES    "source_types"
#define APR_SOURCE_BAG      "apr.metadata"
/* The default that is kept in there since GGUF has no key for it. */
#define APR_SOURCE_DO_SAMPLE "generation.do_sample"

typedef enum apr_entry_kind {
    APR_ENTRY_MADE,       /* every writer makes it anew, from the model */
    APR_ENTRY_GGUF,       /* a GGUF key, now or before, with a type */
    APR_ENTRY_CONFIG,     /* a member of config.json */
    APR_ENTRY_GENERATION, /* a member of generation_config.json, "generation." before its name */
    APR_ENTRY_OTHER       /* any other, with a dot in its name */
} apr_entry_kind;

/* What the entries of a model are. */
typedef struct apr_source_keys {
    const apr_model *m;
    json_t *types; /* of those that came from GGUF, by name; NULL: none */
} apr_source_keys;

apr_source_keys apr_source_keys_of(const apr_model *m);
void apr_source_keys_free(apr_source_keys *s);

/* GGUF's name of an entry's type, NULL where it has none; of a name also without its entry. */
const char *apr_source_type(const apr_source_keys *s, const apr_meta *meta);

apr_entry_kind apr_source_kind(const apr_source_keys *s, const apr_meta *meta);

/* True for keys of GGUF files that the vocabulary and the template say. */
bool apr_source_in_vocab(const char *key);

/* True for keys of GGUF files that hyperparameters and generation defaults say. */
bool apr_source_in_config(const apr_model *m, const char *key);

/* The value; integers beyond JSON's 63 bits as text, which the types explain. */
void apr_source_put(apr_json *j, const apr_meta *meta);

/* All entries of a kind as members of the object that is open in `j`. */
void apr_source_put_kind(apr_json *j, const apr_source_keys *s, apr_entry_kind kind);

/* Whether there are any. */
bool apr_source_has_kind(const apr_source_keys *s, apr_entry_kind kind);

/* Take the members of an object as entries of the model, but for names that it has already. */
trueno_status apr_source_take(apr_model *m, json_t *object, trueno_error *err);

#endif
