/* SPDX-License-Identifier: MIT */
/* The JSON files beside a folder's weights: config, tokenizer, defaults, chat template. */
#include "hf.h"

#include "../file_limits.h"
#include "../reader.h"
#include "../vocab.h"
#include "source_keys.h"
#include <limits.h>

static trueno_status load_companions(apr_model *m, const char *folder, apr_hf_files *files,
                                     trueno_error *err)
{
    const struct {
        const char *name;
        json_t **out;
        size_t limit;
        bool needed, reals;
    } rows[] = {
        {"config.json", &files->config, APR_LIMIT_CONFIG_BYTES, !m->options.vocab_only, false},
        {"generation_config.json", &files->generation, APR_LIMIT_CONFIG_BYTES, false, false},
        {"tokenizer.json", &files->tokenizer, APR_LIMIT_TOKENIZER_BYTES, false, false},
        {"tokenizer_config.json", &files->tokenizer_config, APR_LIMIT_CONFIG_BYTES, false, true},
        {"special_tokens_map.json", &files->special_tokens, APR_LIMIT_CONFIG_BYTES, false, true},
    };
    char path[PATH_MAX];
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == TRUENO_OK; i++) {
        if ((status = apr_hf_path(folder, rows[i].name, path, sizeof path, err)) < 0)
            return status;
        status = rows[i].reals
                     ? apr_json_load_reals(path, rows[i].limit, rows[i].out, err)
                     : apr_json_load(path, rows[i].limit, !rows[i].needed, rows[i].out, err);
    }
    return status;
}

static void set_name(apr_model *m, const json_t *name)
{
    if (json_is_string(name))
        apr_copy_line(m->config.name, sizeof m->config.name,
                      (apr_text){json_string_value(name), (uint32_t)json_string_length(name)});
}

/* Entries of config.json, and those of other formats that a conversion put there as one member. */
static trueno_status read_entries(apr_model *m, json_t *config, trueno_error *err)
{
    json_t *others = json_incref(json_object_get(config, APR_SOURCE_METADATA));
    trueno_status status;

    (void)json_object_del(config, APR_SOURCE_METADATA);
    status = apr_json_to_meta(m, config, "", err);
    if (status == TRUENO_OK && json_is_object(others))
        status = apr_source_take(m, others, err);
    if (m->config.name[0] == '\0')
        set_name(m, json_object_get(others, "general.name"));
    json_decref(others);
    return status;
}

/* What is known besides the weights. */
static trueno_status read_companions(apr_model *m, const char *folder, const apr_hf_files *files,
                                     trueno_error *err)
{
    char path[PATH_MAX];
    trueno_status status;

    apr_vocab_init(&m->vocab);
    if (files->config != NULL && ((status = apr_hf_config(m, files->config, err)) < 0 ||
                                  (status = read_entries(m, files->config, err)) < 0))
        return status;
    if (files->generation != NULL &&
        (status = apr_json_to_meta(m, files->generation, "generation.", err)) < 0)
        return status;
    if (files->tokenizer != NULL) {
        if ((status = apr_hf_path(folder, "tokenizer.json", path, sizeof path, err)) < 0 ||
            (status = apr_hf_tokenizer(m, files->tokenizer, path, err)) < 0)
            return status;
        m->has_vocab = true;
    }
    if ((status = apr_hf_generation(m, files, err)) < 0)
        return status;
    if (m->has_vocab && m->config.vocab_size == 0)
        m->config.vocab_size = m->vocab.n_tokens;
    if (m->has_vocab && m->vocab.n_tokens > m->config.vocab_size)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: tokenizer.json has %d tokens, but the model has only %d", m->path,
                           m->vocab.n_tokens, m->config.vocab_size);
    return apr_hf_chat_template(m, folder, files->tokenizer_config, err);
}

trueno_status apr_hf_read_companions(apr_model *m, const char *folder, trueno_error *err)
{
    apr_hf_files files = {0};
    trueno_status status = load_companions(m, folder, &files, err);

    if (status == TRUENO_OK)
        status = read_companions(m, folder, &files, err);
    json_decref(files.config);
    json_decref(files.generation);
    json_decref(files.tokenizer);
    json_decref(files.tokenizer_config);
    json_decref(files.special_tokens);
    return status < 0 ? status : apr_model_index_meta(m, err);
}
