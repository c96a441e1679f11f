/* SPDX-License-Identifier: MIT */
/* Loads backend modules with dlopen. */
#include "module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FOLDERS = 2 };

/* Folder of the file that this code was loaded from; false when it is not known. */
static bool own_folder(char *folder, size_t bytes)
{
    Dl_info info;
    const char *slash;

    if (dladdr((void *)(uintptr_t)trueno_backend_open, &info) == 0 || info.dli_fname == NULL)
        return false;
    slash = strrchr(info.dli_fname, '/');
    return slash != NULL && snprintf(folder, bytes, "%.*s", (int)(slash - info.dli_fname),
                                     info.dli_fname) < (int)bytes;
}

/* Where modules may lie, in order. */
static int list_folders(char folders[MAX_FOLDERS][PATH_MAX])
{
    const char *chosen = getenv("TRUENO_BACKEND_DIR");
    int n = 0;

    if (chosen != NULL && chosen[0] != '\0') {
        (void)snprintf(folders[0], PATH_MAX, "%s", chosen);
        return 1;
    }
    if (own_folder(folders[n], PATH_MAX))
        n++;
    (void)snprintf(folders[n++], PATH_MAX, "%s", TRUENO_LIBDIR);
    return n;
}

static trueno_status load_file(const char *path, const char *name, const trueno_module **out,
                               trueno_error *err)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    trueno_module_fn entry;
    const trueno_module *module;

    if (handle == NULL)
        return trueno_fail(err, TRUENO_NO_DEVICE, "cannot load the %s backend: %s", name,
                           dlerror());
    *(void **)&entry = dlsym(handle, TRUENO_MODULE_SYMBOL);
    module = entry != NULL ? entry() : NULL;
    if (module == NULL || module->abi != TRUENO_BACKEND_ABI || strcmp(module->name, name) != 0) {
        trueno_status status =
            module == NULL
                ? trueno_fail(err, TRUENO_NO_DEVICE, "%s is not a backend module", path)
                : trueno_fail(err, TRUENO_NO_DEVICE,
                              "%s was built for backend interface %u, this library has %d", path,
                              (unsigned)module->abi, TRUENO_BACKEND_ABI);

        (void)dlclose(handle);
        return status;
    }
    *out = module;
    return TRUENO_OK;
}

trueno_status module_load(const char *name, const trueno_module **out, trueno_error *err)
{
    char folders[MAX_FOLDERS][PATH_MAX], path[PATH_MAX];
    int n = list_folders(folders);

    for (int i = 0; i < n; i++) {
        if (snprintf(path, sizeof path, "%s/libtrueno-%s.so", folders[i], name) < PATH_MAX &&
            access(path, F_OK) == 0)
            return load_file(path, name, out, err);
    }
    return trueno_fail(err, TRUENO_NO_DEVICE,
                       "the %s backend is not installed: no libtrueno-%s.so in %s%s%s", name, name,
                       folders[0], n > 1 ? " or " : "", n > 1 ? folders[1] : "");
}
