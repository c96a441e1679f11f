/* SPDX-License-Identifier: MIT */
/*
 * Vectors of VBYTES bytes, for the levels of matmul_vector.h: what all of them write alike, as the
 * compiler's own vectors. Included once a level, after VBYTES.
 */
#ifndef KERNELS_VECTORS_H
#define KERNELS_VECTORS_H

#include <stdint.h>

typedef uint8_t vu8 __attribute__((vector_size(VBYTES)));
typedef uint16_t vu16 __attribute__((vector_size(VBYTES)));
typedef uint32_t vu32 __attribute__((vector_size(VBYTES)));
typedef int32_t vi32 __attribute__((vector_size(VBYTES)));
typedef float vf __attribute__((vector_size(VBYTES)));

/* At any address, and not taken for integers as a memcpy() is. */
typedef float vf_anywhere __attribute__((vector_size(VBYTES), aligned(4), may_alias));

static inline vf v_load(const float *p)
{
    return *(const vf_anywhere *)p;
}

static inline void v_store(float *p, vf x)
{
    *(vf_anywhere *)p = x;
}

/* x in every lane: minus 0 changes no float, whereas plus 0 would lose the sign of -0. */
static inline vf v_broadcast(float x)
{
    return x - (vf){0};
}

static inline vi32 v_broadcast_i32(int32_t x)
{
    return x - (vi32){0};
}

#endif
