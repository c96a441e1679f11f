/* SPDX-License-Identifier: MIT */
/* The normaliser and pre-tokeniser of tokenizer.json as one list of steps. */
#include "hf.h"

#include "../reader.h"
#include <string.h>

enum { MOST_STEPS = 64 };

/* Where steps are collected. */
typedef struct step_list {
    apr_model *m;
    const char *path;
    apr_text_step steps[MOST_STEPS];
    int32_t n;
    bool normalizer;
} step_list;

static trueno_status fail_step(const step_list *l, const char *what, const char *detail,
                               trueno_error *err)
{
    char shown[64];

    apr_printable(shown, sizeof shown, detail, strlen(detail));
    return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s: %s '%s' is not known", l->path,
                       l->normalizer ? "normalizer" : "pre_tokenizer", what, shown);
}

/* A text member copied into the arena; an empty one when it is missing. */
static trueno_status copy_text(step_list *l, const json_t *value, const char **out,
                               trueno_error *err)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";

    if (strlen(text) != (json_is_string(value) ? json_string_length(value) : 0))
        return fail_step(l, "a text with a zero byte", text, err);
    *out = trueno_arena_string(&l->m->arena, text, strlen(text));
    if (*out == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for a pattern", l->path);
    return TRUENO_OK;
}

/* {"String": "..."} or {"Regex": "..."}. */
static trueno_status read_pattern(step_list *l, const json_t *node, apr_text_step *step,
                                  trueno_error *err)
{
    const json_t *pattern = json_object_get(node, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex");
    const json_t *text = regex != NULL ? regex : json_object_get(pattern, "String");

    step->regex = regex != NULL;
    if (!json_is_string(text))
        return fail_step(l, "pattern of", json_string_value(json_object_get(node, "type")), err);
    return copy_text(l, text, &step->pattern, err);
}

static trueno_status read_behavior(const step_list *l, const json_t *node, apr_text_step *step,
                                   trueno_error *err)
{
    static const char *const NAMES[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *name = json_string_value(json_object_get(node, "behavior"));

    step->behavior = APR_SPLIT_ISOLATED; /* Punctuation's default */
    for (int i = 0; name != NULL && i < 5; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            step->behavior = (apr_split_behavior)i;
            return TRUENO_OK;
        }
    }
    return name == NULL ? TRUENO_OK : fail_step(l, "behavior", name, err);
}

static bool is_true(const json_t *node, const char *key, bool absent)
{
    const json_t *value = json_object_get(node, key);

    return value == NULL || json_is_null(value) ? absent : json_is_true(value);
}

static trueno_status fill_replace(step_list *l, const json_t *node, apr_text_step *step,
                                  trueno_error *err)
{
    trueno_status status = read_pattern(l, node, step, err);

    return status < 0 ? status : copy_text(l, json_object_get(node, "content"), &step->text, err);
}

static trueno_status fill_prepend(step_list *l, const json_t *node, apr_text_step *step,
                                  trueno_error *err)
{
    return copy_text(l, json_object_get(node, "prepend"), &step->text, err);
}

static trueno_status fill_strip(step_list *l, const json_t *node, apr_text_step *step,
                                trueno_error *err)
{
    (void)l;
    (void)err;
    step->flags = (is_true(node, "strip_left", true) ? 1u : 0) |
                  (is_true(node, "strip_right", true) ? 2u : 0);
    return TRUENO_OK;
}

static trueno_status fill_split(step_list *l, const json_t *node, apr_text_step *step,
                                trueno_error *err)
{
    trueno_status status = read_pattern(l, node, step, err);

    step->invert = is_true(node, "invert", false);
    return status < 0 ? status : read_behavior(l, node, step, err);
}

/* "Whitespace" keeps what its expression matches: a split that removes all else. */
static trueno_status fill_whitespace(step_list *l, const json_t *node, apr_text_step *step,
                                     trueno_error *err)
{
    (void)node;
    (void)err;
    (void)l;
    step->regex = true;
    step->invert = true;
    step->behavior = APR_SPLIT_REMOVED;
    step->pattern = "\\w+|[^\\w\\s]+";
    return TRUENO_OK;
}

static trueno_status fill_digits(step_list *l, const json_t *node, apr_text_step *step,
                                 trueno_error *err)
{
    (void)l;
    (void)err;
    step->flags = is_true(node, "individual_digits", false) ? 1u : 0;
    return TRUENO_OK;
}

static trueno_status fill_punctuation(step_list *l, const json_t *node, apr_text_step *step,
                                      trueno_error *err)
{
    return read_behavior(l, node, step, err);
}

/* The scheme is a word, or a flag in older files. */
static trueno_status fill_metaspace(step_list *l, const json_t *node, apr_text_step *step,
                                    trueno_error *err)
{
    const char *scheme = json_string_value(json_object_get(node, "prepend_scheme"));

    if (scheme == NULL)
        scheme = is_true(node, "add_prefix_space", true) ? "always" : "never";
    if (strcmp(scheme, "always") == 0)
        step->flags = 1;
    else if (strcmp(scheme, "first") == 0)
        step->flags = 2;
    else if (strcmp(scheme, "never") != 0)
        return fail_step(l, "prepend_scheme", scheme, err);
    step->flags |= is_true(node, "split", true) ? 4u : 0;
    return copy_text(l, json_object_get(node, "replacement"), &step->text, err);
}

static trueno_status fill_byte_level(step_list *l, const json_t *node, apr_text_step *step,
                                     trueno_error *err)
{
    (void)l;
    (void)err;
    step->flags = (is_true(node, "add_prefix_space", true) ? 1u : 0) |
                  (is_true(node, "use_regex", true) ? 2u : 0);
    return TRUENO_OK;
}

static trueno_status fill_nothing(step_list *l, const json_t *node, apr_text_step *step,
                                  trueno_error *err)
{
    (void)l;
    (void)node;
    (void)step;
    (void)err;
    return TRUENO_OK;
}

/* One row per "type" that is known, on either side. */
static const struct step_row {
    const char *type;
    bool normalizer;
    apr_text_step_kind kind;
    trueno_status (*fill)(step_list *l, const json_t *node, apr_text_step *step, trueno_error *err);
} ROWS[] = {
    {"NFC", true, APR_STEP_NFC, fill_nothing},
    {"NFD", true, APR_STEP_NFD, fill_nothing},
    {"NFKC", true, APR_STEP_NFKC, fill_nothing},
    {"NFKD", true, APR_STEP_NFKD, fill_nothing},
    {"Lowercase", true, APR_STEP_LOWERCASE, fill_nothing},
    {"Strip", true, APR_STEP_STRIP, fill_strip},
    {"Prepend", true, APR_STEP_PREPEND, fill_prepend},
    {"Replace", true, APR_STEP_REPLACE, fill_replace},
    {"ByteLevel", true, APR_STEP_BYTE_LEVEL, fill_nothing},
    {"Split", false, APR_STEP_SPLIT, fill_split},
    {"Digits", false, APR_STEP_DIGITS, fill_digits},
    {"Punctuation", false, APR_STEP_PUNCTUATION, fill_punctuation},
    {"Whitespace", false, APR_STEP_SPLIT, fill_whitespace},
    {"WhitespaceSplit", false, APR_STEP_WHITESPACE, fill_nothing},
    {"Metaspace", false, APR_STEP_METASPACE, fill_metaspace},
    {"ByteLevel", false, APR_STEP_BYTE_LEVEL, fill_byte_level},
};

static trueno_status add_step(step_list *l, const json_t *node, trueno_error *err)
{
    const char *type = json_string_value(json_object_get(node, "type"));

    if (l->n == MOST_STEPS)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: more than %d steps before the model",
                           l->path, MOST_STEPS);
    for (size_t i = 0; type != NULL && i < sizeof ROWS / sizeof ROWS[0]; i++) {
        apr_text_step *step = &l->steps[l->n];

        if (ROWS[i].normalizer != l->normalizer || strcmp(ROWS[i].type, type) != 0)
            continue;
        *step = (apr_text_step){.kind = ROWS[i].kind, .normalizer = l->normalizer};
        l->n++;
        return ROWS[i].fill(l, node, step, err);
    }
    return fail_step(l, "type", type != NULL ? type : "", err);
}

/* One step, or a Sequence of them; a Sequence within a Sequence does not occur. */
static trueno_status add_steps(step_list *l, const json_t *node, const char *list,
                               trueno_error *err)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    const json_t *members = json_object_get(node, list);
    trueno_status status = TRUENO_OK;

    if (node == NULL || json_is_null(node))
        return TRUENO_OK;
    if (type == NULL || strcmp(type, "Sequence") != 0)
        return add_step(l, node, err);
    for (size_t i = 0; i < json_array_size(members) && status == TRUENO_OK; i++)
        status = add_step(l, json_array_get(members, i), err);
    return status;
}

trueno_status apr_hf_tokenizer_steps(apr_model *m, const json_t *root, const char *path,
                                     trueno_error *err)
{
    step_list l = {.m = m, .path = path, .normalizer = true};
    apr_text_step *steps;
    trueno_status status;

    if ((status = add_steps(&l, json_object_get(root, "normalizer"), "normalizers", err)) < 0)
        return status;
    l.normalizer = false;
    if ((status = add_steps(&l, json_object_get(root, "pre_tokenizer"), "pretokenizers", err)) < 0)
        return status;
    status = apr_model_allocate(m, &steps, (size_t)l.n, sizeof *steps, "tokenizer steps", err);
    if (status < 0)
        return status;
    memcpy(steps, l.steps, (size_t)l.n * sizeof *steps);
    m->vocab.steps = steps;
    m->vocab.n_steps = l.n;
    for (int32_t i = 0; i < l.n; i++)
        m->vocab.byte_level = m->vocab.byte_level || steps[i].kind == APR_STEP_BYTE_LEVEL;
    return TRUENO_OK;
}
