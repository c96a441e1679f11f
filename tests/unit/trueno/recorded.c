/* SPDX-License-Identifier: MIT */
/* Recorded reference data and random numbers for the tests of weight types. */
#include "recorded.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

unsigned char *recorded_read(const char *name, size_t *bytes)
{
    char path[4096];
    FILE *f;
    long size = 0;
    unsigned char *data;

    (void)snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, name);
    f = fopen(path, "rb");
    if (f != NULL && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size <= 0)
        fail_msg("%s: cannot be read", path);
    rewind(f);
    data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    data[size] = '\0';
    (void)fclose(f);
    *bytes = (size_t)size;
    return data;
}

const void *recorded_take(recorded *r, size_t bytes)
{
    const void *taken = r->next;

    assert_true(bytes <= (size_t)(r->end - r->next));
    r->next += bytes;
    return taken;
}

uint32_t recorded_u32(recorded *r)
{
    uint32_t u;

    memcpy(&u, recorded_take(r, sizeof u), sizeof u);
    return u;
}

uint64_t random_u64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

double random_uniform(uint64_t *state)
{
    return (double)(random_u64(state) >> 11) * 0x1p-53;
}

float random_normal(uint64_t *state)
{
    double total = 0;

    for (int k = 0; k < 12; k++)
        total += random_uniform(state);
    return (float)(total - 6);
}

uint64_t random_seed(void)
{
    const char *fixed = getenv("APR_TEST_SEED");
    uint64_t seed = fixed != NULL ? strtoull(fixed, NULL, 0) : (uint64_t)time(NULL);

    print_message("APR_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

uint32_t crc32_of(const void *data, size_t n)
{
    static uint32_t table[256];
    const unsigned char *byte = data;
    uint32_t crc = 0xffffffff;

    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t entry = i;

        for (int bit = 0; bit < 8; bit++)
            entry = entry >> 1 ^ (entry & 1 ? 0xedb88320 : 0);
        table[i] = entry;
    }
    for (size_t i = 0; i < n; i++)
        crc = crc >> 8 ^ table[(crc ^ byte[i]) & 255];
    return ~crc;
}
