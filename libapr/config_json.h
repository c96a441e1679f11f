/* SPDX-License-Identifier: MIT */
/* Config and metadata entries as members of a JSON object. */
#ifndef APR_CONFIG_JSON_H
#define APR_CONFIG_JSON_H

#include "config.h"
#include "json_write.h"

/* Every field under .apr's first name for it; optional ones only when they are given. */
void apr_config_write(apr_json *j, const apr_config *config);

/* The value of the field of that first name; false when it is not given. */
bool apr_config_write_one(apr_json *j, const apr_config *config, const char *name);

/*
 * True for the names that describe every model: those of apr_config_write(), "architecture",
 * "name", "chat_template" and the ids of special tokens. A file's own entry of such a name is not
 * told again.
 */
bool apr_config_names(const char *key);

/* A metadata entry's value; an array of more than `most` elements as its type and count. */
void apr_json_meta(apr_json *j, const apr_meta *meta, uint64_t most);

#endif
