/* SPDX-License-Identifier: MIT */
/* Sixteen groups of weights side by side in lanes, and what both searches do with them. */
#ifndef QUANTS_FIT_GROUPS_H
#define QUANTS_FIT_GROUPS_H

#include "fit.h"
#include "lanes.h"

#include <float.h>
#include <stdbool.h>
#include <string.h>
#include <trueno/sys/half.h>

/* Vectors that the sixteen groups take at this level. */
#define PARTS (FIT_GROUPS / LANES)

/* A number of each group. */
typedef union group_values {
    float lane[FIT_GROUPS];
    vf part[PARTS];
} group_values;

/* Element j of all groups in x[j], divided by the super-block's unit; likewise the error weights.
 */
typedef struct group_lanes {
    group_values x[FIT_GROUP_MAX], w[FIT_GROUP_MAX];
    group_values unit; /* a power of two: divided by it, squares neither overflow nor vanish */
} group_lanes;

/* In every lane the sum over the lanes of its super-block. */
LANE_FN void super_sum(int per_super, group_values *v)
{
    for (int first = 0; first < FIT_GROUPS && per_super > 1; first += per_super) {
        float sum = 0;

        for (int i = first; i < first + per_super; i++)
            sum += v->lane[i];
        for (int i = first; i < first + per_super; i++)
            v->lane[i] = sum;
    }
}

/* In every lane the value of largest magnitude of its super-block, with its sign. */
LANE_FN void super_peak(int per_super, group_values *v)
{
    for (int first = 0; first < FIT_GROUPS && per_super > 1; first += per_super) {
        float peak = 0;

        for (int i = first; i < first + per_super; i++)
            peak = __builtin_fabsf(v->lane[i]) > __builtin_fabsf(peak) ? v->lane[i] : peak;
        for (int i = first; i < first + per_super; i++)
            v->lane[i] = peak;
    }
}

/* The value of largest magnitude of each group, with its sign. */
LANE_FN vf group_peak(int n, const group_lanes *g, int part)
{
    vf peak = g->x[0].part[part];

    for (int j = 1; j < n; j++) {
        vf x = g->x[j].part[part];

        peak = vf_select(vf_abs(x) > vf_abs(peak), x, peak);
    }
    return peak;
}

/* What halves make of factors given in units: back in units, and as they are stored. Saturated,
 * since blocks must be finite. */
LANE_FN void half_factors(const group_lanes *g, group_values *factor, uint16_t half[FIT_GROUPS])
{
    for (int part = 0; part < PARTS; part++)
        factor->part[part] =
            vf_clamp(factor->part[part] * g->unit.part[part], vf_all(-65504), vf_all(65504));
    for (int i = 0; i < FIT_GROUPS; i++) {
        half[i] = trueno_f32_to_f16(factor->lane[i]);
        factor->lane[i] = trueno_f16_to_f32(half[i]);
    }
    for (int part = 0; part < PARTS; part++)
        factor->part[part] /= g->unit.part[part];
}

/* A group's weights without importance: one and a half times the root mean square, plus size. Large
 * weights count up to a few times as much as small ones; measured, this errs less than weights by
 * x^2 in both the plain and the size-weighted error, and with less of the root mean square single
 * tensors that lie on a grid err more than llama-quantize's. */
LANE_FN void size_weights(int n, group_lanes *g)
{
    group_values sum = {0};

    for (int part = 0; part < PARTS; part++)
        for (int j = 0; j < n; j++)
            sum.part[part] += g->x[j].part[part] * g->x[j].part[part];
    for (int i = 0; i < FIT_GROUPS; i++)
        sum.lane[i] = sum.lane[i] == 0 ? 1 : 1.5f * __builtin_sqrtf(sum.lane[i] / (float)n);
    for (int part = 0; part < PARTS; part++)
        for (int j = 0; j < n; j++)
            g->w[j].part[part] = sum.part[part] + vf_abs(g->x[j].part[part]);
}

/* Importance scaled to at most 1 in each group; equal weights where all of a group's are 0. */
LANE_FN void importance_weights(int n, group_lanes *g)
{
    for (int part = 0; part < PARTS; part++) {
        vf peak = {0};
        vi none;

        for (int j = 0; j < n; j++)
            peak = vf_max(g->w[j].part[part], peak);
        none = peak == 0;
        peak = vf_select(none, vf_all(1), peak);
        for (int j = 0; j < n; j++)
            g->w[j].part[part] = vf_select(none, vf_all(1), g->w[j].part[part] / peak);
    }
}

/* Groups become lanes; lanes past n_groups hold zeros. Infinities count as the largest float, NaN
 * as 0: conversion reports them elsewhere, blocks stay finite. */
LANE_FN void transpose(int n, const float *from, int n_groups, group_values *to)
{
    for (int j = 0; j < n; j++) {
        to[j] = (group_values){0};
        for (int lane = 0; lane < n_groups; lane++)
            to[j].lane[lane] = from[lane * n + j];
        for (int part = 0; part < PARTS; part++) {
            vf x = to[j].part[part];

            to[j].part[part] =
                vf_clamp(vf_select(x == x, x, (vf){0}), vf_all(-FLT_MAX), vf_all(FLT_MAX));
        }
    }
}

LANE_FN void load_groups(int n, int per_super, const float *x, const float *importance,
                         int n_groups, group_lanes *g)
{
    transpose(n, x, n_groups, g->x);
    for (int part = 0; part < PARTS; part++)
        g->unit.part[part] = vf_abs(group_peak(n, g, part));
    super_peak(per_super, &g->unit);
    for (int part = 0; part < PARTS; part++) {
        vf power = (vf)((vi)g->unit.part[part] & 0x7f800000);

        g->unit.part[part] = vf_max(power, vf_all(0x1p-100f));
        for (int j = 0; j < n; j++)
            g->x[j].part[part] /= g->unit.part[part];
    }
    if (importance == NULL) {
        size_weights(n, g);
    } else {
        transpose(n, importance, n_groups, g->w);
        importance_weights(n, g);
    }
}

/* Element j of a part's groups, whole numbers. */
LANE_FN void store_quants(int n, int part, int j, vf q, uint8_t *out)
{
    vi whole = __builtin_convertvector(q, vi);

    for (int i = 0; i < LANES; i++)
        out[(part * LANES + i) * n + j] = (uint8_t)whole[i];
}

LANE_FN void store_scales(int part, vf scales, int16_t out[FIT_GROUPS])
{
    for (int i = 0; i < LANES; i++)
        out[part * LANES + i] = (int16_t)scales[i];
}

#endif
