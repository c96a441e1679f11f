/*
 * batch MODEL QUESTION...: answers all questions at once, from one thread. Every step computes one
 * row of each session that still speaks, so the weights are read once for all of them.
 */
#include <realizar/prompt.h>
#include <realizar/sampler.h>
#include <realizar/session.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_QUESTIONS = 64, MAX_TOKENS = 256 };

typedef struct conversation {
    realizar_session *session;
    realizar_ids prompt;
    int32_t answer[MAX_TOKENS], length;
} conversation;

static trueno_error err;
static void must(trueno_status status)
{
    if (status == TRUENO_OK)
        return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

/* Take in the next token of a conversation; false when its turn has ended. */
static bool hear(conversation *c, realizar_engine *engine)
{
    realizar_candidate token;

    must(realizar_session_chosen(c->session, &token, &err));
    if (c->length == MAX_TOKENS ||
        realizar_tokenizer_is_end(realizar_engine_tokenizer(engine), token.id))
        return false;
    c->answer[c->length++] = token.id;
    return true;
}

static void answer_all(conversation *all, int32_t n, realizar_engine *engine, realizar_sampler *s)
{
    const int32_t next = REALIZAR_TOKEN_CHOSEN;
    realizar_step_item items[MAX_QUESTIONS] = {0};
    conversation *of[MAX_QUESTIONS]; /* whose item it is */
    for (int32_t i = 0; i < n; i++) {
        items[i].session = (of[i] = &all[i])->session;
        items[i].tokens = all[i].prompt.ids;
        items[i].count = (int32_t)all[i].prompt.count;
        items[i].wanted = REALIZAR_ROWS_LAST;
        items[i].sampler = s;
    }
    must(realizar_step_ahead(engine, items, n, &err));
    for (int32_t still = 0; n > 0; n = still, still = 0) {
        for (int32_t i = 0; i < n; i++) {
            items[i].tokens = &next; /* which one is not known yet: a GPU need not wait for us */
            items[i].count = 1;
        }
        must(realizar_step_ahead(engine, items, n, &err));
        for (int32_t i = 0; i < n; i++)
            if (hear(of[i], engine)) {
                of[still] = of[i];
                items[still++] = items[i];
            }
    }
}

int main(int argc, char **argv)
{
    static conversation all[MAX_QUESTIONS];
    int32_t n = argc - 2;
    realizar_engine *engine;
    realizar_sampler *sampler;
    realizar_sampling greedy;

    if (n < 1 || n > MAX_QUESTIONS)
        return fprintf(stderr, "usage: batch MODEL QUESTION... (at most 64)\n"), 2;
    realizar_sampling_init(&greedy, sizeof greedy);
    greedy.temperature = 0; /* one sampler serves all: without chance it keeps no state */
    must(realizar_engine_open(&engine, argv[1], NULL, &err));
    must(realizar_sampler_new(&sampler, &greedy, realizar_engine_tokenizer(engine),
                              realizar_engine_vocab_size(engine), NULL, &err));
    for (int32_t i = 0; i < n; i++) {
        must(realizar_encode_question(engine, argv[i + 2], &all[i].prompt, &err));
        must(realizar_session_new(&all[i].session, engine, 0, &err));
    }
    answer_all(all, n, engine, sampler);
    for (int32_t i = 0; i < n; i++) {
        char text[MAX_TOKENS * 16];
        size_t bytes = realizar_tokenizer_decode(realizar_engine_tokenizer(engine), all[i].answer,
                                                 (size_t)all[i].length, false, text, sizeof text);

        printf("%s\n  %.*s\n", argv[i + 2], (int)(bytes < sizeof text ? bytes : sizeof text), text);
        realizar_session_free(all[i].session);
        realizar_ids_free(&all[i].prompt);
    }
    realizar_sampler_free(sampler);
    realizar_engine_close(engine);
    return 0;
}
