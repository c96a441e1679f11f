/* SPDX-License-Identifier: MIT */
/* The searches at the build's baseline, and runs of any length through them. */
#define FIT_FUNCTIONS fit_functions_c
#include "fit_level.h"

#include <trueno/cpu.h>

const fit_functions *fit_choose(void)
{
#if defined(__x86_64__)
    const uint32_t flags = trueno_cpu_flags();

    if ((flags & TRUENO_CPU_AVX512) != 0)
        return &fit_functions_avx512;
    if ((flags & TRUENO_CPU_AVX2) != 0)
        return &fit_functions_avx2;
#endif
    return &fit_functions_c;
}

void fit_run(fit_fn fn, const fit_shape *shape, const float *x, const float *importance, int64_t n,
             fit_store_fn store, void *blocks)
{
    const int64_t step = (int64_t)FIT_GROUPS * shape->group;
    fit_result result;

    for (int64_t i = 0; i < n; i += step) {
        int64_t left = n - i < step ? n - i : step;
        int n_groups = (int)(left / shape->group);

        fn(shape, x + i, importance != NULL ? importance + i : NULL, n_groups, &result);
        blocks = store(&result, n_groups, blocks);
    }
}
