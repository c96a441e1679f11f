/* SPDX-License-Identifier: MIT */
/* Good GGUF files: everything that the gguf package wrote is found again, in one file and in parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include <apr/inspect.h>
#include <apr/statistics.h>
#include <apr/model.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TINY TEST_DATA_DIR "/gguf/tiny.gguf"

static apr_model *open_file(const char *path)
{
    trueno_error err = {0};
    apr_model *m;

    if (apr_model_open(&m, path, NULL, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

/* One line of what the package's reader found: "key NAME TYPE COUNT". */
static void check_key(const apr_model *m, const char *name, const char *types, unsigned count)
{
    static const char *const NAMES[][2] = {
        {"UINT8", "u8"},    {"INT8", "i8"},   {"UINT16", "u16"}, {"INT16", "i16"},
        {"UINT32", "u32"},  {"INT32", "i32"}, {"UINT64", "u64"}, {"INT64", "i64"},
        {"FLOAT32", "f32"}, {"BOOL", "bool"}, {"STRING", "str"}, {"FLOAT64", "f64"},
    };
    const apr_meta *meta = apr_model_meta_find(m, name);
    const char *element = strchr(types, '/') != NULL ? strchr(types, '/') + 1 : types;
    char expected[32] = "";

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i][0], element) == 0)
            (void)snprintf(expected, sizeof expected, element == types ? "%s" : "arr[%s]",
                           NAMES[i][1]);
    assert_non_null(meta);
    assert_string_equal(meta->type_name, expected);
    if (element != types)
        assert_int_equal(meta->count, count);
}

/* "tensor NAME TYPE FILE OFFSET BYTES CRC DIMS...", dims outermost first. */
static void check_tensor(const apr_model *m, const char *line)
{
    char name[64], type[16];
    unsigned file, crc;
    unsigned long long offset, bytes;
    long long dims[4] = {1, 1, 1, 1};
    int at = 0, n_dims;
    const apr_tensor *t;

    assert_int_equal(sscanf(line, "tensor %63s %15s %u %llu %llu %x %n", name, type, &file, &offset,
                            &bytes, &crc, &at),
                     6);
    n_dims = sscanf(line + at, "%lld %lld %lld %lld", &dims[0], &dims[1], &dims[2], &dims[3]);
    t = apr_model_find(m, name);
    assert_non_null(t);
    assert_string_equal(t->name, name);
    assert_string_equal(apr_tensor_type_name(t), type);
    assert_int_equal(t->file, file);
    assert_int_equal(t->offset, offset);
    assert_int_equal(t->bytes, bytes);
    assert_int_equal(t->n_dims, n_dims);
    for (int i = 0; i < 4; i++)
        assert_int_equal(t->dims[i], dims[i]);
    assert_int_equal(crc32(0, t->data, (unsigned)t->bytes), crc);
}

static void check_against(const apr_model *m, const char *expected)
{
    size_t keys = 0, tensors = 0;
    char line[512], name[128], types[64];
    unsigned count;
    FILE *f = fopen(expected, "r");

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "key %127s %63s %u", name, types, &count) == 3) {
            check_key(m, name, types, count);
            keys++;
        } else {
            check_tensor(m, line);
            tensors++;
        }
    }
    (void)fclose(f);
    assert_int_equal(keys, apr_model_meta_count(m));
    assert_int_equal(tensors, apr_model_tensor_count(m));
}

static void test_file(void **state)
{
    apr_model *m = open_file(TINY);

    (void)state;
    assert_string_equal(apr_model_format(m), "GGUF v3");
    check_against(m, TEST_DATA_DIR "/gguf/tiny.txt");
    apr_model_close(m);
}

static void test_parts(void **state)
{
    (void)state;
    for (int part = 1; part <= 3; part++) {
        char path[512];
        apr_model *m;

        (void)snprintf(path, sizeof path, TEST_DATA_DIR "/gguf/tiny-%05d-of-00003.gguf", part);
        m = open_file(path);
        check_against(m, TEST_DATA_DIR "/gguf/tiny-split.txt");
        assert_int_equal(apr_model_bytes(m), 10624 + 14016 + 13728);
        apr_model_close(m);
    }
}

static void test_config(void **state)
{
    apr_model *m = open_file(TINY);
    const apr_config *c = apr_model_config(m);
    const apr_generation_defaults *d = apr_model_generation_defaults(m);

    (void)state;
    assert_string_equal(c->architecture, "qwen2");
    assert_int_equal(c->n_layers, 1);
    assert_int_equal(c->hidden_size, 64);
    assert_int_equal(c->intermediate_size, 96);
    assert_int_equal(c->n_heads, 4);
    assert_int_equal(c->n_kv_heads, 2);
    assert_int_equal(c->head_dim, 16);
    assert_int_equal(c->n_rot, 16);
    assert_int_equal(c->vocab_size, 12);
    assert_int_equal(c->max_positions, 128);
    assert_int_equal(c->rope_type, 2);
    assert_true(c->rope_theta == 1e6F);
    assert_true(c->norm_eps == 1e-6F);
    assert_true(c->tied_embeddings);
    assert_true(d->temperature == 0.5F);
    assert_int_equal(d->top_k, 7);
    assert_true(d->top_p < 0);
    assert_string_equal(apr_model_chat_template(m), "{{ messages }}");
    apr_model_close(m);
}

static void test_vocab(void **state)
{
    apr_model *m = open_file(TINY);
    const apr_vocab *v = apr_model_vocab(m);

    (void)state;
    assert_non_null(v);
    assert_int_equal(v->kind, APR_VOCAB_BPE);
    assert_string_equal(v->pre, "qwen2");
    assert_int_equal(v->n_tokens, 12);
    assert_int_equal(v->tokens[3].length, 2);
    assert_memory_equal(v->tokens[4].data, "<|im_end|>", 10);
    assert_int_equal(v->types[11], APR_TOKEN_UNUSED);
    assert_int_equal(v->flags[4], APR_ADDED | APR_ADDED_SPECIAL);
    assert_int_equal(v->flags[6], APR_ADDED);
    assert_int_equal(v->flags[0], 0);
    assert_int_equal(v->n_merges, 1);
    assert_memory_equal(v->merges[0].data, "a b", 3);
    assert_int_equal(v->bos, 5);
    assert_int_equal(v->eos, 4);
    assert_int_equal(v->pad, -1);
    assert_int_equal(v->n_eos, 2); /* the eos id, and <|endoftext|> by its text */
    assert_int_equal(v->eos_ids[0], 4);
    assert_int_equal(v->eos_ids[1], 5);
    assert_false(v->add_bos);
    apr_model_close(m);
}

static void test_roles(void **state)
{
    apr_model *m = open_file(TINY);
    trueno_error err;
    const apr_tensor *q = apr_model_role(m, APR_ATTN_Q, 0);

    (void)state;
    assert_non_null(q);
    assert_string_equal(q->name, "blk.0.attn_q.weight");
    assert_int_equal(q->layer, 0);
    assert_int_equal(q->role, APR_ATTN_Q);
    assert_string_equal(apr_model_role(m, APR_TOKEN_EMBEDDING, 77)->name, "token_embd.weight");
    assert_null(apr_model_role(m, APR_ATTN_Q, 1));
    assert_null(apr_model_role(m, APR_ATTN_Q, -1));
    assert_null(apr_model_role(m, APR_OUTPUT, 0));
    assert_int_equal(apr_model_find(m, "extra.weight")->role, -1);
    assert_null(apr_model_find(m, "extra"));
    assert_int_equal(apr_model_check_shapes(m, &err), TRUENO_OK);
    assert_int_equal(apr_tensor_matrix(m, q).rows, 64);
    assert_int_equal(apr_tensor_matrix(m, q).row_bytes, 68);
    assert_true(apr_tensor_matrix(m, q).mapped);
    apr_model_close(m);
}

static double scalar_value(const apr_meta *meta)
{
    return meta->kind == APR_META_FLOAT  ? meta->f
           : meta->kind == APR_META_UINT ? (double)meta->u
                                         : (double)meta->i;
}

static void test_values(void **state)
{
    static const struct {
        const char *type;
        double value;
    } VALUES[] = {
        {"uint8", 200},           {"int8", -100},           {"uint16", 60000}, {"int16", -30000},
        {"uint32", 4000000000.0}, {"int32", -2000000000.0}, {"float32", 0.1F}, {"bool", 1},
        {"uint64", 0x1p63 + 5},   {"int64", -0x1p62},       {"float64", 0.1}};
    apr_model *m = open_file(TINY);
    apr_meta element;

    (void)state;
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        char key[64];
        const apr_meta *array;

        (void)snprintf(key, sizeof key, "test.scalar.%s", VALUES[i].type);
        assert_true(scalar_value(apr_model_meta_find(m, key)) == VALUES[i].value);
        (void)snprintf(key, sizeof key, "test.array.%s", VALUES[i].type);
        array = apr_model_meta_find(m, key);
        assert_true(apr_meta_element(array, 0, &element));
        assert_true(scalar_value(&element) == VALUES[i].value);
        assert_true(apr_meta_element(array, 1, &element));
        assert_true(scalar_value(&element) == 1);
        assert_false(apr_meta_element(array, 2, &element));
    }
    assert_true(apr_meta_element(apr_model_meta_find(m, "tokenizer.ggml.tokens"), 11, &element));
    assert_memory_equal(element.text.data, "unused", 6);
    assert_false(apr_meta_element(apr_model_meta_find(m, "general.name"), 0, &element));
    apr_model_close(m);
}

static void test_memory_and_version_2(void **state)
{
    gguf_build g;
    byte_run file;
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    build_init(&g);
    g.version = 2;
    g.alignment = 8;
    key_u32(&g, "general.alignment", 8);
    tiny_config(&g);
    tiny_vocab(&g);
    tiny_tensors(&g);
    file = build_finish(&g);
    assert_int_equal(apr_model_open_memory(&m, file.data, file.n, NULL, &err), TRUENO_OK);
    assert_string_equal(apr_model_format(m), "GGUF v2");
    assert_string_equal(apr_model_path(m), "memory");
    assert_int_equal(apr_model_bytes(m), file.n);
    assert_false(apr_tensor_matrix(m, apr_model_tensor(m, 0)).mapped);
    assert_int_equal(apr_model_parameters(m), 6 * 8 + 3 * 8 + 2 * 64 + 2 * 32 + 3 * 96);
    apr_model_close(m);
    byte_run_free(&file);
    build_free(&g);
}

static void test_inspect(void **state)
{
    static const char *const PARTS[] = {
        "\"schema\":1,",
        "\"format\":\"GGUF v3\"",
        "\"num_kv_heads\":2",
        "\"rope_type\":2",
        "\"rms_norm_eps\":1e-06",
        "\"test.scalar.float64\":0.1",
        "\"bos_token_id\":5",
        "\"test.scalar.uint64\":9223372036854775813",
        "\"Q8_0\":8",
        "\"name\":\"tiny \xc3\xa9\"",
        "\"test.array.int8\":[-100,1]",
    };
    apr_model *m = open_file(TINY);
    apr_tensors_options options = {
        .size = sizeof options, .filter = "blk.0.attn_?.bias", .limit = 2, .stats = true};
    trueno_error err = {0};
    size_t n;
    char *text;
    json_t *root;

    (void)state;
    assert_int_equal(apr_inspect_json(m, false, &text, &n, &err), TRUENO_OK);
    assert_int_equal(strlen(text), n);
    /* as reals, since one integer of the file has 64 bits */
    root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    assert_true(json_real_value(json_object_get(json_object_get(root, "metadata"), "rope_theta")) ==
                1e6);
    json_decref(root);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        if (strstr(text, PARTS[i]) == NULL)
            fail_msg("no %s in %s", PARTS[i], text);
    apr_inspect_free(m, text, n);
    assert_int_equal(apr_tensors_json(m, &options, &text, &n, &err), TRUENO_OK);
    assert_non_null(strstr(text, "\"blk.0.attn_k.bias\",\"dtype\":\"F32\",\"shape\":[32]"));
    assert_null(strstr(text, "attn_v"));
    assert_non_null(strstr(text, "\"nan_count\":0"));
    apr_inspect_free(m, text, n);
    apr_model_close(m);
}

static void test_stats(void **state)
{
    const float values[8] = {1, 2, 3, -4, 0, 1.0F / 0.0F, 0.0F / 0.0F, -1.0F / 0.0F};
    const uint64_t dims[] = {8};
    apr_tensor_statistics s;
    trueno_error err = {0};
    apr_model *m;
    gguf_build g;
    byte_run file;

    (void)state;
    build_init(&g);
    tiny_config(&g);
    tensor(&g, "x", 1, dims);
    memcpy(g.data.data, values, sizeof values);
    file = build_finish(&g);
    if (apr_model_open_memory(&m, file.data, file.n, NULL, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(apr_tensor_stats(m, apr_model_tensor(m, 0), NULL, &s, &err), TRUENO_OK);
    assert_true(s.min == -4 && s.max == 3 && s.count == 8);
    assert_true(s.nans == 1 && s.infinities == 2 && s.zeros == 1);
    assert_true(s.mean > 0.4 - 1e-12 && s.mean < 0.4 + 1e-12);
    assert_true(s.std > 2.4166091947 && s.std < 2.4166091948); /* sqrt(30 / 5 - 0.4^2) */
    apr_model_close(m);
    byte_run_free(&file);
    build_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_config),  cmocka_unit_test(test_vocab),
        cmocka_unit_test(test_roles),   cmocka_unit_test(test_values),
        cmocka_unit_test(test_stats),   cmocka_unit_test(test_memory_and_version_2),
        cmocka_unit_test(test_inspect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
