/* SPDX-License-Identifier: MIT */
/* A folder of the test program's own, for the files that its tests write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char folder[64];

int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/apr-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int empty_folder(void **state)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    (void)state;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    return 0;
}

void path_of(char out[256], const char *name)
{
    (void)snprintf(out, 256, "%s/%s", folder, name);
}

int files_in_folder(void)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return n;
}

apr_model *open_verified(const char *path)
{
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    options.verify = true;
    if (apr_model_open(&m, path, &options, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}
