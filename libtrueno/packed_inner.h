/* SPDX-License-Identifier: MIT */
/* What packed.c (weights), packed_matmul.c (products) and packed_work.c (their memory) share. */
#ifndef PACKED_INNER_H
#define PACKED_INNER_H

#include "kernels/matmul.h"
#include "packed.h"

/* How a product is cut, and what its scratch memory is sized for. */
enum {
    TOKENS_LIMIT = 512, /* tokens that are multiplied while a stripe is at hand */
    CHUNK = 1024,       /* weights along K in a stripe of a quantised type: 24 KB of L1 */
    CHUNK_FLOAT = 128,  /* of a pair of groups of a float type: 16 KB */
    CHUNK_HALVES = 256, /* of a pair of groups of BF16: 16 KB, and 1 KB for each token */
    STRIP_GROUPS = 8    /* groups whose sums are kept while a chunk of activations is in L2 */
};

/* One part: its groups of 16 rows one after another. */
typedef struct packed_segment {
    const packed_format *f;
    trueno_tensor source;      /* data NULL once it is repacked */
    int64_t first_row;         /* of the weight */
    int64_t n_groups, n_units; /* units of a group */
    size_t unit_bytes;         /* of the file */
    size_t group_bytes;
    uint8_t *groups; /* NULL: computed from `source` */
} packed_segment;

struct packed_weight {
    const trueno_allocator *allocator;
    int64_t rows, cols;
    int n_segments;
    bool fine; /* packed_set_fine() */
    packed_segment segments[PACKED_PARTS_LIMIT];
    uint8_t *memory;
    size_t memory_bytes;
};

/* A thread's private memory. */
typedef struct packed_scratch {
    uint8_t *stripe; /* one group's chunk of K, unpacked */
    float *acc;      /* [group][panel][token][16] */
    uint8_t *units;  /* a group in packed form, for weights that are not repacked */
} packed_scratch;

struct packed_work {
    trueno_pool *pool;
    const trueno_allocator *allocator;
    matmul_kernels kernels;
    activations act;
    packed_scratch *threads;
    int64_t cols;       /* that the memory suffices for */
    size_t group_bytes; /* likewise */
    bool halves;        /* likewise: for types multiplied as BF16 halves */
    uint8_t *memory;
    size_t memory_bytes;
};

/* Grow the scratch memory to weights of `cols`, groups of group_bytes, and BF16 halves. */
trueno_status packed_work_reserve(packed_work *work, int64_t cols, size_t group_bytes, bool halves,
                                  trueno_error *err);

/* Interleave units [first, first + n) of a group from the segment's source into `out`. */
void packed_pack_units(const matmul_kernels *k, const packed_segment *s, int64_t group,
                       int64_t first, int64_t n, uint8_t *out);

#endif
