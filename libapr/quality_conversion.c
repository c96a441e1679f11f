/* SPDX-License-Identifier: MIT */
/* Quality for conversions: what other formats and tools would stumble over. */
#include "quality.h"

#include "formats/write.h"
#include "names.h"
#include "packed_tensors.h"
#include "plan.h"
#include <string.h>
#include <zlib.h>

apr_quality_outcome apr_quality_architecture(apr_quality_look *l)
{
    if (l->m->architecture != NULL)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "'%s' is not known", l->m->config.architecture);
}

/* The name that the model's format has for a tensor, or "" where it is of no known part. */
static void canonical_name(const apr_model *m, const apr_tensor *t, char *out, size_t capacity)
{
    out[0] = '\0';
    if (t->role >= 0)
        apr_role_tensor_name(m, t->role, t->layer, t->expert, m->names, out, capacity);
}

apr_quality_outcome apr_quality_names(apr_quality_look *l)
{
    char wanted[160], first_wanted[160] = "";
    const apr_tensor *first = NULL;
    size_t n = 0;

    for (size_t i = 0; i < l->m->n_tensors; i++) {
        const apr_tensor *t = &l->m->tensors[i];

        canonical_name(l->m, t, wanted, sizeof wanted);
        if (strcmp(wanted, t->name) == 0)
            continue;
        if (first == NULL) {
            first = t;
            memcpy(first_wanted, wanted, sizeof wanted);
        }
        n++;
    }
    if (n == 0)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%zu have not; %s is %s%s", n, first->name,
                           first_wanted[0] != '\0' ? "usually named " : "no part of the model",
                           first_wanted);
}

/* Of compressed tensors one alone is in memory: then by checksums. */
static bool same_bytes(const apr_model *m, const apr_tensor *a, const apr_tensor *b)
{
    uint32_t crc;

    if (a->packed == 0 && b->packed == 0)
        return memcmp(a->data, b->data, (size_t)a->bytes) == 0;
    if (apr_packed_fetch(m, a, 0, a->bytes, NULL) < 0)
        return false;
    crc = (uint32_t)crc32_z(0, a->data, (size_t)a->bytes);
    return apr_packed_fetch(m, b, 0, b->bytes, NULL) == TRUENO_OK &&
           crc == (uint32_t)crc32_z(0, b->data, (size_t)b->bytes);
}

apr_quality_outcome apr_quality_ties(apr_quality_look *l)
{
    const apr_tensor *embedding = apr_model_role(l->m, APR_TOKEN_EMBEDDING, 0);
    const apr_tensor *output = apr_model_role(l->m, APR_OUTPUT, 0);

    if (embedding == NULL || output == NULL || output == embedding ||
        embedding->type != output->type || embedding->bytes != output->bytes ||
        !same_bytes(l->m, embedding, output))
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%s repeats the %llu bytes of %s", output->name,
                           (unsigned long long)output->bytes, embedding->name);
}

static int text_order(const apr_text *a, const char *data, uint32_t length)
{
    const uint32_t common = a->length < length ? a->length : length;
    const int order = common > 0 ? memcmp(a->data, data, common) : 0;

    return order != 0 ? order : (a->length > length) - (a->length < length);
}

static int token_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_text *tokens = things;

    return text_order(&tokens[a], tokens[b].data, tokens[b].length);
}

/* Tokens in order of their texts; NULL without memory. The caller releases it. */
static uint32_t *sort_tokens(const apr_model *m, size_t *bytes)
{
    uint32_t *order;

    *bytes = ((size_t)m->vocab.n_tokens + 1) * sizeof *order;
    order = trueno_allocate(m->options.allocator, *bytes, 64);
    if (order != NULL)
        apr_make_index(order, (size_t)m->vocab.n_tokens, m->vocab.tokens, token_order);
    return order;
}

static bool is_token(const apr_vocab *v, const uint32_t *order, const char *data, uint32_t length)
{
    size_t low = 0, high = (size_t)v->n_tokens;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int way = text_order(&v->tokens[order[middle]], data, length);

        if (way == 0)
            return true;
        if (way < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Merge `i` as its two sides; false when it has no two. */
static bool merge_sides(const apr_vocab *v, int32_t i, apr_text sides[2])
{
    const apr_text *text;
    const char *space;

    if (v->merge_pairs != NULL) {
        memcpy(sides, v->merge_pairs[i], 2 * sizeof *sides);
        return true;
    }
    text = &v->merges[i];
    space = text->length > 2 ? memchr(text->data + 1, ' ', text->length - 1) : NULL;
    if (space == NULL)
        return false;
    sides[0] = (apr_text){text->data, (uint32_t)(space - text->data)};
    sides[1] = (apr_text){space + 1, text->length - sides[0].length - 1};
    return true;
}

/* True when both sides and what they make are tokens. */
static bool is_whole(const apr_vocab *v, const uint32_t *order, int32_t i)
{
    enum { LONGEST = 2048 };
    char joined[LONGEST];
    apr_text s[2];

    if (!merge_sides(v, i, s) || !is_token(v, order, s[0].data, s[0].length) ||
        !is_token(v, order, s[1].data, s[1].length))
        return false;
    if ((uint64_t)s[0].length + s[1].length > LONGEST)
        return false;
    memcpy(joined, s[0].data, s[0].length);
    memcpy(joined + s[0].length, s[1].data, s[1].length);
    return is_token(v, order, joined, s[0].length + s[1].length);
}

apr_quality_outcome apr_quality_merges(apr_quality_look *l)
{
    const apr_vocab *v = &l->m->vocab;
    int32_t broken = 0, first = -1;
    uint32_t *order;
    size_t bytes;

    if (!l->m->has_vocab || v->n_merges == 0)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "there are no merges");
    order = sort_tokens(l->m, &bytes);
    if (order == NULL)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "no memory to sort the tokens");
    for (int32_t i = 0; i < v->n_merges; i++) {
        if (is_whole(v, order, i))
            continue;
        first = first < 0 ? i : first;
        broken++;
    }
    trueno_release(l->m->options.allocator, order, bytes);
    if (broken == 0)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%d of %d are not; the first is merge %d", broken,
                           v->n_merges, first);
}

apr_quality_outcome apr_quality_tokens(apr_quality_look *l)
{
    const apr_vocab *v = &l->m->vocab;
    int32_t same = 0, first = -1;
    uint32_t *order;
    size_t bytes;

    if (!l->m->has_vocab)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "there is no vocabulary");
    order = sort_tokens(l->m, &bytes);
    if (order == NULL)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "no memory to sort the tokens");
    for (int32_t i = 1; i < v->n_tokens; i++) {
        if (token_order(v->tokens, order[i - 1], order[i]) != 0)
            continue;
        first = first < 0 ? (int32_t)order[i] : first;
        same++;
    }
    trueno_release(l->m->options.allocator, order, bytes);
    if (same == 0)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%d repeat another; the first is token %d", same,
                           first);
}

apr_quality_outcome apr_quality_layout(apr_quality_look *l)
{
    const apr_convert_options as_it_is = {.size = sizeof as_it_is};
    const apr_plan_target targets[] = {apr_target_apr(l->m), apr_target_gguf(l->m),
                                       apr_target_safetensors(l->m)};

    if (l->m->architecture == NULL)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "the architecture is not known");
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        trueno_error found = {0};
        apr_plan plan;
        const trueno_status status = apr_plan_make(&plan, l->m, &targets[i], &as_it_is, &found);

        trueno_arena_free(&plan.arena);
        if (status < 0)
            return apr_quality_say(l, APR_QUALITY_FAILED, "%.500s", found.message);
    }
    return APR_QUALITY_PASSED;
}
