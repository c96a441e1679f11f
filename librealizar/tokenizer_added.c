/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_added.c: added tokens, found leftmost first and longest first by walking a trie.
 *
 * As in Hugging Face's tokenizers there are two sets: one is matched in the text as it is, the
 * other (flag APR_ADDED_NORMALIZED) in what normalisation left of the rest.
 */
#include "tokenizer_internal.h"

static uint32_t edge_slot(const added_trie *trie, uint32_t key)
{
    uint32_t i = key * UINT32_C(0x9e3779b1) >> 7 & trie->mask;

    while (trie->edges[i].key != 0 && trie->edges[i].key != key)
        i = (i + 1) & trie->mask;
    return i;
}

/* The node that `byte` leads to from `node`, or 0. */
static uint32_t follow(const added_trie *trie, uint32_t node, unsigned char byte)
{
    return node == 0 ? trie->first[byte]
                     : trie->edges[edge_slot(trie, (node << 8 | byte) + 1)].node;
}

static void insert(added_trie *trie, const char *text, size_t bytes, int32_t id)
{
    uint32_t node = 0;

    for (size_t i = 0; i < bytes; i++) {
        const unsigned char byte = (unsigned char)text[i];
        uint32_t next = follow(trie, node, byte);
        if (next == 0) {
            next = trie->n_nodes++;
            trie->token[next] = -1;
            if (node == 0)
                trie->first[byte] = next;
            else
                trie->edges[edge_slot(trie, (node << 8 | byte) + 1)] =
                    (struct added_edge){.key = (node << 8 | byte) + 1, .node = next};
        }
        node = next;
    }
    if (node != 0 && trie->token[node] < 0)
        trie->token[node] = id;
}

bool added_trie_empty(const added_trie *trie)
{
    return trie->n_nodes < 2;
}

static int which_trie(const realizar_tokenizer *t, int32_t id)
{
    return tokenizer_added_flags(t, id) & APR_ADDED_NORMALIZED && t->pipeline.n_normalizers > 0;
}

/* The text to look for: that of the token, normalised when the text will be. */
static const char *text_of(encoder *e, int32_t id, int which, size_t *bytes)
{
    const apr_text text = e->t->vocab->tokens[id];

    *bytes = text.length;
    if (which == 0 || utf8_valid_end(text.data, text.data + text.length) < text.data + text.length)
        return text.data;
    return pipeline_normalize(e, text.data, bytes);
}

/* Nodes fit in 24 bits beside a byte. */
#define MAX_TRIE_BYTES ((1u << 24) - 2)

static trueno_status build_trie(realizar_tokenizer *t, int which, trueno_error *err)
{
    added_trie *trie = &t->added[which];
    encoder e = {.t = t, .arena = {.allocator = t->allocator}, .err = err};
    size_t bytes = 0, n;
    uint32_t size = 16;
    trueno_status st = TRUENO_OK;

    for (int32_t id = 0; id < t->vocab->n_tokens; id++)
        if (tokenizer_added_flags(t, id) & APR_ADDED && which_trie(t, id) == which)
            bytes += (size_t)t->vocab->tokens[id].length * (which ? t->pipeline.growth : 1);
    if (bytes == 0)
        return TRUENO_OK;
    if (bytes > MAX_TRIE_BYTES)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "tokenizer: %zu bytes of added tokens", bytes);
    while (size < 2 * (bytes + 1))
        size *= 2;
    trie->mask = size - 1;
    trie->edges = trueno_arena_array(&t->arena, size, sizeof *trie->edges);
    trie->token = trueno_arena_array(&t->arena, bytes + 1, sizeof *trie->token);
    if (!trie->edges || !trie->token)
        return trueno_fail(err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
    trie->n_nodes = 1;
    trie->token[0] = -1;
    for (int32_t id = 0; id < t->vocab->n_tokens && st == TRUENO_OK; id++) {
        const char *text;
        if (!(tokenizer_added_flags(t, id) & APR_ADDED) || which_trie(t, id) != which)
            continue;
        text = text_of(&e, id, which, &n);
        if (text)
            insert(trie, text, n, id);
        else
            st = trueno_fail(err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
    }
    pipeline_end(&e);
    trueno_arena_free(&e.arena);
    return st;
}

trueno_status added_build(realizar_tokenizer *t, trueno_error *err)
{
    trueno_status st = build_trie(t, 0, err);

    return st < 0 ? st : build_trie(t, 1, err);
}

bool added_is_users(const user_spans *user, size_t begin, size_t end)
{
    size_t low = 0, high = user->count;

    if (user->all)
        return true;
    begin += user->origin;
    end += user->origin;
    while (low < high) { /* the first span that ends after `begin` */
        const size_t middle = low + (high - low) / 2;
        if (user->spans[middle].end <= begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low < user->count && user->spans[low].begin < end;
}

/* The longest token at text[at..bytes) that may stand there, or -1; *end: where it ends. */
static int32_t longest_at(const realizar_tokenizer *t, const added_trie *trie, const char *text,
                          size_t bytes, size_t at, const user_spans *user, size_t *end)
{
    int32_t best = -1;
    uint32_t node = 0;

    for (size_t i = at; i < bytes; i++) {
        int32_t id;
        node = follow(trie, node, (unsigned char)text[i]);
        if (node == 0)
            break;
        id = trie->token[node];
        if (id < 0 ||
            (tokenizer_added_flags(t, id) & APR_ADDED_SPECIAL && added_is_users(user, at, i + 1)))
            continue;
        best = id;
        *end = i + 1;
    }
    return best;
}

/* True when a word character touches text[begin..end) from either side. */
static bool touches_word(const char *text, size_t bytes, size_t begin, size_t end)
{
    unsigned n;
    size_t before = begin;

    if (end < bytes && utf8_length(text + end, text + bytes) > 0 &&
        unicode_is_word(utf8_decode_valid(text + end, &n)))
        return true;
    if (begin == 0)
        return false;
    do
        before--;
    while (before > 0 && begin - before < 4 && ((unsigned char)text[before] & 0xc0) == 0x80);
    return utf8_length(text + before, text + begin) == begin - before &&
           unicode_is_word(utf8_decode_valid(text + before, &n));
}

bool added_find(const realizar_tokenizer *t, int which, const char *text, size_t bytes, size_t from,
                const user_spans *user, added_match *match)
{
    const added_trie *trie = &t->added[which];
    size_t end = 0;

    if (added_trie_empty(trie))
        return false;
    for (size_t at = from; at < bytes; at++) {
        int32_t id;
        if (trie->first[(unsigned char)text[at]] == 0)
            continue;
        id = longest_at(t, trie, text, bytes, at, user, &end);
        if (id < 0)
            continue;
        if (tokenizer_added_flags(t, id) & APR_ADDED_SINGLE_WORD &&
            touches_word(text, bytes, at, end)) {
            at = end - 1;
            continue;
        }
        *match = (added_match){.id = id, .begin = at, .end = end};
        return true;
    }
    return false;
}
