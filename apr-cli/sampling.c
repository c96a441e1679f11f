/* SPDX-License-Identifier: MIT */
/* Generation options: the command line's values over the model's own defaults. */
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static trueno_status parse_bias(const text_list *list, realizar_logit_bias **out, trueno_error *err)
{
    *out = calloc((size_t)list->count + 1, sizeof **out);
    if (*out == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d logit biases", list->count);
    for (int i = 0; i < list->count; i++) {
        char *end, *last;
        long id = strtol(list->items[i], &end, 10);
        float bias = *end == '=' ? strtof(end + 1, &last) : 0;

        if (end == list->items[i] || *end != '=' || last == end + 1 || *last != '\0' || id < 0 ||
            id > INT32_MAX)
            return trueno_fail(err, TRUENO_USAGE, "--logit-bias: '%s' is not ID=NUMBER",
                               list->items[i]);
        (*out)[i] = (realizar_logit_bias){(int32_t)id, bias};
    }
    return TRUENO_OK;
}

/* Numbers below 2^53, so that JSON readers keep them. */
static uint64_t random_seed(void)
{
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)(now_milliseconds() * 1e6);
    return seed >> 11;
}

static void set_if_given(const cli_arguments *a, const char *name, float *place, double value)
{
    if (option_given(a, name))
        *place = (float)value;
}

/* "--temperature 0" alone is plain argmax: penalties that a weaker source gave do not count. */
static void set_penalty(const cli_arguments *a, const char *name, float *place, double value,
                        bool argmax)
{
    if (!argmax || option_origin_of(a, name) >= option_origin_of(a, "temperature"))
        set_if_given(a, name, place, value);
}

/* The built-in defaults, and the model's own over them. */
static void begin_with_defaults(const realizar_engine *engine, const builtin_defaults *builtin,
                                realizar_generation_options *g)
{
    realizar_generation_options_init(g, sizeof *g, NULL);
    g->max_tokens = builtin->max_tokens;
    g->sampling.temperature = builtin->temperature;
    g->sampling.top_p = builtin->top_p;
    realizar_sampling_from_model(&g->sampling,
                                 apr_model_generation_defaults(realizar_engine_model(engine)));
}

trueno_status generation_options(const cli_arguments *a, const realizar_engine *engine,
                                 const builtin_defaults *builtin, realizar_generation_options *g,
                                 realizar_logit_bias **bias, trueno_error *err)
{
    const cli_options *o = &a->o;
    realizar_sampling *s = &g->sampling;
    trueno_status status;
    bool argmax;

    begin_with_defaults(engine, builtin, g);
    if (option_given(a, "max-tokens"))
        g->max_tokens = (int32_t)o->max_tokens;
    g->ignore_eos = o->ignore_eos;
    g->stops = o->stop.items;
    g->n_stops = o->stop.count;
    set_if_given(a, "temperature", &s->temperature, o->temperature);
    argmax = s->temperature == 0;
    if (argmax) /* the model's own penalty is for sampling */
        s->repeat_penalty = 1.0f;
    set_if_given(a, "top-p", &s->top_p, o->top_p);
    set_if_given(a, "min-p", &s->min_p, o->min_p);
    set_penalty(a, "repeat-penalty", &s->repeat_penalty, o->repeat_penalty, argmax);
    set_penalty(a, "frequency-penalty", &s->frequency_penalty, o->frequency_penalty, argmax);
    set_penalty(a, "presence-penalty", &s->presence_penalty, o->presence_penalty, argmax);
    if (option_given(a, "top-k"))
        s->top_k = (int32_t)o->top_k;
    s->repeat_last_n = (int32_t)o->repeat_last_n;
    s->seed = option_given(a, "seed") ? (uint64_t)o->seed : random_seed();
    if ((status = parse_bias(&o->logit_bias, bias, err)) < 0)
        return status;
    s->bias = *bias;
    s->n_bias = o->logit_bias.count;
    return realizar_sampling_check(s, err);
}
