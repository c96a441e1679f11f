/* SPDX-License-Identifier: MIT */
/*
 * architectures FOLDER NAME...: each tiny model, as GGUF and as Hugging Face folder, against the
 * logits that transformers computed in F32 (tests/references/tiny_models.py), within 1e-4 of the
 * largest logit. On the CPU and on the reference backend, with F32 keys and values.
 */
#include "recorded.h"

int main(int argc, char **argv)
{
    static const char *const FORMS[] = {"%s/%s.gguf", "%s/%s"}, *const BACKENDS[] = {"cpu",
                                                                                     "reference"};
    int failures = 0;

    for (int i = 2; i < argc; i++) {
        char path[512];
        recorded r;

        (void)snprintf(path, sizeof path, "%s/%s.logits", argv[1], argv[i]);
        r = read_recorded(path);
        for (int form = 0; form < 2; form++)
            for (int b = 0; b < 2; b++) {
                (void)snprintf(path, sizeof path, FORMS[form], argv[1], argv[i]);
                failures += !check(path, BACKENDS[b], &r);
            }
        free(r.ids);
        free(r.logits);
    }
    (void)printf("%d models, %d failures\n", argc - 2, failures);
    return argc < 3 || failures > 0;
}
