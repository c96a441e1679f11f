/* SPDX-License-Identifier: MIT */
/* What the fuzz targets of model files share. */
#ifndef FUZZ_OPEN_MODEL_H
#define FUZZ_OPEN_MODEL_H

#include <stddef.h>
#include <stdint.h>

/* Open from memory, strictly or leniently by the size's parity, and look at everything in it. */
void fuzz_open_model(const uint8_t *data, size_t bytes);

/* The entry of libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
