/* SPDX-License-Identifier: MIT */
/* Special ids of a vocabulary: in range, and every token that ends a turn. */
#include "vocab.h"

#include <string.h>

/* Control tokens that end a turn whatever the file's eos id says. */
static const char *const END_TEXTS[] = {
    "<|im_end|>",    "<|endoftext|>",   "<|eot_id|>",
    "<|eom_id|>",    "<|end_of_text|>", "<|end|>",
    "<end_of_turn>", "<|EOT|>",         "<｜end▁of▁sentence｜>",
    "<|return|>",    "<|endofprompt|>",
};

enum { N_END_TEXTS = sizeof END_TEXTS / sizeof END_TEXTS[0] };

void apr_vocab_init(apr_vocab *v)
{
    *v = (apr_vocab){.bos = -1, .eos = -1, .unk = -1, .pad = -1, .eot = -1};
}

void apr_vocab_add_end(apr_vocab *v, int32_t id)
{
    if (id < 0 || v->n_eos >= APR_MAX_EOS)
        return;
    for (int32_t i = 0; i < v->n_eos; i++)
        if (v->eos_ids[i] == id)
            return;
    v->eos_ids[v->n_eos++] = id;
}

static trueno_status check_id(const apr_model *m, const char *what, int32_t *id, trueno_error *err)
{
    trueno_status status;

    if (*id < m->vocab.n_tokens)
        return TRUENO_OK;
    status = trueno_fail(err, TRUENO_FORMAT, "%s: the %s token is %d, the vocabulary has %d",
                         m->path, what, *id, m->vocab.n_tokens);
    *id = -1;
    return apr_model_tolerate(m, status, err);
}

static bool ends_turn(apr_text token)
{
    for (size_t i = 0; i < N_END_TEXTS; i++)
        if (strlen(END_TEXTS[i]) == token.length &&
            memcmp(END_TEXTS[i], token.data, token.length) == 0)
            return true;
    return false;
}

trueno_status apr_vocab_finish(apr_model *m, trueno_error *err)
{
    apr_vocab *v = &m->vocab;
    trueno_status status;

    if ((status = check_id(m, "begin-of-text", &v->bos, err)) < 0 ||
        (status = check_id(m, "end-of-text", &v->eos, err)) < 0 ||
        (status = check_id(m, "unknown", &v->unk, err)) < 0 ||
        (status = check_id(m, "padding", &v->pad, err)) < 0 ||
        (status = check_id(m, "end-of-turn", &v->eot, err)) < 0)
        return status;
    for (int32_t i = 0; i < v->n_eos; i++)
        if ((status = check_id(m, "end-of-text", &v->eos_ids[i], err)) < 0)
            return status;
    apr_vocab_add_end(v, v->eos);
    apr_vocab_add_end(v, v->eot);
    for (int32_t id = 0; v->types != NULL && id < v->n_tokens; id++)
        if (v->types[id] == APR_TOKEN_CONTROL && ends_turn(v->tokens[id]))
            apr_vocab_add_end(v, id);
    return TRUENO_OK;
}
