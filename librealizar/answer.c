/* SPDX-License-Identifier: MIT */
/* One question, one answer. */
#include <realizar/answer.h>
#include <realizar/prompt.h>

trueno_status realizar_answer(realizar_engine *engine, const char *question,
                              const realizar_generation_options *options, realizar_piece_fn each,
                              void *user, trueno_error *err)
{
    realizar_session *session = NULL;
    realizar_generation *generation = NULL;
    realizar_ids prompt = {0};
    realizar_piece piece;
    int status;

    if ((status = realizar_encode_question(engine, question, &prompt, err)) < 0 ||
        (status = realizar_session_new(&session, engine, 0, err)) < 0 ||
        (status = realizar_generation_start(&generation, session, prompt.ids, (int32_t)prompt.count,
                                            options, err)) < 0)
        goto done;
    while ((status = realizar_generation_next(generation, &piece, err)) == 1)
        if (!each(user, &piece)) {
            status = TRUENO_OK;
            break;
        }
done:
    realizar_generation_free(generation);
    realizar_session_free(session);
    realizar_ids_free(&prompt);
    return (trueno_status)status;
}
