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

static void add_array(gguf_build *g, const case_key *k)
{
    uint32_t bytes = k->element == V_U8 ? k->count : 4 * k->count;

    key_array(g, k->name, k->element, k->count);
    for (uint32_t at = 0; at < bytes; at += 4)
        put_u32(&g->keys, k->number);
}

static void add_key(gguf_build *g, const case_key *k)
{
    if (k->name == NULL)
        return;
    if (k->type == V_ARR)
        add_array(g, k);
    else if (k->type == V_STR)
        key_str(g, k->name, k->text);
    else if (k->type == V_F32)
        key_f32(g, k->name, k->real);
    else
        key_u32(g, k->name, k->number);
}

static void add_tokens(gguf_build *g, uint32_t n)
{
    key_str(g, "tokenizer.ggml.model", "gpt2");
    key_array(g, "tokenizer.ggml.tokens", V_STR, n);
    for (uint32_t i = 0; i < n; i++)
        put_text(&g->keys, "t");
}

static byte_run build_case(const bad_case *c)
{
    gguf_build g;
    byte_run file;

    build_init(&g);
    if (!c->without_tiny) {
        tiny_config(&g);
        if (c->tokens > 0)
            add_tokens(&g, c->tokens);
        else
            tiny_vocab(&g);
        tiny_tensors(&g);
    }
    if (c->change != NULL)
        c->change(&g);
    add_key(&g, &c->key);
    file = build_end(&g);
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
