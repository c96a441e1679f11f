/* SPDX-License-Identifier: MIT */
/*
 * The JSON files and shards of a good Hugging Face folder, damaged one at a time: cut short, nested
 * without end, with half a character, with a member twice. Refused in one line that names the file,
 * with all memory given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "try_open.h"
#include <apr/model.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCE TEST_DATA_DIR "/hf/qwen2"

static const char *const COMPANIONS[] = {"config.json", "generation_config.json", "tokenizer.json",
                                         "tokenizer_config.json", "model.safetensors.index.json"};
enum { N_COMPANIONS = sizeof COMPANIONS / sizeof COMPANIONS[0] };

static char folder[] = "/tmp/apr-test-XXXXXX";

static char *read_source(const char *name, size_t *bytes)
{
    char path[512], *data = malloc(1 << 16);
    FILE *f;

    (void)snprintf(path, sizeof path, SOURCE "/%s", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_non_null(data);
    *bytes = fread(data, 1, 1 << 16, f);
    assert_in_range(*bytes, 1, (1 << 16) - 1);
    (void)fclose(f);
    return data;
}

/* A file of the folder, in the place of the link to the good one. */
static void put_file(const char *name, const void *data, size_t bytes)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void put_link(const char *name)
{
    char path[512], target[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)snprintf(target, sizeof target, SOURCE "/%s", name);
    (void)unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static trueno_status try_folder(trueno_error *err)
{
    counting c;
    trueno_status status;

    counting_init(&c);
    status = try_open_path(folder, &c, err);
    assert_true(c.peak < 1 << 20);
    return status;
}

static void expect(trueno_status wanted, const char *name, const char *what)
{
    trueno_error err;
    trueno_status status = try_folder(&err);

    if (status != wanted || (status < 0 && strstr(err.message, name) == NULL))
        fail_msg("%s, %s: status %d, '%s'; wanted %d and the file's name", name, what, status,
                 err.message, wanted);
}

static void test_truncations(void **state)
{
    (void)state;
    for (int i = 0; i < N_COMPANIONS; i++) {
        size_t bytes;
        char *data = read_source(COMPANIONS[i], &bytes);

        while (bytes > 0 && data[bytes - 1] != '}')
            bytes--;
        for (size_t n = 0; n < bytes; n += bytes < 1000 ? 1 : 7) {
            put_file(COMPANIONS[i], data, n);
            expect(TRUENO_FORMAT, COMPANIONS[i], "cut short");
        }
        put_link(COMPANIONS[i]);
        free(data);
    }
}

/* No byte may do more than have the folder refused. */
static void test_changed_bytes(void **state)
{
    static const char OTHERS[] = {'\xff', '\x80', '"', '{', ']', '9', '-', '\0', '\\'};
    trueno_error err;

    (void)state;
    for (int i = 0; i < N_COMPANIONS; i++) {
        size_t bytes;
        char *data = read_source(COMPANIONS[i], &bytes);

        for (size_t at = 0; at < bytes; at += bytes < 1000 ? 1 : 11) {
            const char old = data[at];

            data[at] = OTHERS[at % sizeof OTHERS];
            put_file(COMPANIONS[i], data, bytes);
            (void)try_folder(&err);
            data[at] = old;
        }
        put_link(COMPANIONS[i]);
        free(data);
    }
}

/* One more member, behind the others. */
static void add_member(const char *name, const char *member, size_t member_bytes)
{
    size_t bytes;
    char *data = read_source(name, &bytes), *longer;

    while (bytes > 0 && data[bytes - 1] != '}')
        bytes--;
    longer = malloc(bytes + member_bytes + 1);
    assert_non_null(longer);
    memcpy(longer, data, bytes - 1);
    memcpy(longer + bytes - 1, member, member_bytes);
    longer[bytes - 1 + member_bytes] = '}';
    put_file(name, longer, bytes + member_bytes);
    free(longer);
    free(data);
}

static void test_members(void **state)
{
    static const struct {
        const char *what, *member;
        trueno_status status;
    } ROWS[] = {
        {"another member", ",\"x_\":\"\\ud83d\\ude00\"", TRUENO_OK},
        {"half a pair", ",\"x_\":\"\\ud83d\"", TRUENO_FORMAT},
        {"half a character", ",\"x_\":\"\xe4\xbd\"", TRUENO_FORMAT},
        {"a byte of none", ",\"x_\":\"\xff\"", TRUENO_FORMAT},
        {"a member twice", ",\"x_\":1,\"x_\":2", TRUENO_FORMAT},
        {"a second object", "}{", TRUENO_FORMAT},
        {"a comma too many", ",", TRUENO_FORMAT},
        {"not a number", ",\"x_\":NaN", TRUENO_FORMAT},
    };

    (void)state;
    for (int i = 0; i < N_COMPANIONS; i++) {
        for (size_t k = 0; k < sizeof ROWS / sizeof ROWS[0]; k++) {
            add_member(COMPANIONS[i], ROWS[k].member, strlen(ROWS[k].member));
            expect(ROWS[k].status, COMPANIONS[i], ROWS[k].what);
        }
        put_link(COMPANIONS[i]);
    }
}

/* Lists in lists: some hundred pass, what would overflow a stack is refused. */
static void test_nesting(void **state)
{
    static const size_t DEPTHS[] = {500, 100000};
    static char member[5 + 2 * 100000 + 1];

    (void)state;
    for (int i = 0; i < N_COMPANIONS; i++) {
        for (int k = 0; k < 2; k++) {
            (void)snprintf(member, sizeof member, ",\"x\":");
            memset(member + 5, '[', DEPTHS[k]);
            memset(member + 5 + DEPTHS[k], ']', DEPTHS[k]);
            add_member(COMPANIONS[i], member, 5 + 2 * DEPTHS[k]);
            expect(k == 0 ? TRUENO_OK : TRUENO_FORMAT, COMPANIONS[i], "nested");
        }
        put_link(COMPANIONS[i]);
    }
}

/* A shard that a broken download left. */
static void test_cut_shards(void **state)
{
    static const char SHARD[] = "model-00003-of-00006.safetensors";
    size_t bytes;
    char *data = read_source(SHARD, &bytes);

    (void)state;
    for (size_t n = 0; n < bytes; n += n < 512 ? 1 : 97) {
        put_file(SHARD, data, n);
        expect(TRUENO_FORMAT, SHARD, "cut short");
    }
    put_file(SHARD, data, bytes - 1);
    expect(TRUENO_FORMAT, SHARD, "a byte short");
    put_link(SHARD);
    free(data);
}

static void for_all_files(const char *listed, void (*act)(const char *name))
{
    DIR *dir = opendir(listed);
    const struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            act(entry->d_name);
    (void)closedir(dir);
}

static void remove_file(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
}

static int make_folder(void **state)
{
    trueno_error err;

    (void)state;
    assert_non_null(mkdtemp(folder));
    for_all_files(SOURCE, put_link);
    return try_folder(&err) != TRUENO_OK;
}

static int remove_folder(void **state)
{
    (void)state;
    for_all_files(folder, remove_file);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncations), cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_members),     cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_cut_shards),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
