/* SPDX-License-Identifier: MIT */
/* Steps of a backend: they allocate nothing once their sizes were met, and fail without memory. */
#include "backend_fixture.h"

enum { HEADS = 4, KV_HEADS = 2, DIM = 32, WIDTH = 64, QKV = (HEADS + 2 * KV_HEADS) * DIM };

typedef struct tiny {
    trueno_backend *be;
    trueno_weight *w;
    trueno_kv *kv[2];
    float *x, *qkv, *out;
} tiny;

/* One step of `n` rows in session 0 and one row in session 1, through most operations. */
static void tiny_step(tiny *t, int32_t n, int32_t position, int32_t position1)
{
    static const float frequencies[DIM / 2] = {1.0f, 0.5f, 0.25f};
    static const int32_t tokens[64];
    const trueno_span spans[2] = {{t->kv[0], 0, n, position}, {t->kv[1], n, 1, position1}};
    const trueno_rows rows = {n + 1, 2, tokens, spans};
    const trueno_norm norm = {TRUENO_NORM_RMS, WIDTH, 1e-6f, t->out, NULL};
    const trueno_attention facts = {.n_heads = HEADS,
                                    .n_kv_heads = KV_HEADS,
                                    .head_dim = DIM,
                                    .scale = 0.2f,
                                    .rope = {TRUENO_ROPE_NEOX, DIM, 1.0f, frequencies}};
    trueno_backend *be = t->be;

    assert_int_equal(be->kv_reserve(be, t->kv[0], position + n, NULL), TRUENO_OK);
    assert_int_equal(be->kv_reserve(be, t->kv[1], position1 + 1, NULL), TRUENO_OK);
    assert_int_equal(be->step_begin(be, &rows, NULL), TRUENO_OK);
    be->embed(be, t->w, 1.0f, t->x);
    be->norm(be, &norm, t->x, n + 1, t->x);
    be->matmul(be, t->w, NULL, t->x, n + 1, false, t->qkv);
    be->rope_store(be, &facts, t->qkv);
    be->attention(be, &facts, t->qkv, t->out, NULL);
    be->glu(be, TRUENO_SILU, t->qkv, n + 1, WIDTH, t->out);
    be->softcap(be, 5.0f, t->out, n + 1, WIDTH);
    assert_int_equal(be->step_end(be, NULL), TRUENO_OK);
}

static void tiny_open(tiny *t, const char *name, const trueno_allocator *allocator)
{
    static float data[QKV * WIDTH];
    const trueno_kv_shape shape = {1, KV_HEADS, DIM, 4096, TRUENO_KV_F16};
    const trueno_tensor tensor = trueno_tensor_make(TRUENO_F32, QKV, WIDTH, data);

    for (int i = 0; i < QKV * WIDTH; i++)
        data[i] = (float)(i % 17) / 17.0f - 0.5f;
    t->be = open_backend(name, allocator);
    assert_int_equal(t->be->weight_new(t->be, &tensor, 1, TRUENO_USE_MATMUL, &t->w, NULL),
                     TRUENO_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(t->be->kv_new(t->be, &shape, &t->kv[i], NULL), TRUENO_OK);
    assert_int_equal(t->be->alloc(t->be, sizeof(float) * 64 * WIDTH, (void **)&t->x, NULL), 0);
    assert_int_equal(t->be->alloc(t->be, sizeof(float) * 64 * QKV, (void **)&t->qkv, NULL), 0);
    assert_int_equal(t->be->alloc(t->be, sizeof(float) * 64 * HEADS * DIM, (void **)&t->out, NULL),
                     0);
    for (int i = 0; i < WIDTH; i++)
        t->out[i] = 1.0f;
}

static void tiny_close(tiny *t)
{
    for (int i = 0; i < 2; i++)
        t->be->kv_free(t->be, t->kv[i]);
    t->be->weight_free(t->be, t->w);
    t->be->release(t->be, t->x);
    t->be->release(t->be, t->qkv);
    t->be->release(t->be, t->out);
    t->be->close(t->be);
}

static void test_steps_do_not_allocate(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        counter c = {0};
        const trueno_allocator allocator = {count_allocate, count_release, &c};
        tiny t;
        int64_t warm = 0;

        tiny_open(&t, HOST_BACKENDS[i], &allocator);
        for (int round = 0; round < 2; round++) { /* the second has met all sizes */
            warm = c.calls;
            tiny_step(&t, 40, 0, 0);
            for (int32_t k = 0; k < 30; k++)
                tiny_step(&t, 1 + k, 1000 + k * 30, 2 + k);
            for (int32_t k = 0; k < 30; k++)
                tiny_step(&t, 1, 2000 + k, 1000 + k);
        }
        assert_int_equal(c.calls, warm);
        tiny_close(&t);
        assert_int_equal(c.live, 0);
        assert_int_equal(c.live_bytes, 0);
    }
}

static void test_failed_step(void **state)
{
    static const float frequencies[DIM / 2] = {1.0f};
    const trueno_attention facts = {.n_heads = HEADS,
                                    .n_kv_heads = KV_HEADS,
                                    .head_dim = DIM,
                                    .scale = 0.2f,
                                    .rope = {TRUENO_ROPE_NEOX, DIM, 1.0f, frequencies}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        counter c = {0};
        const trueno_allocator allocator = {count_allocate, count_release, &c};
        trueno_error err = {0};
        tiny t;
        trueno_span span;
        trueno_rows rows = {1, 1, NULL, &span};

        tiny_open(&t, HOST_BACKENDS[i], &allocator);
        span = (trueno_span){t.kv[0], 0, 1, 0};
        memset(t.qkv, 0, QKV * sizeof(float));
        assert_int_equal(t.be->kv_reserve(t.be, t.kv[0], 1, NULL), TRUENO_OK);
        assert_int_equal(t.be->step_begin(t.be, &rows, &err), TRUENO_OK);
        c.fail_at = c.calls + 1;
        t.be->rope_store(t.be, &facts, t.qkv);
        t.be->attention(t.be, &facts, t.qkv, t.out, NULL);
        assert_int_equal(t.be->step_end(t.be, &err), TRUENO_NO_MEMORY);
        assert_non_null(strstr(err.message, "bytes"));
        c.fail_at = 0; /* the next step works again */
        assert_int_equal(t.be->step_begin(t.be, &rows, &err), TRUENO_OK);
        t.be->rope_store(t.be, &facts, t.qkv);
        t.be->attention(t.be, &facts, t.qkv, t.out, NULL);
        assert_int_equal(t.be->step_end(t.be, &err), TRUENO_OK);
        tiny_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_do_not_allocate),
        cmocka_unit_test(test_failed_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
