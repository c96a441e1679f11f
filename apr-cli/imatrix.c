/* SPDX-License-Identifier: MIT */
/* apr imatrix: an importance matrix of a model from a text, for apr convert --imatrix. */
#include "commands.h"

#include <realizar/importance.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CHUNK = 512 };

/* All that the command holds, freed in one place. */
typedef struct imatrix_state {
    realizar_engine *engine;
    realizar_session *session;
    apr_importance *matrix;
    int32_t *ids;
    int32_t chunk, chunks;
} imatrix_state;

static trueno_status read_ids(const cli_arguments *a, imatrix_state *s, trueno_error *err)
{
    const realizar_tokenizer *tokenizer = realizar_engine_tokenizer(s->engine);
    text_buffer text = {0};
    trueno_status status = read_text_file(a->o.text, &text, err);
    size_t bound, count = 0;

    if (status < 0)
        return status;
    bound = realizar_tokenizer_encode_bound(tokenizer, text.bytes);
    s->ids = malloc((bound + 1) * sizeof *s->ids);
    status = s->ids == NULL
                 ? trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tokens", bound)
                 : realizar_tokenizer_encode(tokenizer, text.data, text.bytes, REALIZAR_ENCODE_BOS,
                                             s->ids, bound, &count, err);
    free(text.data);
    s->chunk = option_given(a, "ctx") ? (int32_t)a->o.ctx : DEFAULT_CHUNK;
    s->chunks = (int32_t)(count / (size_t)s->chunk);
    if (status == TRUENO_OK && s->chunks == 0)
        status = trueno_fail(err, TRUENO_USAGE, "%s has %zu tokens, one chunk needs %d", a->o.text,
                             count, s->chunk);
    return status;
}

static trueno_status gather(const cli_arguments *a, imatrix_state *s, trueno_error *err)
{
    trueno_status status = realizar_session_new(&s->session, s->engine, 0, err);

    interrupt_watch(s->session);
    for (int32_t i = 0; i < s->chunks && status == TRUENO_OK; i++) {
        status = realizar_importance_add(s->matrix, s->session,
                                         s->ids + (size_t)i * (size_t)s->chunk, s->chunk, err);
        if (status == TRUENO_OK && a->o.verbose)
            print_note(a, "chunk %d of %d", i + 1, s->chunks);
    }
    interrupt_watch(NULL);
    return status;
}

static trueno_status report(cli_arguments *a, const imatrix_state *s, const char *output,
                            trueno_error *err)
{
    if (a->o.json)
        return print_json(json_pack("{s:i, s:s, s:s, s:I, s:i, s:i}", "schema", 1, "model",
                                    a->positional[0], "output", output, "matrices",
                                    (json_int_t)apr_importance_count(s->matrix), "chunks",
                                    s->chunks, "chunk_tokens", s->chunk),
                          err);
    print_note(a, "%s: %zu matrices from %d chunks of %d tokens", output,
               apr_importance_count(s->matrix), s->chunks, s->chunk);
    return TRUENO_OK;
}

trueno_status imatrix_command(cli_arguments *a, trueno_error *err)
{
    const char *output = a->o.output != NULL ? a->o.output : "imatrix.dat";
    imatrix_state s = {0};
    double milliseconds;
    trueno_status status;

    if (a->o.text == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--text FILE is needed");
    status = load_engine(a, a->positional[0], false, &s.engine, &milliseconds, err);
    if (status == TRUENO_OK)
        status = apr_importance_new(&s.matrix, err);
    if (status == TRUENO_OK)
        status = read_ids(a, &s, err);
    if (status == TRUENO_OK)
        status = gather(a, &s, err);
    if (status == TRUENO_OK)
        status = apr_importance_write(s.matrix, output, a->o.text, a->o.force, err);
    if (status == TRUENO_OK)
        status = report(a, &s, output, err);
    free(s.ids);
    apr_importance_free(s.matrix);
    realizar_session_free(s.session);
    realizar_engine_close(s.engine);
    return status;
}
