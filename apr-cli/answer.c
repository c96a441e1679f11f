/* SPDX-License-Identifier: MIT */
/* One answer: generated, shown as it comes, kept whole, and timed. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static trueno_status show_piece(const cli_arguments *a, const realizar_piece *piece, bool watched,
                                trueno_error *err)
{
    if (piece->bytes == 0 || watched || a->o.json || a->o.no_stream)
        return TRUENO_OK;
    (void)fwrite(piece->text, 1, piece->bytes, stdout);
    return flush_output(err);
}

trueno_status answer_prompt(const cli_arguments *a, realizar_session *session,
                            const realizar_ids *ids, const realizar_generation_options *o,
                            answer_watch *watch, void *user, answer_state *out, trueno_error *err)
{
    realizar_generation_options ahead = *o;
    realizar_piece piece;
    trueno_status status = text_append(&out->text, "", 0, err);
    int more;

    if (status < 0)
        return status;
    if (ids->count > INT32_MAX)
        return trueno_fail(err, TRUENO_USAGE, "the prompt has %zu tokens", ids->count);
    ahead.run_ahead = watch == NULL; /* who watches asks for the other candidates */
    if ((status = realizar_generation_start(&out->generation, session, ids->ids,
                                            (int32_t)ids->count, &ahead, err)) < 0)
        return status;
    while ((more = realizar_generation_next(out->generation, &piece, err)) == 1) {
        if (piece.bytes > 0 || watch != NULL)
            spinner_stop();
        if (watch != NULL)
            watch(user, out->generation, &piece);
        if ((status = text_append(&out->text, piece.text, piece.bytes, err)) < 0 ||
            (status = show_piece(a, &piece, watch != NULL, err)) < 0)
            return status;
    }
    return (trueno_status)more;
}

void answer_free(answer_state *answer)
{
    realizar_generation_free(answer->generation);
    free(answer->text.data);
    *answer = (answer_state){0};
}

double per_second(int32_t tokens, double milliseconds)
{
    return milliseconds > 0 && tokens > 0 ? tokens * 1e3 / milliseconds : 0;
}

int64_t peak_rss_bytes(void)
{
    struct rusage use;

    return getrusage(RUSAGE_SELF, &use) == 0 ? (int64_t)use.ru_maxrss * 1024 : 0;
}

json_t *memory_json(const realizar_engine *engine, size_t kv_bytes)
{
    trueno_memory_use use = {0};
    json_t *o;

    realizar_engine_memory(engine, &use);
    o = json_pack("{s:I, s:I, s:I, s:I}", "peak_rss_bytes", (json_int_t)peak_rss_bytes(),
                  "kv_bytes", (json_int_t)kv_bytes, "weights_bytes", (json_int_t)use.weights,
                  "activation_bytes", (json_int_t)use.activations);
    if (use.device_total > 0) {
        (void)json_object_set_new(o, "device_total_bytes",
                                  json_integer((json_int_t)use.device_total));
        (void)json_object_set_new(o, "device_free_bytes",
                                  json_integer((json_int_t)use.device_free));
    }
    return o;
}

void print_device_memory(const cli_arguments *a, const realizar_engine *engine)
{
    trueno_memory_use use = {0};

    realizar_engine_memory(engine, &use);
    if (use.device_total > 0)
        print_note(
            a,
            "device  %9.1f MiB of %.1f MiB free; %.1f MiB weights, %.1f MiB keys and values, "
            "%.1f MiB working arrays",
            (double)use.device_free / 1048576, (double)use.device_total / 1048576,
            (double)use.weights / 1048576, (double)use.kv / 1048576,
            (double)use.activations / 1048576);
}

void print_answer_timings(const cli_arguments *a, const realizar_generation *generation)
{
    realizar_timings t;
    int32_t computed;

    realizar_generation_timings(generation, &t);
    computed = t.prompt_tokens - t.reused_tokens;
    print_note(a, "prompt  %9.1f ms  %6d tokens  %8.1f tok/s", t.prompt_ms, computed,
               per_second(computed, t.prompt_ms));
    if (t.reused_tokens > 0)
        print_note(a, "kept    %9s     %6d tokens of the %d before this answer", "",
                   t.reused_tokens, t.prompt_tokens);
    print_note(a, "first   %9.1f ms", t.first_token_ms);
    print_note(a, "decode  %9.1f ms  %6d tokens  %8.1f tok/s", t.decode_ms, t.completion_tokens,
               per_second(t.completion_tokens - 1, t.decode_ms));
}
