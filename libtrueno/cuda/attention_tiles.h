/* SPDX-License-Identifier: MIT */
/* The attention kernels that use the tensor cores; attention.cu chooses. */
#ifndef CUDA_ATTENTION_TILES_H
#define CUDA_ATTENTION_TILES_H

#include "kernels.h"

/* Rows of any sessions, each row's positions split over `splits` blocks. */
void launch_attention_split(const launcher *l, const attention_job *job, int splits);

#endif
