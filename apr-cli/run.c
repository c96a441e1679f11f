/* SPDX-License-Identifier: MIT */
/* apr run: one prompt, one answer. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const builtin_defaults BUILTIN = {.temperature = 0.7f, .top_p = 0.95f};

/* All that one run holds, freed in one place. */
typedef struct run_state {
    realizar_engine *engine;
    realizar_session *session;
    answer_state answer;
    realizar_generation_options options;
    realizar_logit_bias *bias;
    text_buffer prompt;
    realizar_ids ids;
    double load_ms;
} run_state;

static void free_state(run_state *r)
{
    interrupt_watch(NULL);
    answer_free(&r->answer);
    realizar_session_free(r->session);
    realizar_engine_close(r->engine);
    free(r->bias);
    free(r->prompt.data);
    realizar_ids_free(&r->ids);
}

static trueno_status check_contradictions(const cli_arguments *a, trueno_error *err)
{
    if (a->o.stream && (a->o.no_stream || a->o.json))
        return trueno_fail(err, TRUENO_USAGE, "--stream and %s contradict each other",
                           a->o.json ? "--json" : "--no-stream");
    return TRUENO_OK;
}

static trueno_status prepare(cli_arguments *a, run_state *r, trueno_error *err)
{
    const char *argument = a->n_positional > 1 ? a->positional[1] : NULL;
    trueno_status status;

    if ((status = check_contradictions(a, err)) < 0 ||
        (status = gather_prompt(a, argument, &r->prompt, err)) < 0)
        return status;
    if (r->prompt.bytes == 0)
        return trueno_fail(err, TRUENO_USAGE,
                           "no prompt: give it as argument, with -p or -f, or on standard input");
    if ((status = load_engine(a, a->positional[0], false, &r->engine, &r->load_ms, err)) < 0)
        return status;
    if (a->o.verbose) {
        const apr_model *model = realizar_engine_model(r->engine);

        print_note(a, "Model: %s (%s, %s)", apr_model_path(model), apr_model_format(model),
                   apr_model_config(model)->architecture);
        print_note(a, "Backend: %s (%s)", realizar_engine_backend(r->engine),
                   realizar_engine_device(r->engine));
    }
    if ((status = make_prompt(a, r->engine, &r->prompt, &r->ids, err)) < 0 ||
        (status = generation_options(a, r->engine, &BUILTIN, &r->options, &r->bias, err)) < 0)
        return status;
    return realizar_session_new(&r->session, r->engine, 0, err);
}

static trueno_status generate(const cli_arguments *a, run_state *r, trueno_error *err)
{
    interrupt_watch(r->session);
    spinner_start(a, "thinking");
    return answer_prompt(a, r->session, &r->ids, &r->options, NULL, NULL, &r->answer, err);
}

static json_t *ids_json(const int32_t *ids, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_integer(ids[i]));
    return list;
}

static json_t *timings_json(const run_state *r)
{
    realizar_timings t;

    realizar_generation_timings(r->answer.generation, &t);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "load_ms", json_number(r->load_ms),
                     "prompt_ms", json_number(t.prompt_ms), "first_token_ms",
                     json_number(t.first_token_ms), "decode_ms", json_number(t.decode_ms),
                     "prompt_tok_s", json_number(per_second(t.prompt_tokens, t.prompt_ms)),
                     "decode_tok_s", json_number(per_second(t.completion_tokens - 1, t.decode_ms)));
}

static json_t *result_json(const run_state *r)
{
    const apr_model *model = realizar_engine_model(r->engine);
    int32_t count;
    const int32_t *ids = realizar_generation_ids(r->answer.generation, &count);
    realizar_finish finish = realizar_generation_finish(r->answer.generation);
    json_t *o = json_object();

    (void)json_object_set_new(o, "schema", json_integer(1));
    (void)json_object_set_new(o, "model",
                              json_text(apr_model_path(model), strlen(apr_model_path(model))));
    (void)json_object_set_new(o, "architecture",
                              json_string(apr_model_config(model)->architecture));
    (void)json_object_set_new(o, "backend", json_string(realizar_engine_backend(r->engine)));
    (void)json_object_set_new(o, "device", json_string(realizar_engine_device(r->engine)));
    (void)json_object_set_new(o, "ctx", json_integer(realizar_session_context(r->session)));
    (void)json_object_set_new(o, "prompt_tokens", json_integer((json_int_t)r->ids.count));
    (void)json_object_set_new(o, "completion_tokens", json_integer(count));
    (void)json_object_set_new(o, "prompt_ids", ids_json(r->ids.ids, r->ids.count));
    (void)json_object_set_new(o, "ids", ids_json(ids, (size_t)count));
    (void)json_object_set_new(o, "text", json_text(r->answer.text.data, r->answer.text.bytes));
    (void)json_object_set_new(o, "finish_reason", json_string(realizar_finish_name(finish)));
    (void)json_object_set_new(o, "seed", json_integer((json_int_t)r->options.sampling.seed));
    (void)json_object_set_new(o, "timings", timings_json(r));
    (void)json_object_set_new(o, "memory",
                              memory_json(r->engine, realizar_session_kv_bytes(r->session)));
    return o;
}

static void print_timings(const cli_arguments *a, const run_state *r)
{
    print_note(a, "load    %9.1f ms", r->load_ms);
    print_answer_timings(a, r->answer.generation);
    print_note(a, "memory  %9.1f MiB peak, %.1f MiB keys and values, seed %llu",
               (double)peak_rss_bytes() / 1048576.0,
               (double)realizar_session_kv_bytes(r->session) / 1048576.0,
               (unsigned long long)r->options.sampling.seed);
    print_device_memory(a, r->engine);
}

static trueno_status report(const cli_arguments *a, const run_state *r, trueno_error *err)
{
    if (a->o.json)
        return print_json(result_json(r), err);
    if (a->o.no_stream)
        (void)fwrite(r->answer.text.data, 1, r->answer.text.bytes, stdout);
    (void)putchar('\n');
    if (a->o.benchmark || a->o.verbose) {
        trueno_status status = flush_output(err);

        if (status < 0)
            return status;
        print_timings(a, r);
    }
    return TRUENO_OK;
}

trueno_status run_command(cli_arguments *a, trueno_error *err)
{
    run_state r = {0};
    trueno_status status = prepare(a, &r, err);

    if (status == TRUENO_OK)
        status = generate(a, &r, err);
    spinner_stop();
    if (status == TRUENO_OK)
        status = report(a, &r, err);
    else if (status == TRUENO_CANCELLED && interrupt_count() > 0 && !a->o.json)
        (void)putchar('\n');
    free_state(&r);
    return status;
}
