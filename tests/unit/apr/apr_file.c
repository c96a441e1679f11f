/* SPDX-License-Identifier: MIT */
/*
 * .apr files byte by byte: an example made by hand from docs/formats/apr.md opens, and every cut
 * and every flipped bit is found: in header, metadata and index at every open, elsewhere by the
 * footer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apr_build.h"
#include "memory_fixture.h"
#include <apr/inspect.h>
#include <apr/model.h>
#include <lz4.h>
#include <string.h>
#include <zstd.h>

static void test_good(void **state)
{
    apr_build b = apr_build_good();
    size_t tables;
    byte_run file = apr_build_finish(&b, &tables);
    trueno_error err = {0};
    apr_model_options options;
    apr_model *m;
    const apr_tensor *t;

    (void)state;
    apr_model_options_init(&options, sizeof options);
    options.verify = true;
    if (apr_model_open_memory(&m, file.data, file.n, &options, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(apr_model_format(m), "APR");
    t = apr_model_role(m, APR_OUTPUT_NORM, 0);
    assert_non_null(t);
    assert_int_equal(t->offset, tables + 64);
    assert_int_equal(t->bytes, 16);
    assert_int_equal(apr_model_config(m)->rope_type, 2);
    assert_int_equal(apr_model_vocab(m)->n_tokens, 2);
    assert_int_equal(apr_model_vocab(m)->tokens[1].length, 2);
    assert_memory_equal(apr_model_vocab(m)->tokens[1].data, "\xff\x00", 2);
    assert_null(apr_model_meta_find(m, "tokenizer.vocabulary"));
    assert_non_null(apr_model_meta_find(m, "num_kv_heads"));
    apr_model_close(m);
    byte_run_free(&file);
}

static void test_every_truncation(void **state)
{
    apr_build b = apr_build_good();
    size_t tables;
    byte_run file = apr_build_finish(&b, &tables);
    trueno_error err;

    (void)state;
    for (size_t n = 0; n < tables + 4; n++)
        assert_int_equal(apr_build_open(&file, n, false, &err), TRUENO_FORMAT);
    for (size_t n = tables + 4; n < file.n; n++) /* what is left of the data may hold the tensors */
        assert_true(apr_build_open(&file, n, true, &err) < 0);
    byte_run_free(&file);
}

static void test_every_bit(void **state)
{
    apr_build b = apr_build_good();
    size_t tables;
    byte_run file = apr_build_finish(&b, &tables);
    trueno_error err;

    (void)state;
    for (size_t bit = 0; bit < file.n * 8; bit++) {
        trueno_status status;

        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (bit / 8 <
            tables) { /* found at every open; as another format or version if so it looks */
            status = apr_build_open(&file, file.n, false, &err);
            if (status != TRUENO_FORMAT && !(bit / 8 < 8 && status == TRUENO_UNSUPPORTED))
                fail_msg("bit %zu: status %d", bit, status);
        } else {
            assert_int_equal(apr_build_open(&file, file.n, false, &err), TRUENO_OK);
            assert_int_equal(apr_build_open(&file, file.n, true, &err), TRUENO_CONTENT);
        }
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(apr_build_open(&file, file.n, true, &err), TRUENO_OK);
    byte_run_free(&file);
}

static void check(apr_build b, trueno_status status, const char *says)
{
    size_t tables;
    byte_run file = apr_build_finish(&b, &tables);
    trueno_error err;
    trueno_status found = apr_build_open(&file, file.n, false, &err);

    if (found != status || strstr(err.message, says) == NULL)
        fail_msg("status %d, '%s'; wanted %d, '%s'", found, err.message, status, says);
    byte_run_free(&file);
}

#define CHECK(status, says, ...)        \
    do {                                \
        apr_build b = apr_build_good(); \
        __VA_ARGS__;                    \
        check(b, status, says);         \
    } while (0)

static void test_headers(void **state)
{
    (void)state;
    CHECK(TRUENO_OK, "", memcpy(b.magic, "APR2", 4));
    CHECK(TRUENO_UNSUPPORTED, "classic machine learning", memcpy(b.magic, "APRN", 4));
    CHECK(TRUENO_UNSUPPORTED, "whisper.apr", memcpy(b.magic, "APR1", 4));
    CHECK(TRUENO_FORMAT, "magic", memcpy(b.magic, "APRX", 4));
    CHECK(TRUENO_UNSUPPORTED, "version 3.0", b.major = 3);
    CHECK(TRUENO_UNSUPPORTED, "column-major", b.flags |= 1 << 11);
    CHECK(TRUENO_UNSUPPORTED, "would become", b.flags |= 1);
    CHECK(TRUENO_FORMAT, "no Zstandard", b.flags |= 2);
    CHECK(TRUENO_UNSUPPORTED, "the index is JSON", b.index.n = 0;
          put(&b.index, "[{\"name\":\"weights\"}]", 20));
    CHECK(TRUENO_UNSUPPORTED, "encrypted", b.flags |= 4);
    CHECK(TRUENO_UNSUPPORTED, "unknown flags", b.flags |= 1 << 15);
    CHECK(TRUENO_FORMAT, "checksum of the header", b.break_header = true);
    CHECK(TRUENO_FORMAT, "checksum of metadata and index", b.break_tables = true);
    CHECK(TRUENO_FORMAT, "multiples of 64", b.move_index = 8);
    CHECK(TRUENO_FORMAT, "do not fit", b.move_index = (uint64_t)1 << 40);
    CHECK(TRUENO_FORMAT, "do not fit", b.move_data = (uint64_t)1 << 63);
    CHECK(TRUENO_FORMAT, "do not fit", b.move_index = -448ull; b.move_data = -576ull);
    CHECK(TRUENO_FORMAT, "tensors do not fit", b.more_tensors = UINT32_MAX - 2);
    CHECK(TRUENO_FORMAT, "a name of 0 bytes", b.more_tensors = 1);
    CHECK(TRUENO_FORMAT, "end at 64", b.data = 64);
}

/* The example with its payload compressed; `flag` is the header's. */
static byte_run compressed(uint16_t flag)
{
    enum { ROOM = 4096 };
    apr_build b = apr_build_good();
    byte_run plain, file = {0};
    uint8_t payload[ROOM];
    size_t tables, bytes;

    b.flags |= flag;
    plain = apr_build_finish(&b, &tables);
    put(&file, plain.data, 64);
    if (flag == 1) {
        put_u32(&file, (uint32_t)plain.n - 64);
        bytes = (size_t)LZ4_compress_default((const char *)plain.data + 64, (char *)payload,
                                             (int)plain.n - 64, ROOM);
    } else {
        bytes = ZSTD_compress(payload, ROOM, plain.data + 64, plain.n - 64, 3);
    }
    assert_true(bytes > 0 && bytes <= ROOM);
    put(&file, payload, bytes);
    byte_run_free(&plain);
    return file;
}

static void test_compressed(void **state)
{
    trueno_error err;

    (void)state;
    for (uint16_t flag = 1; flag <= 2; flag++) {
        byte_run file = compressed(flag);
        const uint32_t bomb = 1u << 31;

        if (apr_build_open(&file, file.n, true, &err) < 0)
            fail_msg("%s", err.message);
        for (size_t cut = 0; cut < file.n; cut++)
            assert_int_not_equal(apr_build_open(&file, cut, true, &err), TRUENO_OK);
        file.data[file.n - 20] ^= 0x55;
        assert_int_not_equal(apr_build_open(&file, file.n, true, &err), TRUENO_OK);
        file.data[file.n - 20] ^= 0x55;
        if (flag == 1) {
            memcpy(file.data + 64, &bomb, sizeof bomb);
            assert_int_equal(apr_build_open(&file, file.n, false, &err), TRUENO_UNSUPPORTED);
            assert_non_null(strstr(err.message, "would become 2147483648"));
        }
        byte_run_free(&file);
    }
}

/* Opened by a strict and by a lenient reader; the lenient one's model, or NULL. */
static apr_model *open_lenient(const byte_run *file, const char *strict_says)
{
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    assert_int_not_equal(apr_model_open_memory(&m, file->data, file->n, &options, &err), TRUENO_OK);
    if (strstr(err.message, strict_says) == NULL)
        fail_msg("%s", err.message);
    options.lenient = true;
    options.verify = true;
    if (apr_model_open_memory(&m, file->data, file->n, &options, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

/* A file that another program wrote: with entries of its own in the index, and its metadata. */
static apr_build begin_dialect(const char *metadata)
{
    apr_build b = apr_build_good();

    b.index.n = 0;
    b.metadata = metadata;
    return b;
}

/* Names and order of GGUF, no checksums, numbers of its own for types, Q5_K called Q4_K. */
static void test_converter_dialect(void **state)
{
    static const uint64_t MATRIX[] = {2, 256}, NORM[] = {256};
    apr_build b = begin_dialect(
        "{\"model_type\":\"transformer_lm_q4k\",\"architecture\":\"llama\",\"hidden_dim\":256,"
        "\"num_layers\":1,\"num_heads\":2,\"num_kv_heads\":1,\"intermediate_dim\":4,"
        "\"context_length\":8,\"eps\":1e-6,\"vocab_size\":2}");
    byte_run file;
    size_t tables;
    apr_model *m;

    (void)state;
    apr_build_entry(&b.index, "token_embd.weight", 8, 2, MATRIX, 0, 288);
    apr_build_entry(&b.index, "output.weight", 8, 2, MATRIX, 320, 352);
    apr_build_entry(&b.index, "output_norm.weight", 0, 1, NORM, 704, 1024);
    b.flags = 0x20;
    b.more_tensors = 1;
    b.data = 704 + 1024;
    file = apr_build_finish(&b, &tables);
    memset(file.data + 40, 0, 8);
    file.n -= 4; /* no footer */
    m = open_lenient(&file, "checksum of the header");
    assert_int_equal(apr_model_role(m, APR_TOKEN_EMBEDDING, 0)->type, TRUENO_Q4_K);
    assert_int_equal(apr_model_role(m, APR_OUTPUT, 0)->type, TRUENO_Q5_K);
    assert_int_equal(apr_model_role(m, APR_OUTPUT_NORM, 0)->type, TRUENO_F32);
    assert_int_equal(apr_model_config(m)->rope_type, 0); /* llama's, of GGUF */
    assert_int_equal(apr_model_config(m)->intermediate_size, 4);
    apr_model_close(m);
    byte_run_free(&file);
}

/* Hugging Face names, numbers of its own for types, a key twice. */
static void test_library_dialect(void **state)
{
    static const uint64_t EMBEDDING[] = {2, 4}, NORM[] = {4};
    apr_build b = begin_dialect(
        "{\"model_type\":\"qwen2\",\"architecture\":\"qwen2\",\"hidden_size\":99,\"hidden_size\":4,"
        "\"num_layers\":1,\"num_heads\":2,\"num_kv_heads\":1,\"intermediate_size\":4,"
        "\"max_position_embeddings\":8,\"rms_norm_eps\":1e-6,\"vocab_size\":2}");
    byte_run file;
    size_t tables;
    apr_model *m;

    (void)state;
    apr_build_entry(&b.index, "model.embed_tokens.weight", 2, 2, EMBEDDING, 0, 16);
    apr_build_entry(&b.index, "model.norm.weight", 0, 1, NORM, 64, 16);
    b.flags = 0;
    file = apr_build_finish(&b, &tables);
    m = open_lenient(&file, "duplicate");
    assert_int_equal(apr_model_role(m, APR_TOKEN_EMBEDDING, 0)->type, TRUENO_BF16);
    assert_int_equal(apr_model_config(m)->rope_type, 2);
    assert_int_equal(apr_model_config(m)->hidden_size, 4);
    apr_model_close(m);
    byte_run_free(&file);
}

/* Its own four-bit type is refused, by a lenient reader too. */
static void test_library_four_bits(void **state)
{
    static const uint64_t EMBEDDING[] = {2, 4}, NORM[] = {4};
    apr_build b = begin_dialect("{\"architecture\":\"bert\"}");
    apr_model_options options;
    trueno_error err = {0};
    byte_run file;
    size_t tables;
    apr_model *m;

    (void)state;
    apr_build_entry(&b.index, "model.embed_tokens.weight", 8, 2, EMBEDDING, 0, 18);
    apr_build_entry(&b.index, "model.norm.weight", 0, 1, NORM, 64, 16);
    file = apr_build_finish(&b, &tables);
    apr_model_options_init(&options, sizeof options);
    options.lenient = true;
    assert_int_equal(apr_model_open_memory(&m, file.data, file.n, &options, &err),
                     TRUENO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "element type 8 of aprender"));
    byte_run_free(&file);
}

static void test_entries(void **state)
{
    static const uint64_t FOUR[] = {4, 1, 1, 1, 1, 1, 1, 1, 1}, ZERO[] = {0},
                          HUGE_[] = {(uint64_t)1 << 62, 8};

    (void)state;
#define ENTRIES(status, says, ...)                                                   \
    CHECK(status, says, b.index.n = 0;                                               \
          apr_build_entry(&b.index, "model.embed_tokens.weight", 0, 1, FOUR, 0, 16); \
          apr_build_entry(&b.index, __VA_ARGS__))
    ENTRIES(TRUENO_OK, "", "model.norm.weight", 0, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "not in order", "a", 0, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "not in order", "model.embed_tokens.weight", 0, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "a name of 0 bytes", "", 0, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_UNSUPPORTED, "element type 77", "n", 77, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_UNSUPPORTED, "element type 128", "n", 128, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "0 dimensions", "n", 0, 0, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "9 dimensions", "n", 0, 9, FOUR, 64, 16);
    ENTRIES(TRUENO_UNSUPPORTED, "5 dimensions", "n", 0, 5, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "dimension 0 is 0", "n", 0, 1, ZERO, 64, 0);
    ENTRIES(TRUENO_FORMAT, "too many elements", "n", 0, 2, HUGE_, 64, 16);
    ENTRIES(TRUENO_FORMAT, "do not take the 20 bytes", "n", 0, 1, FOUR, 64, 20);
    ENTRIES(TRUENO_FORMAT, "no whole rows", "n", 2, 1, FOUR, 64, 16);
    ENTRIES(TRUENO_FORMAT, "unaligned", "n", 0, 1, FOUR, 32, 16);
    ENTRIES(TRUENO_FORMAT, "past their end", "n", 0, 1, FOUR, 128, 16);
    ENTRIES(TRUENO_FORMAT, "past their end", "n", 0, 1, FOUR, (uint64_t)-64, 16);
    ENTRIES(TRUENO_FORMAT, "begins inside", "n", 0, 1, FOUR, 0, 16);
}

static void test_metadata(void **state)
{
    (void)state;
    CHECK(TRUENO_UNSUPPORTED, "apr_dtype_table", b.metadata = "{\"architecture\":\"qwen2\"}");
    CHECK(TRUENO_FORMAT, "line 1", b.metadata = "{");
    CHECK(TRUENO_FORMAT, "duplicate", b.metadata = "{\"a\":1,\"a\":2}");
    CHECK(TRUENO_FORMAT, "architecture", b.metadata = "{\"apr_dtype_table\":\"ggml\"}");
    CHECK(TRUENO_FORMAT, "required key num_layers",
          b.metadata = "{\"apr_dtype_table\":\"ggml\",\"architecture\":\"qwen2\"}");
    CHECK(TRUENO_FORMAT, "tokenizer.token_type has 0 entries",
          b.metadata =
              "{\"apr_dtype_table\":\"ggml\",\"architecture\":\"bert\",\"tokenizer.kind\":"
              "\"bpe\",\"tokenizer.model_type\":\"gpt2\",\"tokenizer.vocabulary\":[\"a\"]}");
    CHECK(TRUENO_FORMAT, "entry 0 is no text",
          b.metadata = "{\"apr_dtype_table\":\"ggml\",\"architecture\":\"bert\",\"tokenizer.kind\":"
                       "\"bpe\",\"tokenizer.vocabulary\":[1]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_converter_dialect),
        cmocka_unit_test(test_library_dialect),
        cmocka_unit_test(test_library_four_bits),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_metadata),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
