/* SPDX-License-Identifier: MIT */
/* The parts of weight blocks, and the weights they stand for. */
#include "layout.h"

#include "storage_types.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <trueno/sys/half.h>

/* What a part holds. */
typedef enum part_kind { NOTHING, HALF, BITS, SIGNED } part_kind;

typedef struct block_part {
    const char *what;
    int32_t bytes;
    part_kind kind;
} block_part;

/* The parts of each type's block in order; a type that is not here is told as one. Source: the
 * block layouts of GGML's types. */
static const struct block_row {
    trueno_type type;
    block_part parts[5];
} BLOCKS[] = {
    {TRUENO_Q4_0, {{"scale", 2, HALF}, {"4-bit values", 16, BITS}}},
    {TRUENO_Q4_1, {{"scale", 2, HALF}, {"minimum", 2, HALF}, {"4-bit values", 16, BITS}}},
    {TRUENO_Q5_0, {{"scale", 2, HALF}, {"fifth bits", 4, BITS}, {"4-bit values", 16, BITS}}},
    {TRUENO_Q5_1,
     {{"scale", 2, HALF},
      {"minimum", 2, HALF},
      {"fifth bits", 4, BITS},
      {"4-bit values", 16, BITS}}},
    {TRUENO_Q8_0, {{"scale", 2, HALF}, {"8-bit values", 32, SIGNED}}},
    {TRUENO_Q2_K,
     {{"4-bit scales and minima", 16, BITS},
      {"2-bit values", 64, BITS},
      {"scale of scales", 2, HALF},
      {"scale of minima", 2, HALF}}},
    {TRUENO_Q3_K,
     {{"third bits", 32, BITS},
      {"2-bit values", 64, BITS},
      {"6-bit scales", 12, BITS},
      {"scale of scales", 2, HALF}}},
    {TRUENO_Q4_K,
     {{"scale of scales", 2, HALF},
      {"scale of minima", 2, HALF},
      {"6-bit scales and minima", 12, BITS},
      {"4-bit values", 128, BITS}}},
    {TRUENO_Q5_K,
     {{"scale of scales", 2, HALF},
      {"scale of minima", 2, HALF},
      {"6-bit scales and minima", 12, BITS},
      {"fifth bits", 32, BITS},
      {"4-bit values", 128, BITS}}},
    {TRUENO_Q6_K,
     {{"low 4 bits", 128, BITS},
      {"high 2 bits", 64, BITS},
      {"8-bit scales", 16, SIGNED},
      {"scale of scales", 2, HALF}}},
    {TRUENO_IQ4_NL, {{"scale", 2, HALF}, {"4-bit indexes", 16, BITS}}},
    {TRUENO_IQ4_XS,
     {{"scale of scales", 2, HALF},
      {"high bits of scales", 2, BITS},
      {"low bits of scales", 4, BITS},
      {"4-bit indexes", 128, BITS}}},
};

enum { MOST_PARTS = sizeof BLOCKS[0].parts / sizeof BLOCKS[0].parts[0] };

static const struct block_row *find_row(trueno_type type)
{
    for (size_t i = 0; i < sizeof BLOCKS / sizeof BLOCKS[0]; i++)
        if (BLOCKS[i].type == type)
            return &BLOCKS[i];
    return NULL;
}

/* The first values of a part or a block, as many as fit the line. */
static void print_values(char *out, size_t capacity, const float *values, int64_t n)
{
    size_t used = 0;

    out[0] = '\0';
    for (int64_t i = 0; i < n && used + 16 < capacity; i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%.6g", i > 0 ? " " : "",
                                 (double)values[i]);
}

static void walk_part(apr_walk *w, const block_part *part)
{
    char text[APR_VALUE_BYTES] = "";
    const uint8_t *p = w->data + w->position;
    float values[16];
    uint16_t half;

    if ((uint64_t)part->bytes > w->bytes - w->position)
        return;
    if (part->kind == HALF) {
        memcpy(&half, p, sizeof half);
        (void)snprintf(text, sizeof text, "%.6g", (double)trueno_f16_to_f32(half));
    } else if (part->kind == SIGNED) {
        for (int i = 0; i < 16; i++)
            values[i] = (float)(int8_t)p[i];
        print_values(text, sizeof text, values, 16);
    }
    (void)apr_walk_field(w, (uint64_t)part->bytes, part->what, "%s", text);
}

/* One block of a type with a table row, or as one where there is none. */
static void walk_block(apr_walk *w, const apr_storage_type *type, uint64_t number)
{
    const struct block_row *row = find_row((trueno_type)type->id);
    const uint8_t *block = w->data + w->position;
    char text[APR_VALUE_BYTES];
    float values[256];

    if ((uint64_t)type->bytes > w->bytes - w->position)
        return;
    apr_walk_remark(w, "block", "%" PRIu64 ": weights %" PRIu64 " to %" PRIu64, number,
                    number * (uint64_t)type->block, (number + 1) * (uint64_t)type->block - 1);
    for (int i = 0; row != NULL && i < MOST_PARTS && row->parts[i].kind != NOTHING; i++)
        walk_part(w, &row->parts[i]);
    if (row == NULL)
        (void)apr_walk_field(w, (uint64_t)type->bytes, "block", "%s", type->name);
    if (type->block > (int32_t)(sizeof values / sizeof values[0]) ||
        !apr_storage_to_f32(type->id, block, values, type->block))
        return;
    print_values(text, sizeof text, values, type->block);
    apr_walk_remark(w, "weights", "%s", text);
}

/* Types without blocks: sixteen bytes to a line. */
static void walk_plain(apr_walk *w, const apr_storage_type *type, uint64_t line, uint64_t count)
{
    enum { LINE = 16 };
    const uint64_t per_line = LINE / (uint64_t)type->bytes;
    const uint64_t first = line * per_line;
    const uint64_t n = count - first < per_line ? count - first : per_line;
    char text[APR_VALUE_BYTES] = "", what[40];
    float values[LINE];

    if (n * (uint64_t)type->bytes > w->bytes - w->position)
        return;
    if (apr_storage_to_f32(type->id, w->data + w->position, values, (int64_t)n))
        print_values(text, sizeof text, values, (int64_t)n);
    (void)snprintf(what, sizeof what, "weights from %" PRIu64, first);
    (void)apr_walk_field(w, n * (uint64_t)type->bytes, what, "%s", text);
}

void apr_walk_blocks(apr_walk *w, const apr_tensor *t, uint64_t first)
{
    const uint64_t count = apr_tensor_elements(t);
    apr_storage_type type;
    uint64_t n, step;

    if (apr_storage_type_get(t->type, &type) != 0)
        return;
    step = type.block > 1 ? (uint64_t)type.bytes : 16 / (uint64_t)type.bytes * (uint64_t)type.bytes;
    n = type.block > 1 ? count / (uint64_t)type.block : (t->bytes + step - 1) / step;
    if (first >= n || first * step > w->bytes - w->position) {
        apr_walk_remark(w, "end", "the tensor has %" PRIu64 " of these", n);
        return;
    }
    w->position += first * step;
    for (uint64_t i = first; i < n && i - first < w->limit; i++)
        if (type.block > 1)
            walk_block(w, &type, i);
        else
            walk_plain(w, &type, i, count);
}
