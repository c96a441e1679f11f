/* SPDX-License-Identifier: MIT */
/*
 * config_values TINY_FOLDER NAME...: each member of a tiny model's config.json left out, and with
 * values that other programs have stumbled over: zeros, numbers below zero and of many digits,
 * other types. A model runs, or is refused in one line that names it, without taking much memory.
 */
#include "tiny_folder.h"

enum { MOST_BYTES = 64 << 20 };

static const char *tiny_folder;
static char work[] = "/tmp/apr-test-XXXXXX";
static char tried[200]; /* the model, member and value that are tried, for messages */

static const char *const VALUES[] = {
    "0",
    "1",
    "-1",
    "7",
    "4096",
    "1048576",
    "2147483648",
    "9223372036854775807",
    "0.5",
    "1e300",
    "true",
    "null",
    "\"x\"",
    "[]",
    "[\"x\"]",
    "{}",
    "{\"rope_type\":\"yarn\"}",
};

/* What the engine holds at once; more than MOST_BYTES is refused. */
typedef struct bounded {
    test_allocator counts;
    trueno_allocator inner;
} bounded;

static void *bounded_allocate(void *user, size_t bytes, size_t align)
{
    bounded *b = user;

    if (bytes > MOST_BYTES || atomic_load(&b->counts.bytes) + (long long)bytes > MOST_BYTES)
        fail_msg("%s: %zu bytes asked for, %lld held", tried, bytes,
                 (long long)atomic_load(&b->counts.bytes));
    return test_allocate(&b->counts, bytes, align);
}

static void bounded_release(void *user, void *p, size_t bytes)
{
    bounded *b = user;

    test_release(&b->counts, p, bytes);
}

static trueno_status run(trueno_error *err)
{
    static float logits[4 * 4096];
    const int32_t ids[] = {1, 2, 3, 1};
    bounded b = {0};
    const trueno_allocator hooks = {bounded_allocate, bounded_release, &b};
    realizar_engine_options o;
    realizar_engine *e = NULL;
    realizar_session *s = NULL;
    trueno_status status;

    *err = (trueno_error){0};
    realizar_engine_options_init(&o, sizeof o);
    o.backend = "cpu";
    o.threads = 1;
    o.context = 16;
    o.bench_only = true;
    o.allocator = &hooks;
    status = realizar_engine_open(&e, work, &o, err);
    if (status == TRUENO_OK && (status = realizar_session_new(&s, e, 0, err)) == TRUENO_OK) {
        realizar_step_item item = {s, ids, 4, REALIZAR_ROWS_LAST, logits, NULL, NULL, NULL};

        status = realizar_step(e, &item, 1, err);
    }
    realizar_session_free(s);
    realizar_engine_close(e);
    assert_int_equal(atomic_load(&b.counts.blocks), 0);
    return status;
}

static void check(const folder *f, const char *name, const char *key, const char *value)
{
    trueno_error err;
    trueno_status status;

    (void)snprintf(tried, sizeof tried, "%s, %s = %s", name, key, value);
    write_config(f, work);
    status = run(&err);
    if (status == TRUENO_OK)
        return;
    if ((status != TRUENO_FORMAT && status != TRUENO_UNSUPPORTED && status != TRUENO_USAGE) ||
        strncmp(err.message, work, strlen(work)) != 0 || strchr(err.message, '\n') != NULL)
        fail_msg("%s: status %d, '%s'", tried, status, err.message);
}

/* Every value in the place of each member of the object, then the object without the member. */
static void try_members(const folder *f, const char *name, json_t *object)
{
    json_t *const members = json_copy(object);
    const char *key;
    json_t *member;

    json_object_foreach(members, key, member)
    {
        for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
            json_object_set_new(object, key, json_loads(VALUES[i], JSON_DECODE_ANY, NULL));
            check(f, name, key, VALUES[i]);
        }
        json_object_del(object, key);
        check(f, name, key, "nothing");
        json_object_set(object, key, member);
        if (json_is_object(member))
            try_members(f, name, member);
    }
    json_decref(members);
}

static void test_values(void **state)
{
    const char *name = *state;
    folder f = read_folder(tiny_folder, name);
    trueno_error err;

    write_folder(&f, work);
    if (run(&err) < 0)
        fail_msg("%s: %s", name, err.message);
    try_members(&f, name, f.config);
    free_folder(&f);
}

int main(int argc, char **argv)
{
    int failures = 0;

    if (argc < 3 || mkdtemp(work) == NULL)
        return 2;
    tiny_folder = argv[1];
    for (int i = 2; i < argc; i++) {
        const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_values, argv[i])};

        failures += cmocka_run_group_tests(tests, NULL, NULL);
    }
    remove_folder(work);
    return failures != 0;
}
