/* SPDX-License-Identifier: MIT */
/* Compressing a tensor's bytes on their way into an output. */
#ifndef APR_PACKER_H
#define APR_PACKER_H

#include "output.h"

typedef struct apr_packer {
    const trueno_allocator *allocator;
    void *context; /* of the library */
    void *buffer;
    size_t buffer_bytes;
} apr_packer;

/* Begin with as many threads as the pool of the conversion has. TRUENO_NO_MEMORY. */
trueno_status apr_packer_open(apr_packer *p, int threads, const trueno_allocator *allocator,
                              trueno_error *err);

/*
 * True when these bytes, the first of a tensor, shrink by a sixteenth or more: a tensor that does
 * not is better left as it is, so that it can be mapped.
 */
bool apr_packer_gains(apr_packer *p, const void *data, size_t bytes);

/* Begin a frame of `bytes` bytes of content. */
void apr_packer_begin(apr_packer *p, uint64_t bytes);

/* Append content; `last` ends the frame. Memory in use does not grow with it. */
trueno_status apr_packer_write(apr_packer *p, apr_output *out, const void *data, size_t bytes,
                               bool last, trueno_error *err);

void apr_packer_close(apr_packer *p);

#endif
