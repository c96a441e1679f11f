/* SPDX-License-Identifier: MIT */
/* THE OPTION TABLE: parsing, environment, help, man pages and completion all come from its rows. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

/* Texts given by a repeatable option. */
typedef struct text_list {
    const char **items;
    int count;
} text_list;

/* Every option's value. Which ones a command takes is a matter of its groups. */
typedef struct cli_options {
    /* everywhere */
    bool json, verbose, quiet, offline, no_settings, help, version;
    const char *color;
    /* the engine */
    int64_t ctx, threads;
    bool gpu, no_gpu, mmap, lenient, verify;
    const char *kv_type, *backend;
    /* the prompt */
    const char *prompt, *file, *system, *chat_template;
    bool chat, no_chat, inspect;
    /* generation */
    int64_t max_tokens, top_k, repeat_last_n, seed;
    double temperature, top_p, min_p, repeat_penalty, frequency_penalty, presence_penalty;
    text_list stop, logit_bias;
    bool ignore_eos, stream, no_stream, benchmark;
    /* tokenize, inspect, tensors, render */
    bool no_special, vocab, stats, no_generation_prompt;
    const char *filter, *messages, *tools;
    int64_t limit;
    /* bench, eval */
    const char *n_prompt, *n_gen, *depth, *batch;
    int64_t repetitions, warmup;
    const char *text, *save_logits, *kl_against;
    bool show_origin;
    /* convert */
    const char *output, *format, *quantize;
    bool force;
    /* validate, lint */
    bool quality, strict;
    int64_t min_score;
    /* rosetta */
    bool hexdump, mismatches_only;
    int64_t show_values;
    double tolerance;
    const char *work_dir, *intermediate, *imatrix, *compress, *max_shard_size;
} cli_options;

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_INT,
    OPTION_FLOAT,
    OPTION_TEXT,
    OPTION_LIST
} option_kind;

/* Groups of options; a command lists those it takes. */
enum {
    GROUP_GLOBAL = 1 << 0,
    GROUP_ENGINE = 1 << 1,
    GROUP_PROMPT = 1 << 2,
    GROUP_SAMPLING = 1 << 3,
    GROUP_TOKENIZE = 1 << 4,
    GROUP_INSPECT = 1 << 5,
    GROUP_TENSORS = 1 << 6,
    GROUP_RENDER = 1 << 7,
    GROUP_BENCH = 1 << 8,
    GROUP_EVAL = 1 << 9,
    GROUP_CONFIG = 1 << 10,
    GROUP_TEMPLATE = 1 << 11,
    GROUP_FILE = 1 << 12,
    GROUP_CONVERT = 1 << 13,
    GROUP_CHAT = 1 << 14,
    /* marks of rows, which no command has */
    GROUP_DISPLAY = 1 << 15,         /* an apr.yaml of the working folder may set them */
    GROUP_NOT_ENVIRONMENT = 1 << 16, /* no APR_<OPTION> is read */
    GROUP_NOT_SETTINGS = 1 << 17,    /* no settings file may hold them */
    GROUP_PARAMETER = 1 << 18,       /* recipes may set them, beside those of sampling */
    /* a mark of commands, which no row has: MODEL may be a recipe */
    GROUP_RECIPE = 1 << 19,
    GROUP_HEXDUMP = 1 << 20,
    GROUP_DIFFERENCES = 1 << 21,
    GROUP_CHAIN = 1 << 22,
    GROUP_ROUND_TRIP = 1 << 23,
    GROUP_INFERENCES = 1 << 24,
    GROUP_FINGERPRINT = 1 << 25,
    GROUP_IMATRIX = 1 << 26,
    GROUP_QUALITY = 1 << 27,
    GROUP_STRICT = 1 << 28
};

#define GROUP_EVERY (~0u)

enum { MOST_OPTION_ROWS = 128, MOST_SETTINGS = 4 };

typedef struct option_row {
    const char *name;
    char letter; /* 0: none */
    option_kind kind;
    const char *value;   /* what help calls the argument; for choices "f16|f32|q8_0" */
    const char *initial; /* default, as text; NULL: none (decided later, as help says) */
    double low, high;    /* allowed range of numbers */
    unsigned groups;
    size_t offset; /* in cli_options */
    const char *help;
} option_row;

extern const option_row OPTION_ROWS[];
extern const int N_OPTION_ROWS;

/* Where a value came from; later ones win. */
typedef enum option_origin {
    ORIGIN_DEFAULT,
    ORIGIN_SYSTEM, /* apr.yaml of /etc/apr */
    ORIGIN_USER,   /* apr.yaml of the user's configuration folder */
    ORIGIN_FOLDER, /* apr.yaml of the working folder */
    ORIGIN_RECIPE,
    ORIGIN_ENVIRONMENT,
    ORIGIN_COMMAND_LINE
} option_origin;

/* The source of a value, and what errors call it: "--ctx", "APR_CTX", "apr.yaml:3: ctx". */
typedef struct option_source {
    option_origin origin;
    const char *where;
    const char *file; /* of settings and recipes; else NULL */
    int line;
} option_source;

/* The parsed command line. */
typedef struct cli_arguments {
    cli_options o;
    option_source source[MOST_OPTION_ROWS]; /* by row; `where` is not kept */
    const char *command;                    /* the row's name, NULL: none was given */
    const char **positional;                /* [n_positional], argv strings or kept ones */
    int n_positional;
    bool reported; /* a JSON document that tells the error was printed already */
    struct tree *settings[MOST_SETTINGS]; /* files read: values point into them */
    int n_settings;
    char *kept[MOST_SETTINGS]; /* texts that values point to */
    int n_kept;
} cli_arguments;

/*
 * Set one option from text; NULL is `true` for a flag and the empty list for a list. The text is
 * borrowed. What a stronger source said about the option or its opposite stays as it is; what a
 * weaker one said about its opposite is cleared. `false` for a flag that has an opposite
 * ("stream: false") sets that.
 */
trueno_status option_set(cli_arguments *a, int row, const char *text, const option_source *source,
                         trueno_error *err);

/* Whether option_set() would take the text. */
trueno_status option_check(int row, const char *text, const char *where, trueno_error *err);

/* Defaults, then APR_<OPTION> of the environment for the rows of `groups`. */
trueno_status options_defaults(cli_arguments *a, unsigned groups, trueno_error *err);

/* Parse argv[first..argc) with the rows of `groups`; what is no option becomes positional. */
trueno_status options_parse(cli_arguments *a, unsigned groups, int argc, char **argv, int first,
                            trueno_error *err);

/* True when the user gave it, by any means. */
bool option_given(const cli_arguments *a, const char *name);
option_origin option_origin_of(const cli_arguments *a, const char *name);

/* The row of that name within the groups, or -1; `top_p` is top-p. */
int option_find(const char *name, unsigned groups);

/* The name of a row within the groups that is nearest to `word`, or NULL when nothing is near. */
const char *option_nearest(const char *word, unsigned groups);

/* Current value of a row as text, for `apr config`. */
void option_text(const cli_arguments *a, int row, char *out, size_t bytes);

/* Whether the value is one of some words: lower-case, with bars. */
bool option_is_choice(const option_row *row);

/* "APR_MAX_TOKENS" for "max-tokens". */
void option_variable(const char *name, char *out, size_t bytes);

void options_free(cli_arguments *a);

/* The candidate nearest to `word` by edits, or NULL when nothing is near. names ends with NULL. */
const char *nearest_word(const char *word, const char *const *names);

#endif
