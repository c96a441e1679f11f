/* SPDX-License-Identifier: MIT */
/*
 * Compressed tensors: addresses are reserved when the model opens, memory is used when a tensor is
 * decompressed. Pages that hold nothing cannot be read.
 */
#include "packed_tensors.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <trueno/cpu.h>
#include <trueno/sys/threads.h>
#include <unistd.h>

/* Floats of a few values shrink to a sixth; zeros to nothing, so that all tensors count together.
 */
enum { MOST_GROWTH = 64 };

trueno_status apr_packed_new(apr_model *m, size_t most, trueno_error *err)
{
    trueno_status status =
        apr_model_allocate(m, &m->packed, 1, sizeof *m->packed, "compressed tensors", err);

    return status < 0 ? status
                      : apr_model_allocate(m, &m->packed->list, most, sizeof *m->packed->list,
                                           "compressed tensors", err);
}

void apr_packed_add(apr_model *m, apr_tensor *t, apr_codec codec, const uint8_t *frame,
                    uint64_t frame_bytes)
{
    m->packed->list[m->packed->n++] = (apr_packed_tensor){
        .codec = codec, .frame = frame, .frame_bytes = frame_bytes, .bytes = t->bytes};
    t->packed = (int32_t)m->packed->n;
}

static uint64_t to_pages(uint64_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) & ~(page - 1);
}

static trueno_status reserve(apr_model *m, trueno_error *err)
{
    apr_packed *p = m->packed;
    uint64_t bytes = 0, most = 0;
    void *room;

    for (size_t i = 0; i < m->n_sources; i++)
        most += MOST_GROWTH * (uint64_t)m->sources[i].map.bytes;
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].bytes > most || bytes > most)
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: its compressed tensors would grow to %d times the file or more",
                               m->path, MOST_GROWTH);
        bytes += to_pages(p->list[i].bytes);
    }
    room = mmap(NULL, (size_t)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return trueno_fail(err, TRUENO_NO_MEMORY,
                           "%s: no addresses for %llu bytes of decompressed tensors: %s", m->path,
                           (unsigned long long)bytes, strerror(errno));
    p->room = room;
    p->room_bytes = (size_t)bytes;
    bytes = 0;
    for (size_t i = 0; i < p->n; i++) {
        p->list[i].room = p->room + bytes;
        bytes += to_pages(p->list[i].bytes);
    }
    return TRUENO_OK;
}

/* Let a tensor's pages be written, or give them back. */
static bool use_pages(const apr_packed_tensor *t, bool in_use)
{
    const size_t bytes = (size_t)to_pages(t->bytes);

    if (!in_use)
        (void)madvise(t->room, bytes, MADV_DONTNEED);
    return mprotect(t->room, bytes, in_use ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

static trueno_status no_memory(const apr_model *m, const char *name, trueno_error *err)
{
    return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to decompress %s", m->path, name);
}

static trueno_status damaged(const apr_model *m, const apr_packed_tensor *t, const char *name,
                             trueno_error *err)
{
    return trueno_fail(err, TRUENO_CONTENT,
                       "%s: tensor %s: its %llu bytes of %s are damaged, or do not hold %llu bytes",
                       m->path, name, (unsigned long long)t->frame_bytes, apr_codec_name(t->codec),
                       (unsigned long long)t->bytes);
}

/* Decompressing all tensors at once. */
typedef struct loading {
    apr_model *m;
    pthread_mutex_t lock; /* over the first failure */
    trueno_status status;
    trueno_error err;
} loading;

static trueno_status load_one(const apr_model *m, const apr_tensor *t, trueno_error *err)
{
    const apr_packed_tensor *p = &m->packed->list[t->packed - 1];
    apr_unpacker u;
    trueno_status status = TRUENO_OK;

    if (!use_pages(p, true) || !apr_unpack_begin(&u, p->codec, p->frame, (size_t)p->frame_bytes,
                                                 p->room, (size_t)p->bytes))
        return no_memory(m, t->name, err);
    if (!apr_unpack_to(&u, (size_t)p->bytes))
        status = damaged(m, p, t->name, err);
    apr_unpack_end(&u);
    return status;
}

static void load_some(void *context, int64_t begin, int64_t end, int thread)
{
    loading *l = context;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        trueno_error err = {0};
        trueno_status status;

        if (l->m->tensors[i].packed == 0 ||
            (status = load_one(l->m, &l->m->tensors[i], &err)) == TRUENO_OK)
            continue;
        (void)pthread_mutex_lock(&l->lock);
        if (l->status == TRUENO_OK) {
            l->status = status;
            l->err = err;
        }
        (void)pthread_mutex_unlock(&l->lock);
    }
}

static trueno_status load_all(apr_model *m, trueno_error *err)
{
    loading l = {.m = m, .lock = PTHREAD_MUTEX_INITIALIZER};
    trueno_pool *pool;
    trueno_status status =
        trueno_pool_new(&pool, trueno_cpu_default_threads(), m->options.allocator, err);

    if (status < 0)
        return status;
    trueno_pool_for(pool, (int64_t)m->n_tensors, 1, load_some, &l);
    trueno_pool_free(pool);
    return l.status < 0 ? trueno_fail(err, l.status, "%s", l.err.message) : TRUENO_OK;
}

trueno_status apr_packed_open(apr_model *m, trueno_error *err)
{
    trueno_status status;

    if (m->packed == NULL || m->packed->n == 0)
        return TRUENO_OK;
    if ((status = reserve(m, err)) < 0)
        return status;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].packed > 0)
            m->tensors[i].data = m->packed->list[m->tensors[i].packed - 1].room;
    return m->options.lazy || m->options.vocab_only ? TRUENO_OK : load_all(m, err);
}

/* Make the tensor the one in memory, nothing of it decompressed yet. */
static trueno_status begin(const apr_model *m, apr_packed_tensor *t, const char *name,
                           trueno_error *err)
{
    apr_packed *p = m->packed;

    if (p->current != NULL)
        (void)use_pages(p->current, false);
    apr_unpack_end(&p->unpacker);
    p->current = NULL;
    if (!use_pages(t, true) || !apr_unpack_begin(&p->unpacker, t->codec, t->frame,
                                                 (size_t)t->frame_bytes, t->room, (size_t)t->bytes))
        return no_memory(m, name, err);
    p->current = t;
    p->kept = 0;
    return TRUENO_OK;
}

trueno_status apr_packed_fetch(const apr_model *m, const apr_tensor *t, uint64_t first,
                               uint64_t bytes, trueno_error *err)
{
    apr_packed *p = m->packed;
    apr_packed_tensor *packed;
    uint64_t at, behind;
    trueno_status status;

    if (t->packed == 0 || !(m->options.lazy || m->options.vocab_only))
        return TRUENO_OK;
    packed = &p->list[t->packed - 1];
    at = (uint64_t)((const uint8_t *)t->data - packed->room) + first;
    behind = at & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
    if ((p->current != packed || at < p->kept) && (status = begin(m, packed, t->name, err)) < 0)
        return status;
    if (!apr_unpack_to(&p->unpacker, (size_t)(at + bytes)))
        return damaged(m, packed, t->name, err);
    if (behind > 0)
        (void)madvise(packed->room, (size_t)behind, MADV_DONTNEED);
    p->kept = at;
    return TRUENO_OK;
}

uint64_t apr_packed_stored(const apr_model *m, const apr_tensor *t)
{
    return t->packed > 0 ? m->packed->list[t->packed - 1].frame_bytes : t->bytes;
}

void apr_packed_close(apr_model *m)
{
    if (m->packed == NULL)
        return;
    apr_unpack_end(&m->packed->unpacker);
    if (m->packed->room != NULL)
        (void)munmap(m->packed->room, m->packed->room_bytes);
}
