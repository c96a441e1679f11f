/* SPDX-License-Identifier: MIT */
/* Where a model goes, by its size and the memory that there is. */
#ifndef REALIZAR_PLACEMENT_H
#define REALIZAR_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Would a copy of the weights in the kernels' own layout fill a machine with `memory` bytes,
 * leaving less than a tenth? 0 bytes: not known, no. */
bool placement_exceeds(uint64_t model_bytes, uint64_t memory);

/* Do the weights fit into `available` bytes of a device, with a quarter more for keys and values
 * and working arrays? */
bool placement_fits(uint64_t model_bytes, uint64_t available);

/* Rows that a step takes unless the caller says so. A device has more to do at once; but a small
 * model's working arrays should not outgrow its weights. */
int32_t placement_step_rows(uint64_t model_bytes, bool on_device);

#endif
