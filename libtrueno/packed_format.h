/* SPDX-License-Identifier: MIT */
/**
 * @file packed_format.h  How a weight type's blocks lie when sixteen rows are interleaved.
 *
 * A group is 16 rows; lane r (0..15) belongs to row r. A group is a sequence of units along K, a
 * unit a number of 64-byte lines. Most lines hold, in lane r, four consecutive bytes of row r's
 * block, so packing is a transposition of 32-bit words and needs no arithmetic; its inverse gives
 * the file's bytes back. One row of the table says which bytes become which lines.
 */
#ifndef PACKED_FORMAT_H
#define PACKED_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/types.h>

enum {
    GROUP_ROWS = 16,
    LINE_BYTES = 64,
    BLOCK_WEIGHTS = 32, /* weights and activations of one step of the fold along K */
    BLOCK_LINES = 8     /* lines of 8-bit weights in a step: lane r of line i = weights 4i..4i+3 */
};

typedef enum piece_kind {
    PIECE_END = 0,
    PIECE_DWORDS, /* `count` lines: 4 bytes of each row, from `from` on */
    PIECE_BITS,   /* one such line whose bit 4 i + b moves to bit 8 b + i */
    PIECE_WORDS,  /* `count` lines: 16 times 2 bytes from `from`, then 16 times 2 bytes from
                     `second`;  both advance by 4 */
    PIECE_WORD    /* one line: 16 times 2 bytes from `from`, then 32 zero bytes */
} piece_kind;

typedef struct packed_piece {
    uint8_t kind, count; /* piece_kind, lines */
    uint16_t from, second;
} packed_piece;

/** One row a type. Zeroed rows are types without kernels. */
typedef struct packed_format {
    uint16_t unit; /**< weights of a row in a unit; a shorter last unit is filled with zero bytes */
    uint16_t unit_blocks; /**< blocks of the file in a unit */
    uint16_t lines;       /**< lines of a unit */
    uint8_t sub;    /**< weights that share an integer sum and a scale: 32 or 16; 0: a float type */
    bool minimum;   /**< w = S q + M; otherwise w = S q */
    bool is_signed; /**< q may be negative; otherwise 0 <= q < 128 */
    packed_piece pieces[6];
} packed_format;

/** The row of a type, or NULL. */
const packed_format *packed_format_get(int64_t type);

/** Lines of one step in a stripe: weights, then a line of scales per sub-block, then of minima. */
static inline int stripe_block_lines(const packed_format *f)
{
    return BLOCK_LINES + BLOCK_WEIGHTS / f->sub * (f->minimum ? 2 : 1);
}

/** Units of a row of `cols` weights. */
static inline int64_t packed_units(const packed_format *f, int64_t cols)
{
    return (cols + f->unit - 1) / f->unit;
}

#endif
