/* SPDX-License-Identifier: MIT */
/* A GGUF file's vocabulary: texts and merges in place, types as flags, special ids. */
#include "gguf.h"

#include "../file_limits.h"
#include "../vocab.h"
#include <endian.h>
#include <string.h>

/* What tokenizer.ggml.model says, and what of the pipeline follows from it. */
static const struct kind_row {
    const char *model;
    apr_vocab_kind kind;
    bool byte_level, byte_fallback, add_space_prefix, add_bos;
} KINDS[] = {
    {"gpt2", APR_VOCAB_BPE, true, false, false, false},
    {"llama", APR_VOCAB_SPM, false, true, true, true},
    {"gemma4", APR_VOCAB_BPE, false, true, false, true},
};

/* Pre-tokenisers of models that begin with BOS though the file may not say so. */
static const char *const PRES_WITH_BOS[] = {"falcon3", "lfm2",       "llama-bpe", "llama-v3",
                                            "llama3",  "minerva-7b", "pixtral",   "tekken"};

/*
 * What files that were written before tokenizer.ggml.pre existed hold, by architecture and size of
 * the vocabulary (0: any): for lenient readers.
 */
static const struct old_file {
    const char *architecture;
    int32_t n_tokens;
    const char *pre;
} OLD_FILES[] = {
    {"qwen2", 0, "qwen2"},
    {"qwen2moe", 0, "qwen2"},
    {"llama", 128256, "llama-bpe"},
    {"llama", 32256, "deepseek-coder"},
    {"llama", 102400, "deepseek-llm"},
    {"starcoder", 0, "starcoder"},
    {"starcoder2", 0, "starcoder"},
    {"falcon", 0, "falcon"},
    {"mpt", 0, "mpt"},
    {"gpt2", 0, "gpt-2"},
};

static trueno_status copy_text(apr_model *m, const char *key, const char **out, trueno_error *err)
{
    const apr_meta *meta;
    trueno_status status = apr_gguf_find(m, key, APR_META_STRING, &meta, err);

    if (status < 0 || meta == NULL)
        return status;
    *out = trueno_arena_string(&m->arena, meta->text.data, meta->text.length);
    if (*out == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %s", m->path, key);
    return TRUENO_OK;
}

static trueno_status copy_texts(apr_model *m, const apr_meta *array, const char *key,
                                const apr_text **out, trueno_error *err)
{
    apr_meta_cursor cursor = {0};
    apr_meta element;
    apr_text *texts;
    trueno_status status =
        apr_model_allocate(m, &texts, (size_t)array->count, sizeof *texts, key, err);

    if (status < 0)
        return status;
    for (apr_text *t = texts; apr_meta_next(array, &cursor, &element); t++)
        *t = element.text;
    *out = texts;
    return TRUENO_OK;
}

/* An array that goes with the tokens: absent, or as long as they are many. */
static trueno_status find_per_token(const apr_model *m, const char *key, apr_meta_kind element,
                                    const apr_meta **out, trueno_error *err)
{
    trueno_status status = apr_gguf_array(m, key, element, out, err);

    if (status < 0 || *out == NULL || (*out)->count == (uint64_t)m->vocab.n_tokens)
        return status;
    return trueno_fail(err, TRUENO_FORMAT, "%s: %s has %llu elements for %d tokens", m->path, key,
                       (unsigned long long)(*out)->count, m->vocab.n_tokens);
}

static uint8_t flags_of(uint8_t type)
{
    if (type == APR_TOKEN_CONTROL || type == APR_TOKEN_UNKNOWN)
        return APR_ADDED | APR_ADDED_SPECIAL;
    return type == APR_TOKEN_USER_DEFINED ? APR_ADDED : 0;
}

static trueno_status read_types(apr_model *m, trueno_error *err)
{
    const char *key = "tokenizer.ggml.token_type";
    size_t n = (size_t)m->vocab.n_tokens;
    apr_meta_cursor cursor = {0};
    const apr_meta *array;
    apr_meta element;
    uint8_t *types, *flags;
    trueno_status status = find_per_token(m, key, APR_META_INT, &array, err);

    if (status < 0 || (status = apr_model_allocate(m, &types, n, 1, "token types", err)) < 0 ||
        (status = apr_model_allocate(m, &flags, n, 1, "token flags", err)) < 0)
        return status;
    memset(types, APR_TOKEN_NORMAL, n);
    for (size_t i = 0; array != NULL && apr_meta_next(array, &cursor, &element); i++) {
        if (element.i < APR_TOKEN_NORMAL || element.i > APR_TOKEN_BYTE)
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s of token %zu is %lld, known are 1 to 6",
                               m->path, key, i, (long long)element.i);
        types[i] = (uint8_t)element.i;
        flags[i] = flags_of(types[i]);
    }
    m->vocab.types = types;
    m->vocab.flags = flags;
    return TRUENO_OK;
}

static trueno_status read_scores(apr_model *m, trueno_error *err)
{
    const char *key = "tokenizer.ggml.scores";
    apr_meta_cursor cursor = {0};
    const apr_meta *array;
    apr_meta element;
    float *scores;
    trueno_status status = find_per_token(m, key, APR_META_FLOAT, &array, err);

    if (status < 0 || array == NULL || m->vocab.kind != APR_VOCAB_SPM)
        return status;
    if ((status = apr_model_allocate(m, &scores, (size_t)array->count, sizeof *scores,
                                     "token scores", err)) < 0)
        return status;
    for (float *s = scores; apr_meta_next(array, &cursor, &element); s++)
        *s = (float)element.f;
    m->vocab.scores = scores;
    return TRUENO_OK;
}

static trueno_status read_merges(apr_model *m, trueno_error *err)
{
    const char *key = "tokenizer.ggml.merges";
    const apr_meta *array;
    trueno_status status = apr_gguf_array(m, key, APR_META_STRING, &array, err);

    if (status < 0 || array == NULL)
        return status;
    if (array->count > 4 * (uint64_t)APR_LIMIT_TOKENS)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s has %llu elements, at most %d allowed",
                           m->path, key, (unsigned long long)array->count, 4 * APR_LIMIT_TOKENS);
    m->vocab.n_merges = (int32_t)array->count;
    return copy_texts(m, array, key, &m->vocab.merges, err);
}

static trueno_status read_bool(const apr_model *m, const char *key, bool *out, trueno_error *err)
{
    const apr_meta *meta;
    trueno_status status = apr_gguf_find(m, key, APR_META_BOOL, &meta, err);

    if (status == TRUENO_OK && meta != NULL)
        *out = meta->i != 0;
    return status;
}

/* A special token's id; all ones mean "none", as some writers say it. */
static trueno_status read_id(const apr_model *m, const char *key, int32_t *out, trueno_error *err)
{
    int64_t id = -1;
    trueno_status status = apr_gguf_integer(m, key, -1, UINT32_MAX, &id, err);

    if (status < 0)
        return status;
    *out = id > INT32_MAX && id < UINT32_MAX ? INT32_MAX : id == UINT32_MAX ? -1 : (int32_t)id;
    return TRUENO_OK;
}

static trueno_status read_specials(apr_model *m, trueno_error *err)
{
    apr_vocab *v = &m->vocab;
    int32_t eom = -1;
    trueno_status status;

    if ((status = read_id(m, "tokenizer.ggml.bos_token_id", &v->bos, err)) < 0 ||
        (status = read_id(m, "tokenizer.ggml.eos_token_id", &v->eos, err)) < 0 ||
        (status = read_id(m, "tokenizer.ggml.unknown_token_id", &v->unk, err)) < 0 ||
        (status = read_id(m, "tokenizer.ggml.padding_token_id", &v->pad, err)) < 0 ||
        (status = read_id(m, "tokenizer.ggml.eot_token_id", &v->eot, err)) < 0 ||
        (status = read_id(m, "tokenizer.ggml.eom_token_id", &eom, err)) < 0 ||
        (status = read_bool(m, "tokenizer.ggml.add_bos_token", &v->add_bos, err)) < 0 ||
        (status = read_bool(m, "tokenizer.ggml.add_eos_token", &v->add_eos, err)) < 0 ||
        (status = read_bool(m, "tokenizer.ggml.add_space_prefix", &v->add_space_prefix, err)) < 0 ||
        (status = read_bool(m, "tokenizer.ggml.remove_extra_whitespaces",
                            &v->remove_extra_whitespace, err)) < 0)
        return status;
    apr_vocab_add_end(v, v->eos);
    apr_vocab_add_end(v, v->eot);
    apr_vocab_add_end(v, eom);
    return apr_vocab_finish(m, err);
}

static void set_kind(apr_vocab *v)
{
    v->kind = APR_VOCAB_OTHER;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (strcmp(KINDS[i].model, v->model) != 0)
            continue;
        v->kind = KINDS[i].kind;
        v->byte_level = KINDS[i].byte_level;
        v->byte_fallback = KINDS[i].byte_fallback;
        v->add_space_prefix = KINDS[i].add_space_prefix;
        v->add_bos = KINDS[i].add_bos;
    }
}

/*
 * A byte-level vocabulary without the name of its pre-tokeniser can be run by guessing it, which
 * only a lenient reader does. A strict one leaves it out, and the tokenizer refuses.
 */
static void set_old_pre(apr_model *m)
{
    apr_vocab *v = &m->vocab;
    trueno_error what;

    if (v->pre != NULL || !v->byte_level || !m->options.lenient)
        return;
    v->pre = "gpt-2";
    for (size_t i = 0; i < sizeof OLD_FILES / sizeof OLD_FILES[0]; i++)
        if (strcmp(OLD_FILES[i].architecture, m->config.architecture) == 0 &&
            (OLD_FILES[i].n_tokens == 0 || OLD_FILES[i].n_tokens == v->n_tokens)) {
            v->pre = OLD_FILES[i].pre;
            break;
        }
    (void)apr_model_tolerate(
        m,
        trueno_fail(&what, TRUENO_UNSUPPORTED,
                    "%s: tokenizer.ggml.pre is missing; taken for %s, by architecture %.60s and %d "
                    "tokens",
                    m->path, v->pre, m->config.architecture, v->n_tokens),
        &what);
}

static void set_bos_of_pre(apr_vocab *v)
{
    for (size_t i = 0; v->pre != NULL && i < sizeof PRES_WITH_BOS / sizeof PRES_WITH_BOS[0]; i++)
        if (strcmp(PRES_WITH_BOS[i], v->pre) == 0)
            v->add_bos = true;
}

/*
 * GGUF has no place for the flags of tokenizer.json. Phi-3's added tokens swallow the white space
 * behind them (its template writes "<|user|>\n" and means the token alone), all but three.
 */
static void set_phi3_flags(apr_model *m)
{
    static const char *const plain[] = {"<unk>", "<s>", "<|endoftext|>"};
    uint8_t *flags = (uint8_t *)(uintptr_t)m->vocab.flags;

    if (m->vocab.kind != APR_VOCAB_SPM || strcmp(m->config.architecture, "phi3") != 0 || !flags)
        return;
    for (int32_t id = 0; id < m->vocab.n_tokens; id++) {
        const apr_text text = m->vocab.tokens[id];
        bool swallows = flags[id] & APR_ADDED;

        for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
            swallows = swallows && (text.length != strlen(plain[i]) ||
                                    memcmp(text.data, plain[i], text.length) != 0);
        flags[id] |= swallows ? APR_ADDED_RSTRIP : 0;
    }
}

trueno_status apr_gguf_read_vocab(apr_model *m, trueno_error *err)
{
    const char *key = "tokenizer.ggml.tokens";
    apr_vocab *v = &m->vocab;
    const apr_meta *array;
    trueno_status status;

    apr_vocab_init(v);
    if ((status = apr_gguf_array(m, key, APR_META_STRING, &array, err)) < 0 || array == NULL)
        return status; /* a file without a vocabulary is a model all the same */
    if (array->count == 0 || array->count > APR_LIMIT_TOKENS)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s has %llu elements, allowed are 1 to %d",
                           m->path, key, (unsigned long long)array->count, APR_LIMIT_TOKENS);
    if ((status = copy_text(m, "tokenizer.ggml.model", &v->model, err)) < 0 ||
        (status = copy_text(m, "tokenizer.ggml.pre", &v->pre, err)) < 0)
        return status;
    if (v->model == NULL)
        return trueno_fail(err, TRUENO_FORMAT, "%s: required key tokenizer.ggml.model is missing",
                           m->path);
    set_kind(v);
    v->n_tokens = (int32_t)array->count;
    set_old_pre(m);
    set_bos_of_pre(v);
    if ((status = copy_texts(m, array, key, &v->tokens, err)) < 0 ||
        (status = read_types(m, err)) < 0 || (status = read_scores(m, err)) < 0 ||
        (status = read_merges(m, err)) < 0 || (status = read_specials(m, err)) < 0)
        return status;
    set_phi3_flags(m);
    m->has_vocab = true;
    return TRUENO_OK;
}
