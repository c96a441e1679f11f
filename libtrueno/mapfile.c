/* SPDX-License-Identifier: MIT */
/* Read-only memory mapping of files. */
#include <trueno/sys/mapfile.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

trueno_status trueno_map_open(trueno_map *map, const char *path, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    struct stat info;
    void *data;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *map = (trueno_map){0};
    if (fd < 0)
        return trueno_fail(err, errno == ENOENT || errno == ENOTDIR ? TRUENO_NOT_FOUND : TRUENO_IO,
                           "%s: %s", path, strerror(errno));
    if (fstat(fd, &info) != 0)
        status = trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = trueno_fail(err, TRUENO_NOT_FOUND, "%s: not a regular file", path);
    else if (info.st_size == 0)
        status = trueno_fail(err, TRUENO_FORMAT, "%s: the file is empty", path);
    else if ((data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        status = trueno_fail(err, TRUENO_IO, "%s: cannot map %lld bytes: %s", path,
                             (long long)info.st_size, strerror(errno));
    else
        *map = (trueno_map){data, (size_t)info.st_size, true};
    (void)close(fd);
    return status;
}

void trueno_map_close(trueno_map *map)
{
    if (map->mapped && map->data != NULL)
        (void)munmap((void *)(uintptr_t)map->data, map->bytes);
    *map = (trueno_map){0};
}

/* The pages touched by a byte range, or only those wholly inside it. */
static void page_range(const void *data, size_t bytes, bool inside, uintptr_t *begin, uintptr_t *end)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t a = (uintptr_t)data, b = a + bytes;

    *begin = (inside ? a + page - 1 : a) & ~(page - 1);
    *end = (inside ? b : b + page - 1) & ~(page - 1);
}

void trueno_map_prefetch(const void *data, size_t bytes)
{
    uintptr_t begin, end;

    page_range(data, bytes, false, &begin, &end);
    if (end > begin)
        (void)madvise((void *)begin, end - begin, MADV_WILLNEED);
}

void trueno_map_drop(const void *data, size_t bytes)
{
    uintptr_t begin, end;

    page_range(data, bytes, true, &begin, &end);
    if (end > begin)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
