/* SPDX-License-Identifier: MIT */
/** @file experts.h  Mixtures of experts over a backend's own products. */
#ifndef EXPERTS_H
#define EXPERTS_H

#include "host.h"

/** What experts() of the table was given; cols: inputs and outputs, ff: the experts' inner width.
 */
typedef struct experts_job {
    const trueno_weight *const *gate_up, *const *down;
    const float *router, *x;
    float *y;
    int32_t n, n_experts, n_used, cols, ff;
    bool renormalize;
    trueno_activation act;
} experts_job;

/** The table's experts(); rows are grouped by expert. `scratch` is kept between calls. */
void experts_run(host_backend *host, host_buffer *scratch, const experts_job *job);

/** The n_used most probable experts of one row, in rising order, and their weights. */
void experts_choose(const float *router, int32_t n_experts, int32_t n_used, bool renormalize,
                    int32_t *chosen, float *weights);

#endif
