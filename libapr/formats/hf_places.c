/* SPDX-License-Identifier: MIT */
/* Where the files of a Hugging Face folder are: its weights, and the folder within a cache. */
#include "hf.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

trueno_status apr_hf_path(const char *folder, const char *name, char *out, size_t capacity,
                          trueno_error *err)
{
    int n = snprintf(out, capacity, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);

    if (n < 0 || (size_t)n >= capacity)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path has more than %zu bytes", folder,
                           capacity - 1);
    return TRUENO_OK;
}

bool apr_hf_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* What a folder without an index holds instead of one file of weights. */
static trueno_status fail_weights(const char *folder, int weights, int gguf, int pickles,
                                  trueno_error *err)
{
    char more[80] = "";

    if (weights == 0 && gguf > 0)
        (void)snprintf(more, sizeof more, "; name one of its %d .gguf files", gguf);
    else if (weights == 0 && pickles > 0)
        (void)snprintf(more, sizeof more, "; its %d .bin, .pt or .pth files are not read", pickles);
    return trueno_fail(err, TRUENO_UNSUPPORTED,
                       "%s: the folder has %d .safetensors files and no " APR_HF_INDEX "%s", folder,
                       weights, more);
}

trueno_status apr_hf_find_single(const char *folder, char *out, size_t capacity, trueno_error *err)
{
    DIR *dir = opendir(folder[0] != '\0' ? folder : ".");
    const struct dirent *entry;
    int weights = 0, gguf = 0, pickles = 0;
    trueno_status status = TRUENO_OK;

    if (dir == NULL)
        return trueno_fail(err, TRUENO_IO, "%s: cannot list the folder", folder);
    while ((entry = readdir(dir)) != NULL && status == TRUENO_OK) {
        const char *name = entry->d_name;

        gguf += apr_hf_ends_with(name, ".gguf");
        pickles += apr_hf_ends_with(name, ".bin") || apr_hf_ends_with(name, ".pt") ||
                   apr_hf_ends_with(name, ".pth");
        if (!apr_hf_ends_with(name, ".safetensors"))
            continue;
        weights++;
        status = apr_hf_path(folder, name, out, capacity, err);
    }
    (void)closedir(dir);
    return status == TRUENO_OK && weights != 1 ? fail_weights(folder, weights, gguf, pickles, err)
                                               : status;
}

/* The revision that the cache's refs/main names, where its snapshot is there. */
static bool read_main(const char *folder, const char *snapshots, char *out, size_t capacity)
{
    char path[PATH_MAX], name[128] = "";
    FILE *f = apr_hf_path(folder, "refs/main", path, sizeof path, NULL) == TRUENO_OK
                  ? fopen(path, "rb")
                  : NULL;

    if (f == NULL)
        return false;
    name[fread(name, 1, sizeof name - 1, f)] = '\0';
    (void)fclose(f);
    name[strcspn(name, "\r\n")] = '\0';
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
           apr_hf_path(snapshots, name, out, capacity, NULL) == TRUENO_OK && access(out, F_OK) == 0;
}

trueno_status apr_hf_enter_snapshot(char *folder, size_t capacity, trueno_error *err)
{
    char path[PATH_MAX], snapshots[PATH_MAX];
    const struct dirent *entry;
    DIR *dir;
    int found = 0;
    trueno_status status;

    if ((status = apr_hf_path(folder, "snapshots", snapshots, sizeof snapshots, err)) < 0)
        return status;
    dir = opendir(snapshots);
    if (dir == NULL)
        return TRUENO_OK;
    while ((entry = readdir(dir)) != NULL && status == TRUENO_OK) {
        if (entry->d_name[0] == '.')
            continue;
        found++;
        status = apr_hf_path(snapshots, entry->d_name, path, sizeof path, err);
    }
    (void)closedir(dir);
    if (status == TRUENO_OK && found != 1 && !read_main(folder, snapshots, path, sizeof path))
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %d revisions, refs/main names none of them; name one", snapshots,
                           found);
    if (status == TRUENO_OK && strlen(path) < capacity)
        memcpy(folder, path, strlen(path) + 1);
    return status;
}
