/* SPDX-License-Identifier: MIT */
/* Tests of held text: however a text is cut in pieces, the same comes out, in whole characters. */
#include "support.h"
#include "held_text.h"
#include "text_generator.h"

#include <stdint.h>
#include <time.h>

/* What must come out: the text before the stop text that is complete first. */
static size_t expected_length(const char *text, size_t bytes, const char *const *stops, size_t n)
{
    for (size_t end = 1; end <= bytes; end++) {
        size_t cut = SIZE_MAX;
        for (size_t i = 0; i < n; i++) {
            const size_t length = strlen(stops[i]);
            if (length <= end && memcmp(text + end - length, stops[i], length) == 0 &&
                end - length < cut)
                cut = end - length;
        }
        if (cut != SIZE_MAX)
            return cut;
    }
    return bytes;
}

static bool ends_inside_character(const char *text, size_t bytes)
{
    for (size_t back = 1; back <= 3 && back <= bytes; back++) {
        const unsigned char c = (unsigned char)text[bytes - back];
        if ((c & 0xc0) != 0x80)
            return c >= 0xc0 && back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u);
    }
    return false;
}

/* Feeds the text in random pieces; out gets what is released. Returns its length. */
static size_t feed(held_text *h, text_random *random, const char *text, size_t bytes, char *out)
{
    size_t n = 0, length;
    const char *piece;

    for (size_t at = 0; at < bytes;) {
        size_t step = 1 + text_below(random, 4);
        if (step > bytes - at)
            step = bytes - at;
        assert_int_equal(held_text_add(h, text + at, step, NULL), TRUENO_OK);
        at += step;
        piece = held_text_take(h, false, &length);
        memcpy(out + n, piece, length);
        n += length;
        assert_true(h->stopped || !ends_inside_character(out, n));
    }
    assert_int_equal(held_text_add(h, "", 0, NULL), TRUENO_OK);
    piece = held_text_take(h, true, &length);
    memcpy(out + n, piece, length);
    return n + length;
}

static void test_random(void **state)
{
    static const char *const parts[] = {"a", "b", "c", "ab", "é", "中", "\xf0\x9f\x98\x80"};
    text_random random = {.state = (uint64_t)time(NULL)};

    print_message("seed %llu\n", (unsigned long long)random.state);
    for (int round = 0; round < 20000; round++) {
        char text[256], store[3][32], out[256];
        const char *stops[3];
        const size_t n_stops = text_below(&random, 4);
        held_text h = {0};
        size_t bytes = 0, n;
        for (uint32_t i = text_below(&random, 30); i > 0; i--) {
            const char *part = parts[text_below(&random, 7)];
            bytes = (size_t)(stpcpy(text + bytes, part) - text);
        }
        for (size_t s = 0; s < n_stops; s++) {
            store[s][0] = '\0';
            for (uint32_t i = 1 + text_below(&random, 4); i > 0; i--)
                strcat(store[s], parts[text_below(&random, 7)]);
            stops[s] = store[s];
        }
        assert_int_equal(held_text_init(&h, stops, n_stops, NULL, NULL), TRUENO_OK);
        n = feed(&h, &random, text, bytes, out);
        assert_int_equal(n, expected_length(text, bytes, stops, n_stops));
        assert_memory_equal(out, text, n);
        held_text_free(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
