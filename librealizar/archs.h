/* SPDX-License-Identifier: MIT */
/* One row per architecture: the facts by which forward.c differs. */
#ifndef REALIZAR_ARCHS_H
#define REALIZAR_ARCHS_H

#include <apr/config.h>
#include <stdbool.h>
#include <trueno/backend.h>

/* Which layers look through a sliding window. */
typedef enum window_rule {
    WINDOW_NONE,     /* all layers see everything, whatever the config says */
    WINDOW_ALL,      /* every layer, when the config has a window */
    WINDOW_ALTERNATE /* all but every n-th layer (config, else `window_pattern`) */
} window_rule;

typedef struct architecture {
    const char *name; /* as GGUF calls it */
    trueno_norm_kind norm;
    trueno_activation activation;
    bool gated;               /* down(act(gate x) * up x), else down(act(up x)) */
    bool scaled_embedding;    /* times sqrt(hidden_size) */
    bool local_rope;          /* sliding layers turn by rope_local_theta, unscaled */
    bool experts;          /* the feed-forward part is a mixture */
    window_rule window;
    int window_pattern;
} architecture;

/* The row for a config, or NULL. */
const architecture *architecture_find(const char *name);

/* The layer's window in positions; 0: none. */
int architecture_window(const architecture *arch, const apr_config *config, int layer);

#endif
