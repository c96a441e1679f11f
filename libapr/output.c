/* SPDX-License-Identifier: MIT */
/* Files that appear whole: written under a temporary name beside the target, then renamed. */
#include "output.h"

#include "output_stale.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static trueno_status io_error(const char *path, trueno_error *err)
{
    return trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
}

trueno_status apr_output_open(apr_output *out, const char *path, bool force, trueno_error *err)
{
    struct stat info;

    out->fd = -1;
    out->offset = 0;
    out->crc = 0;
    if (strlen(path) >= sizeof out->path)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", path);
    memcpy(out->path, path, strlen(path) + 1);
    if (stat(path, &info) == 0 && (!force || !S_ISREG(info.st_mode)))
        return trueno_fail(err, TRUENO_USAGE, "%s: %s", path,
                           S_ISREG(info.st_mode) ? "exists already" : "is no regular file");
    apr_temporary_sweep(path);
    (void)apr_temporary_name(path, out->temporary, sizeof out->temporary);
    out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out->fd < 0)
        return io_error(out->temporary, err);
    apr_temporary_hold(out->fd);
    return TRUENO_OK;
}

static trueno_status write_at(const apr_output *out, const void *data, size_t bytes,
                              uint64_t offset, trueno_error *err)
{
    const uint8_t *p = data;

    while (bytes > 0) {
        ssize_t n = pwrite(out->fd, p, bytes, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_error(out->temporary, err);
        p += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return TRUENO_OK;
}

trueno_status apr_output_write(apr_output *out, const void *data, size_t bytes, trueno_error *err)
{
    const trueno_status status = write_at(out, data, bytes, out->offset, err);

    out->crc = (uint32_t)crc32_z(out->crc, data, bytes);
    out->offset += bytes;
    return status;
}

trueno_status apr_output_reserve(apr_output *out, uint64_t bytes, trueno_error *err)
{
    if (ftruncate(out->fd, (off_t)bytes) != 0)
        return io_error(out->temporary, err);
    out->offset = bytes;
    return TRUENO_OK;
}

trueno_status apr_output_fill(apr_output *out, const void *data, size_t bytes, trueno_error *err)
{
    const uLong crc = crc32_z(0, data, bytes);

    out->crc = (uint32_t)crc32_combine(crc, out->crc, (z_off_t)(out->offset - bytes));
    return write_at(out, data, bytes, 0, err);
}

trueno_status apr_output_pad_to(apr_output *out, uint64_t offset, trueno_error *err)
{
    static const uint8_t ZEROS[4096];

    return apr_output_write(out, ZEROS, (size_t)(offset - out->offset), err);
}

/* Length and checksum of what is on the disk now. */
static trueno_status read_back(const apr_output *out, uint64_t *bytes, uint32_t *crc,
                               trueno_error *err)
{
    uint8_t piece[65536];
    int fd = open(out->temporary, O_RDONLY | O_CLOEXEC);
    trueno_status status;
    ssize_t n;

    *bytes = 0;
    *crc = 0;
    if (fd < 0)
        return io_error(out->temporary, err);
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        *crc = (uint32_t)crc32_z(*crc, piece, (size_t)n);
        *bytes += (uint64_t)n;
    }
    status = n < 0 ? io_error(out->temporary, err) : TRUENO_OK;
    (void)close(fd);
    return status;
}

trueno_status apr_output_finish(apr_output *out, trueno_error *err)
{
    uint64_t bytes;
    uint32_t crc;
    trueno_status status;

    if (fsync(out->fd) != 0)
        return io_error(out->temporary, err);
    if ((status = read_back(out, &bytes, &crc, err)) < 0)
        return status;
    if (bytes != out->offset || crc != out->crc)
        return trueno_fail(err, TRUENO_CONTENT,
                           "%s: %llu bytes of checksum %08x were written, read back are %llu of "
                           "%08x (ROSETTA-CRC-001)",
                           out->path, (unsigned long long)out->offset, out->crc,
                           (unsigned long long)bytes, crc);
    return TRUENO_OK;
}

/* The folder's entry must be on the disk too; a folder that cannot be synced is not an error. */
static void sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t n = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    int fd;

    memcpy(folder, n > 0 ? path : ".", n > 0 ? n : 1);
    folder[n > 0 ? n : 1] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

trueno_status apr_output_commit(apr_output *out, trueno_error *err)
{
    int closed = close(out->fd);

    out->fd = -1;
    if (closed != 0 || rename(out->temporary, out->path) != 0) {
        trueno_status status = io_error(out->path, err);

        (void)unlink(out->temporary);
        return status;
    }
    sync_folder(out->path);
    return TRUENO_OK;
}

void apr_output_abandon(apr_output *out)
{
    if (out->fd < 0)
        return;
    (void)close(out->fd);
    (void)unlink(out->temporary);
    out->fd = -1;
}
