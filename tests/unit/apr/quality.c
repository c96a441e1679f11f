/* SPDX-License-Identifier: MIT */
/* Every quality check passes on a good model, and fails alone on one with its own fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/apr.h"
#include "gguf_build.h"
#include "memory_fixture.h"
#include <apr/convert.h>
#include <apr/quality.h>
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HIDDEN = 8, VOCAB = 8, FFN = 12, LAYERS = 4 };

static const char *fault; /* which the model in the making has; "": none */

static bool has(const char *name)
{
    return strcmp(fault, name) == 0;
}

static void make_keys(gguf_build *g)
{
    static const char *const WORDS[] = {"general.license", "general.url", "general.description",
                                        "general.name", "tokenizer.chat_template"};
    static const char *const FAULTS[] = {"license", "provenance", "description", "name",
                                         "chat-template"};
    const char *arch = has("architecture") ? "unheard" : "qwen2";

    key_str(g, "general.architecture", arch);
    if (has("alignment"))
        key_u32(g, "general.alignment", 8);
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (!has(FAULTS[i]))
            key_str(g, WORDS[i], "something");
    key_u32(g, "qwen2.block_count", LAYERS);
    key_u32(g, "qwen2.context_length", 64);
    key_u32(g, "qwen2.embedding_length", HIDDEN);
    key_u32(g, "qwen2.feed_forward_length", has("shapes") ? FFN + 4 : FFN);
    key_u32(g, "qwen2.attention.head_count", 2);
    key_u32(g, "qwen2.attention.head_count_kv", 1);
    key_f32(g, "qwen2.attention.layer_norm_rms_epsilon", 1e-6F);
}

static void make_vocab(gguf_build *g)
{
    const char *tokens[VOCAB] = {"a", "b", "ab", "c", "<|im_end|>", "<tool>", "d", "e"};
    const uint32_t types[VOCAB] = {1, 1, 1, 1, has("special-tokens") ? 1 : 3, 4, 1, 1};

    if (has("tokenizer"))
        return;
    tokens[7] = has("tokens") ? "d" : "e";
    key_str(g, "tokenizer.ggml.model", "gpt2");
    if (!has("pre-tokenizer"))
        key_str(g, "tokenizer.ggml.pre", "qwen2");
    key_u32(g, "tokenizer.ggml.eos_token_id", 4);
    key_array(g, "tokenizer.ggml.tokens", V_STR, VOCAB);
    for (int i = 0; i < VOCAB; i++)
        put_text(&g->keys, tokens[i]);
    key_array(g, "tokenizer.ggml.token_type", V_I32, VOCAB);
    put(&g->keys, types, sizeof types);
    key_array(g, "tokenizer.ggml.merges", V_STR, 1);
    put_text(&g->keys, has("merges") ? "a c" : "a b");
}

/* A tensor of made-up weights around `mean`, with the fault that it is to have. */
static void weights(gguf_build *g, const char *name, int n_dims, uint64_t in, uint64_t out,
                    float mean, const char *ill)
{
    static uint32_t state = 1;
    const uint64_t dims[] = {in, out}, n = n_dims > 1 ? in * out : in;
    float *x;

    tensor(g, name, (uint32_t)n_dims, dims);
    x = (float *)(void *)(g->data.data + g->data.n - n * sizeof *x);
    for (uint64_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = mean + (float)(state >> 8) / 16777216 - 0.5F;
        x[i] *= strcmp(ill, "zero") == 0 ? 0 : strcmp(ill, "outliers") == 0 ? 1e4F : 1;
        x[i] = strcmp(ill, "flat") == 0 ? 0.5F : x[i];
        x[i] *= strcmp(ill, "norms") == 0 ? 1e4F : 1;
        if (strcmp(ill, "embedding") == 0 && i / in % 3 == 0)
            x[i] = 0;
    }
    if (strcmp(ill, "nan") == 0)
        x[1] = NAN;
    if (strcmp(ill, "infinite") == 0)
        x[2] = -INFINITY;
    if (strcmp(ill, "range") == 0)
        x[3] = 2e6F;
}

static void make_layer(gguf_build *g, int layer)
{
    static const struct {
        const char *name;
        int n_dims;
        uint64_t in, out;
    } ROWS[] = {{"attn_norm.weight", 1, HIDDEN, 0},        {"attn_q.weight", 2, HIDDEN, HIDDEN},
                {"attn_k.weight", 2, HIDDEN, HIDDEN / 2},  {"attn_v.weight", 2, HIDDEN, HIDDEN / 2},
                {"attn_output.weight", 2, HIDDEN, HIDDEN}, {"ffn_norm.weight", 1, HIDDEN, 0},
                {"ffn_gate.weight", 2, HIDDEN, FFN},       {"ffn_up.weight", 2, HIDDEN, FFN},
                {"ffn_down.weight", 2, FFN, HIDDEN}};
    char name[64];

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const bool here = layer == 2 && ROWS[i].n_dims == 2 && ROWS[i].out == FFN && i == 7;
        const bool norm = layer == 1 && i == 0 && has("norms");

        (void)snprintf(name, sizeof name, "blk.%d.%s", layer, ROWS[i].name);
        if (has("layers") && layer == 2 && i == 5)
            continue;
        weights(g, name, ROWS[i].n_dims, ROWS[i].in, ROWS[i].out, ROWS[i].n_dims == 1 ? 1 : 0,
                norm || (here && !has("norms")) ? fault : "");
    }
}

static void make_tensors(gguf_build *g)
{

    const uint64_t two[] = {256, 1};
    const bool ill = has("embedding");

    weights(g, "token_embd.weight", 2, has("sizes") ? 2 * HIDDEN : HIDDEN, VOCAB, 0,
            ill ? fault : "");
    if (has("ties")) {
        const uint64_t dims[] = {HIDDEN, VOCAB};
        const size_t bytes = sizeof(float) * HIDDEN * VOCAB;

        tensor(g, "output.weight", 2, dims);
        memcpy(g->data.data + g->data.n - bytes, g->data.data, bytes);
    }
    weights(g, "output_norm.weight", 1, HIDDEN, 0, 1, "");
    if (has("names"))
        weights(g, "unheard.of", 1, HIDDEN, 0, 0, "");
    if (has("types")) { /* IQ2_XS in place of a bias */
        while (g->data.n % 32 != 0)
            put_u8(&g->data, 0);
        tensor_info(g, "output.bias", 1, two, 17, g->data.n);
        for (int i = 0; i < 74; i++)
            put_u8(&g->data, 0);
    }
    for (int layer = 0; layer < LAYERS; layer++)
        make_layer(g, layer);
    if (has("gaps"))
        for (int i = 0; i < 200; i++)
            put_u8(&g->data, 0);
}

static byte_run make_model(const char *name)
{
    gguf_build g;
    byte_run file;

    fault = name;
    build_init(&g);
    if (has("version"))
        g.version = 2;
    if (has("alignment"))
        g.alignment = 8;
    make_keys(&g);
    make_vocab(&g);
    make_tensors(&g);
    file = build_end(&g);
    return file;
}

/* What a run over the checks found. */
typedef struct found {
    char failed[400], skipped[400], detail[600];
    int told, points[4];
} found;

static void note(void *user, const apr_quality_finding *f)
{
    static const char *const GROUPS[] = {"structure", "weights", "use", "conversion"};
    found *o = user;

    o->told++;
    for (int i = 0; i < 4; i++)
        o->points[i] += strcmp(f->group, GROUPS[i]) == 0 ? f->points : 0;
    assert_true((f->detail[0] == '\0') == (f->outcome == APR_QUALITY_PASSED));
    if (f->outcome == APR_QUALITY_PASSED)
        return;
    (void)snprintf(o->detail, sizeof o->detail, "%s", f->detail);
    strcat(f->outcome == APR_QUALITY_FAILED ? o->failed : o->skipped, f->id);
    strcat(f->outcome == APR_QUALITY_FAILED ? o->failed : o->skipped, " ");
}

static void score(const char *name, found *o, apr_quality_sums *s)
{
    byte_run file = make_model(name);
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    memset(o, 0, sizeof *o);
    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true; /* as apr lint opens files */
    if (apr_model_open_memory(&m, file.data, file.n, &options, &err) < 0)
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(apr_quality_score(m, 2, note, o, s, &err), TRUENO_OK);
    apr_model_close(m);
    byte_run_free(&file);
}

static void test_good(void **state)
{
    apr_quality_sums s;
    found o;

    (void)state;
    score("", &o, &s);
    if (o.failed[0] != '\0' || o.skipped[0] != '\0')
        fail_msg("failed: %s; skipped: %s; %s", o.failed, o.skipped, o.detail);
    assert_true(s.score == 100 && s.points == 100 && s.possible == 100);
    for (int i = 0; i < 4; i++)
        assert_int_equal(o.points[i], 25);
    assert_int_equal(s.passed, o.told);
}

/* Each fault fails its own check, and of others those in the second column alone. */
static void test_faults(void **state)
{
    static const struct {
        const char *fault, *failed, *skipped;
    } ROWS[] = {
        {"version", "version ", ""},
        {"alignment", "alignment ", ""},
        {"types", "types shapes ", ""},
        {"sizes", "sizes shapes ", ""},
        {"shapes", "shapes ", ""},
        {"layers", "layers ", ""},
        {"gaps", "gaps ", ""},
        {"nan", "nan ", ""},
        {"infinite", "infinite ", ""},
        {"zero", "zero outliers ", ""},
        {"flat", "flat outliers ", ""},
        {"norms", "norms ", ""},
        {"range", "range outliers ", ""},
        {"embedding", "embedding ", ""},
        {"outliers", "outliers ", ""},
        {"tokenizer", "tokenizer ", "pre-tokenizer special-tokens merges tokens "},
        {"pre-tokenizer", "pre-tokenizer ", ""},
        {"special-tokens", "special-tokens ", ""},
        {"chat-template", "chat-template ", ""},
        {"name", "name ", ""},
        {"license", "license ", ""},
        {"provenance", "provenance ", ""},
        {"description", "description ", ""},
        {"names", "names ", ""},
        {"ties", "ties ", ""},
        {"merges", "merges ", ""},
        {"tokens", "tokens ", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        apr_quality_sums s;
        found o;

        score(ROWS[i].fault, &o, &s);
        if (strcmp(o.failed, ROWS[i].failed) != 0 || strcmp(o.skipped, ROWS[i].skipped) != 0)
            fail_msg("%s: failed: %s; skipped: %s; %s", ROWS[i].fault, o.failed, o.skipped,
                     o.detail);
        assert_true(s.points < s.possible && s.failed == s.errors + s.warnings + s.notes);
    }
}

static void test_unknown_architecture(void **state)
{
    apr_quality_sums s;
    found o;

    (void)state;
    score("architecture", &o, &s);
    assert_non_null(strstr(o.failed, "architecture "));
    assert_non_null(strstr(o.skipped, "sizes shapes layers "));
    assert_non_null(strstr(o.skipped, "layout "));
}

/* lint reads no weights: what is wrong with them alone does not show. */
static void test_lint(void **state)
{
    byte_run file = make_model("nan");
    apr_quality_sums s;
    trueno_error err = {0};
    apr_model *m;
    found o = {0};

    (void)state;
    assert_int_equal(apr_model_open_memory(&m, file.data, file.n, NULL, &err), TRUENO_OK);
    assert_int_equal(apr_quality_lint(m, note, &o, &s, &err), TRUENO_OK);
    assert_true(s.failed == 0 && s.skipped == 0);
    assert_true(o.points[0] == 25 && o.points[1] == 0 && o.points[2] == 25);
    apr_model_close(m);
    byte_run_free(&file);
}

/* An .apr file without the checksum over its tables; its header's own is right. */
static void test_old_apr(void **state)
{
    byte_run source = make_model("");
    char path[] = "/tmp/apr-quality-XXXXXX.apr";
    apr_convert_options options;
    apr_quality_sums s;
    trueno_error err = {0};
    apr_header h = {.major = APR_VERSION_MAJOR};
    uint8_t header[APR_HEADER_BYTES];
    apr_model *m;
    found o = {0};
    FILE *f;

    (void)state;
    (void)close(mkstemps(path, 4));
    apr_convert_options_init(&options, sizeof options);
    options.force = true;
    assert_int_equal(apr_model_open_memory(&m, source.data, source.n, NULL, &err), TRUENO_OK);
    assert_int_equal(apr_convert_model(m, path, &options, &err), TRUENO_OK);
    apr_model_close(m);
    byte_run_free(&source);

    assert_int_equal(apr_model_open(&m, path, NULL, &err), TRUENO_OK);
    assert_int_equal(apr_quality_lint(m, note, &o, &s, &err), TRUENO_OK);
    assert_string_equal(o.failed, "");
    apr_model_close(m);

    f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fread(header, 1, sizeof header, f), sizeof header);
    memcpy(&h.flags, header + 6, 2);
    h.flags = le16toh(h.flags) & (uint16_t)~APR_FLAG_TABLES_CHECKSUM;
    memcpy(&h.n_tensors, header + 8, 4);
    memcpy(&h.metadata_offset, header + 12, 8);
    memcpy(&h.metadata_bytes, header + 20, 4);
    memcpy(&h.index_offset, header + 24, 8);
    memcpy(&h.data_offset, header + 32, 8);
    apr_header_encode(&h, header);
    rewind(f);
    assert_int_equal(fwrite(header, 1, sizeof header, f), sizeof header);
    (void)fclose(f);
    assert_int_equal(apr_model_open(&m, path, NULL, &err), TRUENO_OK);
    assert_int_equal(apr_quality_lint(m, note, &o, &s, &err), TRUENO_OK);
    assert_string_equal(o.failed, "version ");
    apr_model_close(m);
    (void)unlink(path);
}

/* Want of memory is told, or skips a check; nothing stays allocated. */
static void test_no_memory(void **state)
{
    byte_run file = make_model("");
    counting c;

    (void)state;
    for (size_t at = 1; at < 12; at++) {
        apr_model_options options = counted_options(&c);
        apr_quality_sums s;
        trueno_error err = {0};
        apr_model *m;
        trueno_status status;

        assert_int_equal(apr_model_open_memory(&m, file.data, file.n, &options, &err), TRUENO_OK);
        c.fail_at = c.calls + at;
        status = apr_quality_score(m, 1, NULL, NULL, &s, &err);
        assert_true(status == TRUENO_OK || status == TRUENO_NO_MEMORY);
        apr_model_close(m);
        assert_int_equal(c.live, 0);
    }
    byte_run_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_faults),
        cmocka_unit_test(test_lint),    cmocka_unit_test(test_unknown_architecture),
        cmocka_unit_test(test_old_apr), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
