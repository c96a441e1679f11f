/* SPDX-License-Identifier: MIT */
/* Which instructions the processor offers, and how many threads pay. */
#include <trueno/cpu.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cpu_quota.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

enum {
    X86_AVX512_ALL = TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AVX512_BF16,
    X86_AMX_ALL = X86_AVX512_ALL | TRUENO_CPU_AMX_INT8,
    X86_ALL = X86_AMX_ALL | TRUENO_CPU_AMX_BF16,
    ARM_ALL = TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD | TRUENO_CPU_I8MM
};

/* The levels, one row each, highest first: what TRUENO_CPU= allows and what a level is called. */
static const struct level_row {
    const char *setting; /* value of TRUENO_CPU; NULL: only a name */
    const char *name;
    uint32_t needs;  /* bits that must be in use for the name to be true */
    uint32_t allows; /* bits that the setting leaves */
} LEVELS[] = {
    {"amx-bf16", "avx512-amx-bf16", TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8 | TRUENO_CPU_AMX_BF16,
     X86_ALL},
    {"amx", "avx512-amx", TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8, X86_AMX_ALL},
    {"avx512", "avx512-vnni", TRUENO_CPU_AVX512, X86_AVX512_ALL},
    {"avx2", "avx2", TRUENO_CPU_AVX2, TRUENO_CPU_AVX2},
    {"i8mm", "neon-i8mm", TRUENO_CPU_I8MM, ARM_ALL},
    {"dotprod", "neon-dotprod", TRUENO_CPU_DOTPROD, TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD},
    {"neon", "neon", TRUENO_CPU_NEON, TRUENO_CPU_NEON},
    {"scalar", "scalar", 0, 0},
};

enum { N_LEVELS = sizeof LEVELS / sizeof LEVELS[0] };

#if defined(__x86_64__)

/* Register state that the kernel saves: 2|4 for AVX, 0xe0 for AVX-512, 0x60000 for AMX. */
static uint64_t saved_state(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Linux gives a process the 8 KiB of tile state only when it asks (arch_prctl, since 5.16). */
static bool ask_for_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static bool has(uint32_t word, int bit)
{
    return (word >> bit & 1) != 0;
}

/* Bit numbers from the processor's manual, leaf 1 and leaf 7 sub-leaves 0 and 1. */
static uint32_t detect(void)
{
    uint32_t a, b, c, d, a71 = 0, unused1, unused2, unused3, flags = 0;
    uint64_t state;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27) || !has(c, 28) || !has(c, 12) || !has(c, 29))
        return 0; /* OSXSAVE, AVX, FMA, F16C */
    state = saved_state();
    if ((state & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    if (a >= 1)
        (void)__get_cpuid_count(7, 1, &a71, &unused1, &unused2, &unused3);
    if (has(b, 5))
        flags |= TRUENO_CPU_AVX2;
    if (flags != 0 && (state & 0xe0) == 0xe0 && has(b, 16) && has(b, 17) && has(b, 30) &&
        has(b, 31) && has(c, 11)) { /* F, DQ, BW, VL, VNNI */
        flags |= TRUENO_CPU_AVX512;
        if (has(a71, 5))
            flags |= TRUENO_CPU_AVX512_BF16;
        if ((state & 0x60000) == 0x60000 && has(d, 24) && (has(d, 25) || has(d, 22)) &&
            ask_for_tiles())
            flags |=
                (has(d, 25) ? TRUENO_CPU_AMX_INT8 : 0u) | (has(d, 22) ? TRUENO_CPU_AMX_BF16 : 0u);
    }
    return flags;
}

#elif defined(__aarch64__)

static uint32_t detect(void)
{
    enum { HWCAP_BIT_ASIMD = 1, HWCAP_BIT_ASIMDDP = 20, HWCAP2_BIT_I8MM = 13 };
    unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);

    if ((caps >> HWCAP_BIT_ASIMD & 1) == 0)
        return 0;
    return TRUENO_CPU_NEON | ((caps >> HWCAP_BIT_ASIMDDP & 1) != 0 ? TRUENO_CPU_DOTPROD : 0u) |
           ((caps2 >> HWCAP2_BIT_I8MM & 1) != 0 ? TRUENO_CPU_I8MM : 0u);
}

#else

static uint32_t detect(void)
{
    return 0;
}

#endif

/* What the environment allows; an unknown name allows everything. */
static uint32_t environment_mask(void)
{
    const char *setting = getenv("TRUENO_CPU");

    for (int i = 0; setting != NULL && i < N_LEVELS; i++)
        if (strcasecmp(setting, LEVELS[i].setting) == 0)
            return LEVELS[i].allows;
    return UINT32_MAX;
}

enum { KNOWN = 1u << 31 }; /* marks a cached value as computed */

static _Atomic uint32_t cached_flags, cached_environment, allowed_mask = UINT32_MAX;

/* Two threads may both compute; they store the same value. */
static uint32_t cached(_Atomic uint32_t *cache, uint32_t (*compute)(void))
{
    uint32_t value = atomic_load(cache);

    if ((value & KNOWN) == 0) {
        value = compute() | KNOWN;
        atomic_store(cache, value);
    }
    return value & ~(uint32_t)KNOWN;
}

uint32_t trueno_cpu_detect(void)
{
    return cached(&cached_flags, detect);
}

uint32_t trueno_cpu_flags(void)
{
    return trueno_cpu_detect() & cached(&cached_environment, environment_mask) &
           atomic_load(&allowed_mask);
}

void trueno_cpu_set_mask(uint32_t mask)
{
    atomic_store(&allowed_mask, mask);
}

const char *trueno_cpu_level_name(uint32_t flags)
{
    int i = 0;

    while (i < N_LEVELS - 1 && (flags & LEVELS[i].needs) != LEVELS[i].needs)
        i++;
    return LEVELS[i].name;
}

/* One number from /sys/devices/system/cpu/cpuN/topology, or -1. */
static int topology_number(int cpu, const char *name)
{
    char path[128];
    int value = -1;
    FILE *file;

    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, name);
    file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%d", &value) != 1)
            value = -1;
        (void)fclose(file);
    }
    return value;
}

/* Distinct (package, core) pairs among the allowed processors; one each where sysfs is silent. */
static int count_cores(const cpu_set_t *allowed)
{
    int packages[CPU_SETSIZE], cores[CPU_SETSIZE], n = 0;

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int package, core, i = 0;

        if (!CPU_ISSET(cpu, allowed))
            continue;
        package = topology_number(cpu, "physical_package_id");
        core = topology_number(cpu, "core_id");
        if (core < 0)
            package = -2, core = cpu;
        while (i < n && (packages[i] != package || cores[i] != core))
            i++;
        if (i == n) {
            packages[n] = package;
            cores[n++] = core;
        }
    }
    return n;
}

int trueno_cpu_default_threads(void)
{
    cpu_set_t allowed;
    int cores, quota = cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");

    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);

        cores = online > 0 ? (int)online : 1;
    } else {
        cores = count_cores(&allowed);
    }
    if (quota > 0 && quota < cores)
        cores = quota;
    return cores > 0 ? cores : 1;
}
