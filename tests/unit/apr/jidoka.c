/* SPDX-License-Identifier: MIT */
/* Every condition that stops a conversion, provoked; with its code, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "convert_check.h"
#include "gguf_build.h"
#include "output.h"
#include <apr/convert.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/apr-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test has left a file */
}

/* A small model with one thing wrong. */
typedef struct fault {
    const char *code;
    const char *tensor;                          /* which the fault is in; "" for none */
    bool missing;                                /* it is left out */
    uint64_t rows, cols;                         /* other dimensions; 0: the right ones */
    bool fill;                                   /* every weight is `value` */
    float value;                                 /* else the last but one is, when it is not 0 */
    uint32_t layers, rows_of_vocabulary, hidden; /* 0: the right ones, 2, 6 and 8 */
    const char *architecture;                    /* NULL: qwen2 */
    const char *mix;
} fault;

enum { LAYERS = 2, VOCAB = 6, HIDDEN = 8, FFN = 12 };

static void add_tensor(gguf_build *g, const fault *f, const char *name, uint64_t rows,
                       uint64_t cols)
{
    const bool here = strcmp(f->tensor, name) == 0;
    uint64_t dims[2] = {cols, rows};
    size_t first;

    if (here && f->missing)
        return;
    if (here && f->rows > 0) {
        dims[0] = f->cols;
        dims[1] = f->rows;
    }
    tensor(g, name, rows == 1 ? 1 : 2, dims);
    first = g->data.n - dims[0] * dims[1] * sizeof(float);
    for (size_t i = 0; i < dims[0] * dims[1]; i++) {
        float x = 0.01F * (float)((int)(i * 37 % 17) - 8) + 0.001F;

        if (here && (f->fill || (f->value != 0 && i + 2 == dims[0] * dims[1])))
            x = f->value;
        memcpy(g->data.data + first + i * sizeof x, &x, sizeof x);
    }
}

static void add_config(gguf_build *g, const fault *f)
{
    const char *a = f->architecture != NULL ? f->architecture : "qwen2";
    const struct {
        const char *key;
        uint32_t value;
    } rows[] = {{"block_count", f->layers > 0 ? f->layers : LAYERS},
                {"context_length", 64},
                {"embedding_length", f->hidden > 0 ? f->hidden : HIDDEN},
                {"feed_forward_length", FFN},
                {"attention.head_count", 2},
                {"attention.head_count_kv", 1}};
    char name[96];

    key_str(g, "general.architecture", a);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", a, rows[i].key);
        key_u32(g, name, rows[i].value);
    }
    (void)snprintf(name, sizeof name, "%s.attention.layer_norm_rms_epsilon", a);
    key_f32(g, name, 1e-6F);
    if (f->rows_of_vocabulary > 0) {
        (void)snprintf(name, sizeof name, "%s.vocab_size", a);
        key_u32(g, name, f->rows_of_vocabulary);
    }
}

static byte_run build(const fault *f, uint32_t layers_there, uint64_t hidden, uint64_t vocabulary)
{
    gguf_build g;
    byte_run file;
    char name[64];

    build_init(&g);
    add_config(&g, f);
    add_tensor(&g, f, "token_embd.weight", vocabulary, hidden);
    add_tensor(&g, f, "output_norm.weight", 1, hidden);
    for (uint32_t layer = 0; layer < layers_there; layer++) {
        const struct {
            const char *name;
            uint64_t rows, cols;
        } rows[] = {{"attn_norm", 1, hidden},        {"attn_q", hidden, hidden},
                    {"attn_k", hidden / 2, hidden},  {"attn_v", hidden / 2, hidden},
                    {"attn_output", hidden, hidden}, {"ffn_norm", 1, hidden},
                    {"ffn_gate", FFN, hidden},       {"ffn_up", FFN, hidden},
                    {"ffn_down", hidden, FFN}};

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            (void)snprintf(name, sizeof name, "blk.%u.%s.weight", layer, rows[i].name);
            add_tensor(&g, f, name, rows[i].rows, rows[i].cols);
        }
    }
    file = build_end(&g);
    return file;
}

static int files_in_folder(void)
{
    DIR *dir = opendir(folder);
    int n = -2;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static apr_model *open_built(const byte_run *file, bool lenient)
{
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    options.lenient = lenient;
    if (apr_model_open_memory(&m, file->data, file->n, &options, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

static trueno_status convert(const fault *f, bool lenient, const char *format, trueno_error *err)
{
    byte_run file = build(f, LAYERS, HIDDEN, VOCAB);
    apr_model *m = open_built(&file, lenient);
    apr_convert_options options;
    trueno_status status;
    char path[128];

    apr_convert_options_init(&options, sizeof options);
    options.format = format;
    options.threads = 2;
    options.mix = f->mix != NULL ? apr_mix_find(f->mix) : NULL;
    (void)snprintf(path, sizeof path, "%s/out", folder);
    status = apr_convert_model(m, path, &options, err);
    if (status == TRUENO_OK)
        assert_int_equal(unlink(path), 0);
    assert_int_equal(files_in_folder(), 0);
    apr_model_close(m);
    byte_run_free(&file);
    return status;
}

static const fault FAULTS[] = {
    {.code = "ROSETTA-NAN-001", .tensor = "blk.1.ffn_down.weight", .value = NAN},
    {.code = "ROSETTA-INF-001", .tensor = "blk.0.attn_k.weight", .value = -INFINITY},
    {.code = "ROSETTA-NAN-001", .tensor = "output_norm.weight", .value = NAN},
    {.code = "ROSETTA-HIDDEN-001",
     .tensor = "token_embd.weight",
     .rows = VOCAB,
     .cols = HIDDEN + 2},
    {.code = "ROSETTA-VOCAB-001", .tensor = "", .rows_of_vocabulary = VOCAB + 1},
    {.code = "ROSETTA-LAYER-001", .tensor = "", .layers = LAYERS - 1},
    {.code = "ROSETTA-COUNT-001", .tensor = "blk.1.attn_v.weight", .missing = true},
    {.code = "ROSETTA-DIM-001", .tensor = "blk.1.ffn_up.weight", .rows = FFN + 1, .cols = HIDDEN},
    {.code = "ROSETTA-QUANT-001",
     .tensor = "blk.0.ffn_up.weight",
     .fill = true,
     .value = 1e-9F,
     .mix = "F16"},
};

/* Refused by strict readers only. */
static const fault SUSPECTS[] = {
    {.code = "ROSETTA-ZERO-001", .tensor = "token_embd.weight", .fill = true},
    {.code = "ROSETTA-ZERO-001", .tensor = "blk.1.attn_output.weight", .fill = true},
    {.code = "ROSETTA-FLAT-001", .tensor = "blk.0.ffn_gate.weight", .fill = true, .value = 0.5F},
    {.code = "ROSETTA-RANGE-001", .tensor = "blk.0.ffn_gate.weight", .value = 3e8F},
};

static void refuse(const fault *f, bool lenient)
{
    static const char *const FORMATS[] = {"apr", "safetensors"};

    for (int i = 0; i < 2; i++) {
        trueno_error err = {0};
        const trueno_status status = convert(f, lenient, FORMATS[i], &err);

        if (status != TRUENO_CONTENT || strstr(err.message, f->code) == NULL)
            fail_msg("%s in %s: %d, %s", f->code, f->tensor, status, err.message);
    }
}

static void test_stops(void **state)
{
    const fault none = {.tensor = ""};
    trueno_error err = {0};

    (void)state;
    if (convert(&none, false, "apr", &err) < 0) /* the model is good before the fault */
        fail_msg("%s", err.message);
    for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) {
        refuse(&FAULTS[i], false);
        refuse(&FAULTS[i], true);
    }
}

static void test_suspects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SUSPECTS / sizeof SUSPECTS[0]; i++) {
        trueno_error err = {0};

        refuse(&SUSPECTS[i], false);
        if (convert(&SUSPECTS[i], true, "apr", &err) < 0)
            fail_msg("%s", err.message);
    }
}

/* Two good models that are not the same: what a wrong writer would have left. */
static void test_results(void **state)
{
    static const struct {
        const char *code;
        fault model;
        uint32_t layers;
        uint64_t hidden, vocabulary;
    } OTHERS[] = {
        {"ROSETTA-ARCH-001", {.tensor = "", .architecture = "mistral3"}, 2, 8, 6},
        {"ROSETTA-LAYER-001", {.tensor = "", .layers = 1}, 1, 8, 6},
        {"ROSETTA-HIDDEN-001", {.tensor = "", .hidden = 16}, 2, 16, 6},
        {"ROSETTA-VOCAB-001", {.tensor = ""}, 2, 8, 7},
        {"ROSETTA-COUNT-001", {.tensor = "blk.1.attn_k.weight", .missing = true}, 2, 8, 6},
    };
    const fault none = {.tensor = ""};
    byte_run right = build(&none, LAYERS, HIDDEN, VOCAB);
    apr_model *a = open_built(&right, false);
    trueno_error err = {0};

    (void)state;
    assert_int_equal(apr_convert_check_result(a, a, &err), TRUENO_OK);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        byte_run file =
            build(&OTHERS[i].model, OTHERS[i].layers, OTHERS[i].hidden, OTHERS[i].vocabulary);
        apr_model *b = open_built(&file, false);

        assert_int_equal(apr_convert_check_result(a, b, &err), TRUENO_CONTENT);
        if (strstr(err.message, OTHERS[i].code) == NULL)
            fail_msg("%s: %s", OTHERS[i].code, err.message);
        apr_model_close(b);
        byte_run_free(&file);
    }
    apr_model_close(a);
    byte_run_free(&right);
}

/* The disk gives back other bytes than were written, or fewer. */
static void test_checksum(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        trueno_error err = {0};
        apr_output out;
        char path[128];
        int fd;

        (void)snprintf(path, sizeof path, "%s/file", folder);
        assert_int_equal(apr_output_open(&out, path, false, &err), TRUENO_OK);
        assert_int_equal(apr_output_write(&out, "0123456789", 10, &err), TRUENO_OK);
        fd = open(out.temporary, O_WRONLY);
        assert_true(fd >= 0);
        if (what == 1)
            assert_int_equal(pwrite(fd, "8", 1, 7), 1);
        if (what == 2)
            assert_int_equal(ftruncate(fd, 9), 0);
        (void)close(fd);
        assert_int_equal(apr_output_finish(&out, &err), what == 0 ? TRUENO_OK : TRUENO_CONTENT);
        if (what > 0)
            assert_non_null(strstr(err.message, "ROSETTA-CRC-001"));
        apr_output_abandon(&out);
        assert_int_equal(files_in_folder(), 0);
    }
}

static bool stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    (void)done;
    (void)total;
    return false;
}

static void test_cancelled(void **state)
{
    const fault none = {.tensor = ""};
    byte_run file = build(&none, LAYERS, HIDDEN, VOCAB);
    apr_model *m = open_built(&file, false);
    apr_convert_options options;
    trueno_error err = {0};
    char path[128];

    (void)state;
    apr_convert_options_init(&options, sizeof options);
    options.progress = stop_at_once;
    (void)snprintf(path, sizeof path, "%s/out.apr", folder);
    assert_int_equal(apr_convert_model(m, path, &options, &err), TRUENO_CANCELLED);
    assert_int_equal(files_in_folder(), 0);
    apr_model_close(m);
    byte_run_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stops),     cmocka_unit_test(test_suspects),
        cmocka_unit_test(test_results),   cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_cancelled),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
