/* SPDX-License-Identifier: MIT */
/* Backends as objects: opening, errors, memory counts, and the growth of key-value memory. */
#include "backend_fixture.h"

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

/* Opening fails cleanly at whichever allocation fails, and says so. */
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

static void test_bandwidth(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        counter c = {0};
        const trueno_allocator allocator = {count_allocate, count_release, &c};
        trueno_backend *be = open_backend(HOST_BACKENDS[i], &allocator);
        int64_t live = c.live, calls = c.calls;
        trueno_error err = {0};
        double gb_s = -1;

        assert_int_equal(be->bandwidth(be, &gb_s, &err), TRUENO_OK);
        assert_true(gb_s > 0 && gb_s < 1e6);
        assert_int_equal(c.live, live);
        for (int64_t at = 1; at <= c.calls - calls; at++) {
            c.calls = calls;
            c.fail_at = calls + at;
            assert_int_equal(be->bandwidth(be, &gb_s, &err), TRUENO_NO_MEMORY);
            assert_int_equal((int)gb_s, 0);
            assert_int_equal(c.live, live);
        }
        be->close(be);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),          cmocka_unit_test(test_missing_module),
        cmocka_unit_test(test_short_options), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_kv_memory),     cmocka_unit_test(test_kv_errors),
        cmocka_unit_test(test_weight_errors), cmocka_unit_test(test_failed_allocations),
        cmocka_unit_test(test_bandwidth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
