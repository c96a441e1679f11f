/* SPDX-License-Identifier: MIT */
/* Compiles the searches into the table that FIT_FUNCTIONS names: the one body of fit.c and of each
 * level's fit_<level>.c. */
#include "fit.h"
#include "fit_affine.h"
#include "fit_symmetric.h"

const fit_functions FIT_FUNCTIONS = {.affine = fit_affine, .symmetric = fit_symmetric};
