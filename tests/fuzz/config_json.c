/* SPDX-License-Identifier: MIT */
/* Fuzz target: config.json and generation_config.json, which may follow it behind a zero byte. */
#include "open_model.h"

#include "formats/hf.h"
#include "json_read.h"
#include "vocab.h"
#include <string.h>

static void read_both(apr_model *m, const uint8_t *config, size_t config_bytes,
                      const uint8_t *generation, size_t generation_bytes)
{
    apr_hf_files files = {0};
    trueno_error err;

    if (apr_json_parse("config.json", config, config_bytes, &files.config, &err) == TRUENO_OK &&
        apr_hf_config(m, files.config, &err) == TRUENO_OK &&
        apr_json_to_meta(m, files.config, "", &err) == TRUENO_OK && generation_bytes > 0 &&
        apr_json_parse("generation_config.json", generation, generation_bytes, &files.generation,
                       &err) == TRUENO_OK)
        (void)apr_hf_generation(m, &files, &err);
    json_decref(files.config);
    json_decref(files.generation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *zero = memchr(data, 0, bytes);
    size_t first = zero != NULL ? (size_t)(zero - data) : bytes;
    apr_model m = {.path = "fuzz", .has_vocab = true};

    apr_vocab_init(&m.vocab);
    read_both(&m, data, first, data + first + (zero != NULL), bytes - first - (zero != NULL));
    trueno_arena_free(&m.arena);
    return 0;
}
