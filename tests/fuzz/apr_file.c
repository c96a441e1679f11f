/* SPDX-License-Identifier: MIT */
/* Fuzz target: a .apr file whose checksums are made right first, so that what they guard is
 * reached. */
#include "open_model.h"

#include "formats/apr.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void put32(uint8_t *p, uLong v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void repair(uint8_t *file, size_t bytes)
{
    uint64_t data;

    memcpy(&data, file + 32, sizeof data);
    if (data >= APR_HEADER_BYTES && data <= bytes)
        put32(file + APR_AT_TABLES_CHECKSUM,
              crc32_z(0, file + APR_HEADER_BYTES, (size_t)data - APR_HEADER_BYTES));
    put32(file + APR_AT_CHECKSUM,
          crc32(crc32(0, file, APR_AT_CHECKSUM), file + APR_AT_TABLES_CHECKSUM,
                APR_HEADER_BYTES - APR_AT_TABLES_CHECKSUM));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *file;

    if (bytes < APR_HEADER_BYTES || memcmp(data, "APR", 3) != 0 || (file = malloc(bytes)) == NULL)
        return 0;
    memcpy(file, data, bytes);
    repair(file, bytes);
    fuzz_open_model(file, bytes);
    free(file);
    return 0;
}
