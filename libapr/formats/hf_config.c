/* SPDX-License-Identifier: MIT */
/* config.json of both generations (rope_scaling, or transformers 5's rope_parameters). */
#include "hf.h"

#include "../config.h"
#include "../reader.h"
#include <math.h>
#include <string.h>

/* The text model's part of config.json: the whole, or text_config of a larger model. */
static const json_t *text_part(const json_t *config)
{
    const json_t *text = apr_json_at(config, "text_config");

    return text != NULL ? text : config;
}

static bool find_value(const void *data, const char *key, apr_meta *value)
{
    const json_t *found = apr_json_at(data, key);

    if (found == NULL)
        return false;
    if (!apr_json_scalar(found, value))
        *value = (apr_meta){.kind = APR_META_JSON, .type_name = "a list or an object"};
    return true;
}

static trueno_status read_class(apr_model *m, const json_t *config, trueno_error *err)
{
    const char *name = json_string_value(json_array_get(apr_json_at(config, "architectures"), 0));
    apr_config *c = &m->config;

    if (name == NULL)
        name = json_string_value(apr_json_at(config, "model_type"));
    if (name == NULL)
        return trueno_fail(err, TRUENO_FORMAT, "%s: config.json names no architecture", m->path);
    m->architecture = apr_architecture_find_class(name);
    if (m->architecture != NULL)
        name = m->architecture->name;
    apr_copy_line(c->architecture, sizeof c->architecture,
                  (apr_text){name, (uint32_t)strlen(name)});
    c->norm_weight_offset = m->architecture != NULL && m->architecture->norm_plus_one ? 1.0f : 0.0f;
    return TRUENO_OK;
}

/* The activation function, which the architecture's row fixes, must be the one named. */
static trueno_status check_activation(const apr_model *m, const json_t *config, trueno_error *err)
{
    const char *named = json_string_value(apr_json_at(config, "hidden_activation"));
    const char *wanted = m->architecture->hf_activation;
    char shown[40];

    if (named == NULL)
        named = json_string_value(apr_json_at(config, "hidden_act"));
    if (named == NULL || strcmp(named, wanted) == 0)
        return TRUENO_OK;
    /* Gemma's first files say "gelu" and mean the tanh form */
    if (m->architecture->norm_plus_one && strcmp(named, "gelu") == 0)
        return TRUENO_OK;
    apr_printable(shown, sizeof shown, named, strlen(named));
    return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: activation %s, of %s only %s is known",
                       m->path, shown, m->config.architecture, wanted);
}

/* Weights that another program packed its own way (gptq, awq, bitsandbytes...) have no names or
 * types that are known; "gguf" is what transformers leaves behind when it has unpacked them. */
static trueno_status check_quantization(const apr_model *m, const json_t *config, trueno_error *err)
{
    const char *method = json_string_value(apr_json_at(config, "quantization_config.quant_method"));
    char shown[40];

    if (method == NULL || strcmp(method, "gguf") == 0)
        return TRUENO_OK;
    apr_printable(shown, sizeof shown, method, strlen(method));
    return trueno_fail(err, TRUENO_UNSUPPORTED,
                       "%s: weights quantised by %s (quantization_config) are not read; F32, F16, "
                       "BF16 and F64 are",
                       m->path, shown);
}

/* Every layer must be a mixture of experts. */
static trueno_status check_experts(const apr_model *m, const json_t *config, trueno_error *err)
{
    const json_t *step = apr_json_at(config, "decoder_sparse_step");

    if (m->config.n_experts == 0)
        return TRUENO_OK;
    if ((step != NULL && json_integer_value(step) != 1) ||
        json_array_size(apr_json_at(config, "mlp_only_layers")) > 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: some layers are no mixture of experts (decoder_sparse_step, "
                           "mlp_only_layers)",
                           m->path);
    return TRUENO_OK;
}

/* The window by the list of layer types: none, all, or all but every n-th. */
static trueno_status read_layer_types(apr_model *m, const json_t *types, trueno_error *err)
{
    apr_config *c = &m->config;
    size_t n = json_array_size(types), first_full = n, full = 0;
    int32_t pattern;

    for (size_t i = 0; i < n; i++) {
        const char *type = json_string_value(json_array_get(types, i));

        if (type == NULL ||
            (strcmp(type, "full_attention") != 0 && strcmp(type, "sliding_attention") != 0))
            return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: layer %zu is of an unknown type",
                               m->path, i);
        if (strcmp(type, "full_attention") == 0) {
            full++;
            first_full = first_full < i ? first_full : i;
        }
    }
    if (n != (size_t)c->n_layers)
        return trueno_fail(err, TRUENO_FORMAT, "%s: layer_types has %zu entries for %d layers",
                           m->path, n, c->n_layers);
    if (full == n)
        c->sliding_window = 0;
    pattern = full == n || full == 0 ? 0 : (int32_t)first_full + 1;
    for (size_t i = 0; pattern > 0 && i < n; i++) {
        const char *type = json_string_value(json_array_get(types, i));

        if ((strcmp(type, "full_attention") == 0) != ((i + 1) % (size_t)pattern == 0))
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: full attention at layer %zu is not at every %d-th layer",
                               m->path, i, pattern);
    }
    c->sliding_window_pattern = pattern;
    return TRUENO_OK;
}

static trueno_status read_window(apr_model *m, const json_t *config, trueno_error *err)
{
    const json_t *types = apr_json_at(config, "layer_types");
    const json_t *use = apr_json_at(config, "use_sliding_window");

    if (use != NULL && !json_is_true(use)) {
        m->config.sliding_window = 0;
        return TRUENO_OK;
    }
    if (types != NULL)
        return read_layer_types(m, types, err);
    if (json_is_true(use) && m->config.sliding_window > 0 &&
        json_integer_value(apr_json_at(config, "max_window_layers")) != 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: only layers from max_window_layers on have a sliding window",
                           m->path);
    return TRUENO_OK;
}

static trueno_status read_factor_list(apr_model *m, const json_t *list, const char *what,
                                      float *out, trueno_error *err)
{
    size_t n = json_array_size(list);

    if (n != (size_t)m->config.n_rot / 2 || n > APR_MAX_ROPE_FACTORS)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %s has %zu entries, wanted %d (at most %d)", m->path, what, n,
                           m->config.n_rot / 2, APR_MAX_ROPE_FACTORS);
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)json_number_value(json_array_get(list, i));
        if (!(out[i] > 0) || !isfinite(out[i]))
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s[%zu] is no positive number", m->path,
                               what, i);
    }
    m->config.n_rope_factors = (int32_t)n;
    return TRUENO_OK;
}

/* Long RoPE: two lists of factors. */
static trueno_status read_long_rope(apr_model *m, const json_t *config, trueno_error *err)
{
    const json_t *scaling = apr_json_at(config, "rope_scaling");
    trueno_status status;

    if (m->config.rope_scaling != APR_ROPE_SCALING_LONGROPE)
        return TRUENO_OK;
    if (scaling == NULL)
        scaling = apr_json_at(config, "rope_parameters");
    status = read_factor_list(m, apr_json_at(scaling, "long_factor"), "long_factor",
                              m->config.rope_long_factors, err);
    if (status < 0)
        return status;
    return read_factor_list(m, apr_json_at(scaling, "short_factor"), "short_factor",
                            m->config.rope_short_factors, err);
}

/* The part of a head that is rotated. */
static trueno_status read_partial_rotary(apr_model *m, const json_t *config, trueno_error *err)
{
    const json_t *factor = apr_json_at(config, "partial_rotary_factor");
    apr_config *c = &m->config;
    double value;

    if (factor == NULL)
        factor = apr_json_at(config, "rope_parameters.partial_rotary_factor");
    if (factor == NULL)
        return TRUENO_OK;
    value = json_number_value(factor);
    if (!(value > 0 && value <= 1))
        return trueno_fail(err, TRUENO_FORMAT, "%s: partial_rotary_factor is %g, allowed 0 to 1",
                           m->path, value);
    if (c->head_dim == 0 && c->n_heads > 0)
        c->head_dim = c->hidden_size / c->n_heads;
    c->n_rot = (int32_t)(c->head_dim * value);
    return TRUENO_OK;
}

trueno_status apr_hf_config(apr_model *m, const json_t *config, trueno_error *err)
{
    const json_t *text = text_part(config);
    apr_config_source source = {find_value, text, APR_COLUMN_HF, m->path, false, false};
    trueno_status status;

    if ((status = read_class(m, config, err)) < 0)
        return status;
    source.ours = m->architecture != NULL;
    source.complete = source.ours && !m->options.vocab_only;
    if (source.ours)
        m->config.tied_embeddings = m->architecture->hf_tied;
    if ((status = apr_config_read(&m->config, &source, err)) < 0)
        return status;
    m->config.rope_type = APR_ROPE_NEOX;
    if (!source.ours)
        return apr_config_finish(&m->config, NULL, m->path, err);
    if (source.complete && (status = check_quantization(m, config, err)) < 0)
        return status;
    if ((status = read_partial_rotary(m, text, err)) < 0 ||
        (status = read_window(m, text, err)) < 0 ||
        (status = apr_config_finish(&m->config, m->architecture, m->path, err)) < 0 ||
        (status = read_long_rope(m, text, err)) < 0 ||
        (status = check_activation(m, text, err)) < 0)
        return status;
    return check_experts(m, text, err);
}
