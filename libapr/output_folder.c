/* SPDX-License-Identifier: MIT */
/* Folders that appear whole: filled under a temporary name, then renamed. */
#include "output_folder.h"

#include "formats/apr_shards.h"
#include "output_stale.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static trueno_status io_error(const char *path, trueno_error *err)
{
    return trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
}

/* Make the temporary folder, and hold it. */
static trueno_status make_folder(apr_output_folder *out, trueno_error *err)
{
    apr_temporary_sweep(out->path);
    (void)apr_temporary_name(out->path, out->temporary, sizeof out->temporary);
    if (mkdir(out->temporary, 0755) != 0)
        return io_error(out->temporary, err);
    out->open = true;
    out->fd = open(out->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->fd >= 0)
        apr_temporary_hold(out->fd);
    return TRUENO_OK;
}

static void let_go(apr_output_folder *out)
{
    if (out->fd >= 0)
        (void)close(out->fd);
    out->fd = -1;
    out->open = false;
}

trueno_status apr_output_folder_open(apr_output_folder *out, const char *path, bool force,
                                     trueno_error *err)
{
    size_t n = strlen(path);
    struct stat info;

    *out = (apr_output_folder){.fd = -1};
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= sizeof out->path)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", path);
    memcpy(out->path, path, n);
    if (stat(out->path, &info) == 0 && !force)
        return trueno_fail(err, TRUENO_USAGE, "%s: exists already", out->path);
    if (stat(out->path, &info) == 0 &&
        (!S_ISDIR(info.st_mode) || !apr_folder_is_plain(out->path, false)))
        return trueno_fail(err, TRUENO_USAGE, "%s: is no folder of plain files, not replaced",
                           out->path);
    return make_folder(out, err);
}

/* The files of a model beside one another; the weights are the last. */
static const char *const FILES[] = {"config.json", "generation_config.json", "tokenizer.json",
                                    "tokenizer_config.json", "model.safetensors"};

enum { N_FILES = sizeof FILES / sizeof FILES[0], NAME_ROOM = 4096 };

/* Begin of the last part of a path. */
static size_t base_at(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/* Weights under their own name, all others beside them. */
static bool companion_name(const apr_output_folder *out, int32_t i, char *name, char *to,
                           size_t room)
{
    const int n = snprintf(name, room, "%s", FILES[i]);
    const int m = i == N_FILES - 1
                      ? snprintf(to, room, "%s", out->path)
                      : snprintf(to, room, "%.*s%s", (int)base_at(out->path), out->path, FILES[i]);

    return n < (int)room && m < (int)room;
}

/* Shards, and after them the manifest. */
static bool shard_name(const apr_output_folder *out, int32_t i, char *name, char *to, size_t room)
{
    const int32_t count = out->n_files - 1;
    const char *stem = out->stem, *base = stem + base_at(stem);

    if (i == count)
        return apr_manifest_name(base, name, room) && apr_manifest_name(stem, to, room);
    return apr_shard_name(base, i, count, name, room) && apr_shard_name(stem, i, count, to, room);
}

static trueno_status open_beside(apr_output_folder *out, bool force, trueno_error *err)
{
    char name[NAME_ROOM], target[NAME_ROOM];
    struct stat info;

    for (int32_t i = 0; i < out->n_files; i++) {
        if (!out->name(out, i, name, target, sizeof name))
            return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", out->path);
        if (stat(target, &info) == 0 && (!force || !S_ISREG(info.st_mode)))
            return trueno_fail(err, TRUENO_USAGE, "%s: %s", target,
                               S_ISREG(info.st_mode) ? "exists already" : "is no regular file");
    }
    return make_folder(out, err);
}

trueno_status apr_output_folder_open_beside(apr_output_folder *out, const char *path, bool force,
                                            trueno_error *err)
{
    *out =
        (apr_output_folder){.fd = -1, .beside = true, .n_files = N_FILES, .name = companion_name};
    if (strlen(path) >= sizeof out->path)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", path);
    memcpy(out->path, path, strlen(path));
    return open_beside(out, force, err);
}

trueno_status apr_output_folder_open_set(apr_output_folder *out, const char *path, int32_t count,
                                         bool force, trueno_error *err)
{
    const size_t length = strlen(path), end = sizeof ".apr" - 1;

    *out = (apr_output_folder){.fd = -1, .beside = true, .n_files = count + 1, .name = shard_name};
    if (length >= sizeof out->path || length <= end)
        return trueno_fail(err, TRUENO_USAGE, "%.100s: too long, or no name", path);
    memcpy(out->path, path, length);
    memcpy(out->stem, path, strcasecmp(path + length - end, ".apr") == 0 ? length - end : length);
    return open_beside(out, force, err);
}

/* GGUF files from the last to the first, whose name is the one that others open. A single file has
 * no number. */
static bool gguf_name(const apr_output_folder *out, int32_t i, char *name, char *to, size_t room)
{
    const int32_t number = out->n_files - i;
    char end[64] = ".gguf";
    int n, m;

    if (out->n_files > 1)
        (void)snprintf(end, sizeof end, "-%05d-of-%05d.gguf", number, out->n_files);
    n = snprintf(name, room, "%s%s", out->stem + base_at(out->stem), end);
    m = snprintf(to, room, "%s%s", out->stem, end);
    return n < (int)room && m < (int)room;
}

trueno_status apr_output_folder_open_gguf(apr_output_folder *out, const char *path, int32_t count,
                                          bool force, trueno_error *err)
{
    const size_t length = strlen(path), end = sizeof ".gguf" - 1;
    const bool has_end = length > end && strcasecmp(path + length - end, ".gguf") == 0;

    *out = (apr_output_folder){.beside = true, .n_files = count, .name = gguf_name};
    if (length >= sizeof out->path || length == 0)
        return trueno_fail(err, TRUENO_USAGE, "%.100s: too long, or no name", path);
    memcpy(out->path, path, length);
    memcpy(out->stem, path, has_end ? length - end : length);
    return open_beside(out, force, err);
}

static trueno_status commit_beside(apr_output_folder *out, trueno_error *err)
{
    char name[NAME_ROOM], from[sizeof out->temporary + NAME_ROOM], to[NAME_ROOM];

    for (int32_t i = 0; i < out->n_files; i++) {
        (void)out->name(out, i, name, to, sizeof name);
        (void)snprintf(from, sizeof from, "%s/%s", out->temporary, name);
        if (rename(from, to) != 0 && (errno != ENOENT || i == out->n_files - 1))
            return io_error(to, err);
    }
    (void)rmdir(out->temporary);
    let_go(out);
    return TRUENO_OK;
}

/* Let the two folders change names; false where there is none of that name, or it cannot be. */
static bool exchange(const char *a, const char *b)
{
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
}

trueno_status apr_output_folder_commit(apr_output_folder *out, trueno_error *err)
{
    char old[sizeof out->temporary + 8];
    bool replaced;

    if (out->beside)
        return commit_beside(out, err);
    if (exchange(out->temporary, out->path)) { /* what was there has the temporary name now */
        apr_output_folder_abandon(out);
        return TRUENO_OK;
    }
    (void)snprintf(old, sizeof old, "%s.old", out->temporary);
    replaced = rename(out->path, old) == 0;
    if (rename(out->temporary, out->path) != 0) {
        trueno_status status = io_error(out->path, err);

        if (replaced)
            (void)rename(old, out->path);
        return status;
    }
    let_go(out);
    if (replaced && apr_folder_is_plain(old, true))
        (void)rmdir(old);
    return TRUENO_OK;
}

void apr_output_folder_abandon(apr_output_folder *out)
{
    if (!out->open)
        return;
    (void)apr_folder_is_plain(out->temporary, true);
    (void)rmdir(out->temporary);
    let_go(out);
}
