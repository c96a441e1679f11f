/* SPDX-License-Identifier: MIT */
/* tokenizer_pipeline.c: normalisation and pre-tokenisation, run step by step down to words. */
#include "tokenizer_internal.h"

static trueno_status no_memory(encoder *e)
{
    return trueno_fail(e->err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
}

/* ---- finding ------------------------------------------------------------------------------- */

/* The next match of a step's pattern at or after `p`; *start is NULL when there is none. */
static trueno_status find_next(encoder *e, const pipeline_step *step, const char *base,
                               const char *p, const char *end, const char **start,
                               const char **match_end)
{
    if (step->find) {
        *start = step->find(base, p, end, match_end);
        return TRUENO_OK;
    }
    if (step->regex)
        return regex_find(e, step->regex, base, p, end, start, match_end);
    *start = step->pattern_length == 0
                 ? NULL
                 : memmem(p, (size_t)(end - p), step->pattern, step->pattern_length);
    if (*start)
        *match_end = *start + step->pattern_length;
    return TRUENO_OK;
}

/* ---- normalising --------------------------------------------------------------------------- */

typedef struct buffer {
    char *data;
    size_t length, capacity;
} buffer;

static bool append(encoder *e, buffer *b, const char *text, size_t n)
{
    if (n > b->capacity - b->length) {
        const size_t capacity = (b->length + n) * 2 + 64;
        char *more = trueno_arena_alloc(&e->arena, capacity);
        if (!more)
            return false;
        if (b->length)
            memcpy(more, b->data, b->length);
        b->data = more;
        b->capacity = capacity;
    }
    if (n)
        memcpy(b->data + b->length, text, n);
    b->length += n;
    return true;
}

/* text[0..*bytes) with every match of the step replaced by its text. */
static const char *replace_all(encoder *e, const pipeline_step *step, const char *text,
                               size_t *bytes)
{
    const char *p = text, *end = text + *bytes, *start, *match_end, *from = text;
    buffer b = {0};

    while (p <= end) {
        if (find_next(e, step, text, p, end, &start, &match_end) < 0)
            return NULL;
        if (!start)
            break;
        if (!append(e, &b, from, (size_t)(start - from)) ||
            !append(e, &b, step->text, step->text_length))
            return NULL;
        from = p = match_end;
        if (match_end == start) { /* an empty match: go on after the next character */
            const unsigned n = utf8_length(p, end);
            if (p == end)
                break;
            p += n ? n : 1;
        }
    }
    if (from == text && b.length == 0)
        return text;
    if (!append(e, &b, from, (size_t)(end - from)) || !append(e, &b, "", 0))
        return NULL;
    *bytes = b.length;
    return b.data ? b.data : text;
}

static const char *prepend(encoder *e, const char *prefix, size_t n, const char *text,
                           size_t *bytes)
{
    char *out = trueno_arena_alloc(&e->arena, n + *bytes);

    if (!out)
        return NULL;
    memcpy(out, prefix, n);
    memcpy(out + n, text, *bytes);
    *bytes += n;
    return out;
}

static const char *strip(const pipeline_step *step, const char *text, size_t *bytes)
{
    const char *end = text + *bytes;

    if (step->flags & 1)
        text = unicode_skip_space(text, end);
    if (step->flags & 2)
        end = unicode_space_before(text, end);
    *bytes = (size_t)(end - text);
    return text;
}

/* One normaliser step over valid UTF-8. */
static const char *normalize_step(encoder *e, const pipeline_step *step, const char *text,
                                  size_t *bytes)
{
    switch (step->kind) {
    case PIPELINE_NORMALIZE:
        return unicode_normalize(text, bytes, step->form, &e->arena);
    case PIPELINE_LOWERCASE:
        return unicode_lowercase(text, bytes, &e->arena);
    case PIPELINE_STRIP:
        return strip(step, text, bytes);
    case PIPELINE_PREPEND:
        if (*bytes == 0 || (e->at_start && e->no_prefix))
            return text;
        return prepend(e, step->text, step->text_length, text, bytes);
    default:
        return replace_all(e, step, text, bytes);
    }
}

/* One step over any bytes: those that are no UTF-8 stay as they are. */
static const char *normalize_bytes(encoder *e, const pipeline_step *step, const char *text,
                                   size_t *bytes)
{
    const char *p = text, *end = text + *bytes, *stop = utf8_valid_end(p, end);
    buffer b = {0};

    if (stop == end || step->kind == PIPELINE_PREPEND)
        return normalize_step(e, step, text, bytes);
    for (; p < end; p = stop) {
        size_t n;
        const char *made;
        stop = utf8_valid_end(p, end);
        n = (size_t)(stop - p);
        made = n ? normalize_step(e, step, p, &n) : p;
        if (!made || !append(e, &b, made, n))
            return NULL;
        if (stop < end && !append(e, &b, stop++, 1))
            return NULL;
    }
    *bytes = b.length;
    return b.data;
}

const char *pipeline_normalize(encoder *e, const char *text, size_t *bytes)
{
    const pipeline *steps = &e->t->pipeline;

    for (int i = 0; i < steps->n_normalizers && text; i++)
        text = normalize_bytes(e, &steps->steps[i], text, bytes);
    return text;
}

/* ---- splitting ----------------------------------------------------------------------------- */

static trueno_status run_steps(encoder *e, int index, const char *p, const char *end);

/* Every match and every gap a piece of its own: what nearly all expressions ask for. */
static trueno_status split_isolated(encoder *e, int index, const char *p, const char *end)
{
    const pipeline_step *step = &e->t->pipeline.steps[index];
    const char *base = p, *from = p, *start, *match_end;
    trueno_status st = TRUENO_OK;

    while (from < end) {
        if ((st = find_next(e, step, base, p, end, &start, &match_end)) < 0)
            return st;
        if (!start)
            return run_steps(e, index + 1, from, end);
        if (start > from && (st = run_steps(e, index + 1, from, start)) < 0)
            return st;
        if (match_end > start && (st = run_steps(e, index + 1, start, match_end)) < 0)
            return st;
        from = p = match_end;
        if (match_end == start && p < end)
            p += utf8_length(p, end);
    }
    return st;
}

/* A piece that the other behaviours may still grow. */
typedef struct pending {
    const char *begin, *end;
    bool match, any;
} pending;

static trueno_status flush(encoder *e, int index, pending *piece)
{
    trueno_status st = TRUENO_OK;

    if (piece->any && piece->end > piece->begin)
        st = run_steps(e, index + 1, piece->begin, piece->end);
    piece->any = false;
    return st;
}

/* Adds one match or gap under the step's behaviour. */
static trueno_status take(encoder *e, int index, pending *piece, const char *begin, const char *end,
                          bool match)
{
    const apr_split_behavior behavior = e->t->pipeline.steps[index].behavior;
    bool join = false;
    trueno_status st;

    if (behavior == APR_SPLIT_CONTIGUOUS)
        join = piece->any && piece->match == match;
    else if (behavior == APR_SPLIT_MERGED_PREVIOUS)
        join = piece->any && match && !piece->match;
    else if (behavior == APR_SPLIT_MERGED_NEXT)
        join = piece->any && piece->match && !match;
    if (!join) {
        if ((st = flush(e, index, piece)) < 0)
            return st;
        piece->begin = begin;
    }
    piece->end = end;
    piece->match = match;
    piece->any = !(behavior == APR_SPLIT_REMOVED && match);
    return TRUENO_OK;
}

static trueno_status split(encoder *e, int index, const char *p, const char *end)
{
    const pipeline_step *step = &e->t->pipeline.steps[index];
    const char *base = p, *from = p, *start, *match_end;
    pending piece = {0};
    trueno_status st;

    while (from < end) {
        if ((st = find_next(e, step, base, p, end, &start, &match_end)) < 0)
            return st;
        if (!start)
            break;
        if (start > from && (st = take(e, index, &piece, from, start, step->invert)) < 0)
            return st;
        if ((st = take(e, index, &piece, start, match_end, !step->invert)) < 0)
            return st;
        from = p = match_end;
        if (match_end == start && p < end)
            p += utf8_length(p, end);
    }
    if (from < end && (st = take(e, index, &piece, from, end, step->invert)) < 0)
        return st;
    return flush(e, index, &piece);
}

/* Metaspace: spaces become the mark, and the mark stands before the text. */
static trueno_status metaspace(encoder *e, int index, const char *p, const char *end)
{
    const pipeline_step *step = &e->t->pipeline.steps[index];
    size_t bytes = (size_t)(end - p);
    const bool wanted = step->flags & 1 || (step->flags & 2 && e->at_start);
    const char *text = replace_all(e, step, p, &bytes);

    if (!text)
        return no_memory(e);
    if (wanted && !(e->at_start && e->no_prefix) &&
        (bytes < step->text_length || memcmp(text, step->text, step->text_length) != 0)) {
        text = prepend(e, step->text, step->text_length, text, &bytes);
        if (!text)
            return no_memory(e);
    }
    return run_steps(e, index + 1, text, text + bytes);
}

static trueno_status space_prefix(encoder *e, int index, const char *p, const char *end)
{
    size_t bytes = (size_t)(end - p);

    if (*p != ' ' && !(e->at_start && e->no_prefix)) {
        p = prepend(e, " ", 1, p, &bytes);
        if (!p)
            return no_memory(e);
    }
    return run_steps(e, index + 1, p, p + bytes);
}

static inline bool is_mark(const char *p)
{
    return memcmp(p, "\xe2\x96\x81", 3) == 0;
}

/* True when no token that merging can make goes on from the character before `p` to that at `p`. */
static inline bool is_cut(const realizar_tokenizer *t, const char *begin, const char *p,
                          const char *end)
{
    const unsigned before = (unsigned char)p[-1], after = (unsigned char)*p;

    if ((after & 0xc0) == 0x80)
        return false; /* inside a character */
    if (!(t->joined[before << 5 | after >> 3] >> (after & 7) & 1))
        return true;
    return !t->crosses_marks && after == 0xe2 && end - p >= 3 && is_mark(p) &&
           !(p - begin >= 3 && is_mark(p - 3));
}

/* Cuts at all places that no token crosses: words for vocabularies that have none. */
static trueno_status cut_words(encoder *e, int index, const char *p, const char *end)
{
    const char *from = p;
    trueno_status st;

    for (const char *q = p + 1; q < end; q++) {
        if (!is_cut(e->t, p, q, end))
            continue;
        if ((st = run_steps(e, index + 1, from, q)) < 0)
            return st;
        from = q;
    }
    return run_steps(e, index + 1, from, end);
}

/* Recursion is as deep as the pipeline has steps (PIPELINE_MAX), whatever the text. */
static trueno_status run_steps(encoder *e, int index, const char *p, const char *end)
{
    const pipeline_step *step = &e->t->pipeline.steps[index];

    if (index == e->t->pipeline.n_steps)
        return bpe_encode_word(e, p, (size_t)(end - p));
    switch (step->kind) {
    case PIPELINE_METASPACE:
        return metaspace(e, index, p, end);
    case PIPELINE_SPACE_PREFIX:
        return space_prefix(e, index, p, end);
    case PIPELINE_CUT:
        return cut_words(e, index, p, end);
    default:
        return step->behavior == APR_SPLIT_ISOLATED ? split_isolated(e, index, p, end)
                                                    : split(e, index, p, end);
    }
}

trueno_status pipeline_encode(encoder *e, const char *text, size_t bytes)
{
    const char *p = text, *end = text + bytes;

    while (p < end) {
        const char *stop = utf8_valid_end(p, end);
        trueno_status st;
        if (stop > p && (st = run_steps(e, e->t->pipeline.n_normalizers, p, stop)) < 0)
            return st;
        /* bytes that are no UTF-8 form words by themselves */
        for (p = stop; p < end && utf8_length(p, end) == 0;)
            p++;
        if (p > stop && (st = bpe_encode_word(e, stop, (size_t)(p - stop))) < 0)
            return st;
    }
    return TRUENO_OK;
}
