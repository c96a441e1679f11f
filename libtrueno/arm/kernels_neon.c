/* SPDX-License-Identifier: MIT */
/* The small kernels for Advanced SIMD, which every aarch64 processor has. */
#include "kernels/lanes_neon.h"

#include "kernels/table.h"

const kernel_table kernels_neon = KERNEL_TABLE("neon");
