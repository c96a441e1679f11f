/* SPDX-License-Identifier: MIT */
/* The table of architectures. */
#include "archs.h"

#include <realizar/engine.h>
#include <string.h>

static const architecture ARCHITECTURES[] = {
    {.name = "qwen2", .activation = TRUENO_SILU, .gated = true},
    {.name = "qwen3", .activation = TRUENO_SILU, .gated = true},
    {.name = "llama", .activation = TRUENO_SILU, .gated = true, .window = WINDOW_ALL},
    {.name = "phi3", .activation = TRUENO_SILU, .gated = true, .window = WINDOW_ALL},
    {.name = "gemma", .activation = TRUENO_GELU_TANH, .gated = true, .scaled_embedding = true},
    {.name = "gemma2",
     .activation = TRUENO_GELU_TANH,
     .gated = true,
     .scaled_embedding = true,
     .window = WINDOW_ALTERNATE,
     .window_pattern = 2},
    {.name = "gemma3",
     .activation = TRUENO_GELU_TANH,
     .gated = true,
     .scaled_embedding = true,
     .local_rope = true,
     .window = WINDOW_ALTERNATE,
     .window_pattern = 6},
    {.name = "starcoder2",
     .norm = TRUENO_NORM_LAYER,
     .activation = TRUENO_GELU_TANH,
     .window = WINDOW_ALL},
    {.name = "qwen2moe", .activation = TRUENO_SILU, .gated = true, .experts = true},
    {.name = "qwen3moe", .activation = TRUENO_SILU, .gated = true, .experts = true},
};

enum { N_ARCHITECTURES = sizeof ARCHITECTURES / sizeof ARCHITECTURES[0] };

const architecture *architecture_find(const char *name)
{
    for (int i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(ARCHITECTURES[i].name, name) == 0)
            return &ARCHITECTURES[i];
    return NULL;
}

int architecture_window(const architecture *arch, const apr_config *config, int layer)
{
    int pattern;

    switch (arch->window) {
    case WINDOW_NONE:
        return 0;
    case WINDOW_ALL:
        return config->sliding_window;
    case WINDOW_ALTERNATE:
        pattern = config->sliding_window_pattern > 0 ? config->sliding_window_pattern
                                                     : arch->window_pattern;
        return (layer + 1) % pattern == 0 ? 0 : config->sliding_window;
    }
    return 0;
}

const char *realizar_architecture(int index)
{
    return index >= 0 && index < N_ARCHITECTURES ? ARCHITECTURES[index].name : NULL;
}
