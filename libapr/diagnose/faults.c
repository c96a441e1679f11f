/* SPDX-License-Identifier: MIT */
/* Ways in which converters fail, one row each. */
#include "faults.h"

#include "learn.h"
#include <string.h>

enum {
    LENGTH_BYTES = 8,
    COUNT_BYTES = 4,
    DIM_BYTES = 8,
    SHAPE_BYTES = 2 * DIM_BYTES,
    MOST_BYTES = 64 << 20
};

/*
 * Where a GGUF file describes the tensor: the position of its number of dimensions, behind the name
 * with its length. The last such place, since a vocabulary before it may hold the same text. 0: not
 * found.
 */
static size_t find_description(const fault_image *image, const apr_tensor *t)
{
    uint64_t length = strlen(t->name), here;
    size_t end = (size_t)t->offset < image->size ? (size_t)t->offset : image->size, at = 0;

    for (const uint8_t *p = image->bytes;
         (p = memmem(p, end - (size_t)(p - image->bytes), t->name, (size_t)length)) != NULL; p++) {
        if ((size_t)(p - image->bytes) < LENGTH_BYTES)
            continue;
        memcpy(&here, p - LENGTH_BYTES, LENGTH_BYTES);
        if (here == length)
            at = (size_t)(p - image->bytes) + (size_t)length;
    }
    return at != 0 && at + COUNT_BYTES + SHAPE_BYTES + COUNT_BYTES <= end ? at : 0;
}

static uint8_t *dims_of(fault_image *image, const apr_tensor *t)
{
    size_t at = t->n_dims == 2 ? find_description(image, t) : 0;

    return at == 0 ? NULL : image->bytes + at + COUNT_BYTES;
}

static bool set_dims(fault_image *image, const apr_tensor *t, int64_t rows, int64_t cols)
{
    uint8_t *dims = dims_of(image, t);

    if (dims == NULL || (rows == t->dims[0] && cols == t->dims[1]))
        return false;
    memcpy(dims, &cols, DIM_BYTES); /* GGUF lists the innermost first */
    memcpy(dims + DIM_BYTES, &rows, DIM_BYTES);
    return true;
}

static bool exchange_dims(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)random;
    return trueno_row_bytes(t->type, t->dims[0]) != 0 && set_dims(image, t, t->dims[1], t->dims[0]);
}

static bool double_cols(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)random;
    return t->dims[0] % 2 == 0 && set_dims(image, t, t->dims[0] / 2, t->dims[1] * 2);
}

static bool double_rows(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)random;
    return t->dims[1] % 2 == 0 && trueno_row_bytes(t->type, t->dims[1] / 2) != 0 &&
           set_dims(image, t, t->dims[0] * 2, t->dims[1] / 2);
}

static bool set_type(fault_image *image, const apr_tensor *t, int32_t type)
{
    uint8_t *dims = dims_of(image, t);

    if (dims == NULL)
        return false;
    memcpy(dims + SHAPE_BYTES, &type, sizeof type);
    return true;
}

/* Another type whose rows are, or are not, of the same size; -1: there is none. */
static int32_t choose_type(const apr_tensor *t, bool same_size, uint64_t *random)
{
    size_t bytes = trueno_row_bytes(t->type, t->dims[1]);
    int32_t found[TRUENO_TYPE_LIMIT], n = 0;

    for (int32_t i = 0; i < TRUENO_TYPE_LIMIT; i++) {
        size_t other = trueno_row_bytes(i, t->dims[1]);

        if (i != (int32_t)t->type && other != 0 && (other == bytes) == same_size)
            found[n++] = i;
    }
    return n == 0 ? -1 : found[apr_random_below(random, (size_t)n)];
}

static bool other_type_of_size(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    int32_t type = choose_type(t, true, random);

    return type >= 0 && set_type(image, t, type);
}

static bool other_type(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    int32_t type = choose_type(t, false, random);

    return type >= 0 && set_type(image, t, type);
}

static bool is_quantised(const apr_tensor *t)
{
    const trueno_type_info *info = trueno_type_get(t->type);

    return info != NULL && info->block > 1;
}

/* Overwrite one block in a hundred, and one at least, with `value`, or noise when it is negative.
 */
static bool spoil_blocks(fault_image *image, const apr_tensor *t, uint64_t *random, int value)
{
    const trueno_type_info *info = trueno_type_get(t->type);
    size_t blocks, n;

    if (!is_quantised(t) || t->offset + t->bytes > image->size)
        return false;
    blocks = (size_t)t->bytes / (size_t)info->bytes;
    n = blocks / 100 + 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t *block =
            image->bytes + t->offset + apr_random_below(random, blocks) * (size_t)info->bytes;

        for (int32_t k = 0; k < info->bytes; k++)
            block[k] = value < 0 ? (uint8_t)apr_random_next(random) : (uint8_t)value;
    }
    return true;
}

static bool spoil_with_ones(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    return spoil_blocks(image, t, random, 0xff);
}

static bool spoil_with_zeros(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    return spoil_blocks(image, t, random, 0);
}

static bool spoil_with_noise(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    return spoil_blocks(image, t, random, -1);
}

/* Blocks (of one weight: floats) column by column, as a column-major writer lays them. */
static bool write_columns(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    const trueno_type_info *info = trueno_type_get(t->type);
    int64_t rows = t->dims[0], across;
    uint8_t *data = image->bytes + t->offset, *copy;
    size_t bytes;

    (void)random;
    if (info == NULL || t->n_dims != 2 || t->bytes > MOST_BYTES ||
        t->offset + t->bytes > image->size)
        return false;
    bytes = (size_t)info->bytes;
    across = t->dims[1] / info->block;
    if (rows < 2 || across < 2 ||
        (copy = trueno_allocate(image->allocator, (size_t)t->bytes, 64)) == NULL)
        return false;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < across; c++)
            memcpy(copy + (size_t)(c * rows + r) * bytes, data + (size_t)(r * across + c) * bytes,
                   bytes);
    memcpy(data, copy, (size_t)t->bytes);
    trueno_release(image->allocator, copy, (size_t)t->bytes);
    return true;
}

static bool spoil_magic(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)t;
    image->bytes[apr_random_below(random, 4)] ^= (uint8_t)(1u << apr_random_below(random, 8));
    return true;
}

static bool spoil_version(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)t;
    image->bytes[4] = (uint8_t)(image->bytes[4] + 7 + apr_random_below(random, 100));
    return true;
}

/* The count of tensors in a GGUF header; a byte of .apr's, whose checksum covers it. */
static bool spoil_count(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)t;
    image->bytes[8 + apr_random_below(random, 8)] ^= (uint8_t)(1 + apr_random_below(random, 127));
    return true;
}

static bool cut_short(fault_image *image, const apr_tensor *t, uint64_t *random)
{
    (void)t;
    image->kept = apr_random_below(random, image->size);
    return true;
}

static const fault_row FAULTS[] = {
    {APR_DAMAGE_SHAPE, "dimensions exchanged", true, false, exchange_dims},
    {APR_DAMAGE_SHAPE, "rows joined", true, false, double_cols},
    {APR_DAMAGE_SHAPE, "rows split", true, false, double_rows},
    {APR_DAMAGE_QUANT, "blocks of ones", false, false, spoil_with_ones},
    {APR_DAMAGE_QUANT, "blocks of zeros", false, false, spoil_with_zeros},
    {APR_DAMAGE_QUANT, "blocks of noise", false, false, spoil_with_noise},
    {APR_DAMAGE_DTYPE, "another type of the same size", true, false, other_type_of_size},
    {APR_DAMAGE_DTYPE, "another type", true, false, other_type},
    {APR_DAMAGE_LAYOUT, "written column by column", false, false, write_columns},
    {APR_DAMAGE_HEADER, "magic", false, true, spoil_magic},
    {APR_DAMAGE_HEADER, "version", false, true, spoil_version},
    {APR_DAMAGE_HEADER, "counts", false, true, spoil_count},
    {APR_DAMAGE_HEADER, "cut short", false, true, cut_short},
};

const fault_row *fault_find(apr_damage kind, uint32_t number, bool gguf)
{
    uint32_t n = 0;

    for (int round = 0; round<2; round++, number = n> 0 ? number % n : 0) {
        n = 0;
        for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++)
            if (FAULTS[i].kind == kind && (gguf || !FAULTS[i].gguf_only) && n++ == number)
                return &FAULTS[i];
    }
    return NULL;
}
