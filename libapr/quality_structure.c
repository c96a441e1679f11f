/* SPDX-License-Identifier: MIT */
/* Quality of a file's structure: versions, alignment, shapes, unused bytes. */
#include "quality.h"

#include "convert_check.h"
#include "formats/apr.h"
#include "names.h"
#include "packed_tensors.h"
#include "storage_types.h"
#include <endian.h>
#include <string.h>

static bool is_format(const apr_model *m, const char *name)
{
    return strncmp(m->format, name, strlen(name)) == 0;
}

apr_quality_outcome apr_quality_version(apr_quality_look *l)
{
    const apr_model *m = l->m;
    uint16_t flags = 0;

    if (is_format(m, "SafeTensors"))
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "SafeTensors has no versions");
    if (is_format(m, "GGUF"))
        return strcmp(m->format, "GGUF v3") == 0
                   ? APR_QUALITY_PASSED
                   : apr_quality_say(l, APR_QUALITY_FAILED, "%s, the newest is 3", m->format);
    if (m->sources[0].map.bytes >= APR_HEADER_BYTES)
        memcpy(&flags, m->sources[0].map.data + 6, sizeof flags);
    flags = le16toh(flags);
    if ((flags & APR_FLAG_TABLES_CHECKSUM) == 0)
        return apr_quality_say(l, APR_QUALITY_FAILED,
                               "no checksum over metadata and index; write the file again");
    return APR_QUALITY_PASSED;
}

/* Bytes that a tensor's begin should be a multiple of. */
static uint64_t wanted_alignment(const apr_model *m, const apr_tensor *t)
{
    enum { GGUF_ALIGNMENT = 32, LARGEST_ELEMENT = 8 };
    apr_storage_type type = {.bytes = 1};

    if (is_format(m, "GGUF"))
        return GGUF_ALIGNMENT;
    if (is_format(m, "APR"))
        return APR_ALIGNMENT;
    (void)apr_storage_type_get(t->type, &type);
    return type.bytes < LARGEST_ELEMENT ? (uint64_t)type.bytes : LARGEST_ELEMENT;
}

apr_quality_outcome apr_quality_alignment(apr_quality_look *l)
{
    const apr_tensor *first = NULL;
    size_t n = 0;

    for (size_t i = 0; i < l->m->n_tensors; i++) {
        const apr_tensor *t = &l->m->tensors[i];

        if (t->offset % wanted_alignment(l->m, t) == 0)
            continue;
        first = first == NULL ? t : first;
        n++;
    }
    if (n == 0)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED,
                           "%zu of %zu tensors are not, the first is %s at byte %llu, no multiple "
                           "of %llu",
                           n, l->m->n_tensors, first->name, (unsigned long long)first->offset,
                           (unsigned long long)wanted_alignment(l->m, first));
}

apr_quality_outcome apr_quality_types(apr_quality_look *l)
{
    for (size_t i = 0; i < l->m->n_tensors; i++) {
        const apr_tensor *t = &l->m->tensors[i];

        if (t->role >= 0 && trueno_type_get(t->type) == NULL)
            return apr_quality_say(l, APR_QUALITY_FAILED, "%s is %s", t->name,
                                   apr_tensor_type_name(t));
    }
    return APR_QUALITY_PASSED;
}

/* What the checks before a conversion say, as an outcome here. */
static apr_quality_outcome by_check(apr_quality_look *l,
                                    trueno_status (*check)(const apr_model *, trueno_error *))
{
    trueno_error found = {0};

    if (l->m->architecture == NULL)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "the architecture %s is not known",
                               l->m->config.architecture);
    if (check(l->m, &found) == TRUENO_OK)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%.500s", found.message);
}

apr_quality_outcome apr_quality_sizes(apr_quality_look *l)
{
    return by_check(l, apr_check_sizes);
}

apr_quality_outcome apr_quality_shapes(apr_quality_look *l)
{
    return by_check(l, apr_check_shapes);
}

apr_quality_outcome apr_quality_layers(apr_quality_look *l)
{
    return by_check(l, apr_check_layers);
}

/* Bytes between tensors, and behind the last of each file, beyond what alignment asks for. */
static uint64_t unused_bytes(const apr_model *m, const uint32_t *order, const char **behind)
{
    enum { MOST_PADDING = 128 };
    uint64_t unused = 0;

    for (size_t i = 0; i < m->n_tensors; i++) {
        const apr_tensor *t = &m->tensors[order[i]];
        const apr_tensor *next = i + 1 < m->n_tensors ? &m->tensors[order[i + 1]] : NULL;
        const uint64_t end = t->offset + apr_packed_stored(m, t);
        const uint64_t until =
            next != NULL && next->file == t->file ? next->offset : m->sources[t->file].map.bytes;

        if (until <= end + MOST_PADDING)
            continue;
        *behind = unused == 0 ? t->name : *behind;
        unused += until - end;
    }
    return unused;
}

apr_quality_outcome apr_quality_gaps(apr_quality_look *l)
{
    const apr_model *m = l->m;
    const size_t bytes = (m->n_tensors + 1) * sizeof(uint32_t);
    uint32_t *order = trueno_allocate(m->options.allocator, bytes, 64);
    const char *behind = NULL;
    uint64_t unused;

    if (order == NULL)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "no memory to sort the tensors");
    apr_make_index(order, m->n_tensors, m->tensors, apr_extent_order);
    unused = unused_bytes(m, order, &behind);
    trueno_release(m->options.allocator, order, bytes);
    if (unused == 0)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%llu bytes, the first of them behind %s",
                           (unsigned long long)unused, behind);
}
