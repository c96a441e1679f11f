/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over every file of the folders named, so that corpora are ordinary tests. */
#include "open_model.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* 0, or 1 when the file cannot be read. */
static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    long bytes = -1;
    int failed = 1;

    if (f == NULL)
        return 1;
    if (fseek(f, 0, SEEK_END) == 0 && (bytes = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 &&
        (data = malloc((size_t)bytes + 1)) != NULL &&
        fread(data, 1, (size_t)bytes, f) == (size_t)bytes) {
        (void)LLVMFuzzerTestOneInput(data, (size_t)bytes);
        failed = 0;
    }
    free(data);
    (void)fclose(f);
    return failed;
}

int main(int argc, char **argv)
{
    int ran = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        const struct dirent *entry;

        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            char path[4096];

            if (entry->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            failed += run_file(path);
            ran++;
        }
        if (dir != NULL)
            (void)closedir(dir);
    }
    printf("%d inputs, %d unreadable\n", ran, failed);
    return ran == 0 || failed > 0; /* an empty corpus tests nothing */
}
