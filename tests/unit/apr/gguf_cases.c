/* SPDX-License-Identifier: MIT */
/* Bad GGUF files as rows of a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_cases.h"
#include "try_open.h"
#include <string.h>

static byte_run build_case(const bad_case *c)
{
    gguf_build g;
    byte_run file;

    build_init(&g);
    if (!c->without_tiny) {
        tiny_config(&g);
        tiny_vocab(&g);
        tiny_tensors(&g);
    }
    c->change(&g);
    file = build_finish(&g);
    build_free(&g);
    return file;
}

void check_bad_cases(const bad_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        byte_run file = build_case(&cases[i]);
        trueno_error err;
        counting c;
        trueno_status status;

        counting_init(&c);
        status = try_open_gguf(file.data, file.n, &c, false, &err);
        if (status != cases[i].status || (status < 0 && strstr(err.message, cases[i].says) == NULL))
            fail_msg("%s: status %d, message '%s'; wanted %d, '%s'", cases[i].name, status,
                     err.message, cases[i].status, cases[i].says);
        byte_run_free(&file);
    }
}

void check_lenient(const bad_case *c)
{
    byte_run file = build_case(c);
    trueno_error err;
    counting memory;

    counting_init(&memory);
    assert_int_equal(try_open_gguf(file.data, file.n, &memory, true, &err), TRUENO_OK);
    byte_run_free(&file);
}
