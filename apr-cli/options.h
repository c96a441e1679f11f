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
    /* diff */
    bool values;
    /* merge */
    const char *strategy, *merge_weights, *base;
    double ratio, density, lambda;
    /* split */
    int64_t max_tensors;
    /* hex */
    const char *tensor;
    int64_t block;
    /* canary */
    const char *input, *canary;
    /* rosetta */
    bool hexdump, mismatches_only;
    int64_t show_values;
    double tolerance, threshold;
    const char *reference, *fingerprints;
    int64_t trials;
    const char *plot, *message;
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
typedef uint64_t option_groups;

#define GROUP_GLOBAL   ((option_groups)1 << 0)
#define GROUP_ENGINE   ((option_groups)1 << 1)
#define GROUP_PROMPT   ((option_groups)1 << 2)
#define GROUP_SAMPLING ((option_groups)1 << 3)
#define GROUP_TOKENIZE ((option_groups)1 << 4)
#define GROUP_INSPECT  ((option_groups)1 << 5)
#define GROUP_TENSORS  ((option_groups)1 << 6)
#define GROUP_RENDER   ((option_groups)1 << 7)
#define GROUP_BENCH    ((option_groups)1 << 8)
#define GROUP_EVAL     ((option_groups)1 << 9)
#define GROUP_CONFIG   ((option_groups)1 << 10)
#define GROUP_TEMPLATE ((option_groups)1 << 11)
#define GROUP_FILE     ((option_groups)1 << 12)
#define GROUP_CONVERT  ((option_groups)1 << 13)
#define GROUP_CHAT     ((option_groups)1 << 14)
/* marks of rows, which no command has */
#define GROUP_DISPLAY         ((option_groups)1 << 15) /* apr.yaml of the working folder may set them */
#define GROUP_NOT_ENVIRONMENT ((option_groups)1 << 16) /* no APR_<OPTION> is read */
#define GROUP_NOT_SETTINGS    ((option_groups)1 << 17) /* no settings file may hold them */
#define GROUP_PARAMETER       ((option_groups)1 << 18) /* recipes may set them, as those of sampling */
/* a mark of commands, which no row has: MODEL may be a recipe */
#define GROUP_RECIPE        ((option_groups)1 << 19)
#define GROUP_HEXDUMP       ((option_groups)1 << 20)
#define GROUP_DIFFERENCES   ((option_groups)1 << 21)
#define GROUP_CHAIN         ((option_groups)1 << 22)
#define GROUP_ROUND_TRIP    ((option_groups)1 << 23)
#define GROUP_INFERENCES    ((option_groups)1 << 24)
#define GROUP_FINGERPRINT   ((option_groups)1 << 25)
#define GROUP_IMATRIX       ((option_groups)1 << 26)
#define GROUP_QUALITY       ((option_groups)1 << 27)
#define GROUP_STRICT        ((option_groups)1 << 28)
#define GROUP_DIFF          ((option_groups)1 << 29)
#define GROUP_HEX           ((option_groups)1 << 30)
#define GROUP_SPLIT         ((option_groups)1 << 31)
#define GROUP_SET           ((option_groups)1 << 32)
#define GROUP_MERGE         ((option_groups)1 << 49)
#define GROUP_DIAGNOSE      ((option_groups)1 << 48)
#define GROUP_CANARY_CREATE ((option_groups)1 << 50)
#define GROUP_STATISTICS    ((option_groups)1 << 52)
#define GROUP_CANARY_CHECK  ((option_groups)1 << 51)

#define GROUP_EVERY (~(option_groups)0)

enum { MOST_OPTION_ROWS = 128, MOST_SETTINGS = 4 };

typedef struct option_row {
    const char *name;
    char letter; /* 0: none */
    option_kind kind;
    const char *value;   /* what help calls the argument; for choices "f16|f32|q8_0" */
    const char *initial; /* default, as text; NULL: none (decided later, as help says) */
    double low, high;    /* allowed range of numbers */
    option_groups groups;
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
trueno_status options_defaults(cli_arguments *a, option_groups groups, trueno_error *err);

/* Parse argv[first..argc) with the rows of `groups`; what is no option becomes positional. */
trueno_status options_parse(cli_arguments *a, option_groups groups, int argc, char **argv,
                            int first, trueno_error *err);

/* True when the user gave it, by any means. */
bool option_given(const cli_arguments *a, const char *name);
option_origin option_origin_of(const cli_arguments *a, const char *name);

/* The row of that name within the groups, or -1; `top_p` is top-p. */
int option_find(const char *name, option_groups groups);

/* The name of a row within the groups that is nearest to `word`, or NULL when nothing is near. */
const char *option_nearest(const char *word, option_groups groups);

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
