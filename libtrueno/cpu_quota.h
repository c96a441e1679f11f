/* SPDX-License-Identifier: MIT */
/* The CPU quota of this process's control groups. */
#ifndef CPU_QUOTA_H
#define CPU_QUOTA_H

/**
 * Whole processors that the quotas of all enclosing groups allow (rounded down, at least 1), or 0
 * when there is no quota. `self` is the file that names the groups (/proc/self/cgroup), `root` the
 * folder where they are mounted (/sys/fs/cgroup). Understands version 2 (cpu.max) and version 1
 * (cpu.cfs_quota_us, cpu.cfs_period_us). A group that cannot be read counts as without quota.
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
 */
int cpu_quota(const char *self, const char *root);

#endif
