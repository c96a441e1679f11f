/* SPDX-License-Identifier: MIT */
/* The files of a Hugging Face folder, as text. */
#ifndef APR_HF_WRITE_H
#define APR_HF_WRITE_H

#include "../json_write.h"
#include "../model_private.h"

/* config.json of a model whose weights are of `dtype` ("float32"); the document is left open to
 * finish. */
void apr_hf_write_config(apr_json *j, const apr_model *m, const apr_config *config,
                         const char *dtype);

/* generation_config.json. */
void apr_hf_write_generation(apr_json *j, const apr_model *m);

/* tokenizer.json: TRUENO_UNSUPPORTED for vocabularies that have no such form. */
trueno_status apr_hf_write_tokenizer(apr_json *j, const apr_model *m, trueno_error *err);

/* tokenizer_config.json. */
void apr_hf_write_tokenizer_config(apr_json *j, const apr_model *m);

#endif
