/* SPDX-License-Identifier: MIT */
/* apr tokenize and detokenize. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tokenizer over a model that was opened for its vocabulary only. */
typedef struct vocabulary {
    apr_model *model;
    realizar_tokenizer *tokenizer;
} vocabulary;

static void close_vocabulary(vocabulary *v)
{
    realizar_tokenizer_free(v->tokenizer);
    apr_model_close(v->model);
}

static trueno_status open_vocabulary(const cli_arguments *a, vocabulary *v, trueno_error *err)
{
    trueno_status status = load_model(a, a->positional[0], true, &v->model, err);

    if (status < 0)
        return status;
    if (apr_model_vocab(v->model) == NULL)
        status =
            trueno_fail(err, TRUENO_UNSUPPORTED,
                        "no vocabulary: the file has none, and no tokenizer.json is beside it");
    else
        status = realizar_tokenizer_new(&v->tokenizer, apr_model_vocab(v->model), NULL, err);
    return status < 0 ? trueno_prefix(err, a->positional[0]) : status;
}

static trueno_status print_tokens(const cli_arguments *a, const vocabulary *v, const int32_t *ids,
                                  size_t count, trueno_error *err)
{
    json_t *id_list = json_array(), *pieces = json_array();

    for (size_t i = 0; i < count; i++) {
        apr_text piece = realizar_tokenizer_piece(v->tokenizer, ids[i], true);

        if (a->o.json) {
            (void)json_array_append_new(id_list, json_integer(ids[i]));
            (void)json_array_append_new(pieces, json_text(piece.data, piece.length));
        } else {
            (void)printf("%d\t%.*s\n", ids[i], (int)piece.length, piece.data);
        }
    }
    if (a->o.json)
        return print_json(json_pack("{s:i, s:I, s:o, s:o}", "schema", 1, "count", (json_int_t)count,
                                    "ids", id_list, "pieces", pieces),
                          err);
    json_decref(id_list);
    json_decref(pieces);
    return TRUENO_OK;
}

trueno_status encode_ids(const realizar_tokenizer *tokenizer, const char *text, size_t bytes,
                         unsigned flags, int32_t **ids, size_t *count, trueno_error *err)
{
    const size_t bound = realizar_tokenizer_encode_bound(tokenizer, bytes);
    trueno_status status;

    *ids = malloc((bound + 1) * sizeof **ids);
    if (*ids == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tokens", bound);
    status = realizar_tokenizer_encode(tokenizer, text, bytes, flags, *ids, bound, count, err);
    if (status < 0) {
        free(*ids);
        *ids = NULL;
    }
    return status;
}

trueno_status encode_text(const apr_model *model, const char *text, size_t bytes, int32_t **ids,
                          size_t *count, trueno_error *err)
{
    realizar_tokenizer *tokenizer = NULL;
    trueno_status status = realizar_tokenizer_new(&tokenizer, apr_model_vocab(model), NULL, err);

    if (status == TRUENO_OK)
        status = encode_ids(tokenizer, text, bytes, REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS,
                            ids, count, err);
    realizar_tokenizer_free(tokenizer);
    return status < 0 ? trueno_prefix(err, apr_model_path(model)) : status;
}

static trueno_status tokenize_text(const cli_arguments *a, const vocabulary *v,
                                   const text_buffer *text, trueno_error *err)
{
    const unsigned flags = a->o.no_special ? 0 : REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS;
    int32_t *ids = NULL;
    size_t count = 0;
    trueno_status status =
        encode_ids(v->tokenizer, text->data, text->bytes, flags, &ids, &count, err);

    status = status == TRUENO_OK ? print_tokens(a, v, ids, count, err)
                                 : trueno_prefix(err, a->positional[0]);
    free(ids);
    return status;
}

trueno_status tokenize_command(cli_arguments *a, trueno_error *err)
{
    vocabulary v = {0};
    text_buffer text = {0};
    const char *argument = a->n_positional > 1 ? a->positional[1] : NULL;
    trueno_status status;

    if (argument != NULL && a->o.file != NULL)
        return trueno_fail(err, TRUENO_USAGE, "TEXT and --file contradict each other");
    status = argument != NULL ? text_append(&text, argument, strlen(argument), err)
                              : read_text_file(a->o.file != NULL ? a->o.file : "-", &text, err);
    if (status == TRUENO_OK)
        status = open_vocabulary(a, &v, err);
    if (status == TRUENO_OK)
        status = tokenize_text(a, &v, &text, err);
    close_vocabulary(&v);
    free(text.data);
    return status;
}

static trueno_status parse_id(const vocabulary *v, const char *text, int32_t *id, trueno_error *err)
{
    int32_t n = apr_model_vocab(v->model)->n_tokens;
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 0 || value >= n)
        return trueno_fail(err, TRUENO_USAGE, "'%s' is not a token id, allowed are 0 to %d", text,
                           n - 1);
    *id = (int32_t)value;
    return TRUENO_OK;
}

static trueno_status detokenize_ids(const cli_arguments *a, const vocabulary *v, int32_t *ids,
                                    trueno_error *err)
{
    size_t count = (size_t)a->n_positional - 1, bytes;
    trueno_status status;
    char *text;

    for (size_t i = 0; i < count; i++)
        if ((status = parse_id(v, a->positional[i + 1], &ids[i], err)) < 0)
            return status;
    bytes = realizar_tokenizer_decode(v->tokenizer, ids, count, true, NULL, 0);
    text = malloc(bytes + 1);
    if (text == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu bytes", bytes);
    (void)realizar_tokenizer_decode(v->tokenizer, ids, count, true, text, bytes);
    if (a->o.json)
        status =
            print_json(json_pack("{s:i, s:o}", "schema", 1, "text", json_text(text, bytes)), err);
    else
        status =
            fwrite(text, 1, bytes, stdout) == bytes
                ? TRUENO_OK
                : trueno_fail(err, TRUENO_IO, "standard output: cannot write %zu bytes", bytes);
    free(text);
    return status;
}

trueno_status detokenize_command(cli_arguments *a, trueno_error *err)
{
    vocabulary v = {0};
    int32_t *ids = calloc((size_t)a->n_positional, sizeof *ids);
    trueno_status status =
        ids != NULL ? open_vocabulary(a, &v, err) : trueno_fail(err, TRUENO_NO_MEMORY, "no memory");

    if (status == TRUENO_OK)
        status = detokenize_ids(a, &v, ids, err);
    close_vocabulary(&v);
    free(ids);
    return status;
}
