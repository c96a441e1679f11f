/* SPDX-License-Identifier: MIT */
/* The kernels of 9 to 64 rows for plain weights. */
#include "batch.cuh"

batch_fn batch_plain(int type, int m_tiles, int n_tiles)
{
    BATCH_TYPE(TRUENO_F32)
    BATCH_TYPE(TRUENO_F16)
    BATCH_TYPE(TRUENO_BF16)
    return NULL;
}
