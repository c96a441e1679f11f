/* SPDX-License-Identifier: MIT */
/* One turn: the conversation to a prompt, the prompt to an answer, the answer to the conversation.
 */
#include "chat.h"

#include <stdio.h>
#include <stdlib.h>

trueno_status chat_options(chat *c, trueno_error *err)
{
    free(c->bias);
    c->bias = NULL;
    return generation_options(c->arguments, c->engine, &CHAT_BUILTIN, &c->options, &c->bias, err);
}

/* A seed that was given counts up, so that /regen says something else and the whole chat can still
 * be repeated. */
static trueno_status make_options(chat *c, trueno_error *err)
{
    trueno_status status = chat_options(c, err);

    if (option_given(c->arguments, "seed"))
        c->options.sampling.seed += c->answers;
    c->answers++;
    return status;
}

/* Between two answers no step runs, so a Ctrl-C that came too late for the last answer would stop
 * this one: that is told from a new one by the count, and tried again. */
static trueno_status generate(chat *c, const realizar_ids *ids, trueno_error *err)
{
    const cli_arguments *a = c->arguments;
    int before = interrupt_count();
    trueno_status status;

    if (line_input_edits(c->input))
        interrupt_watch_lasting(c->session);
    else
        interrupt_watch(c->session);
    do {
        answer_free(&c->answer);
        spinner_start(a, "thinking");
        status = answer_prompt(a, c->session, ids, &c->options, a->o.inspect ? inspect_token : NULL,
                               c, &c->answer, err);
        spinner_stop();
    } while (status == TRUENO_CANCELLED && interrupt_count() == before);
    if (line_input_edits(c->input))
        interrupt_watch_lasting(NULL);
    return status;
}

/* The answer itself where it did not stream, and the end of its last line. */
static trueno_status finish_text(const chat *c, trueno_error *err)
{
    const text_buffer *text = &c->answer.text;

    if (c->arguments->o.no_stream || c->arguments->o.inspect)
        (void)fwrite(text->data, 1, text->bytes, stdout);
    (void)putchar('\n');
    return flush_output(err);
}

static void tell_end(const chat *c, bool stopped)
{
    realizar_timings t;

    if (stopped) {
        print_note(c->arguments, "(stopped; what was said is kept)");
        return;
    }
    if (realizar_generation_finish(c->answer.generation) != REALIZAR_FINISH_LENGTH)
        return;
    realizar_generation_timings(c->answer.generation, &t);
    if (t.completion_tokens == c->options.max_tokens)
        print_note(c->arguments, "(ended after %d tokens: --max-tokens)", t.completion_tokens);
    else
        print_note(c->arguments,
                   "(the context of %d tokens is full: the answer ends here, and the next message "
                   "needs older ones forgotten)",
                   realizar_session_context(c->session));
}

/* What was said becomes a message. Where that is nothing, because Ctrl-C came first, the user's
 * message goes too: templates want the roles to take turns. */
static trueno_status keep_answer(chat *c, bool stopped, trueno_error *err)
{
    const cli_arguments *a = c->arguments;
    const text_buffer *text = &c->answer.text;
    trueno_status status = finish_text(c, err);

    if (stopped && text->bytes == 0) {
        (void)conversation_undo(&c->talk);
        print_note(a, "(stopped before the answer began; the message is taken back)");
        return status;
    }
    tell_end(c, stopped);
    if (status == TRUENO_OK)
        status = conversation_add(&c->talk, "assistant", text->data, text->bytes, err);
    if (a->o.benchmark || a->o.verbose || a->o.inspect)
        print_answer_timings(a, c->answer.generation);
    return status;
}

static trueno_status answer_ids(chat *c, const realizar_ids *ids, trueno_error *err)
{
    trueno_status status = generate(c, ids, err);
    bool stopped = status == TRUENO_CANCELLED;

    if (status < 0 && !stopped)
        return status;
    status = keep_answer(c, stopped, err);
    if (status == TRUENO_OK && stopped && !line_input_edits(c->input))
        return trueno_fail(err, TRUENO_CANCELLED, "interrupted");
    return status;
}

trueno_status chat_answer(chat *c, trueno_error *err)
{
    realizar_ids ids = {0};
    trueno_status status = chat_fit_context(c, &ids, err);

    if (status == TRUENO_OK)
        status = make_options(c, err);
    if (status == TRUENO_OK)
        status = answer_ids(c, &ids, err);
    realizar_ids_free(&ids);
    return status;
}

trueno_status chat_say(chat *c, const char *text, size_t bytes, trueno_error *err)
{
    trueno_status status = conversation_add(&c->talk, "user", text, bytes, err);

    if (status < 0)
        return status;
    status = chat_answer(c, err);
    if (status < 0 && status != TRUENO_CANCELLED)
        (void)conversation_undo(&c->talk);
    return status;
}
