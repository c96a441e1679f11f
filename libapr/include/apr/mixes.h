/* SPDX-License-Identifier: MIT */
/** @file mixes.h  Which weight type each tensor of a quantised model gets: "Q4_K_M" and its kin. */
#ifndef APR_MIXES_H
#define APR_MIXES_H

#include <apr/config.h>
#include <apr/roles.h>
#include <stdbool.h>
#include <trueno/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A named choice of types: mostly one, better ones where errors cost most. Static. */
typedef struct apr_mix apr_mix;

/**
 * Find a mix by name, case-insensitively: "Q4_K_M", "Q6_K", "F16"... A type with several mixes is
 * short for the usual one: "Q3_K", "Q4_K" and "Q5_K" mean theirs of medium size (_M). NULL: none.
 */
TRUENO_API const apr_mix *apr_mix_find(const char *name);

/** Mix `index` of all, in order of size within a family; NULL past the last. */
TRUENO_API const apr_mix *apr_mix_at(int index);

/** Its name, "Q4_K_M". */
TRUENO_API const char *apr_mix_name(const apr_mix *mix);

/** The value of GGUF's general.file_type for it. */
TRUENO_API int32_t apr_mix_file_type(const apr_mix *mix);

/**
 * The type of a tensor, a trueno_type; or -1: keep what the source has (norms, biases, routers,
 * roles that are not matrices).
 *
 * cols            width of the tensor's rows; where it is no multiple of a type's block, a type of
 *                 smaller blocks stands in, and F16 where none fits
 * has_importance  whether an importance matrix weights the rounding: some mixes then differ
 *
 * Rules as llama.cpp's quantiser has them, so that files of the same name hold the same types.
 */
TRUENO_API int apr_mix_type(const apr_mix *mix, const apr_config *config, bool has_importance,
                            apr_role role, int32_t layer, int64_t cols);

#ifdef __cplusplus
}
#endif
#endif
