/* SPDX-License-Identifier: MIT */
/* The kernels of 9 to 64 rows for plain weights. */
#include "batch.cuh"

#define BATCH_PLANES(t)             \
    if (type == (t) && planes == 2) \
        return n_tiles == 2 ? batch_kernel<(t), 1, 2, 2> : batch_kernel<(t), 1, 4, 2>;

batch_fn batch_plain(int type, int m_tiles, int n_tiles, int planes)
{
    BATCH_PLANES(TRUENO_F32)
    BATCH_PLANES(TRUENO_F16)
    BATCH_PLANES(TRUENO_BF16)
    BATCH_TYPE(TRUENO_F32)
    BATCH_TYPE(TRUENO_F16)
    BATCH_TYPE(TRUENO_BF16)
    return NULL;
}
