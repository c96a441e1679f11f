/* SPDX-License-Identifier: MIT */
/* Folders that appear whole: filled under a temporary name, then renamed. */
#include "output_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static trueno_status io_error(const char *path, trueno_error *err)
{
    return trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
}

/* Visit the plain files of a folder: false when it holds anything else, or cannot be read. */
static bool visit_files(const char *folder, bool remove_them)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool plain = dir != NULL;

    while (plain && (entry = readdir(dir)) != NULL) {
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        plain = fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(info.st_mode);
        if (plain && remove_them)
            plain = unlinkat(dirfd(dir), entry->d_name, 0) == 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return plain;
}

trueno_status apr_output_folder_open(apr_output_folder *out, const char *path, bool force,
                                     trueno_error *err)
{
    size_t n = strlen(path);
    struct stat info;

    *out = (apr_output_folder){.open = false};
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= sizeof out->path)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", path);
    memcpy(out->path, path, n);
    if (stat(out->path, &info) == 0 && !force)
        return trueno_fail(err, TRUENO_USAGE, "%s: exists already", out->path);
    if (stat(out->path, &info) == 0 && (!S_ISDIR(info.st_mode) || !visit_files(out->path, false)))
        return trueno_fail(err, TRUENO_USAGE, "%s: is no folder of plain files, not replaced",
                           out->path);
    (void)snprintf(out->temporary, sizeof out->temporary, "%s.part-%ld", out->path, (long)getpid());
    if (mkdir(out->temporary, 0755) != 0)
        return io_error(out->temporary, err);
    out->open = true;
    return TRUENO_OK;
}

trueno_status apr_output_folder_commit(apr_output_folder *out, trueno_error *err)
{
    char old[sizeof out->temporary + 8];
    bool replaced;

    (void)snprintf(old, sizeof old, "%s.old", out->temporary);
    replaced = rename(out->path, old) == 0;
    if (rename(out->temporary, out->path) != 0) {
        trueno_status status = io_error(out->path, err);

        if (replaced)
            (void)rename(old, out->path);
        return status;
    }
    out->open = false;
    if (replaced && visit_files(old, true))
        (void)rmdir(old);
    return TRUENO_OK;
}

void apr_output_folder_abandon(apr_output_folder *out)
{
    if (!out->open)
        return;
    (void)visit_files(out->temporary, true);
    (void)rmdir(out->temporary);
    out->open = false;
}
