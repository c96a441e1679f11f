/* SPDX-License-Identifier: MIT */
/* Two models that must say the same, compared field by field and on chosen rows of weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "same_models.h"
#include <math.h>
#include <string.h>

static void same_config(const apr_config *a, const apr_config *b)
{
    assert_string_equal(a->architecture, b->architecture);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->n_layers, b->n_layers);
    assert_int_equal(a->hidden_size, b->hidden_size);
    assert_int_equal(a->n_heads, b->n_heads);
    assert_int_equal(a->n_kv_heads, b->n_kv_heads);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->intermediate_size, b->intermediate_size);
    assert_int_equal(a->vocab_size, b->vocab_size);
    assert_int_equal(a->max_positions, b->max_positions);
    assert_int_equal(a->n_rot, b->n_rot);
    assert_true(a->rope_theta == b->rope_theta && a->norm_eps == b->norm_eps);
    assert_int_equal(a->tied_embeddings, b->tied_embeddings);
    assert_int_equal(a->sliding_window, b->sliding_window);
    assert_int_equal(a->sliding_window_pattern, b->sliding_window_pattern);
    assert_int_equal(a->n_experts, b->n_experts);
    assert_int_equal(a->n_experts_used, b->n_experts_used);
    assert_int_equal(a->n_rope_factors, b->n_rope_factors);
    assert_memory_equal(a->rope_long_factors, b->rope_long_factors, sizeof a->rope_long_factors);
}

static void same_vocab(const apr_vocab *a, const apr_vocab *b)
{
    assert_int_equal(a != NULL, b != NULL);
    if (a == NULL)
        return;
    assert_true(b->n_tokens >= a->n_tokens); /* GGUF has a token for every row */
    assert_int_equal(a->n_merges, b->n_merges);
    assert_int_equal(a->bos, b->bos);
    assert_int_equal(a->eos, b->eos);
    assert_int_equal(a->pad, b->pad);
    assert_int_equal(a->add_bos, b->add_bos);
    assert_int_equal(a->n_eos, b->n_eos);
    for (int32_t i = 0; i < a->n_tokens; i++) {
        assert_int_equal(a->tokens[i].length, b->tokens[i].length);
        assert_memory_equal(a->tokens[i].data, b->tokens[i].data, a->tokens[i].length);
        assert_int_equal(a->types[i], b->types[i]);
    }
}

/* Row `row` of what plays a role in the model, norm offset included; of experts 1000 * expert +
 * row. */
static void row_of(const apr_model *m, apr_role role, int layer, int64_t row, float *out)
{
    trueno_tensor t;

    if (role == APR_FFN_UP_EXPERTS) {
        assert_true(apr_model_expert(m, role, layer, (int32_t)(row / 1000), &t));
        row %= 1000;
    } else {
        t = apr_tensor_matrix(m, apr_model_role(m, role, layer));
    }
    trueno_tensor_row_to_f32(&t, row, out);
    if (role == APR_OUTPUT_NORM)
        for (int64_t i = 0; i < t.cols; i++)
            out[i] += apr_model_config(m)->norm_weight_offset;
}

static void same_row(const apr_model *a, const apr_model *b, apr_role role, int layer, int64_t row,
                     int64_t row_in_b)
{
    float x[512], y[512];

    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    row_of(a, role, layer, row, x);
    row_of(b, role, layer, row_in_b, y);
    for (int i = 0; i < 512; i++)
        if (fabsf(x[i] - y[i]) > 1e-6F * fabsf(x[i]))
            fail_msg("role %d row %d column %d: %g became %g", (int)role, (int)row, i, x[i], y[i]);
}

void same_weights(const apr_model *a, const apr_model *b)
{
    static const apr_role ROLES[] = {APR_TOKEN_EMBEDDING,   APR_OUTPUT_NORM,
                                     APR_ATTN_OUT,          APR_FFN_DOWN,
                                     APR_FFN_SHARED_ROUTER, APR_FFN_SHARED_DOWN};
    const apr_config *c = apr_model_config(a);
    const int d = c->head_dim;

    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (apr_model_role(a, ROLES[i], 0) != NULL)
            same_row(a, b, ROLES[i], 0, 0, 0);
    if (c->n_experts > 0)
        same_row(a, b, APR_FFN_UP_EXPERTS, 1, 3001, 3001);
    for (int row = 0; row < 2 * d && apr_model_role(a, APR_ATTN_Q, 0) != NULL; row++) {
        int head = row / d, at = row % d, other = row;

        if (c->rope_type != apr_model_config(b)->rope_type)
            other = c->rope_type == 2 ? head * d + at % (d / 2) * 2 + at / (d / 2)
                                      : head * d + at % 2 * (d / 2) + at / 2;
        same_row(a, b, APR_ATTN_Q, 0, row, other);
    }
}

void same_models(const char *before, const char *after)
{
    apr_model *a = open_verified(before), *b = open_verified(after);

    same_config(apr_model_config(a), apr_model_config(b));
    same_vocab(apr_model_vocab(a), apr_model_vocab(b));
    same_weights(a, b);
    if (apr_model_chat_template(a) != NULL)
        assert_string_equal(apr_model_chat_template(a), apr_model_chat_template(b));
    assert_true(apr_model_generation_defaults(a)->temperature ==
                apr_model_generation_defaults(b)->temperature);
    assert_int_equal(apr_model_generation_defaults(a)->top_k,
                     apr_model_generation_defaults(b)->top_k);
    apr_model_close(a);
    apr_model_close(b);
}
