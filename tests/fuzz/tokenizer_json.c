/* SPDX-License-Identifier: MIT */
/* Fuzz target: a tokenizer.json by itself. */
#include "open_model.h"

#include <apr/model.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    apr_model_options options;
    trueno_error err;
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true;
    if (bytes > 0 && data[0] == '{' &&
        apr_model_open_memory(&m, data, bytes, &options, &err) == TRUENO_OK)
        apr_model_close(m);
    return 0;
}
