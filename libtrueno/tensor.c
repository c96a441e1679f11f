/* SPDX-License-Identifier: MIT */
/* Views of matrices: make, slice, size. */
#include <trueno/tensor.h>

#include <assert.h>

trueno_tensor trueno_tensor_make(trueno_type type, int64_t rows, int64_t cols, const void *data)
{
    return (trueno_tensor){.type = type,
                           .rows = rows,
                           .cols = cols,
                           .row_bytes = trueno_row_bytes(type, cols),
                           .data = data};
}

trueno_tensor trueno_tensor_rows(const trueno_tensor *t, int64_t first, int64_t count)
{
    trueno_tensor part = *t;

    assert(first >= 0 && count >= 0 && first + count <= t->rows);
    part.rows = count;
    part.data = (const char *)t->data + (size_t)first * t->row_bytes;
    return part;
}

size_t trueno_tensor_bytes(const trueno_tensor *t)
{
    return (size_t)t->rows * t->row_bytes;
}

void trueno_tensor_row_to_f32(const trueno_tensor *t, int64_t row, float *out)
{
    assert(row >= 0 && row < t->rows);
    trueno_type_get(t->type)->dequantize((const char *)t->data + (size_t)row * t->row_bytes, out,
                                         t->cols);
}
