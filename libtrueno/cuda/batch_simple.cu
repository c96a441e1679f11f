/* SPDX-License-Identifier: MIT */
/* The kernels of 9 to 64 rows for the types with blocks of 32 columns. */
#include "batch.cuh"

batch_fn batch_simple(int type, int m_tiles, int n_tiles)
{
    BATCH_TYPE(TRUENO_Q4_0)
    BATCH_TYPE(TRUENO_Q4_1)
    BATCH_TYPE(TRUENO_Q5_0)
    BATCH_TYPE(TRUENO_Q5_1)
    BATCH_TYPE(TRUENO_Q8_0)
    BATCH_TYPE(TRUENO_IQ4_NL)
    return NULL;
}
