/* SPDX-License-Identifier: MIT */
/* The small kernels over lanes in plain C: the specification, and the fallback. */
#include "lanes_c.h"

#include "table.h"

const kernel_table kernels_c = KERNEL_TABLE("scalar");
