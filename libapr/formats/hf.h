/* SPDX-License-Identifier: MIT */
/* Hugging Face folders: weights in SafeTensors, everything else in JSON files beside them. */
#ifndef APR_HF_H
#define APR_HF_H

#include "../json_read.h"
#include "../model_private.h"

/* The JSON files of a folder, NULL where there is none. */
typedef struct apr_hf_files {
    json_t *config, *generation, *tokenizer, *tokenizer_config, *special_tokens;
} apr_hf_files;

/* A folder, m->path: its weights and all companions. */
trueno_status apr_hf_read_folder(apr_model *m, trueno_error *err);

/* The folder's JSON companions: config, entries of metadata, vocabulary, chat template. */
trueno_status apr_hf_read_companions(apr_model *m, const char *folder, trueno_error *err);

/* config.json: hyperparameters. */
trueno_status apr_hf_config(apr_model *m, const json_t *config, trueno_error *err);

/* generation_config.json: generation defaults, ends of turns into the vocabulary. */
trueno_status apr_hf_generation(apr_model *m, const apr_hf_files *files, trueno_error *err);

/* tokenizer.json (of that path, for messages) into m->vocab. */
trueno_status apr_hf_tokenizer(apr_model *m, const json_t *root, const char *path,
                               trueno_error *err);

/* Normaliser and pre-tokeniser of tokenizer.json into vocab.steps. */
trueno_status apr_hf_tokenizer_steps(apr_model *m, const json_t *root, const char *path,
                                     trueno_error *err);

/* The chat template: chat_template.jinja, else from tokenizer_config.json. */
trueno_status apr_hf_chat_template(apr_model *m, const char *folder, const json_t *tokenizer_config,
                                   trueno_error *err);

#define APR_HF_INDEX "model.safetensors.index.json"

/* Does the text end so? */
bool apr_hf_ends_with(const char *text, const char *end);

/*
 * The path of the one .safetensors file of a folder that has neither an index nor the usual name.
 * TRUENO_UNSUPPORTED when there is another number of them, and what there is instead.
 */
trueno_status apr_hf_find_single(const char *folder, char *out, size_t capacity, trueno_error *err);

/*
 * In a Hugging Face cache, "models--ORG--NAME" holds the folder in snapshots/REVISION: put that
 * path in the place of the folder's. Of several revisions the one that refs/main names, or
 * TRUENO_UNSUPPORTED. A folder without snapshots stays.
 */
trueno_status apr_hf_enter_snapshot(char *folder, size_t capacity, trueno_error *err);

/* "FOLDER/NAME" into out[0..capacity), TRUENO_USAGE when it does not fit. */
trueno_status apr_hf_path(const char *folder, const char *name, char *out, size_t capacity,
                          trueno_error *err);

#endif
