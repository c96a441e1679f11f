/* SPDX-License-Identifier: MIT */
/* Reads CPU quotas of control groups, versions 1 and 2. */
#include "cpu_quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First line of root/path/name into `line`; false when it cannot be read. */
static bool read_line(const char *root, const char *path, const char *name, char *line, int bytes)
{
    char full[PATH_MAX];
    FILE *file;
    bool ok;

    if (snprintf(full, sizeof full, "%s%s/%s", root, path, name) >= (int)sizeof full)
        return false;
    file = fopen(full, "re");
    if (file == NULL)
        return false;
    ok = fgets(line, bytes, file) != NULL;
    (void)fclose(file);
    return ok;
}

/* Quota of one group in processors, or a negative number when it has none. */
static double group_quota(const char *root, const char *path, bool version2)
{
    char line[128], period_line[128];
    double quota, period;

    if (version2) {
        if (!read_line(root, path, "cpu.max", line, sizeof line) ||
            sscanf(line, "%lf %lf", &quota, &period) != 2) /* "max 100000" does not match */
            return -1.0;
    } else {
        if (!read_line(root, path, "cpu.cfs_quota_us", line, sizeof line) ||
            !read_line(root, path, "cpu.cfs_period_us", period_line, sizeof period_line))
            return -1.0;
        quota = strtod(line, NULL);
        period = strtod(period_line, NULL);
    }
    return quota > 0.0 && period > 0.0 ? quota / period : -1.0;
}

/* The smallest quota of the group and of those above it, up to the root of the mount. */
static double smallest_quota(const char *root, char *path, bool version2, double smallest)
{
    for (;;) {
        double quota = group_quota(root, path, version2);
        char *slash = strrchr(path, '/');

        if (quota > 0.0 && (smallest < 0.0 || quota < smallest))
            smallest = quota;
        if (slash == NULL)
            return smallest;
        *slash = '\0';
    }
}

/* Is `name` one of the comma-separated controllers? */
static bool lists_controller(const char *controllers, const char *name)
{
    size_t length = strlen(name);

    for (const char *p = controllers; p != NULL; p = strchr(p, ','), p = p != NULL ? p + 1 : NULL)
        if (strncmp(p, name, length) == 0 && (p[length] == ',' || p[length] == '\0'))
            return true;
    return false;
}

int cpu_quota(const char *self, const char *root)
{
    char line[PATH_MAX + 256];
    double smallest = -1.0;
    FILE *file = fopen(self, "re");

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) { /* "hierarchy:controllers:path" */
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        char mount[PATH_MAX];

        if (path == NULL)
            continue;
        *path++ = '\0';
        controllers++;
        path[strcspn(path, "\n")] = '\0';
        if (*controllers == '\0') { /* the one hierarchy of version 2; "unified" when both are there */
            smallest = smallest_quota(root, path, true, smallest);
        } else if (lists_controller(controllers, "cpu")) {
            (void)snprintf(mount, sizeof mount, "%s/%s", root, controllers);
            smallest = smallest_quota(mount, path, false, smallest);
        }
    }
    (void)fclose(file);
    if (smallest < 0.0)
        return 0;
    return smallest < 1.0 ? 1 : (int)smallest;
}
