/* SPDX-License-Identifier: MIT */
/* The kernels of 9 to 64 rows for the K types. */
#include "batch.cuh"

batch_fn batch_k(int type, int m_tiles, int n_tiles)
{
    BATCH_TYPE(TRUENO_Q2_K)
    BATCH_TYPE(TRUENO_Q3_K)
    BATCH_TYPE(TRUENO_Q4_K)
    BATCH_TYPE(TRUENO_Q5_K)
    BATCH_TYPE(TRUENO_Q6_K)
    BATCH_TYPE(TRUENO_IQ4_XS)
    return NULL;
}
