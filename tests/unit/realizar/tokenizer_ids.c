/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_ids DATA [MODEL]: compares ids with recorded ones.
 *
 * DATA was written by tests/references/tokenizer_ids.py: SHA-256 sums of the ids that an
 * independent tokenizer gave for generated texts. The vocabulary is that of the model file, or
 * stands in DATA.
 */
#include "sha256.h"
#include "text_generator.h"

#include <apr/model.h>
#include <jansson.h>
#include <realizar/tokenizer.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row a kind of text, and a last one of short strings. */
static struct {
    int compared, differing;
} tallies[TEXT_KINDS + 1];

static const char *row_name(int row)
{
    return row < TEXT_KINDS ? text_kind_names[row] : "random strings";
}

static void die(const char *what)
{
    fprintf(stderr, "tokenizer_ids: %s\n", what);
    exit(EXIT_FAILURE);
}

static void *must(void *p)
{
    if (!p)
        die("out of memory, or the data lacks something");
    return p;
}

/* ---- a vocabulary from the data ------------------------------------------------------------ */

static apr_text *texts_of(const json_t *list)
{
    apr_text *texts = must(calloc(json_array_size(list) + 1, sizeof *texts));

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        texts[i] = (apr_text){.data = must((void *)(uintptr_t)json_string_value(text)),
                              .length = (uint32_t)json_string_length(text)};
    }
    return texts;
}

static apr_vocab vocab_of(const json_t *data)
{
    const json_t *tokens = must(json_object_get(data, "tokens"));
    const json_t *types = must(json_object_get(data, "types"));
    const json_t *scores = json_object_get(data, "scores");
    const json_t *merges = json_object_get(data, "merges");
    const size_t n = json_array_size(tokens);
    uint8_t *kinds = must(calloc(n, 1));
    float *values = must(calloc(n, sizeof *values));

    for (size_t i = 0; i < n; i++) {
        kinds[i] = (uint8_t)json_integer_value(json_array_get(types, i));
        values[i] = scores ? (float)json_number_value(json_array_get(scores, i)) : 0;
    }
    return (apr_vocab){.kind = scores ? APR_VOCAB_SPM : APR_VOCAB_BPE,
                       .n_tokens = (int32_t)n,
                       .tokens = texts_of(tokens),
                       .types = kinds,
                       .scores = values,
                       .n_merges = merges ? (int32_t)json_array_size(merges) : 0,
                       .merges = merges ? texts_of(merges) : NULL,
                       .byte_level = !scores,
                       .byte_fallback = scores != NULL,
                       .add_space_prefix = scores != NULL,
                       .bos = -1,
                       .eos = -1,
                       .unk = -1};
}

/* The steps of a pipeline, as tests/references/tokenizer_pipelines.py writes them. */
static apr_text_step *steps_of(const json_t *list)
{
    apr_text_step *steps = must(calloc(json_array_size(list) + 1, sizeof *steps));

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *s = json_array_get(list, i);
        steps[i] = (apr_text_step){
            .kind = (apr_text_step_kind)json_integer_value(json_object_get(s, "kind")),
            .normalizer = json_is_true(json_object_get(s, "normalizer")),
            .regex = json_is_true(json_object_get(s, "regex")),
            .invert = json_is_true(json_object_get(s, "invert")),
            .behavior = (apr_split_behavior)json_integer_value(json_object_get(s, "behavior")),
            .flags = (uint32_t)json_integer_value(json_object_get(s, "flags")),
            .pattern = json_string_value(json_object_get(s, "pattern")),
            .text = json_string_value(json_object_get(s, "text"))};
    }
    return steps;
}

static void free_vocab(apr_vocab *v)
{
    free((void *)(uintptr_t)v->tokens);
    free((void *)(uintptr_t)v->types);
    free((void *)(uintptr_t)v->scores);
    free((void *)(uintptr_t)v->merges);
    free((void *)(uintptr_t)v->steps);
}

/* ---- comparing ----------------------------------------------------------------------------- */

typedef struct job {
    const realizar_tokenizer *tokenizer;
    const char *name;
    char *text;
    int32_t *ids;
    size_t capacity;
} job;

static size_t encode(const job *j, size_t bytes)
{
    trueno_error err = {0};
    size_t count;

    if (realizar_tokenizer_encode(j->tokenizer, j->text, bytes, REALIZAR_ENCODE_SPECIAL, j->ids,
                                  j->capacity, &count, &err) < 0)
        die(err.message);
    return count;
}

static void compare(const job *j, int row, size_t index, sha256 *sum, const json_t *expected)
{
    char hex[65];

    sha256_end(sum, hex);
    tallies[row].compared++;
    if (strcmp(hex, must((void *)(uintptr_t)json_string_value(expected))) == 0)
        return;
    tallies[row].differing++;
    fprintf(stderr, "%s: %s %zu: ids differ\n", j->name, row_name(row), index);
}

static void check_texts(const job *j, int kind, const json_t *sums, size_t bytes)
{
    for (size_t i = 0; i < json_array_size(sums); i++) {
        sha256 sum;
        const size_t n = text_chunk((text_kind)kind, i, bytes, j->text);
        const size_t count = encode(j, n);
        sha256_begin(&sum);
        sha256_add(&sum, j->ids, count * sizeof *j->ids);
        compare(j, kind, i, &sum, json_array_get(sums, i));
    }
}

/* Many short strings: one sum a thousand of them, over each string's count and ids. */
static void check_strings(const job *j, const json_t *strings)
{
    text_random random = {.state =
                              (uint64_t)json_integer_value(must(json_object_get(strings, "seed")))};
    const json_t *sums = must(json_object_get(strings, "sha256"));

    for (size_t i = 0; i < json_array_size(sums); i++) {
        sha256 sum;
        sha256_begin(&sum);
        for (int k = 0; k < 1000; k++) {
            const uint32_t count = (uint32_t)encode(j, text_string(&random, j->text));
            sha256_add(&sum, &count, sizeof count);
            sha256_add(&sum, j->ids, count * sizeof *j->ids);
        }
        compare(j, TEXT_KINDS, i, &sum, json_array_get(sums, i));
    }
}

static void check_family(const json_t *family, const apr_vocab *vocab)
{
    const size_t bytes = (size_t)json_integer_value(must(json_object_get(family, "chunk_bytes")));
    const json_t *texts = must(json_object_get(family, "texts"));
    realizar_tokenizer *tokenizer;
    trueno_error err = {0};
    job j = {.name = must((void *)(uintptr_t)json_string_value(json_object_get(family, "name")))};

    if (realizar_tokenizer_new(&tokenizer, vocab, NULL, &err) < 0)
        die(err.message);
    j.tokenizer = tokenizer;
    j.capacity = realizar_tokenizer_encode_bound(tokenizer, bytes + TEXT_SLACK);
    j.text = must(malloc(bytes + TEXT_SLACK));
    j.ids = must(malloc(j.capacity * sizeof *j.ids));
    for (int kind = 0; kind < TEXT_KINDS; kind++)
        check_texts(&j, kind, json_object_get(texts, text_kind_names[kind]), bytes);
    check_strings(&j, must(json_object_get(family, "strings")));
    free(j.text);
    free(j.ids);
    realizar_tokenizer_free(tokenizer);
}

/* ---- main ---------------------------------------------------------------------------------- */

static void check_model(const json_t *family, const char *path)
{
    apr_model_options options;
    apr_model *model;
    trueno_error err = {0};

    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true; /* a tokenizer.json will do */
    if (apr_model_open(&model, path, &options, &err) < 0)
        die(err.message);
    check_family(family, must((void *)(uintptr_t)apr_model_vocab(model)));
    apr_model_close(model);
}

static void check_small(const json_t *data, const json_t *family)
{
    const json_t *vocabularies = must(json_object_get(data, "vocabularies"));
    const char *name = json_string_value(json_object_get(family, "vocabulary"));
    apr_vocab vocab = vocab_of(must(json_object_get(vocabularies, must((void *)(uintptr_t)name))));

    vocab.pre = json_string_value(json_object_get(family, "name"));
    if (json_object_get(family, "steps")) {
        vocab.steps = steps_of(json_object_get(family, "steps"));
        vocab.n_steps = (int32_t)json_array_size(json_object_get(family, "steps"));
        vocab.add_space_prefix = false;
    }
    check_family(family, &vocab);
    free_vocab(&vocab);
}

/* Prints what was compared; true when all was as expected. */
static bool tell(void)
{
    bool good = true;

    for (int row = 0; row <= TEXT_KINDS; row++) {
        printf("%s %d of %d\n", row_name(row), tallies[row].compared - tallies[row].differing,
               tallies[row].compared);
        good = good && tallies[row].compared > 0 && tallies[row].differing == 0;
    }
    return good;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *data = argc > 1 ? json_load_file(argv[1], 0, &error) : NULL;
    const json_t *families = json_object_get(data, "families");

    if (!data)
        die(argc > 1 ? error.text : "usage: tokenizer_ids DATA [MODEL]");
    for (size_t i = 0; i < json_array_size(families); i++) {
        if (argc > 2)
            check_model(json_array_get(families, i), argv[2]);
        else
            check_small(data, json_array_get(families, i));
    }
    json_decref(data);
    return tell() ? EXIT_SUCCESS : EXIT_FAILURE;
}
