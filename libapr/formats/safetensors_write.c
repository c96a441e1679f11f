/* SPDX-License-Identifier: MIT */
/* Writer of Hugging Face folders: one SafeTensors file, and the JSON files beside it. */
#include "hf_write.h"

#include "../plan.h"
#include "../rope_tables.h"
#include "write.h"
#include <stdio.h>
#include <string.h>

static const char *dtype_name(trueno_type type)
{
    return type == TRUENO_F32    ? "F32"
           : type == TRUENO_F16  ? "F16"
           : type == TRUENO_BF16 ? "BF16"
                                 : NULL;
}

/* The header, padded with spaces so that the data begin at a multiple of 8. */
static trueno_status put_header(apr_json *j, const apr_model *m, const apr_plan *plan,
                                trueno_error *err)
{
    apr_json_open(j, '{');
    apr_json_put_open(j, "__metadata__", '{');
    apr_json_key(j, "format");
    apr_json_string(j, "pt");
    apr_json_close(j, '}');
    for (size_t i = 0; i < plan->n; i++) {
        const apr_planned *t = &plan->tensors[i];

        if (dtype_name(t->type) == NULL)
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: tensor %s is of a type that is not written to SafeTensors",
                               m->path, t->name);
        apr_json_put_open(j, t->name, '{');
        apr_json_key(j, "dtype");
        apr_json_string(j, dtype_name(t->type));
        apr_json_put_ints(j, "shape", t->dims, t->n_dims);
        apr_json_put_open(j, "data_offsets", '[');
        apr_json_uint(j, t->offset);
        apr_json_uint(j, t->offset + t->bytes);
        apr_json_close(j, ']');
        apr_json_close(j, '}');
    }
    apr_json_close(j, '}');
    while (j->buffer.length % 8 != 0 && !j->buffer.failed)
        apr_json_more(j, " ", 1);
    return TRUENO_OK;
}

static trueno_status write_container(const apr_model *m, apr_plan *plan, const char *path,
                                     const apr_convert_options *options, trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    apr_output out;
    size_t bytes = 0;
    char *header = NULL;
    uint8_t length[8];
    trueno_status status;

    (void)apr_plan_place(plan, 1);
    if ((status = put_header(&j, m, plan, err)) < 0) {
        apr_json_drop(&j);
        return status;
    }
    if ((status = apr_json_finish(&j, m->path, &header, &bytes, err)) < 0)
        return status;
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bytes >> 8 * i);
    if ((status = apr_output_open(&out, path, false, err)) == TRUENO_OK &&
        (status = apr_output_write(&out, length, sizeof length, err)) == TRUENO_OK &&
        (status = apr_output_write(&out, header, bytes, err)) == TRUENO_OK &&
        (status = apr_plan_write(plan, m, &out, options, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    trueno_release(m->options.allocator, header, bytes + 1);
    return status;
}

static trueno_status write_tokenizer(const apr_model *m, const char *folder, trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    trueno_status status = apr_hf_write_tokenizer(&j, m, err);

    if (status < 0) {
        apr_json_drop(&j);
        return status;
    }
    if ((status = apr_write_document(m, &j, folder, "tokenizer.json", err)) < 0)
        return status;
    apr_hf_write_tokenizer_config(&j, m);
    return apr_write_document(m, &j, folder, "tokenizer_config.json", err);
}

/* PyTorch's word for what most of the weights are. */
static const char *torch_dtype(const apr_plan *plan)
{
    uint64_t bytes[TRUENO_TYPE_LIMIT] = {0};

    for (size_t i = 0; i < plan->n; i++)
        if ((unsigned)plan->tensors[i].type < TRUENO_TYPE_LIMIT)
            bytes[plan->tensors[i].type] += plan->tensors[i].bytes;
    if (bytes[TRUENO_BF16] > bytes[TRUENO_F32] && bytes[TRUENO_BF16] > bytes[TRUENO_F16])
        return "bfloat16";
    return bytes[TRUENO_F16] > bytes[TRUENO_F32] ? "float16" : "float32";
}

static trueno_status write_planned(const apr_model *m, apr_plan *plan, const char *folder,
                                   const apr_convert_options *options, trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    char path[4096];
    trueno_status status;

    apr_hf_write_config(&j, m, &plan->config, torch_dtype(plan));
    if ((status = apr_write_document(m, &j, folder, "config.json", err)) < 0)
        return status;
    apr_hf_write_generation(&j, m);
    if ((status = apr_write_document(m, &j, folder, "generation_config.json", err)) < 0)
        return status;
    if (m->has_vocab && (status = write_tokenizer(m, folder, err)) < 0)
        return status;
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return write_container(m, plan, path, options, err);
}

/* config.json has Llama 3's numbers where a file has a table of divisors. */
static trueno_status say_divisors(const apr_model *m, apr_config *config, trueno_error *err)
{
    const apr_tensor *table = apr_model_role(m, APR_ROPE_FREQUENCIES, 0);
    float divisors[APR_MAX_ROPE_FACTORS];
    trueno_tensor view;

    if (table == NULL || config->rope_scaling == APR_ROPE_SCALING_LLAMA3)
        return TRUENO_OK;
    view = apr_tensor_matrix(m, table);
    if (view.cols <= APR_MAX_ROPE_FACTORS && trueno_type_get(table->type) != NULL &&
        view.cols == config->n_rot / 2) {
        trueno_tensor_row_to_f32(&view, 0, divisors);
        if (apr_llama3_fit(config, divisors))
            return TRUENO_OK;
    }
    return trueno_fail(err, TRUENO_UNSUPPORTED,
                       "%s: the divisors of rope_freqs.weight cannot be said in config.json",
                       m->path);
}

apr_plan_target apr_target_safetensors(const apr_model *m)
{
    const apr_architecture *row = m->architecture;

    return (apr_plan_target){.names = APR_NAMES_HF,
                             .rope_type = APR_ROPE_NEOX,
                             .norm_weight_offset = row != NULL && row->norm_plus_one ? 1 : 0,
                             .split_experts = true,
                             .floats_only = true,
                             .config_has_rope = true};
}

trueno_status apr_write_safetensors(const apr_model *m, const char *folder,
                                    const apr_convert_options *options, trueno_error *err)
{
    const apr_architecture *row = m->architecture;
    const apr_plan_target target = apr_target_safetensors(m);
    apr_plan plan;
    trueno_status status;

    if (row == NULL)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: how architecture %s is kept in a Hugging Face folder is not known",
                           m->path, m->config.architecture);
    if (strlen(folder) > 3900)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", folder);
    status = apr_plan_make(&plan, m, &target, options, err);
    if (status == TRUENO_OK)
        status = say_divisors(m, &plan.config, err);
    if (status == TRUENO_OK)
        status = write_planned(m, &plan, folder, options, err);
    trueno_arena_free(&plan.arena);
    return status;
}
