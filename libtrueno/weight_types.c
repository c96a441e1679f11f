/* SPDX-License-Identifier: MIT */
/* THE REGISTRY: one row a weight type. */
#include <trueno/types.h>

#include "blocks.h"
#include "quants/quants.h"

#include <strings.h>

#define TYPE_ROW(label, weights, size, suffix)                                                   \
    {                                                                                            \
        .name = (label), .block = (weights), .bytes = (size), .bits = 8.0f * (size) / (weights), \
        .dequantize = dequantize_##suffix, .quantize = quantize_##suffix,                        \
    }

static const trueno_type_info TYPES[TRUENO_TYPE_LIMIT] = {
    [TRUENO_F32] = TYPE_ROW("F32", 1, sizeof(float), f32),
    [TRUENO_F16] = TYPE_ROW("F16", 1, sizeof(uint16_t), f16),
    [TRUENO_Q4_0] = TYPE_ROW("Q4_0", QK, sizeof(block_q4_0), q4_0),
    [TRUENO_Q4_1] = TYPE_ROW("Q4_1", QK, sizeof(block_q4_1), q4_1),
    [TRUENO_Q5_0] = TYPE_ROW("Q5_0", QK, sizeof(block_q5_0), q5_0),
    [TRUENO_Q5_1] = TYPE_ROW("Q5_1", QK, sizeof(block_q5_1), q5_1),
    [TRUENO_Q8_0] = TYPE_ROW("Q8_0", QK, sizeof(block_q8_0), q8_0),
    [TRUENO_Q2_K] = TYPE_ROW("Q2_K", QK_K, sizeof(block_q2_k), q2_k),
    [TRUENO_Q3_K] = TYPE_ROW("Q3_K", QK_K, sizeof(block_q3_k), q3_k),
    [TRUENO_Q4_K] = TYPE_ROW("Q4_K", QK_K, sizeof(block_q4_k), q4_k),
    [TRUENO_Q5_K] = TYPE_ROW("Q5_K", QK_K, sizeof(block_q5_k), q5_k),
    [TRUENO_Q6_K] = TYPE_ROW("Q6_K", QK_K, sizeof(block_q6_k), q6_k),
    [TRUENO_IQ4_NL] = TYPE_ROW("IQ4_NL", QK, sizeof(block_iq4_nl), iq4_nl),
    [TRUENO_IQ4_XS] = TYPE_ROW("IQ4_XS", QK_K, sizeof(block_iq4_xs), iq4_xs),
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
