/* SPDX-License-Identifier: MIT */
/* The commands: one row each, and what they share. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

#include <jansson.h>
#include <realizar/engine.h>
#include <realizar/generate.h>
#include <realizar/prompt.h>

/* A command, or a verb of one: "rosetta convert". */
typedef struct command_row {
    const char *name;
    const char *arguments; /* "MODEL [PROMPT]" */
    const char *summary;   /* one line */
    option_groups groups;  /* of options, besides the global ones */
    int least, most;       /* positional arguments; most -1: any number */
    trueno_status (*run)(cli_arguments *a, trueno_error *err);
} command_row;

extern const command_row COMMANDS[]; /* ends with a row without a name */

/* Verbs, a table for each command that has some; COMMANDS holds a row for the command as well. */
extern const command_row ROSETTA_VERBS[];
extern const command_row CANARY_VERBS[];

/* The row of a command, or of its verb when `verb` is not NULL; NULL: no such. */
const command_row *command_find(const char *name, const char *verb);

/* The table of a command's verbs, or NULL when it has none. */
const command_row *command_verbs(const char *name);

/* Runs when a command was given without one of its verbs: tells which there are. */
trueno_status verb_missing(cli_arguments *a, trueno_error *err);

trueno_status run_command(cli_arguments *a, trueno_error *err);
trueno_status chat_command(cli_arguments *a, trueno_error *err);
trueno_status tokenize_command(cli_arguments *a, trueno_error *err);
trueno_status detokenize_command(cli_arguments *a, trueno_error *err);
trueno_status render_command(cli_arguments *a, trueno_error *err);
trueno_status inspect_command(cli_arguments *a, trueno_error *err);
trueno_status tensors_command(cli_arguments *a, trueno_error *err);
trueno_status bench_command(cli_arguments *a, trueno_error *err);
trueno_status eval_command(cli_arguments *a, trueno_error *err);
trueno_status convert_command(cli_arguments *a, trueno_error *err);
trueno_status import_command(cli_arguments *a, trueno_error *err);
trueno_status imatrix_command(cli_arguments *a, trueno_error *err);
trueno_status validate_command(cli_arguments *a, trueno_error *err);
trueno_status lint_command(cli_arguments *a, trueno_error *err);
trueno_status diff_command(cli_arguments *a, trueno_error *err);
trueno_status hex_command(cli_arguments *a, trueno_error *err);
trueno_status merge_command(cli_arguments *a, trueno_error *err);
trueno_status split_command(cli_arguments *a, trueno_error *err);
trueno_status join_command(cli_arguments *a, trueno_error *err);
trueno_status config_command(cli_arguments *a, trueno_error *err);
trueno_status completion_command(cli_arguments *a, trueno_error *err);
trueno_status man_command(cli_arguments *a, trueno_error *err);
trueno_status help_command(cli_arguments *a, trueno_error *err);

/* The whole program: parse, run, report; returns the exit code. */
int cli_main(int argc, char **argv);

trueno_status rosetta_inspect_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_convert_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_chain_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_verify_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_inference_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_diff_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_fingerprint_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_statistics_command(cli_arguments *a, trueno_error *err);
trueno_status rosetta_diagnose_command(cli_arguments *a, trueno_error *err);

trueno_status canary_create_command(cli_arguments *a, trueno_error *err);
trueno_status canary_check_command(cli_arguments *a, trueno_error *err);

/* help.c */
void print_help(void);
void print_command_help(const command_row *command);
trueno_status print_version(const cli_arguments *a, trueno_error *err);

/* output.c */
trueno_status print_json(json_t *document, trueno_error *err); /* steals the reference */
json_t *json_text(const char *bytes, size_t length);           /* invalid UTF-8 becomes U+FFFD */
json_t *json_number(double x); /* shortest text that reads back as float */
void report_error(const cli_arguments *a, const trueno_error *error);

/*
 * Print the report of a check that came out as `status` (steals the reference). On failure the
 * document carries the error as well, so that there is one document.
 */
trueno_status finish_report(cli_arguments *a, json_t *document, trueno_status status,
                            trueno_error *err);

/* Write a file, whole or not at all; TRUENO_USAGE when it exists without --force. */
trueno_status write_text_file(const cli_arguments *a, const char *text, size_t bytes,
                              const char *path, trueno_error *err);
/* The same of a document. */
trueno_status write_json_file(const cli_arguments *a, const json_t *document, const char *path,
                              trueno_error *err);
/* A document that is a command's result: to --output, or where there is none or with --json to
 * stdout. Steals the reference. */
trueno_status write_or_print(const cli_arguments *a, json_t *document, trueno_error *err);
trueno_status flush_output(trueno_error *err);
void print_note(const cli_arguments *a, const char *format, ...) TRUENO_PRINTF(2, 3);

/* input.c */
typedef struct text_buffer {
    char *data; /* NUL-terminated */
    size_t bytes;
} text_buffer;

trueno_status read_text_file(const char *path, text_buffer *out,
                             trueno_error *err); /* "-": stdin */
trueno_status text_append(text_buffer *t, const char *bytes, size_t length, trueno_error *err);
/* The prompt's parts that the command line gives (argument, --prompt, --file), joined by blank
 * lines; maybe none. */
trueno_status gather_given(const cli_arguments *a, const char *argument, text_buffer *out,
                           trueno_error *err);
/* The same, and what is piped in. */
trueno_status gather_prompt(const cli_arguments *a, const char *argument, text_buffer *out,
                            trueno_error *err);

/* tokenize.c: the ids of a text; `flags` as of realizar_tokenizer_encode(). *ids is the caller's to
 * free. */
trueno_status encode_ids(const realizar_tokenizer *tokenizer, const char *text, size_t bytes,
                         unsigned flags, int32_t **ids, size_t *count, trueno_error *err);

/* The ids that a model's vocabulary makes of a text, special tokens recognised and BOS
 * added; *ids is the caller's to free, and not NULL on success. */
trueno_status encode_text(const apr_model *model, const char *text, size_t bytes, int32_t **ids,
                          size_t *count, trueno_error *err);

/* convert.c: a number of bytes as users write it, "500MB" */
trueno_status parse_size(const char *text, uint64_t *out, trueno_error *err);

/* load.c: MODEL as users may write it */
trueno_status load_engine(const cli_arguments *a, const char *model, bool bench_only,
                          realizar_engine **out, double *milliseconds, trueno_error *err);
trueno_status load_model(const cli_arguments *a, const char *model, bool vocab_only,
                         apr_model **out, trueno_error *err);
/* as load_model(), all weights in memory at once; it leaves compressed ones for apr_model_fetch()
 */
trueno_status load_whole_model(const cli_arguments *a, const char *model, apr_model **out,
                               trueno_error *err);

/* prompt.c: the conversation's text through the chat template, as token ids */
trueno_status make_prompt(const cli_arguments *a, const realizar_engine *engine,
                          const text_buffer *user, realizar_ids *out, trueno_error *err);

/* What a command falls back on where neither the user nor the model says anything. */
typedef struct builtin_defaults {
    float temperature, top_p;
    int32_t max_tokens; /* 0: no limit */
} builtin_defaults;

/* sampling.c: the user's options over the model's defaults over the built-in ones. *bias belongs to
 * the caller, on failure too. */
trueno_status generation_options(const cli_arguments *a, const realizar_engine *engine,
                                 const builtin_defaults *builtin, realizar_generation_options *o,
                                 realizar_logit_bias **bias, trueno_error *err);

/* answer.c: one generation, shown as it comes */
typedef struct answer_state {
    realizar_generation *generation;
    text_buffer text; /* all that was said */
} answer_state;

/* Called with every token; the text is then not streamed. */
typedef void answer_watch(void *user, const realizar_generation *generation,
                          const realizar_piece *piece);

/* Generate an answer to `ids`. Text goes to standard output as it comes, unless --json, --no-stream
 * or `watch` (may be NULL). On an error *out still holds what was said; free with answer_free(). */
trueno_status answer_prompt(const cli_arguments *a, realizar_session *session,
                            const realizar_ids *ids, const realizar_generation_options *o,
                            answer_watch *watch, void *user, answer_state *out, trueno_error *err);
void answer_free(answer_state *answer);
void print_answer_timings(const cli_arguments *a, const realizar_generation *generation);
double per_second(int32_t tokens, double milliseconds); /* 0 where nothing was measured */
int64_t peak_rss_bytes(void);

/* The "memory" object of JSON answers; its kv_bytes are those of the sessions that count. */
json_t *memory_json(const realizar_engine *engine, size_t kv_bytes);

/* A note on a GPU's memory, where there is one. */
void print_device_memory(const cli_arguments *a, const realizar_engine *engine);

/* inspect.c: documents that libapr made, and how they are shown */
/* The document in a text that libapr made of the model with `status`, which is passed on; the text
 * is freed in every case. *out is the caller's, NULL after an error. */
trueno_status take_document(const apr_model *model, trueno_status status, char *text, size_t bytes,
                            json_t **out, trueno_error *err);
/* Makes such a text of the model, freed as take_document() does; tells or writes the document and
 * frees it. */
typedef trueno_status document_maker(const cli_arguments *a, const apr_model *model, char **text,
                                     size_t *bytes, trueno_error *err);
typedef trueno_status document_teller(const cli_arguments *a, json_t *document, trueno_error *err);
/* A command that opens MODEL, makes a document of it, closes it and tells. */
trueno_status document_command(const cli_arguments *a, document_maker *make, document_teller *tell,
                               trueno_error *err);
void print_json_value(const json_t *value, size_t most); /* a line of at most so many bytes */
void print_members(const json_t *object, const char *indent, size_t most); /* bytes of a value */
void print_tensors(const json_t *document);

/* terminal.c */
bool terminal_wants_color(const cli_arguments *a, int fd);
void spinner_start(const cli_arguments *a, const char *what);
void spinner_stop(void);
double now_milliseconds(void);
/* Note the terminal's modes, which are about to be changed; signals that end the process restore
 * them. */
void terminal_remember(void);
void terminal_restore(void); /* async-signal-safe */

/* interrupt.c: Ctrl-C cancels the session; a second one ends the process. */
void interrupt_watch(realizar_session *session);
void interrupt_ask(void); /* the first is told by interrupted() alone */
bool interrupted(void);
/* As interrupt_watch() for a program that goes on: only a second Ctrl-C within a second ends it. */
void interrupt_watch_lasting(realizar_session *session);
/* Note a Ctrl-C now, and tell whether it is to end the process. The signal handler calls it, and
 * the line editor where Ctrl-C is a key. */
bool interrupt_ends_process(void);
int interrupt_count(void); /* how many came so far */

#endif
