/* SPDX-License-Identifier: MIT */
/* Opening a file that may be bad: everything that follows is the same for every case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "try_open.h"
#include <apr/inspect.h>
#include <apr/model.h>
#include <string.h>

/* Close what came of opening, NULL and one line of text after a failure. */
static void check_and_close(apr_model *m, trueno_status status, const counting *c,
                            const trueno_error *err)
{
    if (status != TRUENO_OK) {
        assert_null(m);
        assert_true(err->message[0] != '\0');
        assert_null(strchr(err->message, '\n'));
        assert_int_equal(err->status, status);
    }
    apr_model_close(m);
    assert_int_equal(c->live, 0);
}

trueno_status try_open(const void *data, size_t n, counting *c, apr_model_options options,
                       model_look *look, trueno_error *err)
{
    guarded g = guarded_copy(data, n);
    apr_model *m = NULL;
    trueno_status status;

    options.allocator = &c->allocator;
    *err = (trueno_error){0};
    status = apr_model_open_memory(&m, g.data, n, &options, err);
    if (status == TRUENO_OK)
        look(m);
    check_and_close(m, status, c, err);
    guarded_free(&g);
    return status;
}

trueno_status try_open_path(const char *path, counting *c, trueno_error *err)
{
    apr_model_options options;
    apr_model *m = NULL;
    trueno_status status;

    apr_model_options_init(&options, sizeof options);
    options.allocator = &c->allocator;
    *err = (trueno_error){0};
    status = apr_model_open(&m, path, &options, err);
    check_and_close(m, status, c, err);
    return status;
}

static void look_at_all(const apr_model *m)
{
    trueno_error err;
    size_t bytes;
    char *text;

    if (apr_inspect_json(m, true, &text, &bytes, &err) == TRUENO_OK)
        apr_inspect_free(m, text, bytes);
    (void)apr_model_check_shapes(m, &err);
}

trueno_status try_open_gguf(const void *data, size_t n, counting *c, bool lenient,
                            trueno_error *err)
{
    apr_model_options options;

    apr_model_options_init(&options, sizeof options);
    options.lenient = lenient;
    return try_open(data, n, c, options, look_at_all, err);
}
