/* SPDX-License-Identifier: MIT */
/*
 * Compressed tensors of .apr files: what is written reads back the same, all at once or piece by
 * piece; damaged frames, wrong sizes and bombs are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apr_build.h"
#include "folder_fixture.h"
#include "memory_fixture.h"
#include <apr/compare.h>
#include <apr/convert.h>
#include <apr/inspect.h>
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "packed_tensors.h"

enum { ROWS = 2, COLS = 4, RAW = ROWS * COLS * 4 };

#define META_BEGIN \
    "{\"apr_dtype_table\":\"ggml\",\"architecture\":\"bert\",\"tensor_codec\":{\"n.weight\":"

/* A file of one tensor of 2 x 4 floats whose bytes are `frame`; `said` is its entry's codec. */
static byte_run one_tensor(const char *said, const void *frame, size_t bytes, uint16_t flag,
                           uint64_t rows)
{
    static char metadata[400];
    const uint64_t dims[] = {rows, COLS}, more[] = {COLS};
    apr_build b = apr_build_good();
    size_t tables;

    (void)snprintf(metadata, sizeof metadata, META_BEGIN "%s}}", said);
    b.metadata = metadata;
    b.flags = (uint16_t)(1 << 10 | 1 << 12 | flag);
    b.index.n = 0;
    apr_build_entry(&b.index, "n.weight", 0, 2, dims, 0, bytes);
    apr_build_entry(&b.index, "o.weight", 0, 1, more, 256, 16);
    put(&b.content, frame, bytes);
    b.data = 320;
    return apr_build_finish(&b, &tables);
}

static size_t zstd_frame(uint8_t out[200], const void *data, size_t bytes)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t n;

    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    n = ZSTD_compress2(c, out, 200, data, bytes);
    ZSTD_freeCCtx(c);
    assert_false(ZSTD_isError(n));
    return n;
}

static size_t lz4_frame(uint8_t out[200], const void *data, size_t bytes)
{
    const size_t n = LZ4F_compressFrame(out, 200, data, bytes, NULL);

    assert_false(LZ4F_isError(n));
    return n;
}

static const float WEIGHTS[ROWS * COLS] = {1, 1, 1, 1, 2, 2, 2, 2};

static void check_one(const char *said, const void *frame, size_t bytes, trueno_status status,
                      const char *says)
{
    byte_run file = one_tensor(said, frame, bytes, 1 << 13, ROWS);
    trueno_error err;
    trueno_status found = apr_build_open(&file, file.n, false, &err);

    if (found != status || strstr(err.message, says) == NULL)
        fail_msg("status %d, '%s'; wanted %d, '%s'", found, err.message, status, says);
    byte_run_free(&file);
}

static void test_codecs(void **state)
{
    uint8_t frame[200];
    size_t n;

    (void)state;
    n = zstd_frame(frame, WEIGHTS, RAW);
    check_one("{\"codec\":\"zstd\",\"raw_size\":32}", frame, n, TRUENO_OK, "");
    check_one("{\"codec\":\"zstd\",\"raw_size\":36}", frame, n, TRUENO_FORMAT, "raw_size of 36");
    check_one("{\"codec\":\"zstd\",\"raw_size\":-32}", frame, n, TRUENO_FORMAT, "raw_size of -32");
    check_one("{\"codec\":\"zstd\"}", frame, n, TRUENO_FORMAT, "raw_size");
    check_one("{\"codec\":\"lz4\",\"raw_size\":32}", frame, n, TRUENO_CONTENT,
              "of lz4 are damaged");
    check_one("{\"codec\":\"xz\",\"raw_size\":32}", frame, n, TRUENO_UNSUPPORTED,
              "compressed by xz");
    check_one("{\"raw_size\":32}", frame, n, TRUENO_FORMAT, "no codec");
    check_one("7", frame, n, TRUENO_FORMAT, "no codec");
    check_one("{\"codec\":\"zstd\",\"raw_size\":32},\"x\":{}", frame, n, TRUENO_FORMAT,
              "tensors that the index does not have");
    check_one("{\"codec\":\"zstd\",\"raw_size\":32}", frame, n - 1, TRUENO_CONTENT, "damaged");
    frame[n] = 0;
    check_one("{\"codec\":\"zstd\",\"raw_size\":32}", frame, n + 1, TRUENO_CONTENT, "damaged");
    n = zstd_frame(frame, WEIGHTS, RAW - 4);
    check_one("{\"codec\":\"zstd\",\"raw_size\":32}", frame, n, TRUENO_CONTENT, "damaged");
    n = lz4_frame(frame, WEIGHTS, RAW);
    check_one("{\"codec\":\"lz4\",\"raw_size\":32}", frame, n, TRUENO_OK, "");
    check_one("{\"codec\":\"lz4\",\"raw_size\":32}", frame, n - 1, TRUENO_CONTENT, "damaged");
    n = lz4_frame(frame, WEIGHTS, RAW - 4);
    check_one("{\"codec\":\"lz4\",\"raw_size\":32}", frame, n, TRUENO_CONTENT, "damaged");
}

static void test_flag(void **state)
{
    uint8_t frame[200];
    size_t n = zstd_frame(frame, WEIGHTS, RAW);
    byte_run file = one_tensor("{\"codec\":\"zstd\",\"raw_size\":32}", frame, n, 0, ROWS);
    trueno_error err;
    apr_build b = apr_build_good();
    size_t tables;

    (void)state;
    assert_int_equal(apr_build_open(&file, file.n, false, &err), TRUENO_FORMAT);
    assert_non_null(strstr(err.message, "do not fit each other"));
    byte_run_free(&file);
    b.flags |= 1 << 13;
    file = apr_build_finish(&b, &tables);
    assert_int_equal(apr_build_open(&file, file.n, false, &err), TRUENO_FORMAT);
    assert_non_null(strstr(err.message, "do not fit each other"));
    byte_run_free(&file);
}

/* A small file that says it holds a gigabyte or more: nothing is allocated for it. */
static void test_bombs(void **state)
{
    static const struct {
        uint64_t rows;
        const char *said, *says;
    } CASES[] = {
        {1 << 26, "{\"codec\":\"zstd\",\"raw_size\":1073741824}", "64 times the file"},
        {(uint64_t)1 << 59, "{\"codec\":\"zstd\",\"raw_size\":9223372036854775807}", "raw_size"},
        {(uint64_t)1 << 61, "{\"codec\":\"zstd\",\"raw_size\":32}", "too many"}};
    uint8_t frame[200];
    size_t n = zstd_frame(frame, WEIGHTS, RAW);

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        byte_run file = one_tensor(CASES[i].said, frame, n, 1 << 13, CASES[i].rows);
        trueno_error err;

        assert_true(apr_build_open(&file, file.n, false, &err) < 0);
        if (strstr(err.message, CASES[i].says) == NULL)
            fail_msg("%s", err.message);
        byte_run_free(&file);
    }
}

static void same_weights(const byte_run *file)
{
    trueno_error err = {0};
    apr_model *m;

    assert_int_equal(apr_model_open_memory(&m, file->data, file->n, NULL, &err), TRUENO_OK);
    assert_memory_equal(apr_model_find(m, "n.weight")->data, WEIGHTS, RAW);
    apr_model_close(m);
}

/* A flipped bit of a frame is found when it is decompressed, unless the weights are the same (bits
 * that the format leaves unused); by the footer it is found in any case. */
static void test_every_bit_of_a_frame(void **state)
{
    uint8_t frame[200];
    const size_t n = zstd_frame(frame, WEIGHTS, RAW);
    trueno_error err;

    (void)state;
    for (size_t bit = 0; bit < n * 8; bit++) {
        byte_run file = one_tensor("{\"codec\":\"zstd\",\"raw_size\":32}", frame, n, 1 << 13, ROWS);
        uint8_t *at = memmem(file.data, file.n, frame, n);
        trueno_status status;

        assert_non_null(at);
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        status = apr_build_open(&file, file.n, false, &err);
        if (status == TRUENO_OK)
            same_weights(&file);
        else
            assert_int_equal(status, TRUENO_CONTENT);
        assert_int_equal(apr_build_open(&file, file.n, true, &err), TRUENO_CONTENT);
        byte_run_free(&file);
    }
}

static void test_unpacker(void **state)
{
    enum { BYTES = 300000, ROOM = 2 * BYTES };
    uint8_t *data = malloc(BYTES), *frame = malloc(ROOM), *out = malloc(BYTES);

    (void)state;
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * i >> 7 & 31);
    for (int codec = APR_CODEC_ZSTD; codec < APR_CODECS; codec++) {
        const size_t n = codec == APR_CODEC_ZSTD
                             ? ZSTD_compress(frame, ROOM, data, BYTES, 3)
                             : LZ4F_compressFrame(frame, ROOM, data, BYTES, NULL);
        apr_unpacker u;

        assert_string_equal(apr_codec_name(apr_codec_find(apr_codec_name(codec))),
                            apr_codec_name(codec));
        assert_true(apr_unpack_begin(&u, codec, frame, n, out, BYTES));
        memset(out, 0, BYTES);
        for (size_t to = 0; to <= BYTES; to += 1234) {
            assert_true(apr_unpack_to(&u, to));
            assert_memory_equal(out, data, to);
        }
        assert_true(apr_unpack_to(&u, BYTES));
        assert_memory_equal(out, data, BYTES);
        apr_unpack_end(&u);
    }
    free(data);
    free(frame);
    free(out);
}

/* The tiny models in F32, plain and compressed, in a folder of the test's own. */
static char plain[256], packed[256];

static void convert(const char *to, const char *compress)
{
    apr_convert_options o;
    trueno_error err = {0};
    apr_model *m;

    apr_convert_options_init(&o, sizeof o);
    o.mix = apr_mix_find("F32");
    o.compress = compress;
    if (apr_model_open(&m, TEST_DATA_DIR "/tiny/qwen3moe.gguf", NULL, &err) < 0 ||
        apr_convert_model(m, to, &o, &err) < 0)
        fail_msg("%s", err.message);
    apr_model_close(m);
}

static int make_files(void **state)
{
    if (make_folder(state) != 0)
        return 1;
    path_of(plain, "plain.apr");
    path_of(packed, "packed.apr");
    convert(plain, NULL);
    convert(packed, "zstd");
    return 0;
}

static int remove_files(void **state)
{
    (void)unlink(plain);
    (void)unlink(packed);
    return remove_folder(state);
}

static apr_model *open_file(const char *path, bool lazy)
{
    apr_model_options o;
    trueno_error err = {0};
    apr_model *m;

    apr_model_options_init(&o, sizeof o);
    o.lazy = lazy;
    o.verify = true;
    if (apr_model_open(&m, path, &o, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

static void test_written(void **state)
{
    apr_model *a = open_file(plain, false), *b = open_file(packed, false);
    size_t n = 0;

    (void)state;
    assert_int_equal(apr_model_tensor_count(a), apr_model_tensor_count(b));
    for (size_t i = 0; i < apr_model_tensor_count(a); i++) {
        const apr_tensor *x = apr_model_tensor(a, i), *y = apr_model_tensor(b, i);

        assert_string_equal(x->name, y->name);
        assert_int_equal(x->bytes, y->bytes);
        assert_memory_equal(x->data, y->data, x->bytes);
        assert_int_equal(apr_tensor_stored_bytes(a, x), x->bytes);
        assert_int_equal(y->packed != 0, apr_tensor_stored_bytes(b, y) != y->bytes);
        assert_true(y->bytes >= 4096 || y->packed == 0);
        n += y->packed != 0;
    }
    assert_true(n > 3);
    assert_true(apr_model_bytes(b) < apr_model_bytes(a));
    assert_null(apr_model_meta_find(b, "tensor_codec"));
    apr_model_close(a);
    apr_model_close(b);
}

static void test_lazy(void **state)
{
    apr_model *a = open_file(plain, false), *b = open_file(packed, true);
    apr_comparison sums;
    trueno_error err = {0};

    (void)state;
    for (size_t i = apr_model_tensor_count(a); i-- > 0;) {
        const apr_tensor *x = apr_model_tensor(a, i), *y = apr_model_tensor(b, i);

        assert_int_equal(apr_model_fetch(b, y, &err), TRUENO_OK);
        assert_memory_equal(x->data, y->data, x->bytes);
        for (uint64_t at = 0, step = 700; at < y->bytes; at += step) { /* pieces, in order */
            const uint64_t left = y->bytes - at < step ? y->bytes - at : step;

            assert_int_equal(apr_packed_fetch(b, y, at, left, &err), TRUENO_OK);
            assert_memory_equal((const char *)x->data + at, (const char *)y->data + at, left);
        }
    }
    assert_int_equal(apr_compare_models(a, b, NULL, NULL, NULL, &sums, &err), TRUENO_OK);
    assert_int_equal(sums.same, sums.tensors);
    assert_int_equal(apr_compare_models(b, a, NULL, NULL, NULL, &sums, &err), TRUENO_OK);
    assert_int_equal(sums.same, sums.tensors);
    apr_model_close(a);
    apr_model_close(b);
}

/* To the other formats, and to plain .apr again, from a lazy model: stacked experts come apart. */
static void test_converted(void **state)
{
    static const char *const NAMES[] = {"again.apr", "again.gguf"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        apr_model *source = open_file(packed, true), *m, *a = open_file(plain, false);
        apr_comparison sums;
        trueno_error err = {0};
        char path[96];

        (void)snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        if (apr_convert_model(source, path, NULL, &err) < 0)
            fail_msg("%s", err.message);
        m = open_file(path, false);
        assert_int_equal(apr_compare_models(a, m, NULL, NULL, NULL, &sums, &err), TRUENO_OK);
        assert_int_equal(sums.same, sums.tensors);
        apr_model_close(m);
        apr_model_close(a);
        apr_model_close(source);
        (void)unlink(path);
    }
}

static void test_refused(void **state)
{
    apr_model *m = open_file(plain, false);
    apr_convert_options o;
    trueno_error err = {0};

    (void)state;
    apr_convert_options_init(&o, sizeof o);
    o.compress = "lz4";
    assert_int_equal(apr_convert_model(m, "/nowhere/x.apr", &o, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "known is zstd"));
    o.compress = "zstd";
    assert_int_equal(apr_convert_model(m, "/nowhere/x.gguf", &o, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "only .apr"));
    apr_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codecs),   cmocka_unit_test(test_flag),
        cmocka_unit_test(test_bombs),    cmocka_unit_test(test_every_bit_of_a_frame),
        cmocka_unit_test(test_unpacker), cmocka_unit_test(test_written),
        cmocka_unit_test(test_lazy),     cmocka_unit_test(test_converted),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
