/* SPDX-License-Identifier: MIT */
/* A program that links librealizar: opens the demo model and streams an answer. */
#include <realizar/generate.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static const char PROMPT[] =
        "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n";
    realizar_engine *engine = NULL;
    realizar_session *session = NULL;
    realizar_generation *generation = NULL;
    realizar_piece piece;
    trueno_error err = {0};
    int32_t ids[256];
    size_t count;
    int more = -1;

    if (realizar_engine_open_demo(&engine, NULL, &err) == TRUENO_OK &&
        realizar_tokenizer_encode(realizar_engine_tokenizer(engine), PROMPT, strlen(PROMPT),
                                  REALIZAR_ENCODE_SPECIAL, ids, 256, &count, &err) == TRUENO_OK &&
        realizar_session_new(&session, engine, 0, &err) == TRUENO_OK &&
        realizar_generation_start(&generation, session, ids, (int32_t)count, NULL, &err) ==
            TRUENO_OK)
        while ((more = realizar_generation_next(generation, &piece, &err)) == 1)
            fwrite(piece.text, 1, piece.bytes, stdout);
    if (more < 0)
        fprintf(stderr, "%s\n", err.message);
    puts("");
    realizar_generation_free(generation);
    realizar_session_free(session);
    realizar_engine_close(engine);
    return more < 0;
}
