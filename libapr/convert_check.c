/* SPDX-License-Identifier: MIT */
/* The checks around a conversion: the source against its own config, the result against the source.
 */
#include "convert_check.h"

#include "architectures.h"
#include <stdio.h>
#include <string.h>

/* The tensors that the config's own sizes can be read from, with the code of each. */
trueno_status apr_check_sizes(const apr_model *m, trueno_error *err)
{
    const apr_tensor *embedding = apr_model_role(m, APR_TOKEN_EMBEDDING, 0);
    const apr_config *c = &m->config;

    if (embedding == NULL || embedding->n_dims != 2)
        return TRUENO_OK;
    if (embedding->dims[1] != c->hidden_size)
        return trueno_fail(err, TRUENO_CONTENT,
                           "%s: %s has %lld columns, the config's hidden size is %d "
                           "(ROSETTA-HIDDEN-001)",
                           m->path, embedding->name, (long long)embedding->dims[1], c->hidden_size);
    if (embedding->dims[0] != c->vocab_size)
        return trueno_fail(err, TRUENO_CONTENT,
                           "%s: %s has %lld rows, the config's vocabulary is %d "
                           "(ROSETTA-VOCAB-001)",
                           m->path, embedding->name, (long long)embedding->dims[0], c->vocab_size);
    return TRUENO_OK;
}

/* Tensors of a layer past the last: the config says too few. */
static trueno_status check_last_layer(const apr_model *m, trueno_error *err)
{
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].layer >= m->config.n_layers)
            return trueno_fail(err, TRUENO_CONTENT,
                               "%s: %s is there, the config has %d layers (ROSETTA-LAYER-001)",
                               m->path, m->tensors[i].name, m->config.n_layers);
    return TRUENO_OK;
}

/* Parts of attention are in every layer or in none. */
static trueno_status check_counts(const apr_model *m, trueno_error *err)
{
    for (int role = APR_ATTN_NORM; role <= APR_FFN_NORM; role++) {
        int32_t first = 0;
        char name[96];

        while (first < m->config.n_layers && apr_model_role(m, (apr_role)role, first) == NULL)
            first++;
        if (first == m->config.n_layers)
            continue;
        for (int32_t layer = 0; layer < m->config.n_layers; layer++) {
            if (apr_model_role(m, (apr_role)role, layer) != NULL)
                continue;
            apr_role_name((apr_role)role, layer, name, sizeof name);
            return trueno_fail(err, TRUENO_CONTENT,
                               "%s: %s is missing, layer %d has it (ROSETTA-COUNT-001)", m->path,
                               name, first);
        }
    }
    return TRUENO_OK;
}

trueno_status apr_check_layers(const apr_model *m, trueno_error *err)
{
    trueno_status status = check_last_layer(m, err);

    return status < 0 ? status : check_counts(m, err);
}

trueno_status apr_check_shapes(const apr_model *m, trueno_error *err)
{
    trueno_error found = {0};
    trueno_status status = apr_model_check_shapes(m, &found);

    if (status == TRUENO_UNSUPPORTED)
        return trueno_fail(err, TRUENO_CONTENT, "%.440s (ROSETTA-DIM-001)", found.message);
    return status < 0 ? trueno_fail(err, status, "%s", found.message) : TRUENO_OK;
}

trueno_status apr_convert_check_source(const apr_model *m, trueno_error *err)
{
    trueno_status status;

    if (m->architecture == NULL)
        return TRUENO_OK; /* its shapes are not known */
    if ((status = apr_check_sizes(m, err)) < 0 || (status = check_last_layer(m, err)) < 0 ||
        (status = apr_check_shapes(m, err)) < 0)
        return status;
    return check_counts(m, err);
}

/* Weights, without tables of RoPE factors: some formats say those in the config. */
static uint64_t count_weights(const apr_model *m)
{
    static const apr_role TABLES[] = {APR_ROPE_FREQUENCIES, APR_ROPE_FACTORS_LONG,
                                      APR_ROPE_FACTORS_SHORT};
    uint64_t n = apr_model_parameters(m);

    for (size_t i = 0; i < sizeof TABLES / sizeof TABLES[0]; i++)
        if (apr_model_role(m, TABLES[i], 0) != NULL)
            n -= apr_tensor_elements(apr_model_role(m, TABLES[i], 0));
    return n;
}

/* What must be the same in both, with the code of its difference. */
trueno_status apr_convert_check_result(const apr_model *before, const apr_model *after,
                                       trueno_error *err)
{
    const apr_config *a = &before->config, *b = &after->config;
    const struct {
        const char *code, *what;
        long long before, after;
    } rows[] = {
        {"ROSETTA-HIDDEN-001", "hidden size", a->hidden_size, b->hidden_size},
        {"ROSETTA-LAYER-001", "number of layers", a->n_layers, b->n_layers},
        {"ROSETTA-DIM-001", "number of key-value heads", a->n_kv_heads, b->n_kv_heads},
        {"ROSETTA-VOCAB-001", "vocabulary size", a->vocab_size, b->vocab_size},
        {"ROSETTA-VOCAB-001", "vocabulary", before->has_vocab, after->has_vocab},
        {"ROSETTA-VOCAB-001", "number of merges", before->vocab.n_merges, after->vocab.n_merges},
    };

    if (strcmp(a->architecture, b->architecture) != 0)
        return trueno_fail(err, TRUENO_CONTENT, "%s: architecture %s became %s (ROSETTA-ARCH-001)",
                           before->path, a->architecture, b->architecture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].before != rows[i].after)
            return trueno_fail(err, TRUENO_CONTENT, "%s: %s %lld became %lld (%s)", before->path,
                               rows[i].what, rows[i].before, rows[i].after, rows[i].code);
    if (count_weights(after) != count_weights(before))
        return trueno_fail(err, TRUENO_CONTENT, "%s: %llu weights became %llu (ROSETTA-COUNT-001)",
                           before->path, (unsigned long long)count_weights(before),
                           (unsigned long long)count_weights(after));
    return TRUENO_OK;
}
