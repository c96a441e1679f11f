/* SPDX-License-Identifier: MIT */
/* The search for w = d scale value(q), the values being -levels .. levels - 1, or IQ4's sixteen.
 *
 * As in fit_affine.h with one factor: for given quants the best d is sqx / sqq, which lowers the
 * squared error by sqx^2 / sqq, where sqq = sum w v v and sqx = sum w v x over a group's values v.
 * The values are not symmetric about 0, so both signs of d are tried. */
#ifndef QUANTS_FIT_SYMMETRIC_H
#define QUANTS_FIT_SYMMETRIC_H

#include "../blocks.h"
#include "fit_groups.h"

#define SYMMETRIC_STEPS   10 /* slopes tried with each sign */
#define SYMMETRIC_REFINES 3  /* alternations of rounding and least squares */
#define SYMMETRIC_ROUNDS  2  /* alternations of integer scales and factor */

static const int16_t IQ4_LEVELS[16] = {IQ4_VALUES_LIST};

/* A choice for every group: w = d scale value. */
typedef struct symmetric_choice {
    vf scale, d, sqq, sqx;
    vf error; /* squared, less sum w x x */
    uint16_t half_d[LANES];
} symmetric_choice;

/* The value nearest to t; levels 0: IQ4's, by counting the midpoints below t. */
LANE_FN vf nearest_value(int levels, vf t)
{
    vf value = vf_all(IQ4_LEVELS[0]);

    if (levels > 0)
        return vf_round(vf_clamp(t, vf_all((float)-levels), vf_all((float)levels - 1)));
    for (int k = 0; k < 15; k++) {
        const float middle = 0.5f * (float)(IQ4_LEVELS[k] + IQ4_LEVELS[k + 1]);

        value += vf_select(t > middle, vf_all((float)(IQ4_LEVELS[k + 1] - IQ4_LEVELS[k])), (vf){0});
    }
    return value;
}

/* What a block stores for the value nearest to t. */
LANE_FN vf nearest_code(int levels, vf t)
{
    vf code = {0};

    if (levels > 0)
        return nearest_value(levels, t) + (float)levels;
    for (int k = 0; k < 15; k++)
        code +=
            vf_select(t > 0.5f * (float)(IQ4_LEVELS[k] + IQ4_LEVELS[k + 1]), vf_all(1), (vf){0});
    return code;
}

LANE_FN void symmetric_round(int n, int levels, const group_lanes *g, vf inverse, vf *sqq, vf *sqx)
{
    vf qq = {0}, qx = {0};

    for (int j = 0; j < n; j++) {
        vf v = nearest_value(levels, g->x[j] * inverse), wv = g->w[j] * v;

        qq += wv * v;
        qx += wv * g->x[j];
    }
    *sqq = qq;
    *sqx = qx;
}

LANE_FN void symmetric_try(int n, int levels, const group_lanes *g, vf inverse, vf *gain, vf *d)
{
    vf sqq, sqx, slope;
    vi better;

    symmetric_round(n, levels, g, inverse, &sqq, &sqx);
    slope = vf_ratio(sqx, sqq);
    better = slope * sqx > *gain;
    *gain = vf_select(better, slope * sqx, *gain);
    *d = vf_select(better, slope, *d);
}

/* Each group's own real d. The steps put the peak from a level and a half inside the last value
 * to half a level beyond it, at either end. */
LANE_FN vf symmetric_search(int n, int levels, const group_lanes *g)
{
    const float low = levels > 0 ? (float)-levels : (float)IQ4_LEVELS[0];
    const float high = levels > 0 ? (float)(levels - 1) : (float)IQ4_LEVELS[15];
    const float level = levels > 0 ? 1 : 16; /* spacing of the outer values */
    vf per_peak = vf_ratio(vf_all(1), group_peak(n, g)), gain = {0}, d = {0};

    for (int step = 0; step < SYMMETRIC_STEPS; step++) {
        float beyond = level * ((float)step / SYMMETRIC_STEPS * 1.8f - 0.9f);

        symmetric_try(n, levels, g, per_peak * (low - beyond), &gain, &d);
        symmetric_try(n, levels, g, per_peak * (high + beyond), &gain, &d);
    }
    for (int step = 0; step < SYMMETRIC_REFINES; step++)
        symmetric_try(n, levels, g, vf_ratio(vf_all(1), d), &gain, &d);
    return d;
}

LANE_FN void symmetric_select(vi mask, const symmetric_choice *from, symmetric_choice *to)
{
    to->scale = vf_select(mask, from->scale, to->scale);
    to->d = vf_select(mask, from->d, to->d);
    to->sqq = vf_select(mask, from->sqq, to->sqq);
    to->sqx = vf_select(mask, from->sqx, to->sqx);
    to->error = vf_select(mask, from->error, to->error);
    for (int i = 0; i < LANES; i++)
        to->half_d[i] = mask[i] ? from->half_d[i] : to->half_d[i];
}

/* Of three integer scales near d for the factor in *c, the one of least error. */
LANE_FN void symmetric_integers(int n, const fit_shape *shape, const group_lanes *g, vf d,
                                symmetric_choice *c)
{
    const vf low = vf_all((float)-shape->scales), high = vf_all((float)shape->scales - 1);
    const vf near = vf_round(vf_clamp(vf_ratio(d, c->d), low, high));
    symmetric_choice trial = *c;

    c->error = vf_all(FLT_MAX);
    for (int k = -1; k <= 1; k++) {
        vf slope;

        trial.scale = vf_clamp(near + (float)k, low, high);
        slope = c->d * trial.scale;
        symmetric_round(n, shape->levels, g, vf_ratio(vf_all(1), slope), &trial.sqq, &trial.sqx);
        trial.error = slope * (slope * trial.sqq - 2 * trial.sqx);
        symmetric_select(trial.error < c->error, &trial, c);
    }
}

LANE_FN void symmetric_body(int n, int levels, const fit_shape *shape, const float *x,
                            const float *importance, int n_groups, fit_result *out)
{
    const int per = shape->per_super;
    group_lanes g;
    symmetric_choice c = {0}, best;
    vf d, inverse;

    load_groups(n, per, x, importance, n_groups, &g);
    d = symmetric_search(n, levels, &g);
    c.d = half_factor(super_peak(per, d) / (float)-shape->scales, g.unit, c.half_d);
    symmetric_integers(n, shape, &g, d, &c);
    best = c;
    for (int round = 0; round < SYMMETRIC_ROUNDS; round++) {
        d = c.d * c.scale;
        c.d = vf_ratio(super_sum(per, c.scale * c.sqx), super_sum(per, c.scale * c.scale * c.sqq));
        c.d = half_factor(c.d, g.unit, c.half_d);
        symmetric_integers(n, shape, &g, d, &c);
        symmetric_select(super_sum(per, c.error) < super_sum(per, best.error), &c, &best);
    }
    inverse = vf_ratio(vf_all(1), best.d * best.scale);
    for (int j = 0; j < n; j++)
        store_quants(n, j, nearest_code(levels, g.x[j] * inverse), out->q);
    store_scales(best.scale, out->scale);
    memcpy(out->d, best.half_d, sizeof out->d);
}

static void fit_symmetric(const fit_shape *shape, const float *x, const float *importance,
                          int n_groups, fit_result *out)
{
    if (shape->group == 16)
        symmetric_body(16, shape->levels, shape, x, importance, n_groups, out);
    else if (shape->levels > 0)
        symmetric_body(32, shape->levels, shape, x, importance, n_groups, out);
    else
        symmetric_body(32, 0, shape, x, importance, n_groups, out);
}

#endif
