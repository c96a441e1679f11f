/* SPDX-License-Identifier: MIT */
/* Embeddings and scores of a given text, computed in chunks so that no row is kept. */
#include "internal.h"

#include <math.h>
#include <realizar/evaluate.h>

/* Called with each chunk's results, [count, width], of tokens [first, first + count). */
typedef void (*take_rows)(void *user, const float *rows, int32_t first, int32_t count);

/* What is computed of every token, and where it goes. */
typedef struct evaluation {
    bool hidden; /* the final norm's output, else logits */
    int32_t width;
    take_rows take;
    void *user;
} evaluation;

/* Logits are wide, so they come in the groups that the forward pass makes; hidden states by steps.
 */
static trueno_status compute(realizar_session *s, const int32_t *tokens, int32_t count,
                             const evaluation *what, trueno_error *err)
{
    realizar_engine *e = s->engine;
    int32_t group = what->hidden ? e->step_rows : LOGIT_GROUP, most = count < group ? count : group;
    size_t bytes = (size_t)most * (size_t)what->width * sizeof(float);
    float *rows;
    trueno_status status = TRUENO_OK;

    if (count > s->context)
        return trueno_fail(err, TRUENO_USAGE,
                           "the text has %d tokens, the context only %d positions", count,
                           s->context);
    rows = trueno_allocate(e->allocator, bytes, 64);
    if (rows == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d rows of %d numbers", most,
                           what->width);
    realizar_session_rewind(s, 0);
    for (int32_t first = 0; first < count && status == TRUENO_OK; first += most) {
        int32_t n = count - first < most ? count - first : most;
        realizar_step_item item = {s, tokens + first, n, REALIZAR_ROWS_ALL, NULL, NULL, NULL, NULL};

        *(what->hidden ? &item.hidden : &item.logits) = rows;
        status = realizar_step(e, &item, 1, err);
        if (status == TRUENO_OK)
            what->take(what->user, rows, first, n);
    }
    trueno_release(e->allocator, rows, bytes);
    return status;
}

typedef struct embedding_sum {
    double *sum;
    int32_t width;
} embedding_sum;

static void add_hidden(void *user, const float *rows, int32_t first, int32_t count)
{
    embedding_sum *e = user;

    (void)first;
    for (int32_t r = 0; r < count; r++)
        for (int32_t i = 0; i < e->width; i++)
            e->sum[i] += rows[(size_t)r * (size_t)e->width + (size_t)i];
}

/* The sum has the mean's direction, and only that is left after the scaling. */
static void to_unit_length(const embedding_sum *e, float *out)
{
    double square = 0, scale;

    for (int32_t i = 0; i < e->width; i++)
        square += e->sum[i] * e->sum[i];
    scale = square > 0 ? 1 / sqrt(square) : 0;
    for (int32_t i = 0; i < e->width; i++)
        out[i] = (float)(e->sum[i] * scale);
}

trueno_status realizar_embed(realizar_session *session, const int32_t *tokens, int32_t count,
                             float *embedding, trueno_error *err)
{
    const trueno_allocator *allocator = session->engine->allocator;
    int32_t width = realizar_engine_hidden_size(session->engine);
    size_t bytes = (size_t)width * sizeof(double);
    embedding_sum sum = {trueno_allocate_zero(allocator, bytes), width};
    trueno_status status;

    if (sum.sum == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for an embedding of %d", width);
    if (count < 1)
        status = trueno_fail(err, TRUENO_USAGE, "%d tokens to embed, at least 1 is needed", count);
    else
        status = compute(session, tokens, count, &(evaluation){true, width, add_hidden, &sum}, err);
    if (status == TRUENO_OK)
        to_unit_length(&sum, embedding);
    trueno_release(allocator, sum.sum, bytes);
    return status;
}

typedef struct scoring {
    const int32_t *tokens;
    int32_t count, width;
    float *out;
} scoring;

static double log_sum_exp(const float *x, int32_t n)
{
    float largest = x[0];
    double sum = 0;

    for (int32_t i = 1; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    for (int32_t i = 0; i < n; i++)
        sum += exp((double)x[i] - largest);
    return largest + log(sum);
}

static void score_next(void *user, const float *rows, int32_t first, int32_t count)
{
    const scoring *s = user;

    for (int32_t r = 0; r < count && first + r + 1 < s->count; r++) {
        const float *logits = rows + (size_t)r * (size_t)s->width;

        s->out[first + r] =
            (float)(logits[s->tokens[first + r + 1]] - log_sum_exp(logits, s->width));
    }
}

trueno_status realizar_score(realizar_session *session, const int32_t *tokens, int32_t count,
                             float *log_probabilities, trueno_error *err)
{
    int32_t width = realizar_engine_vocab_size(session->engine);
    scoring s = {tokens, count, width, log_probabilities};

    if (count < 2)
        return trueno_fail(err, TRUENO_USAGE, "%d tokens to score, at least 2 are needed", count);
    for (int32_t i = 0; i < count; i++) /* all at once: a row looks at the next chunk's first id */
        if (tokens[i] < 0 || tokens[i] >= width)
            return trueno_fail(err, TRUENO_USAGE, "token id %d, there are %d logits", tokens[i],
                               width);
    return compute(session, tokens, count, &(evaluation){false, width, score_next, &s}, err);
}
