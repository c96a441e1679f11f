/* SPDX-License-Identifier: MIT */
#include "tiny_folder.h"

#include <unistd.h>

void *read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    void *data;

    if (f != NULL && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size < 0)
        fail_msg("cannot read %s", path);
    rewind(f);
    data = malloc((size_t)size);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    (void)fclose(f);
    *bytes = (size_t)size;
    return data;
}

folder read_folder(const char *tiny, const char *name)
{
    folder f = {0};
    char path[512];
    uint64_t length;

    (void)snprintf(path, sizeof path, "%s/%s/config.json", tiny, name);
    f.config = json_load_file(path, 0, NULL);
    (void)snprintf(path, sizeof path, "%s/%s/model.safetensors", tiny, name);
    f.data = read_file(path, &f.bytes);
    memcpy(&length, f.data, sizeof length);
    f.header = json_loadb((const char *)f.data + 8, length, 0, NULL);
    f.bytes -= 8 + length;
    memmove(f.data, f.data + 8 + length, f.bytes);
    assert_true(json_is_object(f.config) && json_is_object(f.header));
    return f;
}

void free_folder(folder *f)
{
    json_decref(f->header);
    json_decref(f->config);
    free(f->data);
}

void write_config(const folder *f, const char *work)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s/config.json", work);
    assert_int_equal(json_dump_file(f->config, path, 0), 0);
}

void write_folder(const folder *f, const char *work)
{
    char path[64], *header = json_dumps(f->header, JSON_COMPACT);
    uint64_t length = strlen(header) + (uint64_t)f->pad;
    FILE *file;

    write_config(f, work);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", work);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(&length, sizeof length, 1, file), 1);
    (void)fprintf(file, "%s%*s", header, f->pad, "");
    assert_int_equal(fwrite(f->data, 1, f->bytes, file), f->bytes);
    assert_int_equal(fclose(file), 0);
    free(header);
}

void remove_folder(const char *work)
{
    static const char *const FILES[] = {"config.json", "model.safetensors"};
    char path[64];

    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", work, FILES[i]);
        (void)unlink(path);
    }
    (void)rmdir(work);
}
