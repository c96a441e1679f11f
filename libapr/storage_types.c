/* SPDX-License-Identifier: MIT */
/* Element types outside the registry of weight types: enough is known to list and copy them. */
#include "storage_types.h"

#include <endian.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <trueno/sys/half.h>
#include <trueno/types.h>

/* GGML's types by its numbers, then those of SafeTensors. Source: the block sizes of the GGUF
 * description (and its Python package). */
static const apr_storage_type OTHERS[] = {
    {9, "Q8_1", 32, 40},
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {APR_TYPE_I8, "I8", 1, 1},
    {APR_TYPE_I16, "I16", 1, 2},
    {APR_TYPE_I32, "I32", 1, 4},
    {APR_TYPE_I64, "I64", 1, 8},
    {APR_TYPE_F64, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},
    {APR_TYPE_U8, "U8", 1, 1},
    {APR_TYPE_BOOL, "BOOL", 1, 1},
    {APR_TYPE_U16, "U16", 1, 2},
    {APR_TYPE_U32, "U32", 1, 4},
    {APR_TYPE_U64, "U64", 1, 8},
    {APR_TYPE_F8_E4M3, "F8_E4M3", 1, 1},
    {APR_TYPE_F8_E5M2, "F8_E5M2", 1, 1},
};

int apr_storage_type_get(int64_t id, apr_storage_type *out)
{
    const trueno_type_info *info = trueno_type_get(id);

    if (info != NULL) {
        *out = (apr_storage_type){(int32_t)id, info->name, info->block, info->bytes};
        return 0;
    }
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        if (OTHERS[i].id == id) {
            *out = OTHERS[i];
            return 0;
        }
    }
    return -1;
}

/* The value of the element at p: little-endian bytes of that type. */
static uint64_t read_bits(const uint8_t *p, int32_t bytes)
{
    uint64_t bits = 0;

    memcpy(&bits, p, (size_t)bytes);
    return le64toh(bits);
}

static float read_f64(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return (float)x;
}

/* Four bits of exponent, three of mantissa, no infinities. Source: Micikevicius et al., 2022. */
static float read_f8_e4m3(uint64_t bits)
{
    const int exponent = (int)(bits >> 3 & 15), mantissa = (int)(bits & 7);
    const float size = exponent == 15 && mantissa == 7 ? NAN
                       : exponent == 0                 ? ldexpf((float)mantissa, -9)
                                       : ldexpf((float)(8 + mantissa), exponent - 10);

    return (bits & 0x80) != 0 ? -size : size;
}

static float read_f8_e5m2(uint64_t bits)
{
    return trueno_f16_to_f32((uint16_t)(bits << 8));
}

static float read_signed(uint64_t bits)
{
    return (float)(int64_t)bits;
}

static float read_unsigned(uint64_t bits)
{
    return (float)bits;
}

/* How the element types that are no weight types read, one row each. */
static const struct plain_row {
    int32_t id, bytes;
    float (*read)(uint64_t bits);
    int sign; /* bits to extend */
} PLAIN[] = {
    {APR_TYPE_I8, 1, read_signed, 8},       {APR_TYPE_I16, 2, read_signed, 16},
    {APR_TYPE_I32, 4, read_signed, 32},     {APR_TYPE_I64, 8, read_signed, 0},
    {APR_TYPE_F64, 8, read_f64, 0},         {APR_TYPE_U8, 1, read_unsigned, 0},
    {APR_TYPE_BOOL, 1, read_unsigned, 0},   {APR_TYPE_U16, 2, read_unsigned, 0},
    {APR_TYPE_U32, 4, read_unsigned, 0},    {APR_TYPE_U64, 8, read_unsigned, 0},
    {APR_TYPE_F8_E4M3, 1, read_f8_e4m3, 0}, {APR_TYPE_F8_E5M2, 1, read_f8_e5m2, 0},
};

static const struct plain_row *find_plain(int64_t id)
{
    for (size_t i = 0; i < sizeof PLAIN / sizeof PLAIN[0]; i++)
        if (PLAIN[i].id == id)
            return &PLAIN[i];
    return NULL;
}

bool apr_storage_is_readable(int64_t id)
{
    return trueno_type_get(id) != NULL || find_plain(id) != NULL;
}

bool apr_storage_to_f32(int64_t id, const void *data, float *out, int64_t n)
{
    const trueno_type_info *info = trueno_type_get(id);
    const struct plain_row *row = find_plain(id);

    if (info != NULL) {
        info->dequantize(data, out, n);
        return true;
    }
    if (row == NULL)
        return false;
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = read_bits((const uint8_t *)data + i * row->bytes, row->bytes);
        const uint64_t sign = row->sign > 0 ? (uint64_t)1 << (row->sign - 1) : 0;

        out[i] = row->read((bits ^ sign) - sign);
    }
    return true;
}
