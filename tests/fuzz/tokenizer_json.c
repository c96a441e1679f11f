/* SPDX-License-Identifier: MIT */
/* Fuzz target: a tokenizer.json by itself, and a text through the pipeline that it describes. */
#include "open_model.h"

#include <apr/model.h>
#include <realizar/tokenizer.h>

static void encode(const apr_vocab *vocab)
{
    static const char text[] =
        "Hello  w\xc3\xb6rld, it's 1234\n\n<s>\xe4\xbd\xa0\xe5\xa5\xbd \xff\xf0\x9f x</s>";
    realizar_tokenizer *t;
    trueno_error err;
    int32_t ids[4 * sizeof text];
    char out[64 * sizeof text];
    size_t count;

    if (realizar_tokenizer_new(&t, vocab, NULL, &err) < 0)
        return;
    if (realizar_tokenizer_encode(t, text, sizeof text - 1, REALIZAR_ENCODE_SPECIAL, ids,
                                  sizeof ids / sizeof *ids, &count, &err) == TRUENO_OK)
        (void)realizar_tokenizer_decode(t, ids, count, true, out, sizeof out);
    realizar_tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    apr_model_options options;
    trueno_error err;
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true;
    if (bytes == 0 || data[0] != '{' || apr_model_open_memory(&m, data, bytes, &options, &err) < 0)
        return 0;
    if (apr_model_vocab(m) != NULL)
        encode(apr_model_vocab(m));
    apr_model_close(m);
    return 0;
}
