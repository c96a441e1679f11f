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

/* Element j of all groups in x[j], divided by the super-block's unit; likewise the error weights.
 */
typedef struct group_lanes {
    vf x[FIT_GROUP_MAX], w[FIT_GROUP_MAX];
    vf unit; /* a power of two: divided by it, squares neither overflow nor vanish */
} group_lanes;

/* In every lane the sum over the lanes of its super-block. */
LANE_FN vf super_sum(int per_super, vf v)
{
    for (int first = 0; first < LANES && per_super > 1; first += per_super) {
        float sum = 0;

        for (int i = first; i < first + per_super; i++)
            sum += v[i];
        for (int i = first; i < first + per_super; i++)
            v[i] = sum;
    }
    return v;
}

/* In every lane the value of largest magnitude of its super-block, with its sign. */
LANE_FN vf super_peak(int per_super, vf v)
{
    for (int first = 0; first < LANES && per_super > 1; first += per_super) {
        float peak = 0;

        for (int i = first; i < first + per_super; i++)
            peak = __builtin_fabsf(v[i]) > __builtin_fabsf(peak) ? v[i] : peak;
        for (int i = first; i < first + per_super; i++)
            v[i] = peak;
    }
    return v;
}

/* The value of largest magnitude of each group, with its sign. */
LANE_FN vf group_peak(int n, const group_lanes *g)
{
    vf peak = g->x[0];

    for (int j = 1; j < n; j++)
        peak = vf_select(vf_abs(g->x[j]) > vf_abs(peak), g->x[j], peak);
    return peak;
}

/* What a half would make of `value` units, in units; saturated, since blocks must be finite. */
LANE_FN vf half_factor(vf value, vf unit, uint16_t half[LANES])
{
    vf bounded = vf_clamp(value * unit, vf_all(-65504), vf_all(65504)), out;

    for (int i = 0; i < LANES; i++) {
        half[i] = trueno_f32_to_f16(bounded[i]);
        out[i] = trueno_f16_to_f32(half[i]);
    }
    return out / unit;
}

/* A group's weights without importance: root mean square plus size. Large weights count up to
 * several times as much as small ones; measured, this errs less than weights by x^2 in both the
 * plain and the size-weighted error. */
LANE_FN void size_weights(int n, group_lanes *g)
{
    vf sum = {0}, rms;

    for (int j = 0; j < n; j++)
        sum += g->x[j] * g->x[j];
    sum /= (float)n;
    for (int i = 0; i < LANES; i++)
        rms[i] = __builtin_sqrtf(sum[i]);
    rms = vf_select(rms == 0, vf_all(1), rms);
    for (int j = 0; j < n; j++)
        g->w[j] = rms + vf_abs(g->x[j]);
}

/* Importance scaled to at most 1 in each group; equal weights where all of a group's are 0. */
LANE_FN void importance_weights(int n, group_lanes *g)
{
    vf peak = {0};
    vi none;

    for (int j = 0; j < n; j++)
        peak = vf_max(g->w[j], peak);
    none = peak == 0;
    for (int j = 0; j < n; j++)
        g->w[j] = vf_select(none, vf_all(1), g->w[j] / vf_select(none, vf_all(1), peak));
}

/* Groups become lanes; lanes past n_groups hold zeros. Infinities count as the largest float, NaN
 * as 0: conversion reports them elsewhere, blocks stay finite. */
LANE_FN void transpose(int n, const float *from, int n_groups, vf *to)
{
    for (int j = 0; j < n; j++) {
        float lanes[LANES] = {0};

        for (int lane = 0; lane < n_groups; lane++)
            lanes[lane] = from[lane * n + j];
        memcpy(&to[j], lanes, sizeof to[j]);
        to[j] = vf_select(to[j] == to[j], to[j], (vf){0});
        to[j] = vf_clamp(to[j], vf_all(-FLT_MAX), vf_all(FLT_MAX));
    }
}

LANE_FN void load_groups(int n, int per_super, const float *x, const float *importance,
                         int n_groups, group_lanes *g)
{
    vf peak;

    transpose(n, x, n_groups, g->x);
    peak = super_peak(per_super, vf_abs(group_peak(n, g)));
    g->unit = vf_max((vf)((vi)peak & 0x7f800000), vf_all(0x1p-100f));
    for (int j = 0; j < n; j++)
        g->x[j] /= g->unit;
    if (importance == NULL) {
        size_weights(n, g);
    } else {
        transpose(n, importance, n_groups, g->w);
        importance_weights(n, g);
    }
}

LANE_FN void store_quants(int n, int j, vf q, uint8_t *out)
{
    vi whole = __builtin_convertvector(q, vi);

    for (int i = 0; i < LANES; i++)
        out[i * n + j] = (uint8_t)whole[i];
}

LANE_FN void store_scales(vf scales, int16_t out[LANES])
{
    for (int i = 0; i < LANES; i++)
        out[i] = (int16_t)scales[i];
}

#endif
