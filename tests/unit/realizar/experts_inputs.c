/* SPDX-License-Identifier: MIT */
/*
 * What a listener hears of a mixture's experts: the rows that chose each, and what its own gate and
 * up make of them; and the importance matrix of them.
 */
#include "support.h"

#include <math.h>
#include <realizar/importance.h>

enum { ROWS = 40, MOST = 256 };

typedef struct heard {
    const apr_model *model;
    int32_t layer, n_rows[MOST]; /* of each expert, in the layer at hand */
    int32_t total;               /* of all experts and layers */
    int32_t expert;              /* of the inputs at hand */
    float x[ROWS * MOST];
} heard;

static float silu(float v)
{
    return v / (1 + expf(-v));
}

/* Row `row` of an expert's matrix times x. */
static float product(const heard *h, apr_role role, int32_t row, const float *x)
{
    float weights[MOST], sum = 0;
    trueno_tensor w;

    assert_true(apr_model_expert(h->model, role, h->layer, h->expert, &w));
    assert_true(w.cols <= MOST);
    trueno_tensor_row_to_f32(&w, row, weights);
    for (int64_t c = 0; c < w.cols; c++)
        sum += weights[c] * x[c];
    return sum;
}

static void hear(void *user, const realizar_event *e)
{
    heard *h = user;

    if (e->kind != REALIZAR_PRODUCT_INPUT || e->expert < 0)
        return;
    assert_true(e->n_rows > 0 && e->n_rows <= ROWS && e->width <= MOST);
    if (e->role == APR_FFN_GATE_EXPERTS) {
        h->layer = e->layer;
        h->expert = e->expert;
        h->total += e->n_rows;
        memcpy(h->x, e->data, (size_t)e->n_rows * (size_t)e->width * sizeof(float));
        return;
    }
    assert_int_equal(e->role, APR_FFN_DOWN_EXPERTS);
    assert_int_equal(e->expert, h->expert);
    for (int32_t r = 0; r < e->n_rows; r++)
        for (int32_t i = 0; i < e->width; i++) {
            const int32_t cols = apr_model_config(h->model)->hidden_size;
            const float *x = h->x + (size_t)r * (size_t)cols;
            const float want =
                silu(product(h, APR_FFN_GATE_EXPERTS, i, x)) * product(h, APR_FFN_UP_EXPERTS, i, x);
            const float got = e->data[(size_t)r * (size_t)e->width + (size_t)i];

            if (fabsf(got - want) > 1e-4F * (fabsf(want) + 0.01F))
                fail_msg("expert %d, row %d, %d: %g, wanted %g", e->expert, r, i, (double)got,
                         (double)want);
        }
}

static void check_model(const char *name)
{
    realizar_engine_options o;
    realizar_engine *engine;
    realizar_session *s;
    apr_importance *importance;
    const apr_config *c;
    int32_t ids[ROWS];
    char path[400];
    trueno_error err = {0};
    heard *h = calloc(1, sizeof *h);
    realizar_watch watch = {hear, h, REALIZAR_WANT_INPUTS};

    (void)snprintf(path, sizeof path, "%s/tiny/%s.gguf", TEST_DATA_DIR, name);
    realizar_engine_options_init(&o, sizeof o);
    o.backend = "reference";
    o.bench_only = true; /* without a vocabulary */
    CHECK_OK(realizar_engine_open(&engine, path, &o, &err));
    CHECK_OK(realizar_session_new(&s, engine, 0, &err));
    h->model = realizar_engine_model(engine);
    c = apr_model_config(h->model);
    for (int32_t i = 0; i < ROWS; i++)
        ids[i] = i * 7 % c->vocab_size;
    realizar_session_watch(s, &watch);
    CHECK_OK(realizar_session_append(s, ids, ROWS, &err));
    realizar_session_watch(s, NULL);
    assert_int_equal(h->total, ROWS * c->n_layers * c->n_experts_used);

    CHECK_OK(apr_importance_new(&importance, &err));
    CHECK_OK(realizar_importance_add(importance, s, ids, ROWS, &err));
    assert_non_null(apr_importance_find(importance, "blk.1.ffn_gate_exps.weight",
                                        (int64_t)c->n_experts * c->hidden_size));
    assert_non_null(apr_importance_find(importance, "blk.1.ffn_up_exps.weight",
                                        (int64_t)c->n_experts * c->hidden_size));
    assert_non_null(apr_importance_find(importance, "blk.1.ffn_down_exps.weight",
                                        (int64_t)c->n_experts * c->expert_intermediate_size));
    apr_importance_free(importance);
    realizar_session_free(s);
    realizar_engine_close(engine);
    free(h);
}

static void qwen3moe(void **state)
{
    (void)state;
    check_model("qwen3moe");
}

static void qwen2moe(void **state)
{
    (void)state;
    check_model("qwen2moe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(qwen3moe), cmocka_unit_test(qwen2moe)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
