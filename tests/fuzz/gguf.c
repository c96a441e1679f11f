/* SPDX-License-Identifier: MIT */
/* Fuzz target: a GGUF file. */
#include "open_model.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes >= 4 && memcmp(data, "GGUF", 4) == 0)
        fuzz_open_model(data, bytes);
    return 0;
}
