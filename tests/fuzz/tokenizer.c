/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: a vocabulary and a text, both from the input. The tokenizer may refuse the
 * vocabulary; otherwise ids are in range and fewer than their bound, and a byte-level vocabulary
 * without a normaliser gives the text back.
 *
 * Input: pre-tokeniser, flags, number of merges, two bytes a merge, then the text.
 */
#include <realizar/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MERGES_MAX = 40, TOKENS_MAX = 256 + MERGES_MAX + 8, TOKEN_BYTES = 64 };

enum {
    BYTE_LEVEL = 1,
    SCORES = 2,
    SPACE_PREFIX = 4,
    SPANS = 8,
    SPECIAL = 16,
    STRIPS = 32,
    WHOLE = 64
};

typedef struct input {
    apr_vocab vocab;
    char store[TOKENS_MAX][TOKEN_BYTES], merged[MERGES_MAX][2 * TOKEN_BYTES + 2];
    apr_text tokens[TOKENS_MAX], merges[MERGES_MAX];
    float scores[TOKENS_MAX];
    uint8_t types[TOKENS_MAX], flags[TOKENS_MAX];
    bool normalizes;
} input;

static const char *const names[] = {
    "gpt-2",       "smollm", "llama-bpe", "tekken", "falcon", "deepseek-coder", "deepseek-llm",
    "deepseek-v3", "gpt-4o", "qwen2",     "qwen35", "mpt",    "no name",        "bloom"};

static int32_t add(input *in, const char *text, size_t length, apr_token_type type, unsigned flags)
{
    const int32_t id = in->vocab.n_tokens;

    if (id == TOKENS_MAX || length > TOKEN_BYTES)
        return -1;
    memcpy(in->store[id], text, length);
    in->tokens[id] = (apr_text){.data = in->store[id], .length = (uint32_t)length};
    in->types[id] = (uint8_t)type;
    in->flags[id] = (uint8_t)flags;
    in->scores[id] = (float)-id;
    in->vocab.n_tokens++;
    return id;
}

/* The 256 letters of GPT-2's alphabet, or byte tokens and some characters. */
static void add_bytes(input *in, bool byte_level)
{
    static const char *const characters[] = {"\xe2\x96\x81", "a", "b", "c", "e", "t",
                                             "\n",           "é", "中"};

    for (unsigned c = 0; byte_level && c < 0x144; c++) {
        const char two[] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))}, one = (char)c;
        if (c > ' ' && c < 0x7f)
            add(in, &one, 1, APR_TOKEN_NORMAL, 0);
        else if (c > 0xa0 && c != 0xad)
            add(in, two, 2, APR_TOKEN_NORMAL, 0);
    }
    if (byte_level)
        return;
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        add(in, characters[i], strlen(characters[i]), APR_TOKEN_NORMAL, 0);
    for (unsigned b = 0; b < 256; b += 1) {
        char text[8];
        add(in, text, (size_t)snprintf(text, sizeof text, "<0x%02X>", b), APR_TOKEN_BYTE, 0);
    }
}

/* Joins two tokens that there are; a token may come twice, or not at all. */
static void add_merge(input *in, unsigned left, unsigned right)
{
    const apr_text a = in->tokens[left % (unsigned)in->vocab.n_tokens];
    const apr_text b = in->tokens[right % (unsigned)in->vocab.n_tokens];
    char *merged = in->merged[in->vocab.n_merges], whole[2 * TOKEN_BYTES];

    memcpy(merged, a.data, a.length);
    merged[a.length] = ' ';
    memcpy(merged + a.length + 1, b.data, b.length);
    memcpy(whole, a.data, a.length);
    memcpy(whole + a.length, b.data, b.length);
    in->merges[in->vocab.n_merges] = (apr_text){.data = merged, .length = a.length + b.length + 1};
    if (add(in, whole, (size_t)a.length + b.length, APR_TOKEN_NORMAL, 0) >= 0)
        in->vocab.n_merges++;
}

static void make_vocab(input *in, const char *pre, unsigned flags)
{
    const unsigned strips = flags & STRIPS ? APR_ADDED_LSTRIP | APR_ADDED_RSTRIP : 0;

    in->vocab = (apr_vocab){.kind = flags & SCORES ? APR_VOCAB_SPM : APR_VOCAB_BPE,
                            .model = flags & SCORES ? "llama" : "gemma4",
                            .pre = pre,
                            .tokens = in->tokens,
                            .types = in->types,
                            .flags = in->flags,
                            .scores = in->scores,
                            .merges = in->merges,
                            .byte_level = flags & BYTE_LEVEL && !(flags & SCORES),
                            .byte_fallback = true,
                            .add_space_prefix = flags & SPACE_PREFIX,
                            .ignore_merges = flags & WHOLE,
                            .unk = -1,
                            .bos = -1,
                            .eos = -1};
    in->normalizes = !in->vocab.byte_level || strcmp(pre, "qwen2") == 0 ||
                     strcmp(pre, "qwen35") == 0 || strcmp(pre, "mpt") == 0;
    add_bytes(in, in->vocab.byte_level);
    add(in, "<s>", 3, APR_TOKEN_CONTROL, APR_ADDED | APR_ADDED_SPECIAL | strips);
    add(in, "<t>", 3, APR_TOKEN_USER_DEFINED, APR_ADDED | APR_ADDED_SINGLE_WORD);
}

static void check(const input *in, const realizar_tokenizer *t, const char *text, size_t bytes,
                  unsigned flags)
{
    const size_t bound = realizar_tokenizer_encode_bound(t, bytes);
    const realizar_text_span span = {bytes / 4, bytes / 2};
    int32_t *ids = malloc((bound + 1) * sizeof *ids);
    size_t count, back;
    char *out;

    if (!ids || realizar_tokenizer_encode_spans(t, text, bytes, &span, flags & SPANS ? 1 : 0,
                                                flags & SPECIAL ? REALIZAR_ENCODE_SPECIAL : 0, ids,
                                                bound, &count, NULL) < 0)
        abort();
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= in->vocab.n_tokens)
            abort();
    back = realizar_tokenizer_decode(t, ids, count, true, NULL, 0);
    out = malloc(back + 1);
    if (!out || realizar_tokenizer_decode(t, ids, count, true, out, back) != back)
        abort();
    if (!in->normalizes && !(flags & STRIPS) && (back != bytes || memcmp(out, text, bytes) != 0))
        abort();
    free(out);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static input in; /* large; used by one thread */
    realizar_tokenizer *t;
    unsigned flags, merges;

    if (bytes < 3)
        return 0;
    memset(&in, 0, sizeof in);
    flags = data[1];
    merges = data[2] % (MERGES_MAX + 1);
    make_vocab(&in, names[data[0] % (sizeof names / sizeof *names)], flags);
    for (data += 3, bytes -= 3; merges > 0 && bytes >= 2; merges--, data += 2, bytes -= 2)
        add_merge(&in, data[0], data[1] + 256u * (data[0] & 1));
    if (realizar_tokenizer_new(&t, &in.vocab, NULL, NULL) < 0)
        return 0;
    check(&in, t, (const char *)data, bytes, flags);
    realizar_tokenizer_free(t);
    return 0;
}
