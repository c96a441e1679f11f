/* SPDX-License-Identifier: MIT */
/* The quantisers' searches, compiled for this level. */
#define FIT_FUNCTIONS fit_functions_avx512
#include "quants/fit_level.h"
