/* SPDX-License-Identifier: MIT */
/* AMX's tile registers, and setting their sizes. */
#ifndef X86_TILES_H
#define X86_TILES_H

#include <stdint.h>

/* Registers by what both products hold in them; the intrinsics paste these numbers into assembly.
 * 0 to 3 are sums. */
#define TOKENS_0  4
#define TOKENS_1  5
#define WEIGHTS_0 6
#define WEIGHTS_1 7

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* gcc 12's intrinsic for this tells the compiler of 8 of the 64 bytes only. */
static inline void tile_configure(const tile_config *c)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(*c));
}

#endif
