/* SPDX-License-Identifier: MIT */
/*
 * tokenizer.json: its kind of model, and what its post-processor and decoder say. Source: the files
 * that the tokenizers library writes.
 */
#include "tokenizer_json.h"

#include <string.h>

/* Members of the model that change its meaning and that nothing here knows. */
static trueno_status check_model(const char *path, const json_t *model, trueno_error *err)
{
    static const char *const EMPTY[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const json_t *dropout = json_object_get(model, "dropout");

    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_object_get(model, EMPTY[i]);

        if (json_is_string(value) && json_string_length(value) > 0)
            return apr_tokenizer_json_fail(path, TRUENO_UNSUPPORTED, "a tokenizer with", EMPTY[i],
                                           err);
    }
    if (json_is_number(dropout) && json_number_value(dropout) != 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: a tokenizer with dropout", path);
    return TRUENO_OK;
}

/* The template for one sequence: a special token before it is BOS, one behind it EOS. */
static trueno_status read_template(apr_vocab *v, const json_t *node, const char *path,
                                   trueno_error *err)
{
    const json_t *single = json_object_get(node, "single");
    size_t n = json_array_size(single), sequences = 0;

    for (size_t i = 0; i < n; i++) {
        const json_t *piece = json_array_get(single, i);
        const json_t *special = json_object_get(piece, "SpecialToken");
        int32_t id = apr_tokenizer_json_find(v, json_object_get(special, "id"));

        sequences += json_object_get(piece, "Sequence") != NULL;
        if (special == NULL)
            continue;
        if (id < 0 || (i > 0 && i + 1 < n) || (sequences == 0 && v->add_bos))
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: post_processor: more than one special token on a side, or an "
                               "unknown one",
                               path);
        if (sequences == 0) {
            v->add_bos = true;
            v->bos = id;
        } else {
            v->add_eos = true;
            v->eos = id;
        }
    }
    if (sequences != 1)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: post_processor: no single sequence", path);
    return TRUENO_OK;
}

static trueno_status read_processor(apr_vocab *v, const json_t *node, const char *path,
                                    trueno_error *err)
{
    const char *type = json_string_value(json_object_get(node, "type"));

    if (type == NULL || strcmp(type, "ByteLevel") == 0)
        return TRUENO_OK; /* changes offsets only */
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(v, node, path, err);
    return apr_tokenizer_json_fail(path, TRUENO_UNSUPPORTED, "post_processor of an unknown type",
                                   type, err);
}

static trueno_status read_processors(apr_vocab *v, const json_t *node, const char *path,
                                     trueno_error *err)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    const json_t *members = json_object_get(node, "processors");
    trueno_status status = TRUENO_OK;

    if (type == NULL || strcmp(type, "Sequence") != 0)
        return read_processor(v, node, path, err);
    for (size_t i = 0; i < json_array_size(members) && status == TRUENO_OK; i++)
        status = read_processor(v, json_array_get(members, i), path, err);
    return status;
}

/* A decoder that takes a leading space away: the encoder has put one. */
static bool strips_space(const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    const char *scheme = json_string_value(json_object_get(node, "prepend_scheme"));

    if (type == NULL)
        return false;
    if (strcmp(type, "Metaspace") == 0)
        return scheme != NULL ? strcmp(scheme, "never") != 0
                              : !json_is_false(json_object_get(node, "add_prefix_space"));
    return strcmp(type, "Strip") == 0 && json_integer_value(json_object_get(node, "start")) > 0;
}

static void read_decoder(apr_vocab *v, const json_t *node)
{
    const json_t *members = json_object_get(node, "decoders");
    const char *type = json_string_value(json_object_get(node, "type"));

    v->byte_level = v->byte_level || (type != NULL && strcmp(type, "ByteLevel") == 0);
    v->add_space_prefix = strips_space(node);
    for (size_t i = 0; i < json_array_size(members); i++)
        v->add_space_prefix = v->add_space_prefix || strips_space(json_array_get(members, i));
}

trueno_status apr_hf_tokenizer(apr_model *m, const json_t *root, const char *path,
                               trueno_error *err)
{
    const json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    apr_vocab *v = &m->vocab;
    trueno_status status;

    if (type == NULL) /* files of the first versions leave it out */
        type = json_object_get(model, "merges") != NULL ? "BPE" : "";
    if (strcmp(type, "BPE") != 0)
        return apr_tokenizer_json_fail(path, TRUENO_UNSUPPORTED, "a tokenizer model of the type",
                                       type, err);
    v->kind = APR_VOCAB_BPE;
    v->model = "BPE";
    v->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    v->fuse_unknown = json_is_true(json_object_get(model, "fuse_unk"));
    v->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    if ((status = check_model(path, model, err)) < 0 ||
        (status = apr_tokenizer_json_tokens(m, model, json_object_get(root, "added_tokens"), path,
                                            err)) < 0 ||
        (status = read_processors(v, json_object_get(root, "post_processor"), path, err)) < 0 ||
        (status = apr_hf_tokenizer_steps(m, root, path, err)) < 0)
        return status;
    read_decoder(v, json_object_get(root, "decoder"));
    return TRUENO_OK;
}
