/* SPDX-License-Identifier: MIT */
/* Functions of the weight types, one pair a type; the registry is the only caller. */
#ifndef QUANTS_QUANTS_H
#define QUANTS_QUANTS_H

#include <stdint.h>

/* Each type's definition and its rounding; see trueno_type_info. */
#define DECLARE_TYPE(name)                                             \
    void dequantize_##name(const void *blocks, float *out, int64_t n); \
    void quantize_##name(const float *x, void *blocks, int64_t n, const float *importance)

DECLARE_TYPE(f32);
DECLARE_TYPE(f16);
DECLARE_TYPE(bf16);
DECLARE_TYPE(q4_0);
DECLARE_TYPE(q4_1);
DECLARE_TYPE(q5_0);
DECLARE_TYPE(q5_1);
DECLARE_TYPE(q8_0);
DECLARE_TYPE(q2_k);
DECLARE_TYPE(q3_k);
DECLARE_TYPE(q4_k);
DECLARE_TYPE(q5_k);
DECLARE_TYPE(q6_k);
DECLARE_TYPE(iq4_nl);
DECLARE_TYPE(iq4_xs);

#endif
