/* SPDX-License-Identifier: MIT */
/* Old writers of .apr files: which numbers they gave element types, and what they left out. */
#include "apr_dialects.h"

#include "../storage_types.h"
#include <string.h>

enum { N_OLD_TYPES = 31, NO_TYPE = -1 };

/* GGML's numbers plus one by the dialect's own; 0: none that is read. */
static const uint8_t LIBRARY_TYPES[N_OLD_TYPES] = {
    [0] = TRUENO_F32 + 1,   [1] = TRUENO_F16 + 1,   [2] = TRUENO_BF16 + 1, [3] = APR_TYPE_F64 + 1,
    [4] = APR_TYPE_I32 + 1, [5] = APR_TYPE_I64 + 1, [6] = APR_TYPE_I8 + 1, [12] = TRUENO_Q4_K + 1,
    [14] = TRUENO_Q6_K + 1, [30] = TRUENO_BF16 + 1};
static const uint8_t CONVERTER_TYPES[N_OLD_TYPES] = {
    [0] = TRUENO_F32 + 1,   [1] = TRUENO_F16 + 1,   [2] = TRUENO_BF16 + 1,  [3] = APR_TYPE_I8 + 1,
    [4] = APR_TYPE_I16 + 1, [5] = APR_TYPE_I32 + 1, [6] = APR_TYPE_I64 + 1, [8] = TRUENO_Q4_K + 1,
    [9] = TRUENO_Q6_K + 1,  [10] = TRUENO_Q8_0 + 1};

static const apr_dialect CANONICAL = {"canonical", true, true, true, APR_NAMES_HF};
static const apr_dialect LIBRARY = {"aprender", false, true, true, APR_NAMES_HF};
static const apr_dialect CONVERTER = {"realizar's Q4_K converter", false, false, false,
                                      APR_NAMES_GGUF};

static bool says(const json_t *metadata, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(metadata, key));

    return text != NULL && strcmp(text, value) == 0;
}

trueno_status apr_dialect_find(const apr_model *m, const json_t *metadata, const apr_dialect **out,
                               trueno_error *err)
{
    trueno_status status;

    *out = &CANONICAL;
    if (says(metadata, "apr_dtype_table", "ggml"))
        return TRUENO_OK;
    *out = says(metadata, "model_type", "transformer_lm_q4k") ? &CONVERTER : &LIBRARY;
    status = trueno_fail(err, TRUENO_UNSUPPORTED,
                         "%s: the metadata does not say \"apr_dtype_table\": \"ggml\": a file of "
                         "%s, read with --lenient only; convert it, or its source, again",
                         m->path, (*out)->name);
    return apr_model_tolerate(m, status, err);
}

int apr_dialect_type(const apr_dialect *dialect, int type, uint64_t elements, uint64_t bytes)
{
    const trueno_type_info *wider = trueno_type_get(TRUENO_Q5_K);
    const uint8_t *types = dialect == &CONVERTER ? CONVERTER_TYPES : LIBRARY_TYPES;
    int found;

    if (dialect->canonical)
        return type;
    if (type < 0 || type >= N_OLD_TYPES || types[type] == 0)
        return NO_TYPE;
    found = types[type] - 1;
    /* the converter calls Q5_K blocks Q4_K: their size tells */
    if (dialect == &CONVERTER && found == TRUENO_Q4_K &&
        elements / (uint64_t)wider->block * (uint64_t)wider->bytes == bytes)
        return TRUENO_Q5_K;
    return found;
}

int32_t apr_dialect_rope(const apr_dialect *dialect, const apr_architecture *row)
{
    if (dialect->canonical || row == NULL)
        return -1; /* never guessed */
    return dialect->names == APR_NAMES_GGUF ? row->gguf_rope : APR_ROPE_NEOX;
}
