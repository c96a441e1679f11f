/* stream MODEL QUESTION: prints the answer as it comes; Ctrl-C ends it within a token. */
#include <realizar/generate.h>
#include <realizar/prompt.h>
#include <signal.h>
#include <stdio.h>
static realizar_session *session;
static void stop(int number)
{
    realizar_session_cancel(session);
}
int main(int argc, char **argv)
{
    realizar_engine *engine = NULL;
    realizar_generation *generation = NULL;
    realizar_generation_options options;
    realizar_ids prompt = {0};
    realizar_piece piece;
    trueno_error err = {TRUENO_USAGE, "usage: stream MODEL QUESTION"};
    int more = -1;

    if (argc != 3 || realizar_engine_open(&engine, argv[1], NULL, &err) < 0 ||
        realizar_encode_question(engine, argv[2], &prompt, &err) < 0 ||
        realizar_session_new(&session, engine, 0, &err) < 0)
        goto done;
    signal(SIGINT, stop); /* the library installs no handler; cancelling is safe inside yours */
    realizar_generation_options_init(&options, sizeof options, engine);
    options.max_tokens = 512;
    if (realizar_generation_start(&generation, session, prompt.ids, (int32_t)prompt.count, &options,
                                  &err) == TRUENO_OK)
        while ((more = realizar_generation_next(generation, &piece, &err)) == 1)
            if (fwrite(piece.text, 1, piece.bytes, stdout) < piece.bytes || fflush(stdout) != 0)
                break;
done:
    fprintf(stderr, "\n%s\n", more < 0 ? err.message : "");
    realizar_generation_free(generation);
    realizar_session_free(session);
    realizar_ids_free(&prompt);
    realizar_engine_close(engine);
    return more != 0;
}
