/* SPDX-License-Identifier: MIT */
/* Tests of what happens before the merges: expressions, their twins by hand, normalisation. */
#include "text_generator.h"
#include "tokenizer_fixture.h"

#include <time.h>

/* ---- expressions --------------------------------------------------------------------------- */

static void test_expressions(void **state)
{
    static const char *const refused[] = {"[\\S]", "a{2}+", "[a&&b]", "(*UTF)a",
                                          "\\Ra",  "[",     "(",      "a\\"};
    static const char *const fine[] = {"\\s", "[^\\s]", "\\p{L}", "[\\]]", "\\[", "(?i:a)", "a++"};
    trueno_error err = {0};
    token_regex *regex;

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (regex_compile(&regex, refused[i], &err) == TRUENO_OK)
            fail_msg("%s was taken", refused[i]);
        assert_null(regex);
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        if (regex_compile(&regex, fine[i], &err) < 0)
            fail_msg("%s: %s", fine[i], err.message);
        regex_free(regex);
    }
}

/* A pattern of a stranger's tokenizer.json: nested deeply, or of exponential work. */
static void test_hostile_expressions(void **state)
{
    static char deep[40002], text[201];
    static const char *const slow[] = {"(a+)+$", "(?R)?a"};
    apr_text_step steps[] = {
        {.kind = APR_STEP_SPLIT, .regex = true, .behavior = APR_SPLIT_ISOLATED, .pattern = deep},
        {.kind = APR_STEP_BYTE_LEVEL}};
    fixture *f = byte_level(NULL);

    memset(deep, '(', 20000);
    deep[20000] = 'a';
    memset(deep + 20001, ')', 20000);
    memset(text, 'a', 200);
    text[200] = '!';
    f->vocab.steps = steps;
    f->vocab.n_steps = 2;
    refuse(f, TRUENO_FORMAT, "pre-tokenizer");
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        realizar_tokenizer *t;
        trueno_error err = {0};
        int32_t ids[400];
        size_t count;

        steps[0].pattern = slow[i];
        t = build(f);
        assert_int_equal(realizar_tokenizer_encode(t, text, sizeof text, 0, ids, 400, &count, &err),
                         TRUENO_CONTENT);
        assert_non_null(strstr(err.message, "limits"));
        realizar_tokenizer_free(t);
    }
    free(f);
}

/* ---- hand-written expressions -------------------------------------------------------------- */

/* Compares a twin with PCRE2 on one text, match by match. */
static void compare_twin(encoder *e, const char *pattern, const token_regex *regex,
                         const char *text, size_t bytes)
{
    find_function *find = words_for_pattern(pattern);
    const char *p = text, *end = text + bytes;

    while (p < end) {
        const char *start, *stop = NULL, *twin_stop = NULL;
        const char *twin = find(text, p, end, &twin_stop);
        assert_int_equal(regex_find(e, regex, text, p, end, &start, &stop), TRUENO_OK);
        if (twin != start || (start && twin_stop != stop))
            fail_msg("%s at byte %td of \"%.*s\": %td-%td by hand, %td-%td by PCRE2", pattern,
                     p - text, (int)bytes, text, twin ? twin - text : -1,
                     twin ? twin_stop - text : -1, start ? start - text : -1,
                     start ? stop - text : -1);
        if (!start)
            break;
        p = stop;
    }
}

static const char *const twin_patterns[] = {
    words_gpt2_pattern,
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
    "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "\\p{N}",
    "\\p{N}+",
    "[\\r\\n]",
    "\\s?\\p{L}+",
    "\\s?\\p{P}+",
    "\\s+$",
};

static void test_twins(void **state)
{
    /* every string of four of these is tried */
    static const char *const letters[] = {
        "a", "1", " ", "\n",       "\r",           "\t", "'",        "s", "L",
        "!", "$", "é", "\xcc\x81", "\xe3\x80\x80", "中", "\xc5\xbf", "²"};
    enum { N = sizeof letters / sizeof *letters };
    text_random random = {.state = (uint64_t)time(NULL)};
    encoder e = {0};
    static char text[16384 + TEXT_SLACK];

    print_message("seed %llu\n", (unsigned long long)random.state);
    for (size_t k = 0; k < sizeof twin_patterns / sizeof *twin_patterns; k++) {
        token_regex *regex;
        assert_non_null(words_for_pattern(twin_patterns[k]));
        assert_int_equal(regex_compile(&regex, twin_patterns[k], NULL), 0);
        for (int code = 0; code < N * N * N * N; code++) {
            size_t n = 0;
            for (int rest = code, i = 0; i < 4; i++, rest /= N) {
                const size_t length = strlen(letters[rest % N]);
                memcpy(text + n, letters[rest % N], length);
                n += length;
            }
            compare_twin(&e, twin_patterns[k], regex, text, n);
        }
        for (int i = 0; i < 3000; i++)
            compare_twin(&e, twin_patterns[k], regex, text, text_string(&random, text));
        for (int kind = 0; kind < TEXT_KINDS; kind++)
            compare_twin(&e, twin_patterns[k], regex, text,
                         text_chunk((text_kind)kind, text_next(&random), 16384, text));
        regex_free(regex);
    }
    pipeline_end(&e);
}

/* Every hand-written expression but punctuation, which is that of another Unicode, is tried above.
 */
static void test_every_name(void **state)
{
    static const char *const names[] = {"qwen2",      "qwen35", "llama-bpe",   "gpt-4o",
                                        "tekken",     "dbrx",   "deepseek-v3", "seed-coder",
                                        "bailingmoe", "bloom",  "viking",      "chatglm-bpe",
                                        "command-r",  "mpt"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fixture *f = byte_level(names[i]);
        realizar_tokenizer *t = build(f);
        assert_string_equal(IDS(t, "the", 0), "the");
        realizar_tokenizer_free(t);
        free(f);
    }
}

/* ---- normalisation ------------------------------------------------------------------------- */

static void test_normalize(void **state)
{
    static const char MARKS[4] = "\xcc\x81\xcc\xa3"; /* without a NUL */
    trueno_arena arena = {0};
    size_t n = 3;
    const char *text = "e\xcc\x81";
    const char *made = unicode_normalize(text, &n, UNICODE_NFC, &arena);
    char *marks;

    assert_int_equal(n, 2);
    assert_memory_equal(made, "é", 2);
    /* what needs nothing is not copied */
    text = "é 中文 \xf0\x9f\x98\x80";
    n = strlen(text);
    assert_ptr_equal(unicode_normalize(text, &n, UNICODE_NFC, &arena), text);
    /* half a million marks in the wrong order: quadratic would not end */
    n = 1000001;
    marks = trueno_arena_alloc(&arena, n);
    assert_non_null(marks);
    marks[0] = 'a';
    for (size_t i = 1; i < n; i += 4)
        memcpy(marks + i, MARKS, sizeof MARKS);
    made = unicode_normalize(marks, &n, UNICODE_NFC, &arena);
    assert_non_null(made);
    assert_memory_equal(made, "\xe1\xba\xa1\xcc\xa3", 5);
    trueno_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions), cmocka_unit_test(test_hostile_expressions),
        cmocka_unit_test(test_twins),       cmocka_unit_test(test_every_name),
        cmocka_unit_test(test_normalize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
