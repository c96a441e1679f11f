/* SPDX-License-Identifier: MIT */
/* Chooses the table of small kernels for a set of CPU flags. */
#include "kernels.h"

/* highest first */
static const struct {
    uint32_t needs;
    const kernel_table *table;
} LEVELS[] = {
#if defined(__x86_64__)
    {TRUENO_CPU_AVX512, &kernels_avx512},
    {TRUENO_CPU_AVX2, &kernels_avx2},
#elif defined(__aarch64__)
    {TRUENO_CPU_NEON, &kernels_neon},
#endif
    {0, &kernels_c},
};

const kernel_table *kernels_for(uint32_t flags)
{
    int i = 0;

    while ((flags & LEVELS[i].needs) != LEVELS[i].needs)
        i++;
    return LEVELS[i].table;
}
