/* SPDX-License-Identifier: MIT */
/* .apr files whose whole payload is compressed. */
#ifndef APR_APR_PAYLOAD_H
#define APR_APR_PAYLOAD_H

#include "../model_private.h"
#include <stdint.h>

/*
 * Replace one of the model's sources, a header followed by one LZ4 block (flag bit 0: its size in
 * four bytes before it) or one Zstandard frame (bit 1), by the file that it stands for, in the
 * model's own memory. TRUENO_FORMAT when it is damaged, TRUENO_UNSUPPORTED when it would grow
 * beyond all likelihood, TRUENO_NO_MEMORY.
 */
trueno_status apr_format_expand(apr_model *m, trueno_map *map, uint16_t flags, trueno_error *err);

#endif
