/* SPDX-License-Identifier: MIT */
/* tokenizer.c: the public functions: build, encode, decode, and what a caller asks about ids. */
#include "tokenizer_internal.h"

trueno_status realizar_tokenizer_new(realizar_tokenizer **out, const apr_vocab *vocab,
                                     const trueno_allocator *allocator, trueno_error *err)
{
    realizar_tokenizer *t;
    trueno_status st;

    *out = NULL;
    if (vocab->kind != APR_VOCAB_BPE && vocab->kind != APR_VOCAB_SPM)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "tokenizer: unknown kind %.100s",
                           vocab->model ? vocab->model : "");
    t = trueno_allocate_zero(allocator, sizeof *t);
    if (!t)
        return trueno_fail(err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
    t->vocab = vocab;
    t->allocator = t->arena.allocator = allocator;
    t->seed = (uint64_t)(uintptr_t)t * UINT64_C(0xd6e8feb86659fd93);
    t->unknown = vocab->unk >= 0 && vocab->unk < vocab->n_tokens ? vocab->unk : -1;
    if ((st = tokenizer_build_vocab(t, err)) < 0 || (st = pipeline_build(t, err)) < 0 ||
        (st = added_build(t, err)) < 0) {
        realizar_tokenizer_free(t);
        return st;
    }
    *out = t;
    return TRUENO_OK;
}

void realizar_tokenizer_free(realizar_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pipeline_free(&tokenizer->pipeline);
    trueno_arena_free(&tokenizer->arena);
    trueno_release(tokenizer->allocator, tokenizer, sizeof *tokenizer);
}

size_t realizar_tokenizer_encode_bound(const realizar_tokenizer *tokenizer, size_t bytes)
{
    const size_t growth = tokenizer->pipeline.growth;
    const size_t extra = 2 + tokenizer->pipeline.prefix * growth;

    return bytes > (SIZE_MAX - extra) / growth ? SIZE_MAX : bytes * growth + extra;
}

/* ---- encoding ------------------------------------------------------------------------------ */

/* Lets a token swallow the white space around it, as its flags say; not before `from`. */
static void trim(const realizar_tokenizer *t, const char *text, size_t bytes, size_t from,
                 added_match *match)
{
    const unsigned flags = tokenizer_added_flags(t, match->id);

    if (flags & APR_ADDED_LSTRIP)
        match->begin = (size_t)(unicode_space_before(text + from, text + match->begin) - text);
    if (flags & APR_ADDED_RSTRIP)
        match->end = (size_t)(unicode_skip_space(text + match->end, text + bytes) - text);
}

/* Encodes what lies between two tokens of the first set: normalised, and cut by the second. */
static trueno_status encode_fragment(encoder *e, const char *text, size_t bytes,
                                     const user_spans *user)
{
    const realizar_tokenizer *t = e->t;
    const char *made = pipeline_normalize(e, text, &bytes);
    user_spans here = *user;
    size_t from = 0, length = bytes;
    added_match match;
    trueno_status st = TRUENO_OK;

    if (!made)
        return trueno_fail(e->err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
    /* places in a rewritten text are not places in the user's */
    if (made != text)
        here.all = here.all || added_is_users(user, 0, length);
    while (from < bytes) {
        const bool found = added_find(t, 1, made, bytes, from, &here, &match);
        size_t end = bytes;
        if (found) {
            trim(t, made, bytes, from, &match);
            end = match.begin;
        }
        if (end > from && (st = pipeline_encode(e, made + from, end - from)) < 0)
            return st;
        if (!found)
            break;
        if ((st = encoder_put(e, match.id)) < 0)
            return st;
        from = match.end;
        e->at_start = false;
    }
    return st;
}

static trueno_status encode_text(encoder *e, const char *text, size_t bytes, user_spans user,
                                 bool continues)
{
    size_t from = 0;
    added_match match;
    trueno_status st = TRUENO_OK;

    while (from < bytes) {
        const bool found = added_find(e->t, 0, text, bytes, from, &user, &match);
        user_spans here = user;
        size_t end = bytes;
        if (found) {
            trim(e->t, text, bytes, from, &match);
            end = match.begin;
        }
        here.origin = from;
        e->at_start = from == 0;
        e->no_prefix = continues;
        if (end > from && (st = encode_fragment(e, text + from, end - from, &here)) < 0)
            return st;
        if (!found)
            break;
        if ((st = encoder_put(e, match.id)) < 0)
            return st;
        from = match.end;
    }
    return st;
}

static trueno_status check_spans(const realizar_text_span *spans, size_t n_spans, size_t bytes,
                                 trueno_error *err)
{
    size_t at = 0;

    for (size_t i = 0; i < n_spans; i++) {
        if (spans[i].begin < at || spans[i].end < spans[i].begin || spans[i].end > bytes)
            return trueno_fail(err, TRUENO_USAGE,
                               "encode: span %zu [%zu, %zu) of a text of %zu bytes is out of order",
                               i, spans[i].begin, spans[i].end, bytes);
        at = spans[i].end;
    }
    return TRUENO_OK;
}

trueno_status realizar_tokenizer_encode_spans(const realizar_tokenizer *tokenizer, const char *text,
                                              size_t bytes, const realizar_text_span *user,
                                              size_t n_user, unsigned flags, int32_t *ids,
                                              size_t capacity, size_t *count, trueno_error *err)
{
    const realizar_tokenizer *t = tokenizer;
    encoder e = {
        .t = t, .arena = {.allocator = t->allocator}, .ids = ids, .capacity = capacity, .err = err};
    const user_spans spans = {
        .spans = user, .count = n_user, .all = !(flags & REALIZAR_ENCODE_SPECIAL)};
    trueno_status st = check_spans(user, n_user, bytes, err);

    *count = 0;
    if (st < 0)
        return st;
    e.cache = bpe_cache_new(t, bytes);
    if (flags & REALIZAR_ENCODE_BOS && t->vocab->add_bos && t->vocab->bos >= 0)
        st = encoder_put(&e, t->vocab->bos);
    if (st == TRUENO_OK && bytes > 0)
        st = encode_text(&e, text, bytes, spans, flags & REALIZAR_ENCODE_CONTINUES);
    if (st == TRUENO_OK && flags & REALIZAR_ENCODE_BOS && t->vocab->add_eos && t->vocab->eos >= 0)
        st = encoder_put(&e, t->vocab->eos);
    pipeline_end(&e);
    bpe_cache_free(t, e.cache);
    trueno_arena_free(&e.arena);
    if (st == TRUENO_OK)
        *count = e.count;
    return st;
}

trueno_status realizar_tokenizer_encode(const realizar_tokenizer *tokenizer, const char *text,
                                        size_t bytes, unsigned flags, int32_t *ids, size_t capacity,
                                        size_t *count, trueno_error *err)
{
    return realizar_tokenizer_encode_spans(tokenizer, text, bytes, NULL, 0, flags, ids, capacity,
                                           count, err);
}

/* ---- decoding ------------------------------------------------------------------------------ */

apr_text realizar_tokenizer_piece(const realizar_tokenizer *tokenizer, int32_t id, bool special)
{
    const realizar_tokenizer *t = tokenizer;

    if (id < 0 || id >= t->vocab->n_tokens ||
        (!special && tokenizer_added_flags(t, id) & APR_ADDED_SPECIAL))
        return (apr_text){.data = NULL, .length = 0};
    return (apr_text){.data = t->pieces + t->piece_begin[id],
                      .length = t->piece_begin[id + 1] - t->piece_begin[id]};
}

size_t realizar_tokenizer_decode(const realizar_tokenizer *tokenizer, const int32_t *ids,
                                 size_t count, bool special, char *out, size_t capacity)
{
    size_t needed = 0;
    bool at_start = tokenizer->space_prefixed;

    for (size_t i = 0; i < count; i++) {
        apr_text piece = realizar_tokenizer_piece(tokenizer, ids[i], special);
        if (at_start && piece.length > 0) {
            at_start = false;
            if (piece.data[0] == ' ') {
                piece.data++;
                piece.length--;
            }
        }
        if (piece.length > 0 && needed < capacity)
            memcpy(out + needed, piece.data,
                   piece.length < capacity - needed ? piece.length : capacity - needed);
        needed += piece.length;
    }
    return needed;
}

/* ---- questions ----------------------------------------------------------------------------- */

int32_t realizar_tokenizer_find(const realizar_tokenizer *tokenizer, const char *text, size_t bytes)
{
    return tokenizer_find_text(tokenizer, text, bytes);
}

bool realizar_tokenizer_is_unused(const realizar_tokenizer *tokenizer, int32_t id)
{
    return id < 0 || id >= tokenizer->vocab->n_tokens || tokenizer->kinds[id] == APR_TOKEN_UNUSED;
}

bool realizar_tokenizer_is_end(const realizar_tokenizer *tokenizer, int32_t id)
{
    for (int32_t i = 0; i < tokenizer->vocab->n_eos && i < 8; i++)
        if (tokenizer->vocab->eos_ids[i] == id)
            return true;
    return false;
}

const apr_vocab *realizar_tokenizer_vocab(const realizar_tokenizer *tokenizer)
{
    return tokenizer->vocab;
}
