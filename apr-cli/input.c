/* SPDX-License-Identifier: MIT */
/* Reading texts: files, standard input, and the parts that make a prompt. */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

trueno_status text_append(text_buffer *t, const char *bytes, size_t length, trueno_error *err)
{
    char *larger = realloc(t->data, t->bytes + length + 1);

    if (larger == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu bytes of text",
                           t->bytes + length);
    memcpy(larger + t->bytes, bytes, length);
    t->data = larger;
    t->bytes += length;
    t->data[t->bytes] = '\0';
    return TRUENO_OK;
}

static trueno_status read_stream(FILE *f, const char *name, text_buffer *out, trueno_error *err)
{
    char chunk[65536];
    size_t n;

    *out = (text_buffer){0};
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        trueno_status status = text_append(out, chunk, n, err);

        if (status < 0)
            return status;
    }
    if (ferror(f))
        return trueno_fail(err, TRUENO_IO, "%s: %s", name, strerror(errno));
    return out->data != NULL ? TRUENO_OK : text_append(out, "", 0, err);
}

trueno_status read_text_file(const char *path, text_buffer *out, trueno_error *err)
{
    struct stat info;
    trueno_status status;
    FILE *f;

    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", out, err);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return trueno_fail(err, TRUENO_NOT_FOUND, "%s: is a folder", path);
    f = fopen(path, "rb");
    if (f == NULL)
        return trueno_fail(err, errno == ENOENT ? TRUENO_NOT_FOUND : TRUENO_IO, "%s: %s", path,
                           strerror(errno));
    status = read_stream(f, path, out, err);
    (void)fclose(f);
    return status;
}

static trueno_status add_part(text_buffer *out, const char *bytes, size_t length, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (length == 0)
        return TRUENO_OK;
    if (out->bytes > 0)
        status = text_append(out, "\n\n", 2, err);
    return status < 0 ? status : text_append(out, bytes, length, err);
}

static trueno_status add_file(text_buffer *out, const char *path, trueno_error *err)
{
    text_buffer part = {0};
    trueno_status status = read_text_file(path, &part, err);

    if (status == TRUENO_OK)
        status = add_part(out, part.data, part.bytes, err);
    free(part.data);
    return status;
}

trueno_status gather_given(const cli_arguments *a, const char *argument, text_buffer *out,
                           trueno_error *err)
{
    const char *const parts[] = {argument, a->o.prompt};
    trueno_status status = text_append(out, "", 0, err);

    for (int i = 0; i < 2 && status == TRUENO_OK; i++)
        if (parts[i] != NULL)
            status = add_part(out, parts[i], strlen(parts[i]), err);
    if (status == TRUENO_OK && a->o.file != NULL)
        status = add_file(out, a->o.file, err);
    return status;
}

trueno_status gather_prompt(const cli_arguments *a, const char *argument, text_buffer *out,
                            trueno_error *err)
{
    bool reads_stdin = a->o.file != NULL && strcmp(a->o.file, "-") == 0;
    struct stat in;
    trueno_status status = gather_given(a, argument, out, err);

    /* a stdin that is closed, a terminal or a device such as /dev/null adds nothing */
    if (status == TRUENO_OK && !reads_stdin && fstat(STDIN_FILENO, &in) == 0 &&
        !S_ISCHR(in.st_mode))
        status = add_file(out, "-", err);
    return status;
}
