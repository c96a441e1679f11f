/* SPDX-License-Identifier: MIT */
/* Choices of tokens: their settings go up with the step's rows, the results come down by
 * themselves, into pinned memory of the session, where any thread may wait for them. */
#include "internal.h"

#include <sched.h>

enum { LOOKS = 4096 }; /* at a result, between two questions to the device */

static void fill_row(trueno_choice *c, choice_row *row)
{
    trueno_kv *kv = c->kv;

    memset(row, 0, sizeof *row);
    row->top_k = c->top_k;
    if (c->top_k == 0)
        return;
    row->forbidden = c->forbidden;
    row->place = (int32_t *)(kv->pages - 1);
    row->last = c->recent_chosen ? row->place : NULL;
    row->random = c->random;
    row->repeat_penalty = c->repeat_penalty;
    row->frequency_penalty = c->frequency_penalty;
    row->presence_penalty = c->presence_penalty;
    row->top_p = c->top_p;
    row->min_p = c->min_p;
    row->temperature = c->temperature;
    row->n_recent = c->n_recent;
    if (c->n_recent > 0)
        memcpy(row->recent, c->recent, (size_t)c->n_recent * sizeof *row->recent);
    row->n_bias = c->n_bias;
    if (c->n_bias > 0)
        memcpy(row->bias, c->bias, (size_t)c->n_bias * sizeof *row->bias);
    row->number = ++kv->n_chosen;
    row->result = &kv->choices[row->number % TRUENO_CHOICES_KEPT];
    c->ticket = row->number;
}

trueno_status cuda_choose(trueno_backend *table, const float *logits, int32_t n, int32_t width,
                          trueno_choice *choices, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    int32_t at;
    choice_row *rows = step_choices(be, n, &at);

    if (rows != NULL) {
        for (int32_t i = 0; i < n; i++)
            fill_row(&choices[i], &rows[i]);
        record_choose(be, logits, n, width, at);
        flush(be, logits);
    }
    if (be->failure.status != TRUENO_OK && err != NULL)
        *err = be->failure;
    return be->failure.status;
}

/* The numbers of choice `number`; false: not all are there yet. */
static bool read_words(const volatile choice_result *r, uint32_t number, uint32_t to[CHOSEN_WORDS])
{
    for (int i = 0; i < CHOSEN_WORDS; i++) {
        uint64_t word = r->word[i];

        if (word >> 32 != number)
            return false;
        to[i] = (uint32_t)word;
    }
    return true;
}

/* Look at the result until it is there; now and then ask whether it can still come. */
trueno_status cuda_chosen(trueno_backend *table, const trueno_kv *kv, uint64_t ticket,
                          trueno_chosen *out, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    const volatile choice_result *r = &kv->choices[ticket % TRUENO_CHOICES_KEPT];
    uint32_t word[CHOSEN_WORDS];
    bool idle = false;

    for (int i = 1; !read_words(r, (uint32_t)ticket, word); i++) {
        cudaError_t code;

        if (idle)
            return trueno_fail(err, TRUENO_INFERENCE, "the GPU has no result of choice %llu",
                               (unsigned long long)ticket);
        if (i % LOOKS != 0)
            continue;
        code = cudaStreamQuery(be->stream);
        idle = code == cudaSuccess;
        if (code != cudaSuccess && code != cudaErrorNotReady)
            return cuda_check(code, "choosing a token", err);
        (void)sched_yield();
    }
    out->id = (int32_t)word[CHOSEN_ID];
    memcpy(&out->log_probability, &word[CHOSEN_LOG_PROBABILITY], sizeof out->log_probability);
    memcpy(&out->probability, &word[CHOSEN_PROBABILITY], sizeof out->probability);
    return TRUENO_OK;
}
