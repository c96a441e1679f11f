/* SPDX-License-Identifier: MIT */
/*
 * round_trips MODEL: decodes what it encoded, over the texts of tokenizer_ids.c and over bytes that
 * are no UTF-8, and compares with the text.
 *
 * A byte-level vocabulary gives every text back, but for bytes that it has no token for: they
 * disappear, and nothing else. One that normalises gives the normalised text back: a second trip
 * changes nothing, of texts without those bytes. Other kinds of vocabulary promise nothing here:
 * exit status 77.
 */
#include "text_generator.h"

#include <apr/model.h>
#include <realizar/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 10, CHUNK_BYTES = 65536, STRINGS = 100000, STRING_SEED = 20, SKIPPED = 77 };
#define ROOM (4 * (size_t)CHUNK_BYTES)

static const realizar_tokenizer *tokenizer;
static bool absent[256], normalises;
static int32_t *ids;
static size_t capacity;

static void die(const char *what)
{
    fprintf(stderr, "round_trips: %s\n", what);
    exit(EXIT_FAILURE);
}

static void *must(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static size_t trip(const char *text, size_t bytes, char *out, size_t room)
{
    trueno_error err = {0};
    size_t count;

    if (realizar_tokenizer_encode(tokenizer, text, bytes, 0, ids, capacity, &count, &err) < 0)
        die(err.message);
    return realizar_tokenizer_decode(tokenizer, ids, count, true, out, room);
}

static void look_at_vocabulary(void)
{
    static const char accent[] = "e\xcc\x81";
    char out[16];

    for (int b = 0; b < 256; b++) {
        const char byte = (char)b;
        absent[b] = trip(&byte, 1, out, sizeof out) == 0;
    }
    normalises = trip(accent, 3, out, sizeof out) != 3 || memcmp(out, accent, 3) != 0;
}

/* The text without absent bytes, in place; returns what is left. */
static size_t without_absent(char *text, size_t bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes; i++)
        if (!absent[(unsigned char)text[i]])
            text[n++] = text[i];
    return n;
}

static bool comes_back(char *text, size_t bytes, char *first, char *second)
{
    const size_t room = ROOM;
    size_t n;

    if (normalises) {
        n = trip(text, without_absent(text, bytes), first, room);
        return n <= room && trip(first, n, second, room) == n && memcmp(first, second, n) == 0;
    }
    n = trip(text, bytes, first, room);
    return n == without_absent(text, bytes) && memcmp(first, text, n) == 0;
}

typedef struct tally {
    const char *name;
    int texts, wrong;
} tally;

static void count(tally *t, bool good)
{
    t->texts++;
    t->wrong += !good;
}

static int tell(const tally *t)
{
    printf("%s %d of %d\n", t->name, t->texts - t->wrong, t->texts);
    return t->wrong;
}

static size_t invalid_bytes(text_random *random, char *out)
{
    const size_t n = 1 + text_below(random, 300);

    for (size_t i = 0; i < n; i++)
        out[i] = (char)text_below(random, text_below(random, 3) ? 256 : 128);
    return n;
}

static int all_trips(void)
{
    char *text = must(malloc(CHUNK_BYTES + TEXT_SLACK));
    char *first = must(malloc(ROOM)), *second = must(malloc(ROOM));
    tally chunks = {.name = "chunks"}, strings = {.name = "strings"}, invalid = {.name = "invalid"};
    text_random random = {.state = STRING_SEED};

    for (int kind = 0; kind < TEXT_KINDS; kind++)
        for (uint64_t i = 0; i < CHUNKS; i++) {
            const size_t n = text_chunk((text_kind)kind, i, CHUNK_BYTES, text);
            count(&chunks, comes_back(text, n, first, second));
        }
    for (int i = 0; i < STRINGS; i++) {
        const size_t n = text_string(&random, text);
        count(&strings, comes_back(text, n, first, second));
    }
    for (int i = 0; i < STRINGS; i++) {
        const size_t n = invalid_bytes(&random, text);
        count(&invalid, comes_back(text, n, first, second));
    }
    free(text);
    free(first);
    free(second);
    return tell(&chunks) + tell(&strings) + tell(&invalid);
}

int main(int argc, char **argv)
{
    realizar_tokenizer *made = NULL;
    apr_model *model;
    trueno_error err = {0};
    int wrong = 0, n_absent = 0;

    if (argc != 2)
        die("usage: round_trips MODEL");
    if (apr_model_open(&model, argv[1], NULL, &err) < 0 ||
        realizar_tokenizer_new(&made, apr_model_vocab(model), NULL, &err) < 0)
        die(err.message);
    tokenizer = made;
    if (apr_model_vocab(model)->byte_level) {
        capacity = realizar_tokenizer_encode_bound(tokenizer, ROOM);
        ids = must(malloc(capacity * sizeof *ids));
        look_at_vocabulary();
        for (int b = 0; b < 256; b++)
            n_absent += absent[b];
        printf("%d bytes absent, %s\n", n_absent, normalises ? "normalises" : "exact");
        wrong = all_trips();
        free(ids);
    }
    wrong = apr_model_vocab(model)->byte_level ? wrong > 0 : SKIPPED;
    realizar_tokenizer_free(made);
    apr_model_close(model);
    return wrong;
}
