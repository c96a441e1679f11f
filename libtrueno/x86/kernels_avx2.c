/* SPDX-License-Identifier: MIT */
/* The small kernels for AVX2, FMA and F16C. */
#include "kernels/lanes_avx2.h"

#include "kernels/table.h"

const kernel_table kernels_avx2 = KERNEL_TABLE("avx2");
