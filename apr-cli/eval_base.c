/* SPDX-License-Identifier: MIT */
/* Writing and reading saved distributions. */
#include "eval.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_BYTES = 8, EXTRA = 4 };
static const char MAGIC[MAGIC_BYTES] = {'_', 'l', 'o', 'g', 'i', 't', 's', '_'};

/* uint16 numbers of one record: two floats, then the vocabulary rounded up to even. */
static size_t record_words(int32_t vocab)
{
    return EXTRA + 2 * (((size_t)vocab + 1) / 2);
}

static trueno_status alloc_record(base_file *b, trueno_error *err)
{
    b->packed = calloc(record_words(b->vocab), sizeof *b->packed);
    b->log_p = calloc((size_t)b->vocab, sizeof *b->log_p);
    if (b->packed == NULL || b->log_p == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d log-probabilities", b->vocab);
    return TRUENO_OK;
}

static trueno_status put(base_file *b, const void *data, size_t bytes, trueno_error *err)
{
    if (fwrite(data, 1, bytes, b->f) != bytes)
        return trueno_fail(err, TRUENO_IO, "%s: %s", b->temporary, strerror(errno));
    return TRUENO_OK;
}

trueno_status base_create(base_file *b, const char *path, int32_t context, int32_t vocab,
                          int32_t chunks, const int32_t *tokens, trueno_error *err)
{
    const int32_t header[3] = {context, vocab, chunks};
    size_t length = strlen(path);
    trueno_status status;

    *b = (base_file){.context = context, .vocab = vocab, .chunks = chunks};
    b->path = strdup(path);
    b->temporary = malloc(length + 8);
    if (b->path == NULL || b->temporary == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a path");
    (void)snprintf(b->temporary, length + 8, "%s.part", path);
    b->f = fopen(b->temporary, "wb");
    if (b->f == NULL)
        return trueno_fail(err, TRUENO_IO, "%s: %s", b->temporary, strerror(errno));
    if ((status = alloc_record(b, err)) < 0 || (status = put(b, MAGIC, sizeof MAGIC, err)) < 0 ||
        (status = put(b, header, sizeof header, err)) < 0)
        return status;
    return put(b, tokens, (size_t)chunks * (size_t)context * sizeof *tokens, err);
}

trueno_status base_write(base_file *b, const float *logits, double log_sum, trueno_error *err)
{
    float largest = logits[0], least = logits[0], head[2];

    for (int32_t i = 1; i < b->vocab; i++) {
        largest = fmaxf(largest, logits[i]);
        least = fminf(least, logits[i]);
    }
    least = fmaxf(least, largest - 16.0f);
    head[0] = (largest - least) / 65535.0f;
    head[1] = (float)(least - log_sum);
    memcpy(b->packed, head, sizeof head);
    for (int32_t i = 0; i < b->vocab; i++)
        b->packed[EXTRA + i] =
            head[0] > 0 && logits[i] > least ? (uint16_t)lrintf((logits[i] - least) / head[0]) : 0;
    return put(b, b->packed, record_words(b->vocab) * sizeof *b->packed, err);
}

trueno_status base_finish(base_file *b, trueno_error *err)
{
    if (b->temporary == NULL)
        return TRUENO_OK;
    if (fflush(b->f) != 0 || fsync(fileno(b->f)) != 0 || rename(b->temporary, b->path) != 0)
        return trueno_fail(err, TRUENO_IO, "%s: %s", b->path, strerror(errno));
    free(b->temporary);
    b->temporary = NULL;
    return TRUENO_OK;
}

static trueno_status get(base_file *b, void *data, size_t bytes, trueno_error *err)
{
    if (fread(data, 1, bytes, b->f) != bytes)
        return ferror(b->f) ? trueno_fail(err, TRUENO_IO, "%s: %s", b->path, strerror(errno))
                            : trueno_fail(err, TRUENO_FORMAT, "%s: the file ends early", b->path);
    return TRUENO_OK;
}

/* The header's numbers against the file's size, before anything is allocated from them. */
static trueno_status check_header(const base_file *b, trueno_error *err)
{
    struct stat info;
    int32_t scored; /* positions of a chunk */
    double need;

    if (b->context < 4 || b->vocab < 1 || b->chunks < 1)
        return trueno_fail(err, TRUENO_FORMAT, "%s: context %d, vocabulary %d, chunks %d", b->path,
                           b->context, b->vocab, b->chunks);
    scored = b->context - 1 - b->context / 2;
    need = 20.0 + 4.0 * b->chunks * b->context +
           2.0 * b->chunks * scored * (double)record_words(b->vocab);
    if (fstat(fileno(b->f), &info) != 0 || (double)info.st_size < need)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %lld bytes, its header asks for %.0f", b->path,
                           (long long)info.st_size, need);
    return TRUENO_OK;
}

trueno_status base_open(base_file *b, const char *path, trueno_error *err)
{
    char magic[MAGIC_BYTES];
    int32_t header[3];
    size_t count;
    trueno_status status;

    *b = (base_file){.path = strdup(path), .f = fopen(path, "rb")};
    if (b->f == NULL)
        return trueno_fail(err, errno == ENOENT ? TRUENO_NOT_FOUND : TRUENO_IO, "%s: %s", path,
                           strerror(errno));
    if ((status = get(b, magic, sizeof magic, err)) < 0 ||
        (status = get(b, header, sizeof header, err)) < 0)
        return status;
    if (memcmp(magic, MAGIC, sizeof magic) != 0)
        return trueno_fail(err, TRUENO_FORMAT, "%s: not a file of saved logits", path);
    b->context = header[0];
    b->vocab = header[1];
    b->chunks = header[2];
    if ((status = check_header(b, err)) < 0 || (status = alloc_record(b, err)) < 0)
        return status;
    count = (size_t)b->chunks * (size_t)b->context;
    b->tokens = calloc(count, sizeof *b->tokens);
    if (b->tokens == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tokens", count);
    return get(b, b->tokens, count * sizeof *b->tokens, err);
}

trueno_status base_read(base_file *b, const float **log_p, trueno_error *err)
{
    trueno_status status = get(b, b->packed, record_words(b->vocab) * sizeof *b->packed, err);
    float head[2];

    memcpy(head, b->packed, sizeof head);
    for (int32_t i = 0; i < b->vocab; i++)
        b->log_p[i] = head[1] + head[0] * (float)b->packed[EXTRA + i];
    *log_p = b->log_p;
    return status;
}

void base_close(base_file *b)
{
    if (b->f != NULL)
        (void)fclose(b->f);
    if (b->temporary != NULL)
        (void)unlink(b->temporary);
    free(b->temporary);
    free(b->path);
    free(b->tokens);
    free(b->packed);
    free(b->log_p);
    *b = (base_file){0};
}
