/* SPDX-License-Identifier: MIT */
/* Quality for those who use a file: tokenizer, template, what is said of the model. */
#include "quality.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static apr_quality_outcome without_vocabulary(apr_quality_look *l)
{
    return apr_quality_say(l, APR_QUALITY_SKIPPED, "there is no vocabulary");
}

apr_quality_outcome apr_quality_tokenizer(apr_quality_look *l)
{
    const apr_vocab *v = &l->m->vocab;

    if (!l->m->has_vocab)
        return apr_quality_say(l, APR_QUALITY_FAILED, "there is no vocabulary");
    if (v->kind == APR_VOCAB_OTHER)
        return apr_quality_say(l, APR_QUALITY_FAILED, "vocabularies of the kind '%s' are not used",
                               v->model);
    if (v->kind == APR_VOCAB_BPE && v->n_merges == 0)
        return apr_quality_say(l, APR_QUALITY_FAILED, "%d tokens, but no merges", v->n_tokens);
    return APR_QUALITY_PASSED;
}

apr_quality_outcome apr_quality_pre_tokenizer(apr_quality_look *l)
{
    const apr_vocab *v = &l->m->vocab;

    if (!l->m->has_vocab)
        return without_vocabulary(l);
    if (v->kind != APR_VOCAB_BPE)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "text is not cut for this vocabulary");
    if (v->n_steps > 0 || (v->pre != NULL && strcmp(v->pre, "default") != 0))
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%s",
                           v->pre == NULL ? "nothing names a pre-tokenizer"
                                          : "it says 'default', which stands for not known");
}

apr_quality_outcome apr_quality_special_tokens(apr_quality_look *l)
{
    const apr_vocab *v = &l->m->vocab;

    if (!l->m->has_vocab)
        return without_vocabulary(l);
    if (v->eos < 0)
        return apr_quality_say(l, APR_QUALITY_FAILED, "no token ends the text");
    if (v->types[v->eos] != APR_TOKEN_CONTROL && (v->flags[v->eos] & APR_ADDED_SPECIAL) == 0)
        return apr_quality_say(l, APR_QUALITY_FAILED,
                               "token %d, '%.*s', ends the text but is no special one", v->eos,
                               (int)v->tokens[v->eos].length, v->tokens[v->eos].data);
    return APR_QUALITY_PASSED;
}

apr_quality_outcome apr_quality_chat_template(apr_quality_look *l)
{
    if (l->m->chat_template != NULL && l->m->chat_template[0] != '\0')
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "there is none");
}

apr_quality_outcome apr_quality_name(apr_quality_look *l)
{
    if (l->m->config.name[0] != '\0')
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "it has none");
}

/* True when one of the keys, up to a NULL, has a value that says something. */
static bool says_one(const apr_model *m, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const apr_meta *meta = apr_model_meta_find(m, *keys);

        if (meta != NULL && !((meta->kind == APR_META_STRING || meta->kind == APR_META_JSON) &&
                              meta->text.length == 0))
            return true;
    }
    return false;
}

/* True when a file of that name lies beside the weights of a Hugging Face folder. */
static bool is_beside(const apr_model *m, const char *name)
{
    char path[4096];
    const char *weights = m->n_sources > 0 ? m->sources[0].path : "";
    const char *slash = strrchr(weights, '/');
    int n;

    if (strcmp(m->format, "SafeTensors") != 0 || m->n_sources == 0 || !m->sources[0].map.mapped)
        return false;
    n = snprintf(path, sizeof path, "%.*s%s", slash != NULL ? (int)(slash - weights) + 1 : 0,
                 weights, name);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

apr_quality_outcome apr_quality_license(apr_quality_look *l)
{
    static const char *const KEYS[] = {"general.license", "general.license.name",
                                       "general.license.link", "license", NULL};

    if (says_one(l->m, KEYS) || is_beside(l->m, "LICENSE"))
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "neither license nor general.license is there");
}

apr_quality_outcome apr_quality_provenance(apr_quality_look *l)
{
    static const char *const KEYS[] = {"general.source.url",
                                       "general.source.repo_url",
                                       "general.source.huggingface.repository",
                                       "general.url",
                                       "general.repo_url",
                                       "general.base_model.count",
                                       "general.author",
                                       "general.organization",
                                       "general.quantized_by",
                                       "source",
                                       "data_source",
                                       "author",
                                       "general.source.repository",
                                       "_name_or_path",
                                       NULL};

    if (says_one(l->m, KEYS) || is_beside(l->m, "README.md"))
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED,
                           "no source, author, organisation or base model is named");
}

apr_quality_outcome apr_quality_description(apr_quality_look *l)
{
    static const char *const KEYS[] = {"general.description", "description", "model_card", NULL};

    if (says_one(l->m, KEYS) || is_beside(l->m, "README.md"))
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "neither description nor model card is there");
}
