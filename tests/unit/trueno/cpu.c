/* SPDX-License-Identifier: MIT */
/* CPU flags, level names, masks, and quotas read from made-up control groups. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <trueno/cpu.h>

#include "cpu_quota.h"

static char root[] = "/tmp/trueno-cpu-XXXXXX";

/* Write root/path with its folders. */
static void write_file(const char *path, const char *text)
{
    char full[PATH_MAX];
    FILE *file;

    (void)snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    (void)fclose(file);
}

static int quota_of(const char *folder, const char *self)
{
    char self_path[PATH_MAX], mount[PATH_MAX];

    write_file("self", self);
    (void)snprintf(self_path, sizeof self_path, "%s/self", root);
    (void)snprintf(mount, sizeof mount, "%s/%s", root, folder);
    return cpu_quota(self_path, mount);
}

static void test_quota_version_2(void **state)
{
    (void)state;
    write_file("v2/cpu.max", "max 100000\n");
    write_file("v2/a/cpu.max", "350000 100000\n");
    write_file("v2/a/b/cpu.max", "max 100000\n");
    write_file("v2/a/c/cpu.max", "150000 100000\n");
    write_file("v2/d/cpu.max", "20000 100000\n");
    assert_int_equal(quota_of("v2", "0::/\n"), 0);
    assert_int_equal(quota_of("v2", "0::/a\n"), 3);
    assert_int_equal(quota_of("v2", "0::/a/b\n"), 3);    /* the quota above counts */
    assert_int_equal(quota_of("v2", "0::/a/c\n"), 1);    /* the smallest counts, rounded down */
    assert_int_equal(quota_of("v2", "0::/d\n"), 1);      /* never 0 processors */
    assert_int_equal(quota_of("v2", "0::/a/gone\n"), 3); /* not mounted here: those above are */
    assert_int_equal(quota_of("v2", ""), 0);
    assert_int_equal(quota_of("v2", "rubbish\n0\n:\n::\n"), 0);
}

static void test_quota_version_1(void **state)
{
    (void)state;
    write_file("v1/cpu,cpuacct/x/cpu.cfs_quota_us", "400000\n");
    write_file("v1/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    write_file("v1/cpu,cpuacct/y/cpu.cfs_quota_us", "-1\n");
    write_file("v1/cpu,cpuacct/y/cpu.cfs_period_us", "100000\n");
    write_file("v1/cpuset/x/cpu.cfs_quota_us", "100000\n"); /* another controller: not read */
    write_file("v1/cpuset/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_of("v1", "5:cpuset:/x\n4:cpu,cpuacct:/x\n1:name=systemd:/x\n"), 4);
    assert_int_equal(quota_of("v1", "4:cpu,cpuacct:/y\n"), 0);
    assert_int_equal(quota_of("v1", "5:cpuset:/x\n"), 0);
}

static void test_quota_without_files(void **state)
{
    (void)state;
    assert_int_equal(cpu_quota("/nonexistent/self", "/nonexistent"), 0);
}

static void test_levels(void **state)
{
    (void)state;
    assert_string_equal(trueno_cpu_level_name(0), "scalar");
    assert_string_equal(trueno_cpu_level_name(TRUENO_CPU_AVX2), "avx2");
    assert_string_equal(trueno_cpu_level_name(TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512), "avx512-vnni");
    assert_string_equal(
        trueno_cpu_level_name(TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8),
        "avx512-amx");
    assert_string_equal(trueno_cpu_level_name(TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 |
                                              TRUENO_CPU_AMX_INT8 | TRUENO_CPU_AMX_BF16),
                        "avx512-amx-bf16");
    assert_string_equal(trueno_cpu_level_name(TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD),
                        "neon-dotprod");
}

static void test_mask(void **state)
{
    uint32_t flags = trueno_cpu_flags();

    (void)state;
    assert_int_equal(flags & ~trueno_cpu_detect(), 0);
    trueno_cpu_set_mask(0);
    assert_int_equal(trueno_cpu_flags(), 0);
    trueno_cpu_set_mask(TRUENO_CPU_AVX2);
    assert_int_equal(trueno_cpu_flags(), flags & TRUENO_CPU_AVX2);
    trueno_cpu_set_mask(UINT32_MAX);
    assert_int_equal(trueno_cpu_flags(), flags);
}

/* TRUENO_CPU is read once: children that have not read it yet see it. */
static void test_environment(void **state)
{
    static const char *const SETTINGS[][2] = {{"scalar", "scalar"}, {"AVX2", "avx2"}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
            const char *name;

            (void)setenv("TRUENO_CPU", SETTINGS[i][0], 1);
            name = trueno_cpu_level_name(trueno_cpu_flags());
            _exit(strcmp(name, SETTINGS[i][1]) == 0 || strcmp(name, "scalar") == 0 ? 0 : 1);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void test_threads(void **state)
{
    int threads = trueno_cpu_default_threads();

    (void)state;
    assert_in_range(threads, 1, sysconf(_SC_NPROCESSORS_ONLN));
}

static int remove_root(void **state)
{
    char command[sizeof root + 16];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),     cmocka_unit_test(test_quota_version_2),
        cmocka_unit_test(test_quota_version_1), cmocka_unit_test(test_quota_without_files),
        cmocka_unit_test(test_levels),          cmocka_unit_test(test_mask),

        cmocka_unit_test(test_threads),
    };

    if (mkdtemp(root) == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, remove_root);
}
