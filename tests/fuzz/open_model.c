/* SPDX-License-Identifier: MIT */
/* Opening a model from bytes and reading all that it tells. */
#include "open_model.h"

#include <apr/inspect.h>
#include <apr/layout.h>
#include <apr/model.h>

/* Reads every byte of a region. */
static void read_region(void *user, const apr_region *r)
{
    volatile uint8_t *sum = user;

    for (uint64_t i = 0; i < r->bytes; i++)
        *sum ^= r->data[i];
}

void fuzz_open_model(const uint8_t *data, size_t bytes)
{
    const apr_tensors_options tensors = {
        .size = sizeof tensors, .stats = bytes < 8192, .threads = 1};
    apr_model_options options;
    trueno_error err;
    apr_model *m;
    uint8_t sum = 0;
    size_t n;
    char *text;

    apr_model_options_init(&options, sizeof options);
    options.lenient = bytes % 2 != 0;
    options.vocab_only = bytes % 4 >= 2;
    if (apr_model_open_memory(&m, data, bytes, &options, &err) < 0)
        return;
    if (apr_inspect_json(m, true, &text, &n, &err) == TRUENO_OK)
        apr_inspect_free(m, text, n);
    if (apr_tensors_json(m, &tensors, &text, &n, &err) == TRUENO_OK)
        apr_inspect_free(m, text, n);
    (void)apr_model_check_shapes(m, &err);
    (void)apr_layout_tell(m, NULL, read_region, &sum, &err);
    apr_model_close(m);
}
