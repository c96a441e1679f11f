/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_steps.c: makes the pipeline of a vocabulary, from the steps of a tokenizer.json, from
 * the name of a GGUF pre-tokeniser, or from the rules of SentencePiece.
 */
#include "tokenizer_internal.h"

static const char space_mark[] = "\xe2\x96\x81";

typedef struct builder {
    realizar_tokenizer *t;
    pipeline *p;
    trueno_error *err;
} builder;

static trueno_status add_step(builder *b, pipeline_step step)
{
    if (b->p->n_steps == PIPELINE_MAX)
        return trueno_fail(b->err, TRUENO_UNSUPPORTED, "tokenizer: more than %d steps",
                           PIPELINE_MAX);
    step.pattern_length = step.pattern ? (uint32_t)strlen(step.pattern) : 0;
    step.text_length = step.text ? (uint32_t)strlen(step.text) : 0;
    b->p->steps[b->p->n_steps++] = step;
    return TRUENO_OK;
}

/* Gives the last step its way to find matches of an expression: by hand, or by PCRE2. */
static trueno_status use_expression(builder *b)
{
    pipeline_step *step = &b->p->steps[b->p->n_steps - 1];

    step->find = words_for_pattern(step->pattern);
    return step->find ? TRUENO_OK : regex_compile(&step->regex, step->pattern, b->err);
}

static trueno_status add_split(builder *b, const char *expression, apr_split_behavior behavior,
                               bool invert)
{
    trueno_status st = add_step(b, (pipeline_step){.kind = PIPELINE_SPLIT,
                                                   .pattern = expression,
                                                   .behavior = behavior,
                                                   .invert = invert});

    return st < 0 ? st : use_expression(b);
}

/*
 * How much longer a step can make a text, as a factor. A prefix stands before each fragment, and
 * between two fragments is a token of at least one byte.
 */
static size_t growth_of(const pipeline_step *step)
{
    const size_t text = step->text_length;

    switch (step->kind) {
    case PIPELINE_NORMALIZE:
        return step->form == UNICODE_NFC || step->form == UNICODE_NFD ? 3 : 11;
    case PIPELINE_LOWERCASE:
    case PIPELINE_SPACE_PREFIX:
        return 2;
    case PIPELINE_PREPEND:
        return 1 + (text + 1) / 2;
    case PIPELINE_REPLACE: /* an expression may match nothing, before and after every byte */
        return step->find || step->regex      ? 1 + 2 * text
               : text <= step->pattern_length ? 1
                                              : (text - 1) / step->pattern_length + 1;
    case PIPELINE_METASPACE:
        return (1 + text) * (text > 0 ? text : 1);
    default:
        return 1;
    }
}

static trueno_status add_byte_level(builder *b, uint32_t flags)
{
    trueno_status st = TRUENO_OK;

    if (flags & 1)
        st = add_step(b, (pipeline_step){.kind = PIPELINE_SPACE_PREFIX});
    if (st == TRUENO_OK && flags & 2)
        st = add_split(b, words_gpt2_pattern, APR_SPLIT_ISOLATED, false);
    return st;
}

static trueno_status add_metaspace(builder *b, const apr_text_step *s)
{
    trueno_status st = add_step(b, (pipeline_step){.kind = PIPELINE_METASPACE,
                                                   .pattern = " ",
                                                   .text = s->text ? s->text : space_mark,
                                                   .flags = s->flags});

    if (st < 0 || !(s->flags & 4))
        return st;
    return add_step(b, (pipeline_step){.kind = PIPELINE_SPLIT,
                                       .pattern = s->text ? s->text : space_mark,
                                       .behavior = APR_SPLIT_MERGED_NEXT});
}

static trueno_status add_pattern(builder *b, const apr_text_step *s, pipeline_kind kind)
{
    trueno_status st;

    if (!s->pattern || *s->pattern == '\0' || (kind == PIPELINE_REPLACE && !s->text))
        return trueno_fail(b->err, TRUENO_FORMAT, "tokenizer: step %d has no pattern or text",
                           b->p->n_steps);
    st = add_step(b, (pipeline_step){.kind = kind,
                                     .pattern = s->pattern,
                                     .text = s->text,
                                     .behavior = s->behavior,
                                     .invert = s->invert});
    return st < 0 || !s->regex ? st : use_expression(b);
}

static trueno_status add_text_step(builder *b, const apr_text_step *s)
{
    switch (s->kind) {
    case APR_STEP_NFC:
        return add_step(b, (pipeline_step){.kind = PIPELINE_NORMALIZE, .form = UNICODE_NFC});
    case APR_STEP_NFD:
        return add_step(b, (pipeline_step){.kind = PIPELINE_NORMALIZE, .form = UNICODE_NFD});
    case APR_STEP_NFKC:
        return add_step(b, (pipeline_step){.kind = PIPELINE_NORMALIZE, .form = UNICODE_NFKC});
    case APR_STEP_NFKD:
        return add_step(b, (pipeline_step){.kind = PIPELINE_NORMALIZE, .form = UNICODE_NFKD});
    case APR_STEP_LOWERCASE:
        return add_step(b, (pipeline_step){.kind = PIPELINE_LOWERCASE});
    case APR_STEP_STRIP:
        return add_step(b, (pipeline_step){.kind = PIPELINE_STRIP, .flags = s->flags});
    case APR_STEP_PREPEND:
        return add_step(b, (pipeline_step){.kind = PIPELINE_PREPEND, .text = s->text});
    case APR_STEP_REPLACE:
        return add_pattern(b, s, PIPELINE_REPLACE);
    case APR_STEP_SPLIT:
        return add_pattern(b, s, PIPELINE_SPLIT);
    case APR_STEP_DIGITS:
        return s->flags & 1 ? add_split(b, "\\p{N}", APR_SPLIT_ISOLATED, false)
                            : add_split(b, "\\p{N}+", APR_SPLIT_ISOLATED, false);
    case APR_STEP_PUNCTUATION:
        return add_split(b, words_punctuation, s->behavior, false);
    case APR_STEP_WHITESPACE:
        /* the joiners are word characters there, though not in other expressions */
        return add_split(b, "[\\w\\x{200c}\\x{200d}]+|[^\\w\\s\\x{200c}\\x{200d}]+",
                         APR_SPLIT_REMOVED, true);
    case APR_STEP_METASPACE:
        return add_metaspace(b, s);
    case APR_STEP_BYTE_LEVEL:
        return add_byte_level(b, s->flags);
    }
    return trueno_fail(b->err, TRUENO_UNSUPPORTED, "tokenizer: unknown step %d", (int)s->kind);
}

/* The normalisers must come first: they rewrite a text before anything splits it. */
static trueno_status add_text_steps(builder *b)
{
    const apr_vocab *v = b->t->vocab;
    trueno_status st;

    for (int i = 0; i < v->n_steps; i++)
        if (v->steps[i].normalizer && (st = add_text_step(b, &v->steps[i])) < 0)
            return st;
    b->p->n_normalizers = b->p->n_steps;
    for (int i = 0; i < v->n_steps; i++)
        if (!v->steps[i].normalizer && (st = add_text_step(b, &v->steps[i])) < 0)
            return st;
    return TRUENO_OK;
}

static trueno_status add_named(builder *b)
{
    /* where tokens are characters the kind of the vocabulary says it all */
    const char *name = b->t->vocab->byte_level ? b->t->vocab->pre : b->t->vocab->model;
    const pre_tokenizer *row = name ? pre_tokenizer_find(name) : NULL;
    trueno_status st = TRUENO_OK;

    if (!row)
        return trueno_fail(b->err, TRUENO_UNSUPPORTED, "tokenizer.ggml.pre: %s%.100s",
                           name ? "unknown pre-tokenizer " : "the file names no pre-tokenizer",
                           name ? name : "");
    b->t->ignore_merges = b->t->ignore_merges || row->steps->ignore_merges;
    b->t->whole_lines = row->steps->marks;
    if (row->steps->nfc)
        st = add_step(b, (pipeline_step){.kind = PIPELINE_NORMALIZE, .form = UNICODE_NFC});
    if (st == TRUENO_OK && row->steps->marks)
        st = add_step(
            b, (pipeline_step){.kind = PIPELINE_REPLACE, .pattern = " ", .text = space_mark});
    b->p->n_normalizers = b->p->n_steps;
    for (int i = 0; st == TRUENO_OK && i < 8 && row->steps->splits[i]; i++)
        st = add_split(b, row->steps->splits[i], APR_SPLIT_ISOLATED, false);
    return st;
}

static trueno_status add_sentencepiece(builder *b)
{
    trueno_status st = TRUENO_OK;

    if (b->t->vocab->add_space_prefix)
        st = add_step(b, (pipeline_step){.kind = PIPELINE_PREPEND, .text = space_mark});
    if (st == TRUENO_OK)
        st = add_step(
            b, (pipeline_step){.kind = PIPELINE_REPLACE, .pattern = " ", .text = space_mark});
    b->p->n_normalizers = b->p->n_steps;
    return st;
}

/* Notes which bytes stand side by side in tokens that merging can make. */
static void note_joined(realizar_tokenizer *t, apr_text text)
{
    const char *p = text.data, *end = p + text.length;

    for (const char *q = p; q + 1 < end; q++) {
        const unsigned before = (unsigned char)q[0], after = (unsigned char)q[1];
        t->joined[before << 5 | after >> 3] |= (uint8_t)(1u << (after & 7));
    }
    while (end - p >= 3 && memcmp(p, space_mark, 3) == 0)
        p += 3;
    if (memmem(p, (size_t)(end - p), space_mark, 3))
        t->crosses_marks = true;
}

/*
 * SentencePiece vocabularies have no words: a whole text is one, and merging takes n log n. Where
 * no token crosses from one character to the next the text can be cut without changing the result.
 */
static trueno_status add_cuts(builder *b)
{
    realizar_tokenizer *t = b->t;

    if (t->vocab->byte_level || t->ignore_merges || (t->vocab->fuse_unknown && !t->has_all_bytes))
        return TRUENO_OK;
    t->joined = trueno_arena_alloc(&t->arena, 256 * 256 / 8);
    if (!t->joined)
        return trueno_fail(b->err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
    for (int32_t id = 0; id < t->vocab->n_tokens; id++)
        if (!(tokenizer_added_flags(t, id) & APR_ADDED_SPECIAL))
            note_joined(t, t->vocab->tokens[id]);
    return add_step(b, (pipeline_step){.kind = PIPELINE_CUT});
}

trueno_status pipeline_build(realizar_tokenizer *t, trueno_error *err)
{
    builder b = {.t = t, .p = &t->pipeline, .err = err};
    trueno_status st;

    t->ignore_merges = t->vocab->ignore_merges;
    if (t->vocab->n_steps > 0)
        st = add_text_steps(&b);
    else
        st = t->by_score ? add_sentencepiece(&b) : add_named(&b);
    if (st == TRUENO_OK)
        st = add_cuts(&b);
    t->pipeline.growth = 1;
    for (int i = 0; i < t->pipeline.n_steps; i++) {
        const pipeline_step *step = &t->pipeline.steps[i];
        const size_t growth = growth_of(step);
        if (t->pipeline.growth > (size_t)1 << 24 || growth > (size_t)1 << 24)
            return trueno_fail(err, TRUENO_UNSUPPORTED, "tokenizer: a step writes too much text");
        t->pipeline.growth *= growth;
        t->pipeline.prefix += step->kind == PIPELINE_PREPEND ? step->text_length : 0;
        if (step->kind == PIPELINE_PREPEND || (step->kind == PIPELINE_METASPACE && step->flags & 3))
            t->space_prefixed = true;
    }
    return st;
}

void pipeline_free(pipeline *p)
{
    for (int i = 0; i < p->n_steps; i++)
        regex_free(p->steps[i].regex);
}
