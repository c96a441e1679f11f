/* SPDX-License-Identifier: MIT */
/* Run tokens through an engine and compare the logits of every position with recorded ones. */
#ifndef GOLDEN_LOGITS_H
#define GOLDEN_LOGITS_H

#include <realizar/session.h>
#include <stdio.h>
#include <stdlib.h>

/* End the program with the error's text: a test that cannot run has failed. */
static inline void require(trueno_status status, const trueno_error *err)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

/* Logits [count, vocabulary] of a fresh session over `ids`; free() them. */
static inline float *logits_of(realizar_engine *engine, const int32_t *ids, int32_t count)
{
    const size_t vocabulary = (size_t)realizar_engine_vocab_size(engine);
    float *logits = malloc((size_t)count * vocabulary * sizeof *logits);
    realizar_session *session;
    trueno_error err = {0};

    if (!logits)
        abort();
    require(realizar_session_new(&session, engine, 0, &err), &err);
    const realizar_step_item item = {.session = session,
                                     .tokens = ids,
                                     .count = count,
                                     .wanted = REALIZAR_ROWS_ALL,
                                     .logits = logits};
    require(realizar_step(engine, &item, 1, &err), &err);
    realizar_session_free(session);
    return logits;
}

#endif
