/* SPDX-License-Identifier: MIT */
/* Temporary names of outputs, and removing those of processes that are gone. */
#include "output_stale.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".part-"

bool apr_temporary_name(const char *path, char *out, size_t capacity)
{
    const int n = snprintf(out, capacity, "%s" MARK "%ld", path, (long)getpid());

    return n > 0 && (size_t)n < capacity;
}

void apr_temporary_hold(int fd)
{
    (void)flock(fd, LOCK_EX | LOCK_NB);
}

bool apr_folder_is_plain(const char *folder, bool remove_them)
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

/* True for "BASE.part-PID" of a process that is gone. */
static bool is_of_the_dead(const char *name, const char *base)
{
    const size_t length = strlen(base), mark = sizeof MARK - 1;
    long pid;
    char *end;

    if (strncmp(name, base, length) != 0 || strncmp(name + length, MARK, mark) != 0 ||
        name[length + mark] < '1' || name[length + mark] > '9')
        return false;
    pid = strtol(name + length + mark, &end, 10);
    return *end == '\0' && pid != (long)getpid() && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Remove one of them unless somebody, on another machine perhaps, holds it. */
static void remove_left(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (S_ISREG(info.st_mode))
            (void)unlink(path);
        else if (S_ISDIR(info.st_mode) && apr_folder_is_plain(path, false) &&
                 apr_folder_is_plain(path, true))
            (void)rmdir(path);
    }
    (void)close(fd);
}

void apr_temporary_sweep(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    const int folder = (int)(base - path);
    char name[4352];
    const struct dirent *entry;
    DIR *dir;

    if (folder >= 4000)
        return;
    (void)snprintf(name, sizeof name, "%.*s", folder > 0 ? folder : 1, folder > 0 ? path : ".");
    if ((dir = opendir(name)) == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        if (!is_of_the_dead(entry->d_name, base))
            continue;
        (void)snprintf(name, sizeof name, "%.*s%s", folder, path, entry->d_name);
        remove_left(name);
    }
    (void)closedir(dir);
}
