/* SPDX-License-Identifier: MIT */
/* Hostile templates and input: every limit, errors with their place, failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory_fixture.h"
#include "template_fixture.h"
#include <stdio.h>
#include <stdlib.h>

static void expect(const char *source, const realizar_chat_input *input, trueno_status wanted,
                   const char *message)
{
    realizar_prompt prompt = {0};
    trueno_error err = {0};
    trueno_status status = render_source(source, input, NULL, &prompt, &err);

    if (status != wanted || strstr(err.message, message) == NULL || prompt.text != NULL)
        fail_msg("%.80s: status %d, '%s'; expected %d, '%s'", source, status, err.message, wanted,
                 message);
}

static void test_places(void **state)
{
    realizar_chat_input input = input_of("[{\"role\": \"user\"}]", NULL);

    (void)state;
    expect("a\n{{ x", &input, TRUENO_FORMAT, "t.jinja:2:5: ");
    expect("äö {{ nope.x }}", &input, TRUENO_CONTENT, "t.jinja:1:12: 'nope' is undefined");
    expect("{{ messages[0].content.x }}", &input, TRUENO_CONTENT,
           "t.jinja:1:24: 'dict object' has no attribute 'content'");
    expect("\n\n  {{ messages[3].x }}", &input, TRUENO_CONTENT,
           "t.jinja:3:18: 'list object' has no element 3");
    expect("{% if true %}\n{{ raise_exception('no\nway') }}{% endif %}", &input, TRUENO_USAGE,
           "t.jinja:2:19: no way");
    expect("{% include 'x' %}", &input, TRUENO_UNSUPPORTED, "t.jinja:1:4: the tag 'include'");
    expect("{{ 'x'|wordwrap }}", &input, TRUENO_UNSUPPORTED, "the filter 'wordwrap'");
    expect("{{ messages.append(1) }}", &input, TRUENO_CONTENT,
           "'append' of 'list' object is unsafe");
    expect("\xff", &input, TRUENO_FORMAT, "t.jinja:1:1: the template is not valid UTF-8");
    expect("{{ '\\ud800' }}", &input, TRUENO_FORMAT, "no character");
    expect("{{ 9223372036854775807 + 1 }}", &input, TRUENO_CONTENT, "beyond 64 bits");
    expect("{{ 99999999999999999999 }}", &input, TRUENO_FORMAT, "t.jinja:1:4: ");
}

static void test_input(void **state)
{
    realizar_chat_input input = input_of("[{", NULL);

    (void)state;
    expect("x", &input, TRUENO_FORMAT, "messages: line 1 column 2");
    input = input_of("{}", NULL);
    expect("x", &input, TRUENO_FORMAT, "messages are not a JSON array");
    input = input_of("[1]", NULL);
    expect("x", &input, TRUENO_FORMAT, "message 0 is not an object");
    input = input_of(NULL, "[]");
    expect("x", &input, TRUENO_FORMAT, "variables are not a JSON object");
    input = input_of(NULL, NULL);
    input.tools = "{}";
    input.tools_bytes = 2;
    expect("x", &input, TRUENO_FORMAT, "tools are not a JSON array");
    input = input_of(NULL, NULL);
    input.bos_token = "\xc3";
    expect("x", &input, TRUENO_FORMAT, "bos_token is not valid UTF-8");
}

/* n times `unit` between `open` and `close`; the caller frees it. */
static char *repeated(const char *open, const char *unit, size_t n, const char *close)
{
    size_t a = strlen(open), b = strlen(unit), d = strlen(close);
    char *text = malloc(a + n * b + d + 1), *to;

    assert_non_null(text);
    to = stpcpy(text, open);
    for (size_t i = 0; i < n; i++)
        to = stpcpy(to, unit);
    (void)stpcpy(to, close);
    return text;
}

static void expect_repeated(const char *open, const char *unit, const char *close,
                            trueno_status wanted, const char *message)
{
    realizar_chat_input input = input_of("[]", NULL);
    char *source = repeated(open, unit, 20000, close);

    expect(source, &input, wanted, message);
    free(source);
}

static void test_depth(void **state)
{
    enum { DEPTH = 1901, BOTH = 2 * DEPTH }; /* brackets */
    realizar_chat_input input = input_of("[]", NULL);
    char *deep;

    (void)state;
    expect_repeated("{{ ", "(", "", TRUENO_FORMAT, "deep");
    expect_repeated("{{ ", "[", "", TRUENO_FORMAT, "deep");
    expect_repeated("{{ ", "not ", "1 }}", TRUENO_FORMAT, "deep");
    expect_repeated("{{ ", "-", "1 }}", TRUENO_FORMAT, "deep");
    expect_repeated("{{ ", "1 if 1 else ", "1 }}", TRUENO_FORMAT, "deep");
    expect_repeated("", "{% if 1 %}", "", TRUENO_FORMAT, "deep");
    expect_repeated("{% set ", "(", "", TRUENO_FORMAT, "deep");
    expect_repeated("{% if 1 %}", "{% elif 1 %}", "", TRUENO_FORMAT, "expected 'elif'");
    expect_repeated("{{ 1 ", "+ 1", " }}", TRUENO_CONTENT, "deep");
    expect_repeated("{{ 'a'", "|upper", " }}", TRUENO_CONTENT, "deep");
    expect_repeated("{{ x", ".y", " }}", TRUENO_CONTENT, "deep");
    expect_repeated("{% filter upper", "|upper", " %}x{% endfilter %}", TRUENO_CONTENT, "deep");
    expect("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", &input, TRUENO_CONTENT, "deep");
    expect("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", &input, TRUENO_CONTENT,
           "deep");
    expect("{% set n = namespace() %}{% set n.n = n %}{{ n }}", &input, TRUENO_CONTENT, "deep");
    expect("{% set n = namespace(x=[]) %}{% for i in range(1000) %}{% set n.x = [n.x] %}"
           "{% endfor %}{{ n.x|tojson }}",
           &input, TRUENO_CONTENT, "deep");
    expect("{% set n = namespace(x=[], y=[]) %}{% for i in range(1000) %}{% set n.x = [n.x] %}"
           "{% set n.y = [n.y] %}{% endfor %}{{ n.x == n.y }}",
           &input, TRUENO_CONTENT, "deep");
    deep = repeated("[", "[", DEPTH - 1, "");
    deep = realloc(deep, BOTH + 1);
    assert_non_null(deep);
    memset(deep + DEPTH, ']', DEPTH);
    deep[BOTH] = '\0';
    input = input_of(NULL, NULL);
    input.tools = deep;
    input.tools_bytes = BOTH;
    expect("{{ tools }}", &input, TRUENO_CONTENT, "deep");
    free(deep);
}

static void test_steps_and_size(void **state)
{
    realizar_chat_input input = input_of("[]", NULL);

    (void)state;
    input.max_steps = 100000;
    expect("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", &input,
           TRUENO_CONTENT, "more steps");
    expect("{{ range(99999)|map('string')|list|join|length }}{{ [1] * 9999999 }}", &input,
           TRUENO_CONTENT, "more steps");
    expect("{{ range(100001) }}", &input, TRUENO_CONTENT, "range too big");
    input = input_of("[]", NULL);
    input.max_output_bytes = 1000;
    expect("{% for i in range(200) %}123456{% endfor %}", &input, TRUENO_CONTENT,
           "over the limit of 1000 bytes");
    expect("{{ ('x' * 2000)|length }}", &input, TRUENO_CONTENT, "over the limit of 1000 bytes");
    expect("{{ '%2000d' % 1 }}", &input, TRUENO_CONTENT, "over the limit of 1000 bytes");
    input = input_of("[]", NULL);
    input.max_memory_bytes = 1 << 20;
    expect("{% set n = namespace(x='x') %}{% for i in range(100) %}{% set n.x = n.x ~ n.x %}"
           "{% endfor %}",
           &input, TRUENO_CONTENT, "over the limit of 1048576 bytes");
    expect("{{ range(99999)|list|length }}", &input, TRUENO_CONTENT, "over the limit");
}

/* Whatever allocation fails: the right status, nothing lost, no crash. */
static void test_failing_allocations(void **state)
{
    static const char source[] =
        "{% macro f(a) %}{{ a|upper }}{{ varargs }}{% endmacro %}{% for m in messages %}"
        "{{ f(m.content, 1) }}{{ m|tojson }}{{ m.items()|list|sort }}{{ '%s' % m.role }}{% endfor "
        "%}";
    realizar_chat_input input = input_of("[{\"role\": \"user\", \"content\": \"hé\"}]", NULL);

    (void)state;
    for (int for_good = 0; for_good < 2; for_good++)
        for (size_t at = 1;; at++) {
            counting c;
            realizar_prompt prompt = {0};
            trueno_error err = {0};
            trueno_status status;

            counting_init(&c);
            c.fail_at = at;
            c.fail_for_good = for_good;
            status = render_source(source, &input, &c.allocator, &prompt, &err);
            realizar_prompt_free(&prompt);
            assert_int_equal(c.live, 0);
            if (status == TRUENO_OK) {
                assert_true(at > 4);
                break;
            }
            assert_int_equal(status, TRUENO_NO_MEMORY);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_steps_and_size),
        cmocka_unit_test(test_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
