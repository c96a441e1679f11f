/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_bpe.c: one word to ids. The pair of lowest rank merges first, the leftmost of equal
 * ones.
 *
 * Short words scan their ranks, long ones keep a heap of (rank, place), so that a word of n symbols
 * takes O(n log n).
 */
#include "tokenizer_cache.h"

typedef struct symbol {
    int32_t id; /* -1: no token has this text */
    uint32_t begin, end;
} symbol;

/* ---- pairs and symbols ---------------------------------------------------------------------- */

/* Two pieces whose text is a token. Control, unknown and byte tokens are never made from text. */
static pair find_scored(const realizar_tokenizer *t, const char *text, size_t bytes)
{
    const int32_t id = bytes > t->longest_token ? -1 : tokenizer_find_text(t, text, bytes);

    if (id >= 0 && (t->kinds[id] == APR_TOKEN_NORMAL || t->kinds[id] == APR_TOKEN_USER_DEFINED))
        return (pair){.rank = t->rank[id], .id = id};
    return (pair){.rank = NO_RANK, .id = -1};
}

static pair scored_pair(const encoder *e, const char *word, const symbol *left, const symbol *right)
{
    const char *text = word + left->begin;
    const size_t bytes = right->end - left->begin;
    known_pair *known;

    if (!e->cache || left->id < 0 || right->id < 0 || (left->id | right->id) == 0)
        return find_scored(e->t, text, bytes);
    known = known_pairs(e->cache) + (((uint32_t)left->id * UINT32_C(0x9e3779b1) ^
                                      (uint32_t)right->id * UINT32_C(0x85ebca77)) >>
                                     19);
    if (known->left != left->id || known->right != right->id)
        *known = (known_pair){
            .left = left->id, .right = right->id, .joined = find_scored(e->t, text, bytes)};
    return known->joined;
}

/* What two neighbours become. */
static inline pair pair_of(const encoder *e, const char *word, const symbol *left,
                           const symbol *right)
{
    const merge_slot *slot;

    if (e->t->by_score)
        return scored_pair(e, word, left, right);
    slot = left->id < 0 || right->id < 0 ? NULL : tokenizer_find_merge(e->t, left->id, right->id);
    return slot ? (pair){.rank = slot->rank, .id = slot->id} : (pair){.rank = NO_RANK, .id = -1};
}

/* The first symbols: bytes, or characters. Returns how many; `out` has room for `bytes`. */
static size_t first_symbols(const realizar_tokenizer *t, const char *word, size_t bytes,
                            symbol *out)
{
    size_t n = 0;

    if (t->vocab->byte_level) {
        for (size_t i = 0; i < bytes; i++) {
            const int32_t id = t->byte_ids[(unsigned char)word[i]];
            if (id >= 0) /* a vocabulary without this byte cannot say it */
                out[n++] = (symbol){.id = id, .begin = (uint32_t)i, .end = (uint32_t)i + 1};
        }
        return n;
    }
    for (size_t i = 0; i < bytes;) {
        const unsigned length = utf8_length(word + i, word + bytes);
        const size_t end = i + (length ? length : 1);
        int32_t id = length ? tokenizer_find_text(t, word + i, length) : -1;
        if (id >= 0 && tokenizer_added_flags(t, id) & APR_ADDED_SPECIAL)
            id = -1;
        out[n++] = (symbol){.id = id, .begin = (uint32_t)i, .end = (uint32_t)end};
        i = end;
    }
    return n;
}

/* Writes a symbol that is no token as its bytes, or as the unknown token. */
static trueno_status put_unknown(encoder *e, const char *text, size_t bytes, bool *was_unknown)
{
    const realizar_tokenizer *t = e->t;
    bool all = t->vocab->byte_fallback;
    trueno_status st = TRUENO_OK;

    for (size_t i = 0; i < bytes; i++)
        all = all && t->byte_ids[(unsigned char)text[i]] >= 0;
    if (!all) {
        if (t->unknown < 0 || (*was_unknown && t->vocab->fuse_unknown))
            return TRUENO_OK;
        *was_unknown = true;
        return encoder_put(e, t->unknown);
    }
    *was_unknown = false;
    for (size_t i = 0; i < bytes && st == TRUENO_OK; i++)
        st = encoder_put(e, t->byte_ids[(unsigned char)text[i]]);
    return st;
}

static trueno_status put_symbol(encoder *e, const char *word, const symbol *s, bool *was_unknown)
{
    if (s->id < 0)
        return put_unknown(e, word + s->begin, s->end - s->begin, was_unknown);
    *was_unknown = false;
    return encoder_put(e, s->id);
}

/* ---- short words --------------------------------------------------------------------------- */

#define SHORT_WORD 40

static trueno_status merge_short(encoder *e, const char *word, size_t bytes)
{
    const realizar_tokenizer *t = e->t;
    symbol symbols[SHORT_WORD];
    pair pairs[SHORT_WORD];
    size_t n = first_symbols(t, word, bytes, symbols);
    bool was_unknown = false;
    trueno_status st = TRUENO_OK;

    for (size_t i = 0; i + 1 < n; i++)
        pairs[i] = pair_of(e, word, &symbols[i], &symbols[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (pairs[i].rank < pairs[best].rank)
                best = i;
        if (pairs[best].rank == NO_RANK)
            break;
        symbols[best].id = pairs[best].id;
        symbols[best].end = symbols[best + 1].end;
        n--;
        memmove(symbols + best + 1, symbols + best + 2, (n - best - 1) * sizeof *symbols);
        memmove(pairs + best, pairs + best + 1, (n - best - 1) * sizeof *pairs);
        if (best + 1 < n)
            pairs[best] = pair_of(e, word, &symbols[best], &symbols[best + 1]);
        if (best > 0)
            pairs[best - 1] = pair_of(e, word, &symbols[best - 1], &symbols[best]);
    }
    for (size_t i = 0; i < n && st == TRUENO_OK; i++)
        st = put_symbol(e, word, &symbols[i], &was_unknown);
    return st;
}

/* ---- long words ---------------------------------------------------------------------------- */

#define NOBODY UINT32_MAX

typedef struct long_word {
    symbol *symbols;
    pair *pairs; /* of each symbol with the next */
    uint32_t *previous, *next;
    uint64_t *heap; /* rank << 32 | place: the smallest is merged first */
    size_t n_heap;
} long_word;

static void sift_down(uint64_t *heap, size_t n, size_t at)
{
    const uint64_t value = heap[at];

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= value)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = value;
}

static void push(long_word *w, uint64_t value)
{
    size_t at = w->n_heap++;

    while (at > 0 && w->heap[(at - 1) / 2] > value) {
        w->heap[at] = w->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w->heap[at] = value;
}

/* Looks at the pair that begins at `at` again and queues it. */
static void renew(const encoder *e, const char *word, long_word *w, uint32_t at)
{
    if (w->next[at] == NOBODY) {
        w->pairs[at].rank = NO_RANK;
        return;
    }
    w->pairs[at] = pair_of(e, word, &w->symbols[at], &w->symbols[w->next[at]]);
    if (w->pairs[at].rank != NO_RANK)
        push(w, (uint64_t)w->pairs[at].rank << 32 | at);
}

static void merge_all(const encoder *e, const char *word, long_word *w)
{
    while (w->n_heap > 0) {
        const uint64_t top = w->heap[0];
        const uint32_t at = (uint32_t)top;
        uint32_t gone;

        w->heap[0] = w->heap[--w->n_heap];
        if (w->n_heap > 0)
            sift_down(w->heap, w->n_heap, 0);
        /* an entry is stale when its pair has changed since */
        if (w->pairs[at].rank != (uint32_t)(top >> 32))
            continue;
        gone = w->next[at];
        w->symbols[at].id = w->pairs[at].id;
        w->symbols[at].end = w->symbols[gone].end;
        w->pairs[gone].rank = NO_RANK;
        w->next[at] = w->next[gone];
        if (w->next[at] != NOBODY)
            w->previous[w->next[at]] = at;
        renew(e, word, w, at);
        if (w->previous[at] != NOBODY)
            renew(e, word, w, w->previous[at]);
    }
}

static trueno_status merge_long(encoder *e, const char *word, size_t bytes)
{
    const realizar_tokenizer *t = e->t;
    /* a merge queues at most two pairs, and there are fewer merges than bytes */
    const size_t each = sizeof(symbol) + sizeof(pair) + 2 * sizeof(uint32_t) + 3 * sizeof(uint64_t);
    long_word w = {0};
    char *memory;
    size_t n;
    bool was_unknown = false;
    trueno_status st = TRUENO_OK;

    if (bytes >= UINT32_MAX / 2)
        return trueno_fail(e->err, TRUENO_USAGE, "encode: a word of %zu bytes", bytes);
    memory = trueno_allocate(t->allocator, bytes * each, 64);
    if (!memory)
        return trueno_fail(e->err, TRUENO_NO_MEMORY, "tokenizer: no memory for a word of %zu bytes",
                           bytes);
    w.heap = (uint64_t *)(void *)memory;
    w.symbols = (symbol *)(void *)(w.heap + 3 * bytes);
    w.pairs = (pair *)(void *)(w.symbols + bytes);
    w.previous = (uint32_t *)(void *)(w.pairs + bytes);
    w.next = w.previous + bytes;
    n = first_symbols(t, word, bytes, w.symbols);
    for (size_t i = 0; i < n; i++) {
        w.previous[i] = i > 0 ? (uint32_t)i - 1 : NOBODY;
        w.next[i] = i + 1 < n ? (uint32_t)i + 1 : NOBODY;
        w.pairs[i] = i + 1 < n ? pair_of(e, word, &w.symbols[i], &w.symbols[i + 1])
                               : (pair){.rank = NO_RANK, .id = -1};
        if (w.pairs[i].rank != NO_RANK)
            w.heap[w.n_heap++] = (uint64_t)w.pairs[i].rank << 32 | i;
    }
    for (size_t i = w.n_heap / 2; i-- > 0;)
        sift_down(w.heap, w.n_heap, i);
    merge_all(e, word, &w);
    for (uint32_t i = n > 0 ? 0 : NOBODY; i != NOBODY && st == TRUENO_OK; i = w.next[i])
        st = put_symbol(e, word, &w.symbols[i], &was_unknown);
    trueno_release(t->allocator, memory, bytes * each);
    return st;
}

trueno_status bpe_merge_word(encoder *e, const char *word, size_t bytes)
{
    const realizar_tokenizer *t = e->t;
    int32_t id = -1;

    if (t->ignore_merges)
        id = t->vocab->byte_level ? tokenizer_find_bytes(t, word, bytes)
                                  : tokenizer_find_text(t, word, bytes);
    else if (t->whole_lines && word[0] == '\n' && bytes <= t->longest_token)
        id = tokenizer_find_text(t, word, bytes);
    if (id >= 0 && !(tokenizer_added_flags(t, id) & APR_ADDED))
        return encoder_put(e, id);
    return bytes <= SHORT_WORD ? merge_short(e, word, bytes) : merge_long(e, word, bytes);
}
