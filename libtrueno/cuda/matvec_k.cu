/* SPDX-License-Identifier: MIT */
/* The one-pass kernels of the K types. */
#include "matvec.cuh"
#include "matvec_table.h"

matvec_fn matvec_k(int type, int other, int rows)
{
    MATVEC_ROW(TRUENO_Q2_K)
    MATVEC_ROW(TRUENO_Q3_K)
    MATVEC_ROW(TRUENO_Q4_K)
    MATVEC_ROW(TRUENO_Q5_K)
    MATVEC_ROW(TRUENO_Q6_K)
    MATVEC_ROW(TRUENO_IQ4_XS)
    MATVEC_PAIR(TRUENO_Q4_K, TRUENO_Q6_K)
    MATVEC_PAIR(TRUENO_Q5_K, TRUENO_Q6_K)
    return NULL;
}
