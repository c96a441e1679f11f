/* SPDX-License-Identifier: MIT */
/*
 * Backends as objects: opening, errors, memory counts, the growth of key-value memory, and that
 * steps allocate nothing once their sizes were met.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <trueno/backend.h>

/* An allocator that counts, and fails from call `fail_at` on. */
typedef struct counter {
    int64_t calls, live, live_bytes, fail_at;
} counter;

static void *count_allocate(void *user, size_t bytes, size_t align)
{
    counter *c = user;
    const trueno_allocator *base = trueno_default_allocator();

    if (c->fail_at > 0 && c->calls + 1 >= c->fail_at)
        return NULL;
    c->calls++;
    c->live++;
    c->live_bytes += (int64_t)bytes;
    return base->allocate(base->user, bytes, align);
}

static void count_release(void *user, void *p, size_t bytes)
{
    counter *c = user;
    const trueno_allocator *base = trueno_default_allocator();

    c->live--;
    c->live_bytes -= (int64_t)bytes;
    base->release(base->user, p, bytes);
}

static trueno_backend *open_backend(const char *name, const trueno_allocator *allocator)
{
    trueno_backend_options options;
    trueno_backend *be;
    trueno_error err = {0};

    trueno_backend_options_init(&options, sizeof options);
    options.threads = 2;
    options.allocator = allocator;
    if (trueno_backend_open(&be, name, &options, &err) < 0)
        fail_msg("%s", err.message);
    return be;
}

static const char *const HOST_BACKENDS[] = {"cpu", "reference"};

static void test_open(void **state)
{
    trueno_backend *be;
    trueno_error err = {0};
    char line[200];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(trueno_backend_open(&be, HOST_BACKENDS[i], NULL, &err), TRUENO_OK);
        assert_string_equal(be->name, HOST_BACKENDS[i]);
        assert_int_equal(be->abi, TRUENO_BACKEND_ABI);
        assert_non_null(strstr(be->device, "threads"));
        be->close(be);
    }
    assert_int_equal(trueno_backend_open(&be, "abacus", NULL, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "abacus"));
    assert_null(be);
    assert_true(trueno_backend_describe(0, line, sizeof line));
    assert_int_equal(strncmp(line, "cpu: ", 5), 0);
    assert_true(trueno_backend_describe(1, line, sizeof line));
    assert_true(trueno_backend_describe(2, line, sizeof line));
    assert_false(trueno_backend_describe(3, line, sizeof line));
    assert_false(trueno_backend_describe(-1, line, sizeof line));
}

/* A module is looked for in TRUENO_BACKEND_DIR alone when that is set. */
static void test_missing_module(void **state)
{
    trueno_backend *be;
    trueno_error err = {0};

    (void)state;
    assert_int_equal(setenv("TRUENO_BACKEND_DIR", "/nonexistent", 1), 0);
    assert_int_equal(trueno_backend_open(&be, "cuda", NULL, &err), TRUENO_NO_DEVICE);
    assert_non_null(strstr(err.message, "/nonexistent"));
    assert_null(be);
    assert_int_equal(unsetenv("TRUENO_BACKEND_DIR"), 0);
}

/* An older caller's shorter options keep their meaning. */
static void test_short_options(void **state)
{
    trueno_backend_options options;
    trueno_backend *be;

    (void)state;
    memset(&options, 0xff, sizeof options);
    trueno_backend_options_init(&options, offsetof(trueno_backend_options, device));
    options.threads = 3;
    assert_int_equal(trueno_backend_open(&be, "cpu", &options, NULL), TRUENO_OK);
    assert_non_null(strstr(be->device, "3 threads"));
    be->close(be);
}

static void test_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        counter c = {0};
        const trueno_allocator allocator = {count_allocate, count_release, &c};
        trueno_backend *be = open_backend(HOST_BACKENDS[i], &allocator);
        trueno_memory_use before, use;
        trueno_error err = {0};
        char text[5] = "abcd", back[5] = "";
        void *p;

        be->memory_use(be, &before);
        assert_int_equal(be->alloc(be, 1000, &p, &err), TRUENO_OK);
        assert_int_equal((uintptr_t)p % 64, 0);
        be->memory_use(be, &use);
        assert_int_equal(use.activations - before.activations, 1000);
        assert_int_equal(be->write(be, p, text, 5, &err), TRUENO_OK);
        assert_int_equal(be->read(be, back, p, 5, &err), TRUENO_OK);
        assert_string_equal(back, "abcd");
        be->release(be, p);
        be->release(be, NULL);
        be->memory_use(be, &use);
        assert_int_equal(use.activations, before.activations);
        assert_int_equal(be->alloc(be, SIZE_MAX - 5, &p, &err), TRUENO_NO_MEMORY);
        assert_null(p);
        be->close(be);
        assert_int_equal(c.live, 0);
        assert_int_equal(c.live_bytes, 0);
    }
}

static void test_kv_memory(void **state)
{
    const trueno_kv_shape shape = {4, 2, 64, 1 << 20, TRUENO_KV_F16};
    const size_t per_position =
        (size_t)4 * 2 * 64 * 2 * 2; /* layers, heads, elements, K and V, F16 */
    trueno_backend *be = open_backend("cpu", NULL);
    trueno_memory_use use;
    trueno_error err = {0};
    trueno_kv *kv;

    (void)state;
    assert_int_equal(be->kv_new(be, &shape, &kv, &err), TRUENO_OK);
    assert_int_equal(be->kv_bytes(kv), 0);
    assert_int_equal(be->kv_reserve(be, kv, 1, &err), TRUENO_OK);
    assert_in_range(be->kv_bytes(kv), per_position, 64 * per_position + 4096);
    assert_int_equal(be->kv_reserve(be, kv, 1000, &err), TRUENO_OK);
    assert_in_range(be->kv_bytes(kv), 1000 * per_position, 1024 * per_position + 4096);
    be->memory_use(be, &use);
    assert_int_equal(use.kv, be->kv_bytes(kv));
    assert_int_equal(be->kv_reserve(be, kv, 10, &err), TRUENO_OK); /* never shrinks */
    assert_int_equal(use.kv, be->kv_bytes(kv));
    assert_int_equal(be->kv_reserve(be, kv, (1 << 20) + 1, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "1048577"));
    be->kv_free(be, kv);
    be->kv_free(be, NULL);
    be->memory_use(be, &use);
    assert_int_equal(use.kv, 0);
    be->close(be);
}

static void test_kv_errors(void **state)
{
    static const trueno_kv_shape BAD[] = {
        {0, 2, 64, 100, TRUENO_KV_F16},      {4, -1, 64, 100, TRUENO_KV_F16},
        {4, 2, 0, 100, TRUENO_KV_F16},       {4, 2, 64, 0, TRUENO_KV_F16},
        {4, 2, 64, -5, TRUENO_KV_F16},       {4, 2, 64, 100, (trueno_kv_type)9},
        {4, 2, 1 << 30, 100, TRUENO_KV_F16},
    };
    const trueno_kv_shape huge = {60000, 60000, 16000, INT32_MAX, TRUENO_KV_F32};
    trueno_backend *be = open_backend("cpu", NULL);
    trueno_kv *kv;
    trueno_error err;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        err = (trueno_error){0};
        assert_int_equal(be->kv_new(be, &BAD[i], &kv, &err), TRUENO_USAGE);
        assert_true(strlen(err.message) > 20);
        assert_null(kv);
    }
    assert_int_equal(be->kv_new(be, &huge, &kv, &err), TRUENO_NO_MEMORY);
    assert_null(kv);
    be->close(be);
}

static void test_weight_errors(void **state)
{
    static float data[64 * 64];

    (void)state;
    for (int i = 0; i < 2; i++) {
        trueno_backend *be = open_backend(HOST_BACKENDS[i], NULL);
        trueno_tensor t = trueno_tensor_make(TRUENO_F32, 64, 64, data);
        trueno_error err = {0};
        trueno_weight *w;

        t.type = (trueno_type)4; /* an id that the registry does not have */
        assert_int_equal(be->weight_new(be, &t, 1, TRUENO_USE_MATMUL, &w, &err),
                         TRUENO_UNSUPPORTED);
        assert_null(w);
        be->weight_free(be, NULL);
        be->close(be);
    }
}

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

/* Opening fails cleanly at whichever allocation fails; so do steps, and say so. */
static void test_failed_allocations(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t at = 1;
        trueno_status status = TRUENO_NO_MEMORY;

        for (; status != TRUENO_OK; at++) {
            counter c = {.fail_at = at};
            const trueno_allocator allocator = {count_allocate, count_release, &c};
            trueno_backend_options options;
            trueno_error err = {0};
            trueno_backend *be;

            trueno_backend_options_init(&options, sizeof options);
            options.threads = 2;
            options.allocator = &allocator;
            status = trueno_backend_open(&be, HOST_BACKENDS[i], &options, &err);
            if (status == TRUENO_OK) {
                be->close(be);
            } else {
                assert_int_equal(status, TRUENO_NO_MEMORY);
                assert_true(strlen(err.message) > 10);
                assert_null(be);
            }
            assert_int_equal(c.live, 0);
        }
        assert_true(at > 3);
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
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_missing_module),
        cmocka_unit_test(test_short_options),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_kv_memory),
        cmocka_unit_test(test_kv_errors),
        cmocka_unit_test(test_weight_errors),
        cmocka_unit_test(test_steps_do_not_allocate),
        cmocka_unit_test(test_failed_allocations),
        cmocka_unit_test(test_failed_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
