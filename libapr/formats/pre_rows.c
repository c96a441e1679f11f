/* SPDX-License-Identifier: MIT */
/* Pre-tokenisers by their name in GGUF and their pipeline in tokenizer.json. */
#include "pre_rows.h"

#include <stddef.h>
#include <string.h>

static const apr_pre_row ROWS[] = {
    {"qwen2",
     "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
     "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     false, true},
    {"llama-bpe",
     "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     false, false},
    {"smollm", NULL, true, false},
    {"gpt-2", NULL, false, false},
};

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

const apr_pre_row *apr_pre_find(const char *pre)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(ROWS[i].pre, pre) == 0)
            return &ROWS[i];
    return NULL;
}

const apr_pre_row *apr_pre_of_steps(const apr_vocab *v)
{
    const char *pattern = NULL;
    bool digits = false;
    int splits = 0;

    for (int32_t i = 0; i < v->n_steps; i++) {
        digits = digits || v->steps[i].kind == APR_STEP_DIGITS;
        if (v->steps[i].kind == APR_STEP_SPLIT && splits++ == 0)
            pattern = v->steps[i].pattern;
    }
    for (size_t i = 0; i < N_ROWS && splits <= 1; i++) {
        const bool same = pattern != NULL && ROWS[i].pattern != NULL
                              ? strcmp(pattern, ROWS[i].pattern) == 0
                              : pattern == ROWS[i].pattern;

        if (same && digits == ROWS[i].digits)
            return &ROWS[i];
    }
    return NULL;
}
