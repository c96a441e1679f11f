/* SPDX-License-Identifier: MIT */
/* sha256.h: SHA-256 (FIPS 180-4), for comparing with recorded results. */
#ifndef TESTS_SHA256_H
#define TESTS_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
} sha256;

void sha256_begin(sha256 *s);
void sha256_add(sha256 *s, const void *data, size_t bytes);
/* Writes 64 hexadecimal digits and a NUL. */
void sha256_end(sha256 *s, char hex[65]);

#endif
