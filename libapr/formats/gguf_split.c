/* SPDX-License-Identifier: MIT */
/* Sets of GGUF files: "-00001-of-00003.gguf" and the keys that number the parts. */
#include "gguf.h"

#include "../file_limits.h"
#include <stdio.h>
#include <string.h>

trueno_status apr_gguf_split(const apr_model *m, int64_t *number, int64_t *count, trueno_error *err)
{
    trueno_status status;

    *number = 0;
    *count = 1;
    if ((status = apr_gguf_integer(m, "split.count", 0, APR_LIMIT_SPLITS, count, err)) < 0)
        return status;
    if (*count <= 1)
        return TRUENO_OK;
    return apr_gguf_integer(m, "split.no", 0, *count - 1, number, err);
}

trueno_status apr_gguf_split_path(const char *path, int64_t number, int64_t count, char *out,
                                  size_t capacity, trueno_error *err)
{
    enum { SUFFIX = sizeof "-00001-of-00003.gguf" - 1 };
    size_t length = strlen(path);
    const char *suffix = length >= SUFFIX ? path + length - SUFFIX : "";
    int shown_number = 0, shown_count = 0, end = 0;

    if (sscanf(suffix, "-%5d-of-%5d.gguf%n", &shown_number, &shown_count, &end) != 2 ||
        end != SUFFIX || shown_count != count)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: one of %lld parts, but the name does not end in "
                           "-00001-of-%05lld.gguf, so that the others cannot be found",
                           path, (long long)count, (long long)count);
    if (length >= capacity)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path has %zu bytes, at most %zu",
                           path, length, capacity - 1);
    (void)snprintf(out, capacity, "%.*s-%05d-of-%05d.gguf", (int)(length - SUFFIX), path,
                   (int)number + 1, (int)count);
    return TRUENO_OK;
}
