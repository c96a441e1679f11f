/* SPDX-License-Identifier: MIT */
/* The list of backends: open by name, describe. */
#include <trueno/backend.h>

#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "module.h"

static void describe_cpu(char *line, size_t bytes)
{
    (void)snprintf(line, bytes, "%s, %d threads", trueno_cpu_level_name(trueno_cpu_flags()),
                   trueno_cpu_default_threads());
}

static void describe_reference(char *line, size_t bytes)
{
    (void)snprintf(line, bytes, "dequantised weights, sums in double precision");
}

static trueno_status open_cuda(trueno_backend **out, const trueno_backend_options *options,
                               trueno_error *err)
{
    const trueno_module *module;
    trueno_status status = module_load("cuda", &module, err);

    return status < 0 ? status : module->open(out, options, err);
}

static void describe_cuda(char *line, size_t bytes)
{
    const trueno_module *module;
    trueno_error err = {0};

    if (module_load("cuda", &module, &err) < 0)
        (void)snprintf(line, bytes, "%s", err.message);
    else
        module->describe(line, bytes);
}

/* One row a backend. */
static const struct backend_row {
    const char *name;
    trueno_status (*open)(trueno_backend **out, const trueno_backend_options *options,
                          trueno_error *err);
    void (*describe)(char *line, size_t bytes);
} BACKENDS[] = {
    {"cpu", backend_cpu_open, describe_cpu},
    {"cuda", open_cuda, describe_cuda},
    {"reference", backend_reference_open, describe_reference},
};

enum { N_BACKENDS = sizeof BACKENDS / sizeof BACKENDS[0] };

void trueno_backend_options_init(trueno_backend_options *o, size_t size)
{
    memset(o, 0, size);
    o->size = size;
}

trueno_status trueno_backend_open(trueno_backend **out, const char *name,
                                  const trueno_backend_options *options, trueno_error *err)
{
    trueno_backend_options full = {0};

    *out = NULL;
    if (options != NULL) /* an older caller's struct is shorter: the rest keeps its defaults */
        memcpy(&full, options, options->size < sizeof full ? options->size : sizeof full);
    full.size = sizeof full;
    for (int i = 0; i < N_BACKENDS; i++)
        if (strcmp(BACKENDS[i].name, name) == 0)
            return BACKENDS[i].open(out, &full, err);
    return trueno_fail(err, TRUENO_USAGE,
                       "no backend is called '%s' (there are cpu, cuda, reference)", name);
}

bool trueno_backend_describe(int index, char *line, size_t bytes)
{
    int used;

    if (index < 0 || index >= N_BACKENDS || bytes == 0)
        return false;
    used = snprintf(line, bytes, "%s: ", BACKENDS[index].name);
    if (used > 0 && (size_t)used < bytes)
        BACKENDS[index].describe(line + used, bytes - (size_t)used);
    return true;
}
