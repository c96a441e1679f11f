/* SPDX-License-Identifier: MIT */
/* Names of files in the user's folders. */
#include "folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Relative paths in these variables are invalid, says the specification. */
char *user_file(const char *variable, const char *fallback, const char *name)
{
    const char *folder = getenv(variable), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;

    if (folder != NULL && folder[0] == '/')
        n = asprintf(&path, "%s/apr/%s", folder, name);
    else if (home != NULL && home[0] == '/')
        n = asprintf(&path, "%s/%s/apr/%s", home, fallback, name);
    return n < 0 ? NULL : path;
}

char *config_file(const char *name)
{
    return user_file("XDG_CONFIG_HOME", ".config", name);
}

char *path_beside(const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    char *joined;

    if (path[0] == '/' || slash == NULL)
        return strdup(path);
    return asprintf(&joined, "%.*s%s", (int)(slash - from) + 1, from, path) < 0 ? NULL : joined;
}
