/* SPDX-License-Identifier: MIT */
/* Writer of GGUF files, version 3: keys, tensor table, aligned data. Dimensions are turned here. */
#include "gguf_write.h"

#include "../file_limits.h"
#include "../plan.h"
#include "../rope_tables.h"
#include "write.h"
#include <math.h>
#include <string.h>

enum { GGUF_VERSION = 3, GGUF_ALIGNMENT = 32, QUANTIZATION_VERSION = 2 };

/* Llama 3's stretching as divisors of each pair's frequency, which is how GGUF says it. */
static trueno_status add_llama3_factors(apr_plan *plan, trueno_error *err)
{
    const apr_config *c = &plan->config;
    float divisors[APR_MAX_ROPE_FACTORS];
    int32_t n = c->n_rot / 2;

    if (n > APR_MAX_ROPE_FACTORS)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%d rotated pairs, at most %d", n,
                           APR_MAX_ROPE_FACTORS);
    apr_llama3_divisors(c, divisors);
    return apr_plan_add_values(plan, "rope_freqs.weight", divisors, n, err);
}

/* RoPE tables that the source had in its config. */
static trueno_status add_rope_tables(const apr_model *m, apr_plan *plan, trueno_error *err)
{
    const apr_config *c = &plan->config;
    trueno_status status;

    if (c->rope_scaling == APR_ROPE_SCALING_LLAMA3 &&
        apr_model_role(m, APR_ROPE_FREQUENCIES, 0) == NULL)
        return add_llama3_factors(plan, err);
    if (c->rope_scaling != APR_ROPE_SCALING_LONGROPE ||
        apr_model_role(m, APR_ROPE_FACTORS_LONG, 0) != NULL)
        return TRUENO_OK;
    status = apr_plan_add_values(plan, "rope_factors_long.weight", c->rope_long_factors,
                                 c->n_rope_factors, err);
    return status < 0 ? status
                      : apr_plan_add_values(plan, "rope_factors_short.weight",
                                            c->rope_short_factors, c->n_rope_factors, err);
}

/* The file's type by the mix asked for, else the source's word, else what most of its matrices are.
 */
static uint32_t file_type(const apr_model *m, const apr_plan *plan,
                          const apr_convert_options *options)
{
    const apr_meta *said = apr_model_meta_find(m, "general.file_type");
    uint64_t bytes[TRUENO_TYPE_LIMIT] = {0};
    const apr_mix *mix = options->mix;
    int most = TRUENO_F32;

    if (mix == NULL && said != NULL && (said->kind == APR_META_UINT || said->kind == APR_META_INT))
        return (uint32_t)said->u;
    if (mix == NULL) {
        for (size_t i = 0; i < plan->n; i++)
            if ((unsigned)plan->tensors[i].type < TRUENO_TYPE_LIMIT && plan->tensors[i].n_dims > 1)
                bytes[plan->tensors[i].type] += plan->tensors[i].bytes;
        for (int type = 0; type < TRUENO_TYPE_LIMIT; type++)
            most = bytes[type] > bytes[most] ? type : most;
        mix = trueno_type_get(most) != NULL ? apr_mix_find(trueno_type_get(most)->name) : NULL;
    }
    return mix != NULL ? (uint32_t)apr_mix_file_type(mix) : 0;
}

static trueno_status collect_keys(const apr_model *m, const apr_plan *plan, apr_gguf_keys *keys,
                                  const apr_convert_options *options, trueno_error *err)
{
    trueno_status status = apr_gguf_write_config(m, &plan->config, keys, err);

    apr_gguf_key_u32(keys, "general.file_type", file_type(m, plan, options));
    apr_gguf_key_u32(keys, "general.quantization_version", QUANTIZATION_VERSION);
    if (status == TRUENO_OK && m->has_vocab && strncmp(m->format, "GGUF", 4) != 0)
        status = apr_gguf_write_vocab(m, keys, err);
    return status;
}

static void put_table(const apr_plan *plan, apr_buffer *b)
{
    for (size_t i = 0; i < plan->n; i++) {
        const apr_planned *t = &plan->tensors[i];

        apr_gguf_put_text(b, t->name, strlen(t->name));
        apr_gguf_put_u32(b, (uint32_t)t->n_dims);
        for (int d = t->n_dims - 1; d >= 0; d--)
            apr_gguf_put_u64(b, (uint64_t)t->dims[d]);
        apr_gguf_put_u32(b, (uint32_t)t->type);
        apr_gguf_put_u64(b, t->offset);
    }
}

static trueno_status write_tables(const apr_model *m, const apr_plan *plan,
                                  const apr_gguf_keys *keys, apr_output *out, trueno_error *err)
{
    apr_buffer b = {.allocator = m->options.allocator};
    trueno_status status;

    apr_buffer_append(&b, "GGUF", 4);
    apr_gguf_put_u32(&b, GGUF_VERSION);
    apr_gguf_put_u64(&b, plan->n);
    apr_gguf_put_u64(&b, keys->n);
    apr_buffer_append(&b, keys->bytes.data, keys->bytes.length);
    put_table(plan, &b);
    if (b.failed || keys->bytes.failed)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the tables", m->path);
    else
        status = apr_output_write(out, b.data, b.length, err);
    apr_buffer_free(&b);
    if (status == TRUENO_OK)
        status = apr_output_pad_to(
            out, (out->offset + GGUF_ALIGNMENT - 1) & ~(uint64_t)(GGUF_ALIGNMENT - 1), err);
    return status;
}

static trueno_status write_planned(const apr_model *m, apr_plan *plan, apr_output *out,
                                   const apr_convert_options *options, trueno_error *err)
{
    apr_gguf_keys keys = {.bytes.allocator = m->options.allocator};
    trueno_status status = add_rope_tables(m, plan, err);

    (void)apr_plan_place(plan, GGUF_ALIGNMENT);
    if (plan->n > APR_LIMIT_GGUF_TENSORS)
        status = trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %zu tensors, a GGUF file holds %d",
                             m->path, plan->n, APR_LIMIT_GGUF_TENSORS);
    if (status == TRUENO_OK)
        status = collect_keys(m, plan, &keys, options, err);
    if (status == TRUENO_OK)
        status = write_tables(m, plan, &keys, out, err);
    if (status == TRUENO_OK)
        status = apr_plan_write(plan, m, out, options, err);
    apr_buffer_free(&keys.bytes);
    if (status < 0)
        return status;
    return apr_output_pad_to(
        out, (out->offset + GGUF_ALIGNMENT - 1) & ~(uint64_t)(GGUF_ALIGNMENT - 1), err);
}

apr_plan_target apr_target_gguf(const apr_model *m)
{
    return (apr_plan_target){.names = APR_NAMES_GGUF,
                             .rope_type = m->architecture != NULL ? m->architecture->gguf_rope : -1,
                             .norm_weight_offset = 0,
                             .stack_experts = true,
                             .vectors_f32 = true};
}

trueno_status apr_write_gguf(const apr_model *m, apr_output *out,
                             const apr_convert_options *options, trueno_error *err)
{
    const apr_plan_target target = apr_target_gguf(m);
    apr_plan plan;
    trueno_status status;

    if (m->architecture == NULL && strncmp(m->format, "GGUF", 4) != 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: how architecture %s is kept in GGUF is not known", m->path,
                           m->config.architecture);
    status = apr_plan_make(&plan, m, &target, options, err);
    if (status == TRUENO_OK)
        status = write_planned(m, &plan, out, options, err);
    trueno_arena_free(&plan.arena);
    return status;
}
