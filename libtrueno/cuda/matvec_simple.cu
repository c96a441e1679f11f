/* SPDX-License-Identifier: MIT */
/* The one-pass kernels of the types with blocks of 32 columns. */
#include "matvec.cuh"
#include "matvec_table.h"

matvec_fn matvec_simple(int type, int other, int rows)
{
    MATVEC_ROW(TRUENO_Q4_0)
    MATVEC_ROW(TRUENO_Q4_1)
    MATVEC_ROW(TRUENO_Q5_0)
    MATVEC_ROW(TRUENO_Q5_1)
    MATVEC_ROW(TRUENO_Q8_0)
    MATVEC_ROW(TRUENO_IQ4_NL)
    MATVEC_PAIR(TRUENO_Q5_0, TRUENO_Q8_0)
    return NULL;
}
