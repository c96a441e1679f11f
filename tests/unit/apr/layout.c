/* SPDX-License-Identifier: MIT */
/* The regions of a file that apr hex shows: whole, in order, where the file has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include "storage_types.h"
#include <apr/layout.h>
#include <stdio.h>
#include <string.h>

/* What was told of a file. */
typedef struct told {
    const uint8_t *file;
    uint64_t next, bytes; /* of the region that follows; all so far */
    int regions, remarks;
    char last[64];
} told;

static void note(void *user, const apr_region *r)
{
    told *t = user;

    assert_string_equal(r->file, "memory");
    assert_false(r->unpacked);
    assert_ptr_equal(r->data, t->file + r->offset);
    if (r->bytes > 0 && t->next > 0)
        assert_int_equal(r->offset, t->next);
    t->next = r->bytes > 0 ? r->offset + r->bytes : t->next;
    t->bytes += r->bytes;
    t->regions += r->bytes > 0;
    t->remarks += r->bytes == 0;
    (void)snprintf(t->last, sizeof t->last, "%s", r->value);
}

/* The tiny config, which a case adds to. */
static gguf_build begin(void)
{
    gguf_build g;

    build_init(&g);
    tiny_config(&g);
    return g;
}

/* A file of one tensor "x" of two blocks of each type in turn: told without gaps, whole. */
static void test_blocks(void **state)
{
    (void)state;
    for (int id = 0; id < APR_TYPE_U8; id++) {
        const apr_layout_options options = {.size = sizeof options, .tensor = "x"};
        apr_storage_type type;
        uint64_t dims[1];
        trueno_error err = {0};
        told t = {0};
        gguf_build g;
        byte_run file;
        apr_model *m;

        if (apr_storage_type_get(id, &type) != 0)
            continue;
        dims[0] = 2 * (uint64_t)type.block;
        g = begin();
        tensor_info(&g, "x", 1, dims, (uint32_t)id, 0);
        for (int i = 0; i < 2 * type.bytes; i++)
            put_u8(&g.data, (uint8_t)i);
        file = build_end(&g);
        if (apr_model_open_memory(&m, file.data, file.n, NULL, &err) < 0)
            fail_msg("%s: %s", type.name, err.message);
        t.file = file.data;
        assert_int_equal(apr_layout_tell(m, &options, note, &t, &err), TRUENO_OK);
        if (t.bytes != 2 * (uint64_t)type.bytes)
            fail_msg("%s: %llu bytes told of %d", type.name, (unsigned long long)t.bytes,
                     2 * type.bytes);
        apr_model_close(m);
        byte_run_free(&file);
    }
}

/* With room for every entry, the tables are told from the first byte up to the data's padding. */
static void test_tables(void **state)
{
    apr_layout_options options = {.size = sizeof options, .limit = 1000};
    trueno_error err = {0};
    told t = {0};
    gguf_build g = begin();
    byte_run file;
    apr_model *m;

    (void)state;
    tiny_vocab(&g);
    file = build_end(&g);
    assert_int_equal(apr_model_open_memory(&m, file.data, file.n,
                                           &(apr_model_options){.size = sizeof(apr_model_options),
                                                                .vocab_only = true},
                                           &err),
                     TRUENO_OK);
    t.file = file.data;
    assert_int_equal(apr_layout_tell(m, &options, note, &t, &err), TRUENO_OK);
    assert_int_equal(t.bytes, file.n);
    assert_int_equal(t.remarks, 0);
    t = (told){.file = file.data};
    options.limit = 2; /* the rest of the keys is one remark */
    assert_int_equal(apr_layout_tell(m, &options, note, &t, &err), TRUENO_OK);
    assert_int_equal(t.remarks, 1);
    assert_string_equal(t.last, "11");
    options.tensor = "none";
    assert_int_equal(apr_layout_tell(m, &options, note, &t, &err), TRUENO_USAGE);
    apr_model_close(m);
    byte_run_free(&file);
}

/* Behind the last block there is a remark, and nothing is read. */
static void test_past_end(void **state)
{
    const apr_layout_options options = {.size = sizeof options, .tensor = "x", .first = UINT64_MAX};
    const uint64_t dims[] = {5};
    trueno_error err = {0};
    told t = {0};
    gguf_build g = begin();
    byte_run file;
    apr_model *m;

    (void)state;
    tensor(&g, "x", 1, dims);
    file = build_end(&g);
    assert_int_equal(apr_model_open_memory(&m, file.data, file.n, NULL, &err), TRUENO_OK);
    t.file = file.data;
    assert_int_equal(apr_layout_tell(m, &options, note, &t, &err), TRUENO_OK);
    assert_int_equal(t.regions, 0);
    assert_int_equal(t.remarks, 1);
    apr_model_close(m);
    byte_run_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_past_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
