/* SPDX-License-Identifier: MIT */
/* Element types outside the registry of weight types: enough is known to list and copy them. */
#include "storage_types.h"

#include <stddef.h>
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
