/* SPDX-License-Identifier: MIT */
/* Tests of the tokenizer's rules, on vocabularies small enough to reckon with by hand. */
#include "text_generator.h"
#include "tokenizer_fixture.h"

#include <time.h>

/* ---- merging ------------------------------------------------------------------------------- */

static void test_merges(void **state)
{
    fixture *f = byte_level("gpt-2");
    realizar_tokenizer *t = build(f);

    assert_string_equal(IDS(t, "the the", 0), "the|Ġthe");
    assert_string_equal(IDS(t, "aaaaaaa", 0), "aaaa|aa|a");
    assert_string_equal(IDS(t, "hethe", 0), "he|the");
    assert_string_equal(IDS(t, "", 0), "");
    assert_string_equal(IDS(t, "é\n", 0), "Ã|©|Ċ");
    realizar_tokenizer_free(t);
    free(f);
}

/* Words of every length around the limit between scanning and the heap give the same ids. */
static void test_long_words(void **state)
{
    fixture *f = byte_level("gpt-2");
    realizar_tokenizer *t = build(f);

    for (size_t n = 1; n < 300; n++) {
        char text[300];
        int32_t ids[300];
        size_t count;
        memset(text, 'a', n);
        assert_int_equal(realizar_tokenizer_encode(t, text, n, 0, ids, 300, &count, NULL), 0);
        assert_int_equal(count, n / 4 + n % 4 / 2 + n % 2);
    }
    realizar_tokenizer_free(t);
    free(f);
}

/* A text of the same words twice, longer than the cache's least: the second half repeats the first.
 */
static void test_cache(void **state)
{
    fixture *f = byte_level("qwen2");
    realizar_tokenizer *t = build(f);
    static char text[2 * (65536 + TEXT_SLACK) + 2];
    const size_t capacity = 4 * sizeof text;
    int32_t *ids = malloc(capacity * sizeof *ids);
    size_t n, whole, half;

    assert_non_null(ids);
    n = text_chunk(TEXT_PROSE, 5, 65536, text);
    text[n++] = '\n';
    text[n++] = 'x';
    memcpy(text + n, text, n);
    assert_int_equal(realizar_tokenizer_encode(t, text, n, 0, ids, sizeof text, &half, NULL), 0);
    assert_int_equal(realizar_tokenizer_encode(t, text, 2 * n, 0, ids, sizeof text, &whole, NULL),
                     0);
    for (size_t i = 0; i + 1 < half; i++) /* the last word of the half may go on */
        assert_int_equal(ids[i], ids[half + i]);
    free(ids);
    realizar_tokenizer_free(t);
    free(f);
}

static void test_sentencepiece(void **state)
{
    fixture *f = sentencepiece();
    realizar_tokenizer *t = build(f);
    int32_t ids[64];
    size_t count;
    char out[64];

    assert_string_equal(IDS(t, "abc", 0), MARK "a|b|c");
    assert_string_equal(IDS(t, "abc", REALIZAR_ENCODE_CONTINUES), "abc");
    assert_string_equal(IDS(t, " hi", 0), MARK "|" MARK "hi");
    assert_string_equal(IDS(t, "aé", 0), MARK "a|<0xC3>|<0xA9>");
    assert_string_equal(IDS(t, "<s>a", SPECIAL), "<s>|" MARK "a");
    assert_string_equal(IDS(t, "<0x41>", 0), MARK "|<0x3C>|<0x30>|<0x78>|<0x34>|<0x31>|<0x3E>");
    assert_int_equal(realizar_tokenizer_encode(t, "hi \xff b", 6, 0, ids, 64, &count, NULL), 0);
    assert_int_equal(realizar_tokenizer_decode(t, ids, count, false, out, sizeof out), 6);
    assert_memory_equal(out, "hi \xff b", 6);
    realizar_tokenizer_free(t);
    free(f);
}

/* A byte token whose number is no byte (an index below the table in another program) stands for its
 * own letters. */
static void test_odd_byte_tokens(void **state)
{
    static const char *const odd[] = {"<0x-1>", "<0x100>", "<0xG1>", "<0x>", "<0x+1>", "<0x 1>"};
    fixture *f = sentencepiece();
    realizar_tokenizer *t;
    int32_t ids[sizeof odd / sizeof *odd];
    char out[16];

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        ids[i] = add(f, odd[i], APR_TOKEN_BYTE, 0);
    t = build(f);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const size_t n = realizar_tokenizer_decode(t, ids + i, 1, false, out, sizeof out);
        assert_int_equal(n, strlen(odd[i]));
        assert_memory_equal(out, odd[i], n);
    }
    assert_string_equal(IDS(t, "\x01", 0), MARK "|<0x01>");
    realizar_tokenizer_free(t);
    free(f);
}

/* ---- special tokens ------------------------------------------------------------------------ */

static void test_specials(void **state)
{
    fixture *f = byte_level("qwen2");
    realizar_tokenizer *t;

    add_special(f, "<|end|>", 0);
    add_special(f, "<|end|>>", 0);
    add(f, "<tool>", APR_TOKEN_USER_DEFINED, APR_ADDED);
    t = build(f);
    /* cut out before pre-tokenisation, else the point would take the bracket */
    assert_string_equal(IDS(t, "the.<|end|>the", SPECIAL), "the|.|<|end|>|the");
    assert_string_equal(IDS(t, "<|end|>>>", SPECIAL), "<|end|>>|>");
    assert_string_equal(IDS(t, "<|end|", SPECIAL), "<|||e|n|d||");
    assert_string_equal(IDS(t, "<|end|>", 0), "<|||e|n|d|||>");
    /* an added token that is not special is a word like others */
    assert_string_equal(IDS(t, "<tool>", 0), "<tool>");
    realizar_tokenizer_free(t);
    free(f);
}

static void test_user_spans(void **state)
{
    fixture *f = byte_level("qwen2");
    const char text[] = "<|end|>the<|end|><|end|>";
    const realizar_text_span inner = {10, 17}, part = {18, 19}, bad = {20, 25};
    const realizar_text_span apart[] = {{0, 1}, {17, 24}};
    const realizar_text_span unsorted[] = {{5, 6}, {3, 4}};
    realizar_tokenizer *t;
    int32_t ids[64];
    size_t count;

    add_special(f, "<|end|>", 0);
    t = build(f);
    assert_string_equal(texts_of(t, text, 24, SPECIAL, &inner, 1),
                        "<|end|>|the|<|||e|n|d|||>|<|end|>");
    assert_string_equal(texts_of(t, text, 24, SPECIAL, &part, 1),
                        "<|end|>|the|<|end|>|<|||e|n|d|||>");
    assert_string_equal(texts_of(t, text, 24, SPECIAL, apart, 2),
                        "<|||e|n|d|||>|the|<|end|>|<|||e|n|d|||>");
    /* where the user wrote no special token, marking changes nothing */
    assert_string_equal(texts_of(t, "the the", 7, SPECIAL, &(realizar_text_span){2, 5}, 1),
                        "the|Ġthe");
    assert_int_equal(
        realizar_tokenizer_encode_spans(t, text, 24, &bad, 1, 0, ids, 64, &count, NULL),
        TRUENO_USAGE);
    assert_int_equal(
        realizar_tokenizer_encode_spans(t, text, 24, unsorted, 2, 0, ids, 64, &count, NULL),
        TRUENO_USAGE);
    realizar_tokenizer_free(t);
    free(f);
}

static void test_added_flags(void **state)
{
    fixture *f = byte_level("gpt-2");
    realizar_tokenizer *t;

    add_special(f, "<l>", APR_ADDED_LSTRIP);
    add_special(f, "<r>", APR_ADDED_RSTRIP);
    add_special(f, "word", APR_ADDED_SINGLE_WORD);
    t = build(f);
    assert_string_equal(IDS(t, "a  <l> a", SPECIAL), "a|<l>|Ġ|a");
    assert_string_equal(IDS(t, "a <r> \n a", SPECIAL), "a|Ġ|<r>|a");
    assert_string_equal(IDS(t, "word", SPECIAL), "word");
    assert_string_equal(IDS(t, "a word.", SPECIAL), "a|Ġ|word|.");
    assert_string_equal(IDS(t, "words", SPECIAL), "w|o|r|d|s");
    assert_string_equal(IDS(t, "éword", SPECIAL), "Ã|©|w|o|r|d");
    /* an invalid byte before the place where white space ends */
    assert_string_equal(IDS(t, "\xf0<l>", SPECIAL), "ð|<l>");
    realizar_tokenizer_free(t);
    free(f);
}

/* A token that is looked for in the normalised text. */
static void test_normalized_added(void **state)
{
    static const apr_text_step steps[] = {
        {.kind = APR_STEP_LOWERCASE, .normalizer = true},
        {.kind = APR_STEP_BYTE_LEVEL, .flags = 2},
    };
    fixture *f = byte_level(NULL);
    realizar_tokenizer *t;

    f->vocab.steps = steps;
    f->vocab.n_steps = 2;
    add_special(f, "[SEP]", 0);
    add_special(f, "[Low]", APR_ADDED_NORMALIZED);
    t = build(f);
    assert_string_equal(IDS(t, "THE[SEP]the", SPECIAL), "the|[SEP]|the");
    assert_string_equal(IDS(t, "[sep]", SPECIAL), "[|s|e|p|]");
    assert_string_equal(IDS(t, "THE[LOW]a", SPECIAL), "the|[Low]|a");
    assert_string_equal(texts_of(t, "THE[LOW]a", 9, SPECIAL, &(realizar_text_span){4, 5}, 1),
                        "the|[|l|o|w|]|a");
    realizar_tokenizer_free(t);
    free(f);
}

static void test_bos(void **state)
{
    fixture *f = byte_level("gpt-2");
    realizar_tokenizer *t;

    f->vocab.bos = add_special(f, "<s>", 0);
    f->vocab.eos = add_special(f, "</s>", 0);
    f->vocab.n_eos = 1;
    f->vocab.eos_ids[0] = f->vocab.eos;
    f->types[0] = APR_TOKEN_UNUSED;
    f->vocab.add_bos = f->vocab.add_eos = true;
    t = build(f);
    assert_string_equal(IDS(t, "the", REALIZAR_ENCODE_BOS), "<s>|the|</s>");
    assert_string_equal(IDS(t, "", REALIZAR_ENCODE_BOS), "<s>|</s>");
    assert_string_equal(IDS(t, "the", 0), "the");
    assert_true(realizar_tokenizer_is_end(t, f->vocab.eos));
    assert_false(realizar_tokenizer_is_end(t, f->vocab.bos));
    assert_true(realizar_tokenizer_is_unused(t, 0));
    assert_false(realizar_tokenizer_is_unused(t, 1));
    assert_true(realizar_tokenizer_is_unused(t, f->vocab.n_tokens));
    assert_true(realizar_tokenizer_is_unused(t, -1));
    assert_int_equal(realizar_tokenizer_find(t, "</s>", 4), f->vocab.eos);
    assert_int_equal(realizar_tokenizer_find(t, "</s", 3), -1);
    assert_null(realizar_tokenizer_piece(t, f->vocab.bos, false).data);
    assert_int_equal(realizar_tokenizer_piece(t, f->vocab.bos, true).length, 3);
    assert_null(realizar_tokenizer_piece(t, -1, true).data);
    assert_null(realizar_tokenizer_piece(t, f->vocab.n_tokens, true).data);
    realizar_tokenizer_free(t);
    free(f);
}

/* ---- refusals and limits -------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    fixture *f = byte_level("no-such-model");

    refuse(f, TRUENO_UNSUPPORTED, "no-such-model");
    f->vocab.pre = NULL;
    refuse(f, TRUENO_UNSUPPORTED, "names no pre-tokenizer");
    f->vocab.kind = APR_VOCAB_OTHER;
    f->vocab.model = "bert";
    refuse(f, TRUENO_UNSUPPORTED, "bert");
    f->vocab.kind = APR_VOCAB_BPE;
    f->vocab.pre = "gpt-2";
    add_merge(f, "q");
    refuse(f, TRUENO_FORMAT, "merge 7");
    f->merges[7] = (apr_text){.data = "q q", .length = 3};
    refuse(f, TRUENO_FORMAT, "merge 7");
    f->merges[7] = (apr_text){.data = "qq q", .length = 4};
    refuse(f, TRUENO_FORMAT, "\"qq\"");
    f->merges[7] = (apr_text){.data = "", .length = 0};
    refuse(f, TRUENO_FORMAT, "merge 7");
    f->vocab.n_merges = 0;
    f->vocab.n_tokens = 0;
    refuse(f, TRUENO_FORMAT, "empty");
    free(f);
}

static void test_capacity(void **state)
{
    fixture *f = byte_level("gpt-2");
    realizar_tokenizer *t = build(f);
    int32_t ids[8];
    size_t count;

    for (size_t capacity = 0; capacity < 8; capacity++) {
        trueno_error err = {0};
        trueno_status st =
            realizar_tokenizer_encode(t, "xyzxyz", 6, 0, ids, capacity, &count, &err);
        assert_int_equal(st, capacity < 6 ? TRUENO_USAGE : TRUENO_OK);
        assert_int_equal(count, capacity < 6 ? 0 : 6);
    }
    realizar_tokenizer_free(t);
    free(f);
}

/* Every allocation fails once: a status, no leak. */
static void test_no_memory(void **state)
{
    static const char WORDS[9] = " e\xcc\x81 12 !"; /* without a NUL */
    fixture *f = byte_level("deepseek-coder");
    char text[2000];
    int32_t ids[2100];
    size_t count;

    add_special(f, "<s>", 0);
    memset(text, 'a', sizeof text);
    memcpy(text + 50, WORDS, sizeof WORDS);
    for (long long fail = 1;; fail++) {
        test_allocator counter = {.fail_at = fail};
        const trueno_allocator hooks = test_hooks(&counter);
        realizar_tokenizer *t;
        trueno_error err = {0};
        trueno_status st = realizar_tokenizer_new(&t, &f->vocab, &hooks, &err);
        if (st == TRUENO_OK) {
            st = realizar_tokenizer_encode(t, text, sizeof text, SPECIAL, ids, 2100, &count, &err);
            realizar_tokenizer_free(t);
        }
        assert_int_equal(counter.blocks, 0);
        assert_int_equal(counter.bytes, 0);
        if (counter.calls < fail) {
            assert_int_equal(st, TRUENO_OK);
            break;
        }
        /* the cache of words alone is a matter of speed */
        assert_true(st == TRUENO_NO_MEMORY || st == TRUENO_OK);
    }
    free(f);
}

/* ---- random bytes -------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
    static const char *const pres[] = {"gpt-2",  "llama-bpe",    "smollm", "deepseek-coder",
                                       "tekken", "deepseek-llm", "falcon"};
    text_random random = {.state = (uint64_t)time(NULL)};
    char text[300], out[400];
    int32_t ids[400];

    print_message("seed %llu\n", (unsigned long long)random.state);
    for (size_t p = 0; p < sizeof pres / sizeof *pres; p++) {
        fixture *f = byte_level(pres[p]);
        realizar_tokenizer *t = build(f);
        for (int round = 0; round < 2000; round++) {
            const size_t n = text_below(&random, sizeof text);
            size_t count;
            for (size_t i = 0; i < n; i++)
                text[i] = (char)(text_below(&random, 3) ? text_below(&random, 256)
                                                        : text_below(&random, 128));
            assert_int_equal(realizar_tokenizer_encode(t, text, n, SPECIAL, ids, 400, &count, NULL),
                             0);
            assert_true(count <= realizar_tokenizer_encode_bound(t, n));
            assert_int_equal(realizar_tokenizer_decode(t, ids, count, true, out, sizeof out), n);
            assert_memory_equal(out, text, n);
        }
        realizar_tokenizer_free(t);
        free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_sentencepiece),
        cmocka_unit_test(test_odd_byte_tokens),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_user_spans),
        cmocka_unit_test(test_added_flags),
        cmocka_unit_test(test_normalized_added),
        cmocka_unit_test(test_bos),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
