/* SPDX-License-Identifier: MIT */
/* Fuzz target: the header and data of a SafeTensors container; its length is put before it. */
#include "open_model.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *end = memchr(data, '\n', bytes); /* what follows a line end is data */
    uint64_t header = end != NULL ? (uint64_t)(end - data) : bytes;
    uint8_t *file = malloc(bytes + 8);

    if (file == NULL)
        return 0;
    memcpy(file, &header, 8);
    memcpy(file + 8, data, bytes);
    fuzz_open_model(file, bytes + 8);
    free(file);
    return 0;
}
