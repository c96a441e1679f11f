/* SPDX-License-Identifier: MIT */
/* MODEL as users may write it, opened with the options they gave. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

typedef struct named_kv {
    const char *name;
    trueno_kv_type type;
} named_kv;

static const named_kv KV_TYPES[] = {
    {"f16", TRUENO_KV_F16}, {"f32", TRUENO_KV_F32}, {"q8_0", TRUENO_KV_Q8_0}};

static trueno_kv_type kv_type(const char *name)
{
    for (size_t i = 0; i < sizeof KV_TYPES / sizeof KV_TYPES[0]; i++)
        if (strcmp(KV_TYPES[i].name, name) == 0)
            return KV_TYPES[i].type;
    return TRUENO_KV_F16;
}

static void log_line(void *user, trueno_log_level level, const char *line)
{
    const cli_arguments *a = user;

    if (level >= TRUENO_LOG_WARNING)
        print_note(a, "apr: warning: %s", line);
    else if (a->o.verbose)
        print_note(a, "%s", line);
}

static trueno_log make_log(const cli_arguments *a)
{
    return (trueno_log){log_line, (void *)(uintptr_t)a};
}

static trueno_status choose_backend(const cli_arguments *a, const char **name, trueno_error *err)
{
    const cli_options *o = &a->o;
    int ways = o->gpu + o->no_gpu + (o->backend != NULL);

    if (ways > 1)
        return trueno_fail(err, TRUENO_USAGE,
                           "only one of --gpu, --no-gpu and --backend can be given");
    *name = o->gpu ? "cuda" : o->no_gpu ? "cpu" : o->backend;
    return TRUENO_OK;
}

trueno_status load_engine(const cli_arguments *a, const char *model, bool bench_only,
                          realizar_engine **out, double *milliseconds, trueno_error *err)
{
    realizar_engine_options o;
    double began = now_milliseconds();
    char what[200];
    trueno_status status;

    realizar_engine_options_init(&o, sizeof o);
    if ((status = choose_backend(a, &o.backend, err)) < 0)
        return status;
    o.threads = (int32_t)a->o.threads;
    o.context = (int32_t)a->o.ctx;
    o.kv_type = kv_type(a->o.kv_type);
    o.keep_mapping = a->o.mmap;
    o.lenient = a->o.lenient;
    o.verify = a->o.verify;
    o.bench_only = bench_only;
    o.log = make_log(a);
    (void)snprintf(what, sizeof what, "loading %s", model);
    spinner_start(a, what);
    status = strcmp(model, "demo") == 0 ? realizar_engine_open_demo(out, &o, err)
                                        : realizar_engine_open(out, model, &o, err);
    spinner_stop();
    *milliseconds = now_milliseconds() - began;
    return status;
}

static trueno_status open_model(const cli_arguments *a, const char *model, bool vocab_only,
                                bool lazy, apr_model **out, trueno_error *err)
{
    apr_model_options o;
    size_t bytes;
    const void *demo = realizar_demo_model(&bytes);

    apr_model_options_init(&o, sizeof o);
    o.lenient = a->o.lenient;
    o.verify = a->o.verify;
    o.vocab_only = vocab_only;
    o.lazy = lazy;
    o.log = make_log(a);
    if (strcmp(model, "demo") == 0 && demo != NULL)
        return apr_model_open_memory(out, demo, bytes, &o, err);
    return apr_model_open(out, model, &o, err);
}

trueno_status load_model(const cli_arguments *a, const char *model, bool vocab_only,
                         apr_model **out, trueno_error *err)
{
    return open_model(a, model, vocab_only, true, out, err);
}

trueno_status load_whole_model(const cli_arguments *a, const char *model, apr_model **out,
                               trueno_error *err)
{
    return open_model(a, model, false, false, out, err);
}
