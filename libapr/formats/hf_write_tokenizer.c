/* SPDX-License-Identifier: MIT */
/* tokenizer.json and tokenizer_config.json from a vocabulary of any format. */
#include "hf_write.h"

#include "pre_rows.h"
#include <string.h>

static void put_null(apr_json *j, const char *key)
{
    apr_json_key(j, key);
    apr_json_null(j);
}

static void put_token(apr_json *j, const char *key, const apr_vocab *v, int32_t id)
{
    apr_json_key(j, key);
    if (id >= 0)
        apr_json_text(j, v->tokens[id].data, v->tokens[id].length);
    else
        apr_json_null(j);
}

/* An object of that "type", left open for its members. */
static void open_type(apr_json *j, const char *type)
{
    apr_json_open(j, '{');
    apr_json_put_string(j, "type", type);
}

/* Tokens cut out of the text before everything else. */
static void put_added(apr_json *j, const apr_vocab *v)
{
    apr_json_put_open(j, "added_tokens", '[');
    for (int32_t id = 0; id < v->n_tokens; id++) {
        if ((v->flags[id] & APR_ADDED) == 0)
            continue;
        apr_json_open(j, '{');
        apr_json_key(j, "id");
        apr_json_int(j, id);
        put_token(j, "content", v, id);
        apr_json_put_bool(j, "single_word", (v->flags[id] & APR_ADDED_SINGLE_WORD) != 0);
        apr_json_put_bool(j, "lstrip", (v->flags[id] & APR_ADDED_LSTRIP) != 0);
        apr_json_put_bool(j, "rstrip", (v->flags[id] & APR_ADDED_RSTRIP) != 0);
        apr_json_put_bool(j, "normalized", (v->flags[id] & APR_ADDED_NORMALIZED) != 0);
        apr_json_put_bool(j, "special", (v->flags[id] & APR_ADDED_SPECIAL) != 0);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void put_pattern(apr_json *j, const apr_text_step *s)
{
    apr_json_put_open(j, "pattern", '{');
    apr_json_put_string(j, s->regex ? "Regex" : "String", s->pattern != NULL ? s->pattern : "");
    apr_json_close(j, '}');
}

static void put_behavior(apr_json *j, const apr_text_step *s)
{
    static const char *const NAMES[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};

    apr_json_put_string(j, "behavior", NAMES[s->behavior]);
}

static void put_metaspace(apr_json *j, const apr_text_step *s)
{
    apr_json_put_string(j, "replacement", s->text);
    apr_json_put_string(j, "prepend_scheme",
                        (s->flags & 1) != 0   ? "always"
                        : (s->flags & 2) != 0 ? "first"
                                              : "never");
    apr_json_put_bool(j, "split", (s->flags & 4) != 0);
}

/* One step as tokenizer.json has it. */
static void put_step(apr_json *j, const apr_text_step *s)
{
    static const char *const TYPES[] = {
        "NFC",     "NFD",   "NFKC",   "NFKD",        "Lowercase",       "Strip",     "Prepend",
        "Replace", "Split", "Digits", "Punctuation", "WhitespaceSplit", "Metaspace", "ByteLevel"};

    open_type(j, TYPES[s->kind]);
    if (s->kind == APR_STEP_STRIP) {
        apr_json_put_bool(j, "strip_left", (s->flags & 1) != 0);
        apr_json_put_bool(j, "strip_right", (s->flags & 2) != 0);
    } else if (s->kind == APR_STEP_PREPEND) {
        apr_json_put_string(j, "prepend", s->text);
    } else if (s->kind == APR_STEP_REPLACE) {
        put_pattern(j, s);
        apr_json_put_string(j, "content", s->text);
    } else if (s->kind == APR_STEP_SPLIT) {
        put_pattern(j, s);
        put_behavior(j, s);
        apr_json_put_bool(j, "invert", s->invert);
    } else if (s->kind == APR_STEP_DIGITS) {
        apr_json_put_bool(j, "individual_digits", (s->flags & 1) != 0);
    } else if (s->kind == APR_STEP_PUNCTUATION) {
        put_behavior(j, s);
    } else if (s->kind == APR_STEP_METASPACE) {
        put_metaspace(j, s);
    } else if (s->kind == APR_STEP_BYTE_LEVEL && !s->normalizer) {
        apr_json_put_bool(j, "add_prefix_space", (s->flags & 1) != 0);
        apr_json_put_bool(j, "trim_offsets", false);
        apr_json_put_bool(j, "use_regex", (s->flags & 2) != 0);
    }
    apr_json_close(j, '}');
}

/* The steps of one side as a Sequence, null when there is none. */
static void put_steps(apr_json *j, const char *key, const char *list, const apr_text_step *steps,
                      int32_t n, bool normalizer)
{
    int32_t mine = 0;

    for (int32_t i = 0; i < n; i++)
        mine += steps[i].normalizer == normalizer;
    if (mine == 0) {
        put_null(j, key);
        return;
    }
    apr_json_key(j, key);
    open_type(j, "Sequence");
    apr_json_put_open(j, list, '[');
    for (int32_t i = 0; i < n; i++)
        if (steps[i].normalizer == normalizer)
            put_step(j, &steps[i]);
    apr_json_close(j, ']');
    apr_json_close(j, '}');
}

/* The pipeline that a GGUF name stands for; the number of steps. */
static int32_t steps_of_pre(const apr_pre_row *row, apr_text_step steps[4])
{
    int32_t n = 0;

    if (row->nfc)
        steps[n++] = (apr_text_step){.kind = APR_STEP_NFC, .normalizer = true};
    if (row->digits)
        steps[n++] = (apr_text_step){.kind = APR_STEP_DIGITS, .flags = 1};
    if (row->pattern != NULL)
        steps[n++] = (apr_text_step){.kind = APR_STEP_SPLIT,
                                     .regex = true,
                                     .behavior = APR_SPLIT_ISOLATED,
                                     .pattern = row->pattern};
    steps[n++] =
        (apr_text_step){.kind = APR_STEP_BYTE_LEVEL, .flags = row->pattern == NULL ? 2 : 0};
    return n;
}

static trueno_status put_pipeline(apr_json *j, const apr_model *m, trueno_error *err)
{
    const apr_vocab *v = &m->vocab;
    const apr_text_step *steps = v->steps;
    apr_text_step named[4];
    int32_t n = v->n_steps;

    if (n == 0) {
        const apr_pre_row *row = v->pre != NULL ? apr_pre_find(v->pre) : NULL;

        if (row == NULL)
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: no tokenizer.json is known for the pre-tokeniser %s", m->path,
                               v->pre != NULL ? v->pre : "(none)");
        n = steps_of_pre(row, named);
        steps = named;
    }
    put_steps(j, "normalizer", "normalizers", steps, n, true);
    put_steps(j, "pre_tokenizer", "pretokenizers", steps, n, false);
    return TRUENO_OK;
}

static void put_piece(apr_json *j, const char *kind, const apr_vocab *v, int32_t id, int type_id)
{
    apr_json_open(j, '{');
    apr_json_put_open(j, kind, '{');
    if (id >= 0)
        put_token(j, "id", v, id);
    else
        apr_json_put_string(j, "id", type_id == 0 ? "A" : "B");
    apr_json_key(j, "type_id");
    apr_json_int(j, type_id);
    apr_json_close(j, '}');
    apr_json_close(j, '}');
}

static void put_sequence(apr_json *j, const apr_vocab *v, int type_id)
{
    if (v->add_bos && v->bos >= 0)
        put_piece(j, "SpecialToken", v, v->bos, type_id);
    put_piece(j, "Sequence", v, -1, type_id);
    if (v->add_eos && v->eos >= 0)
        put_piece(j, "SpecialToken", v, v->eos, type_id);
}

static void put_special(apr_json *j, const apr_vocab *v, int32_t id)
{
    char key[256] = "";

    if (v->tokens[id].length < sizeof key)
        memcpy(key, v->tokens[id].data, v->tokens[id].length);
    apr_json_put_open(j, key, '{');
    put_token(j, "id", v, id);
    apr_json_put_open(j, "ids", '[');
    apr_json_int(j, id);
    apr_json_close(j, ']');
    apr_json_put_open(j, "tokens", '[');
    apr_json_text(j, v->tokens[id].data, v->tokens[id].length);
    apr_json_close(j, ']');
    apr_json_close(j, '}');
}

/* BOS and EOS that are put around a text. */
static void put_processor(apr_json *j, const apr_vocab *v)
{
    const bool bos = v->add_bos && v->bos >= 0, eos = v->add_eos && v->eos >= 0;

    if (!bos && !eos) {
        put_null(j, "post_processor");
        return;
    }
    apr_json_key(j, "post_processor");
    open_type(j, "TemplateProcessing");
    apr_json_put_open(j, "single", '[');
    put_sequence(j, v, 0);
    apr_json_close(j, ']');
    apr_json_put_open(j, "pair", '[');
    put_sequence(j, v, 0);
    put_sequence(j, v, 1);
    apr_json_close(j, ']');
    apr_json_put_open(j, "special_tokens", '{');
    if (bos)
        put_special(j, v, v->bos);
    if (eos && !(bos && v->eos == v->bos))
        put_special(j, v, v->eos);
    apr_json_close(j, '}');
    apr_json_close(j, '}');
}

static void put_decoder(apr_json *j, const apr_vocab *v)
{
    const apr_text_step back = {.kind = APR_STEP_REPLACE, .pattern = "\xe2\x96\x81", .text = " "};

    apr_json_key(j, "decoder");
    if (v->byte_level) {
        put_step(j, &(apr_text_step){.kind = APR_STEP_BYTE_LEVEL, .flags = 3});
        return;
    }
    open_type(j, "Sequence");
    apr_json_put_open(j, "decoders", '[');
    put_step(j, &back);
    open_type(j, "ByteFallback");
    apr_json_close(j, '}');
    open_type(j, "Fuse");
    apr_json_close(j, '}');
    if (v->add_space_prefix) {
        open_type(j, "Strip");
        apr_json_put_string(j, "content", " ");
        apr_json_key(j, "start");
        apr_json_int(j, 1);
        apr_json_key(j, "stop");
        apr_json_int(j, 0);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
    apr_json_close(j, '}');
}

/* "left right" at its one space that is no part of a token: the first, since pieces hold none. */
static void put_merge(apr_json *j, const apr_vocab *v, int32_t i)
{
    apr_text left, right;

    if (v->merge_pairs != NULL) {
        left = v->merge_pairs[i][0];
        right = v->merge_pairs[i][1];
    } else {
        const char *space = memchr(v->merges[i].data, ' ', v->merges[i].length);
        uint32_t at = space != NULL ? (uint32_t)(space - v->merges[i].data) : 0;

        left = (apr_text){v->merges[i].data, at};
        right = (apr_text){v->merges[i].data + at + 1, v->merges[i].length - at - 1};
    }
    apr_json_open(j, '[');
    apr_json_text(j, left.data, left.length);
    apr_json_text(j, right.data, right.length);
    apr_json_close(j, ']');
}

/* Added tokens too: the tokenizers library takes their ids from here, and gives those that are not
 * here new ones behind the last. */
static void put_vocab(apr_json *j, const apr_vocab *v)
{
    apr_json_put_open(j, "vocab", '{');
    for (int32_t id = 0; id < v->n_tokens; id++) {
        if (v->types[id] == APR_TOKEN_UNUSED)
            continue;
        apr_json_text(j, v->tokens[id].data, v->tokens[id].length);
        apr_json_more(j, ":", 1);
        j->comma = false;
        apr_json_int(j, id);
    }
    apr_json_close(j, '}');
    apr_json_put_open(j, "merges", '[');
    for (int32_t i = 0; i < v->n_merges; i++)
        put_merge(j, v, i);
    apr_json_close(j, ']');
}

trueno_status apr_hf_write_tokenizer(apr_json *j, const apr_model *m, trueno_error *err)
{
    const apr_vocab *v = &m->vocab;
    trueno_status status;

    if (v->kind != APR_VOCAB_BPE)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: a vocabulary of the kind %s has scores and no merges, which "
                           "tokenizer.json needs",
                           m->path, v->model);
    apr_json_open(j, '{');
    apr_json_put_string(j, "version", "1.0");
    put_null(j, "truncation");
    put_null(j, "padding");
    put_added(j, v);
    if ((status = put_pipeline(j, m, err)) < 0)
        return status;
    put_processor(j, v);
    put_decoder(j, v);
    apr_json_key(j, "model");
    open_type(j, "BPE");
    put_null(j, "dropout");
    put_token(j, "unk_token", v, v->unk);
    put_null(j, "continuing_subword_prefix");
    put_null(j, "end_of_word_suffix");
    apr_json_put_bool(j, "fuse_unk", v->fuse_unknown);
    apr_json_put_bool(j, "byte_fallback", v->byte_fallback);
    apr_json_put_bool(j, "ignore_merges", v->ignore_merges);
    put_vocab(j, v);
    apr_json_close(j, '}');
    apr_json_close(j, '}');
    return TRUENO_OK;
}

void apr_hf_write_tokenizer_config(apr_json *j, const apr_model *m)
{
    const apr_vocab *v = &m->vocab;

    apr_json_open(j, '{');
    apr_json_put_string(j, "tokenizer_class", "PreTrainedTokenizerFast");
    apr_json_put_bool(j, "clean_up_tokenization_spaces", false);
    if (v->bos >= 0)
        put_token(j, "bos_token", v, v->bos);
    if (v->eos >= 0)
        put_token(j, "eos_token", v, v->eos);
    if (v->unk >= 0)
        put_token(j, "unk_token", v, v->unk);
    if (v->pad >= 0)
        put_token(j, "pad_token", v, v->pad);
    if (m->chat_template != NULL)
        apr_json_put_string(j, "chat_template", m->chat_template);
    apr_json_close(j, '}');
}
