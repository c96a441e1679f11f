/* SPDX-License-Identifier: MIT */
/* Tensors that lie compressed in their file: their memory, and filling it. */
#ifndef APR_PACKED_TENSORS_H
#define APR_PACKED_TENSORS_H

#include "model_private.h"
#include "unpack.h"

/* One of them. Its apr_tensor says `packed`, 1 + the index here. */
typedef struct apr_packed_tensor {
    apr_codec codec;
    const uint8_t *frame; /* in the file's mapping */
    uint64_t frame_bytes;
    uint8_t *room; /* pages of its own for `bytes` bytes */
    uint64_t bytes;
} apr_packed_tensor;

typedef struct apr_packed {
    apr_packed_tensor *list;
    size_t n;
    uint8_t *room; /* one range of addresses for all */
    size_t room_bytes;
    apr_packed_tensor *current; /* the one in memory, of a lazy model */
    apr_unpacker unpacker;
    uint64_t kept; /* its first byte that is still there */
} apr_packed;

/* Room for noting `most` tensors. */
trueno_status apr_packed_new(apr_model *m, size_t most, trueno_error *err);

/* Note a tensor whose type and shape ask for t->bytes; the list has room. */
void apr_packed_add(apr_model *m, apr_tensor *t, apr_codec codec, const uint8_t *frame,
                    uint64_t frame_bytes);

/*
 * Give all of them addresses, when every tensor of the model is known: TRUENO_UNSUPPORTED when they
 * would grow beyond all likelihood. Then, unless the model is lazy, decompress them on all threads:
 * TRUENO_CONTENT for a damaged frame, or one of another size.
 */
trueno_status apr_packed_open(apr_model *m, trueno_error *err);

/*
 * Have bytes [first, first + bytes) of a tensor's data in memory: what lies before, and all other
 * compressed tensors, may be gone again. Going forward through a tensor costs one decompression.
 * Nothing to do for tensors that are not compressed, and where the model is not lazy. `t` may be a
 * copy whose data are a part of the tensor's. A lazy model belongs to one thread.
 */
trueno_status apr_packed_fetch(const apr_model *m, const apr_tensor *t, uint64_t first,
                               uint64_t bytes, trueno_error *err);

/* Bytes of a tensor in its file. */
uint64_t apr_packed_stored(const apr_model *m, const apr_tensor *t);

void apr_packed_close(apr_model *m);

#endif
