/* SPDX-License-Identifier: MIT */
/* The small kernels for AVX-512. */
#include "kernels/lanes_avx512.h"

#include "kernels/table.h"

const kernel_table kernels_avx512 = KERNEL_TABLE("avx512");
