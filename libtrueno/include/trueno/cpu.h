/* SPDX-License-Identifier: MIT */
/** @file cpu.h  Which instructions this processor has, which of them are used, how many threads. */
#ifndef TRUENO_CPU_H
#define TRUENO_CPU_H

#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Instruction sets that kernels are written for; a level needs all the bits below it in its list.
 */
enum {
    TRUENO_CPU_AVX2 = 1 << 0,        /**< AVX2, FMA, F16C */
    TRUENO_CPU_AVX512 = 1 << 1,      /**< AVX-512 F, BW, VL, DQ and VNNI */
    TRUENO_CPU_AVX512_BF16 = 1 << 2, /**< AVX512_BF16; no kernel: no faster than F32 vectors */
    TRUENO_CPU_AMX_INT8 = 1 << 3,    /**< AMX tiles with int8 products (permission asked for) */
    TRUENO_CPU_AMX_BF16 = 1 << 4,    /**< AMX tiles with BF16 products; BF16 weights only */
    TRUENO_CPU_NEON = 1 << 8,        /**< Advanced SIMD */
    TRUENO_CPU_DOTPROD = 1 << 9,     /**< SDOT, UDOT */
    TRUENO_CPU_I8MM = 1 << 10        /**< SMMLA, UMMLA */
};

/** The bits this processor and kernel offer. Computed once; thread-safe. */
TRUENO_API uint32_t trueno_cpu_detect(void);

/**
 * The bits in use: those detected, cut by TRUENO_CPU=scalar|avx2|avx512|amx|amx-bf16|neon|... in
 * the environment (a level and all below it) and by trueno_cpu_set_mask().
 */
TRUENO_API uint32_t trueno_cpu_flags(void);

/** For tests: allow only these bits from now on; call before a backend is opened. */
TRUENO_API void trueno_cpu_set_mask(uint32_t mask);

/**
 * Name of the highest level in `flags`: "scalar", "avx2", "avx512-vnni", "avx512-amx",
 * "avx512-amx-bf16", "neon"...
 */
TRUENO_API const char *trueno_cpu_level_name(uint32_t flags);

/** Physical cores in this process's affinity mask, cut by its cgroup's CPU quota; at least 1. */
TRUENO_API int trueno_cpu_default_threads(void);

#ifdef __cplusplus
}
#endif
#endif
