/* SPDX-License-Identifier: MIT */
/* THE REGISTRY: one row a weight type. */
#include <trueno/types.h>

#include "quants/quants.h"

#include <strings.h>

#define TYPE_ROW(label, weights, size, suffix)                                                     \
    {                                                                                              \
        .name = (label), .block = (weights), .bytes = (size), .bits = 8.0f * (size) / (weights),   \
        .dequantize = dequantize_##suffix, .quantize = quantize_##suffix,                          \
    }

static const trueno_type_info TYPES[TRUENO_TYPE_LIMIT] = {
    [TRUENO_F32] = TYPE_ROW("F32", 1, sizeof(float), f32),
    [TRUENO_F16] = TYPE_ROW("F16", 1, sizeof(uint16_t), f16),
    [TRUENO_BF16] = TYPE_ROW("BF16", 1, sizeof(uint16_t), bf16),
};

const trueno_type_info *trueno_type_get(int64_t type)
{
    if (type < 0 || type >= TRUENO_TYPE_LIMIT || TYPES[type].name == NULL)
        return NULL;
    return &TYPES[type];
}

int trueno_type_find(const char *name)
{
    for (int type = 0; type < TRUENO_TYPE_LIMIT; type++)
        if (TYPES[type].name != NULL && strcasecmp(TYPES[type].name, name) == 0)
            return type;
    return -1;
}

size_t trueno_row_bytes(int64_t type, int64_t cols)
{
    const trueno_type_info *info = trueno_type_get(type);

    if (info == NULL || cols <= 0 || cols % info->block != 0 ||
        cols / info->block > INT64_MAX / info->bytes)
        return 0;
    return (size_t)(cols / info->block) * (size_t)info->bytes;
}
