/* SPDX-License-Identifier: MIT */
#include "tokenizer_fixture.h"

int32_t add(fixture *f, const char *text, apr_token_type type, unsigned flags)
{
    const int32_t id = f->vocab.n_tokens++;
    const size_t n = strlen(text);

    memcpy(f->store + f->used, text, n + 1);
    f->tokens[id] = (apr_text){.data = f->store + f->used, .length = (uint32_t)n};
    f->used += n + 1;
    f->types[id] = (uint8_t)type;
    f->flags[id] = (uint8_t)flags;
    return id;
}

int32_t add_special(fixture *f, const char *text, unsigned more)
{
    return add(f, text, APR_TOKEN_CONTROL, APR_ADDED | APR_ADDED_SPECIAL | more);
}

void add_merge(fixture *f, const char *merge)
{
    f->merges[f->vocab.n_merges++] = (apr_text){.data = merge, .length = (uint32_t)strlen(merge)};
}

static void common(fixture *f)
{
    f->vocab.tokens = f->tokens;
    f->vocab.types = f->types;
    f->vocab.flags = f->flags;
    f->vocab.bos = f->vocab.eos = f->vocab.unk = f->vocab.pad = f->vocab.eot = -1;
}

fixture *byte_level(const char *pre)
{
    static const char *const merged[] = {"t h", "th e", "Ġ the", "h e", "a a", "aa aa", "Ġ Ġ"};
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->vocab = (apr_vocab){.kind = APR_VOCAB_BPE, .model = "gpt2", .pre = pre, .byte_level = true};
    common(f);
    f->vocab.merges = f->merges;
    for (uint32_t c = 0; f->vocab.n_tokens < 256; c++) {
        char text[5] = {0};
        const bool printable = (c > ' ' && c < 0x7f) || (c > 0xa0 && c != 0xad);
        if (c >= 0x144 || !printable)
            continue;
        utf8_encode(c, text);
        add(f, text, APR_TOKEN_NORMAL, 0);
    }
    for (size_t i = 0; i < sizeof merged / sizeof *merged; i++) {
        char text[32];
        const char *space = strchr(merged[i], ' ');
        (void)snprintf(text, sizeof text, "%.*s%s", (int)(space - merged[i]), merged[i], space + 1);
        add(f, text, APR_TOKEN_NORMAL, 0);
        add_merge(f, merged[i]);
    }
    return f;
}

fixture *sentencepiece(void)
{
    static const char *const pieces[] = {MARK,     "a",  "b",   "c",       "h",  "i",
                                         MARK "a", "ab", "abc", MARK "hi", "hi", MARK MARK};
    fixture *f = calloc(1, sizeof *f);
    char text[8];

    assert_non_null(f);
    f->vocab = (apr_vocab){.kind = APR_VOCAB_SPM,
                           .model = "llama",
                           .byte_fallback = true,
                           .add_space_prefix = true,
                           .scores = f->scores};
    common(f);
    f->vocab.unk = add(f, "<unk>", APR_TOKEN_UNKNOWN, APR_ADDED | APR_ADDED_SPECIAL);
    add_special(f, "<s>", 0);
    for (int b = 0; b < 256; b++) {
        (void)snprintf(text, sizeof text, "<0x%02X>", b);
        add(f, text, APR_TOKEN_BYTE, 0);
    }
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        f->scores[add(f, pieces[i], APR_TOKEN_NORMAL, 0)] = -(float)i;
    return f;
}

realizar_tokenizer *build(const fixture *f)
{
    realizar_tokenizer *t;
    trueno_error err = {0};

    if (realizar_tokenizer_new(&t, &f->vocab, NULL, &err) < 0)
        fail_msg("%s", err.message);
    return t;
}

void refuse(const fixture *f, trueno_status status, const char *words)
{
    realizar_tokenizer *t;
    trueno_error err = {0};

    assert_int_equal(realizar_tokenizer_new(&t, &f->vocab, NULL, &err), status);
    assert_null(t);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

const char *texts_of(const realizar_tokenizer *t, const char *text, size_t bytes, unsigned flags,
                     const realizar_text_span *user, size_t n_user)
{
    static char out[4096];
    int32_t ids[512];
    size_t count, n = 0;
    trueno_error err = {0};

    if (realizar_tokenizer_encode_spans(t, text, bytes, user, n_user, flags, ids, 512, &count,
                                        &err) < 0)
        fail_msg("%s", err.message);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const apr_text token = realizar_tokenizer_vocab(t)->tokens[ids[i]];
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", i ? "|" : "", (int)token.length,
                              token.data);
    }
    return out;
}
