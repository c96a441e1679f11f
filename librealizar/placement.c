/* SPDX-License-Identifier: MIT */
/* Where a model goes, by its size and the memory that there is. */
#include "placement.h"

enum { STEP_ROWS = 512, MORE_STEP_ROWS = 1024, LARGE_MODEL = 1000000000 };

bool placement_exceeds(uint64_t model_bytes, uint64_t memory)
{
    return memory > 0 && model_bytes >= memory / 10 * 9;
}

bool placement_fits(uint64_t model_bytes, uint64_t available)
{
    return model_bytes <= available && model_bytes / 4 <= available - model_bytes;
}

int32_t placement_step_rows(uint64_t model_bytes, bool on_device)
{
    return on_device && model_bytes >= LARGE_MODEL ? MORE_STEP_ROWS : STEP_ROWS;
}
