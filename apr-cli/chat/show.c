/* SPDX-License-Identifier: MIT */
/* /show and /stats: what the chat runs on, with, and how fast. */
#include "chat.h"

#include <stdio.h>
#include <string.h>

trueno_status show_info(chat *c, trueno_error *err)
{
    const apr_model *model = realizar_engine_model(c->engine);
    const apr_config *config = apr_model_config(model);

    (void)err;
    (void)printf("model         %s\n", c->arguments->positional[0]);
    if (config->name[0] != '\0')
        (void)printf("name          %s\n", config->name);
    (void)printf("architecture  %s\n", config->architecture);
    (void)printf("format        %s\n", apr_model_format(model));
    (void)printf("parameters    %.3g million, %.1f MiB\n",
                 (double)apr_model_parameters(model) / 1e6,
                 (double)apr_model_bytes(model) / 1048576.0);
    (void)printf("backend       %s (%s)\n", realizar_engine_backend(c->engine),
                 realizar_engine_device(c->engine));
    (void)printf("context       %d tokens, the model was made for %d\n",
                 realizar_session_context(c->session), config->max_positions);
    (void)printf("template      %s\n", c->template_name);
    return TRUENO_OK;
}

static trueno_status print_text(const char *text)
{
    size_t n = strlen(text);

    (void)fwrite(text, 1, n, stdout);
    if (n == 0 || text[n - 1] != '\n')
        (void)putchar('\n');
    return TRUENO_OK;
}

trueno_status show_template(chat *c, trueno_error *err)
{
    (void)err;
    return print_text(c->template_text);
}

trueno_status show_system(chat *c, trueno_error *err)
{
    const char *text = conversation_system(&c->talk);

    (void)err;
    if (text == NULL) {
        print_note(c->arguments, "no system message; /system TEXT sets one");
        return TRUENO_OK;
    }
    return print_text(text);
}

/* Named as the options are, so that each line can be given to /set parameter. */
trueno_status show_parameters(chat *c, trueno_error *err)
{
    const realizar_generation_options *o = &c->options;
    const realizar_sampling *s = &o->sampling;

    (void)err;
    if (o->max_tokens > 0)
        (void)printf("max-tokens         %d\n", o->max_tokens);
    (void)printf("temperature        %g\n", (double)s->temperature);
    (void)printf("top-k              %d\n", s->top_k);
    (void)printf("top-p              %g\n", (double)s->top_p);
    (void)printf("min-p              %g\n", (double)s->min_p);
    (void)printf("repeat-penalty     %g\n", (double)s->repeat_penalty);
    (void)printf("frequency-penalty  %g\n", (double)s->frequency_penalty);
    (void)printf("presence-penalty   %g\n", (double)s->presence_penalty);
    (void)printf("repeat-last-n      %d\n", s->repeat_last_n);
    if (option_given(c->arguments, "seed"))
        (void)printf("seed               %lld\n", (long long)c->arguments->o.seed);
    for (int32_t i = 0; i < o->n_stops; i++)
        (void)printf("stop               %s\n", o->stops[i]);
    for (int32_t i = 0; i < s->n_bias; i++)
        (void)printf("logit-bias         %d=%g\n", s->bias[i].id, (double)s->bias[i].bias);
    return TRUENO_OK;
}

trueno_status show_stats(chat *c, trueno_error *err)
{
    realizar_timings t;
    int32_t computed;

    (void)err;
    (void)printf("context  %d of %d tokens, %.1f MiB keys and values, %zu exchanges\n",
                 realizar_session_length(c->session), realizar_session_context(c->session),
                 (double)realizar_session_kv_bytes(c->session) / 1048576.0,
                 conversation_exchanges(&c->talk));
    if (c->answer.generation == NULL)
        return TRUENO_OK;
    realizar_generation_timings(c->answer.generation, &t);
    computed = t.prompt_tokens - t.reused_tokens;
    (void)printf("prompt   %d tokens: %d kept, %d computed in %.1f ms (%.1f tok/s)\n",
                 t.prompt_tokens, t.reused_tokens, computed, t.prompt_ms,
                 per_second(computed, t.prompt_ms));
    (void)printf("answer   %d tokens in %.1f ms (%.1f tok/s), the first after %.1f ms\n",
                 t.completion_tokens, t.decode_ms, per_second(t.completion_tokens - 1, t.decode_ms),
                 t.first_token_ms);
    (void)printf("seed     %llu\n", (unsigned long long)c->options.sampling.seed);
    return TRUENO_OK;
}
