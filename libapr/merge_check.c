/* SPDX-License-Identifier: MIT */
/* Whether two models can be merged: what they must say alike. */
#include "merge.h"

#include <string.h>

static trueno_status differ(const apr_model *first, const apr_model *other, const char *what,
                            long long a, long long b, const char *code, trueno_error *err)
{
    return trueno_fail(err, TRUENO_CONTENT, "%s and %s: %s %lld and %lld (%s)", first->path,
                       other->path, what, a, b, code);
}

static trueno_status check_config(const apr_model *first, const apr_model *other, trueno_error *err)
{
    const apr_config *a = &first->config, *b = &other->config;
    const struct {
        const char *what;
        long long first, other;
        const char *code;
    } rows[] = {
        {"hidden size", a->hidden_size, b->hidden_size, "ROSETTA-HIDDEN-001"},
        {"layers", a->n_layers, b->n_layers, "ROSETTA-LAYER-001"},
        {"heads", a->n_heads, b->n_heads, "ROSETTA-DIM-001"},
        {"key-value heads", a->n_kv_heads, b->n_kv_heads, "ROSETTA-DIM-001"},
        {"head size", a->head_dim, b->head_dim, "ROSETTA-DIM-001"},
        {"intermediate size", a->intermediate_size, b->intermediate_size, "ROSETTA-DIM-001"},
        {"vocabulary size", a->vocab_size, b->vocab_size, "ROSETTA-VOCAB-001"},
    };

    if (strcmp(a->architecture, b->architecture) != 0)
        return trueno_fail(err, TRUENO_CONTENT,
                           "%s and %s: architectures %s and %s (ROSETTA-ARCH-001)", first->path,
                           other->path, a->architecture, b->architecture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].first != rows[i].other)
            return differ(first, other, rows[i].what, rows[i].first, rows[i].other, rows[i].code,
                          err);
    if (a->rope_type != b->rope_type || a->norm_weight_offset != b->norm_weight_offset)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s and %s: rows or norms are kept in other ways; convert one of them "
                           "to the other's format first",
                           first->path, other->path);
    return TRUENO_OK;
}

/* Tokens that both have must be the same; a format may leave out unused ones at the end. */
static trueno_status check_vocab(const apr_model *first, const apr_model *other, trueno_error *err)
{
    const apr_vocab *a = &first->vocab, *b = &other->vocab;
    const int32_t n = a->n_tokens < b->n_tokens ? a->n_tokens : b->n_tokens;

    if (!first->has_vocab || !other->has_vocab)
        return TRUENO_OK;
    for (int32_t i = 0; i < n; i++)
        if (a->tokens[i].length != b->tokens[i].length ||
            memcmp(a->tokens[i].data, b->tokens[i].data, a->tokens[i].length) != 0)
            return trueno_fail(err, TRUENO_CONTENT,
                               "%s and %s: token %d is '%.*s' and '%.*s' (ROSETTA-VOCAB-001)",
                               first->path, other->path, i, (int)a->tokens[i].length,
                               a->tokens[i].data, (int)b->tokens[i].length, b->tokens[i].data);
    return TRUENO_OK;
}

trueno_status apr_merge_check(const apr_model *first, const apr_model *other, trueno_error *err)
{
    trueno_status status = check_config(first, other, err);

    if (status == TRUENO_OK)
        status = check_vocab(first, other, err);
    if (status == TRUENO_OK && first->n_tensors != other->n_tensors)
        status = differ(first, other, "tensors", (long long)first->n_tensors,
                        (long long)other->n_tensors, "ROSETTA-COUNT-001", err);
    return status;
}
