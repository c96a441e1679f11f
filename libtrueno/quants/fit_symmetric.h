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

/* A choice for the groups of one part: scale is a whole number. */
typedef struct symmetric_choice {
    vf scale, sqq, sqx;
    vf error; /* squared, less sum w x x */
} symmetric_choice;

/* The factor of each group's super-block, in units and as a half. */
typedef struct symmetric_factor {
    group_values d;
    uint16_t half[FIT_GROUPS];
} symmetric_factor;

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

LANE_FN void symmetric_round(int n, int levels, const group_lanes *g, int part, vf inverse, vf *sqq,
                             vf *sqx)
{
    vf qq = {0}, qx = {0};

    for (int j = 0; j < n; j++) {
        vf x = g->x[j].part[part], v = nearest_value(levels, x * inverse);
        vf wv = g->w[j].part[part] * v;

        qq += wv * v;
        qx += wv * x;
    }
    *sqq = qq;
    *sqx = qx;
}

LANE_FN void symmetric_try(int n, int levels, const group_lanes *g, int part, vf inverse, vf *gain,
                           vf *d)
{
    vf sqq, sqx, slope;
    vi better;

    symmetric_round(n, levels, g, part, inverse, &sqq, &sqx);
    slope = vf_ratio(sqx, sqq);
    better = slope * sqx > *gain;
    *gain = vf_select(better, slope * sqx, *gain);
    *d = vf_select(better, slope, *d);
}

/* Each group's own real d. The steps put the peak at places about the last value of either end. */
LANE_FN vf symmetric_search(int n, int levels, const group_lanes *g, int part)
{
    const float low = levels > 0 ? (float)-levels : (float)IQ4_LEVELS[0];
    const float high = levels > 0 ? (float)(levels - 1) : (float)IQ4_LEVELS[15];
    const float spacing = levels > 0 ? 1 : 16; /* of the outer values */
    vf per_peak = vf_ratio(vf_all(1), group_peak(n, g, part)), gain = {0}, d = {0};

    for (int step = 0; step < SYMMETRIC_STEPS; step++) {
        float beyond = spacing * ((float)step / SYMMETRIC_STEPS * 1.8f - 0.9f);

        symmetric_try(n, levels, g, part, per_peak * (low - beyond), &gain, &d);
        symmetric_try(n, levels, g, part, per_peak * (high + beyond), &gain, &d);
    }
    for (int step = 0; step < SYMMETRIC_REFINES; step++)
        symmetric_try(n, levels, g, part, vf_ratio(vf_all(1), d), &gain, &d);
    return d;
}

LANE_FN void symmetric_select(vi mask, const symmetric_choice *from, symmetric_choice *to)
{
    to->scale = vf_select(mask, from->scale, to->scale);
    to->sqq = vf_select(mask, from->sqq, to->sqq);
    to->sqx = vf_select(mask, from->sqx, to->sqx);
    to->error = vf_select(mask, from->error, to->error);
}

/* Of three integer scales near d for the factor f, the one of least error. */
LANE_FN void symmetric_integers(int n, int levels, const fit_shape *shape, const group_lanes *g,
                                int part, const symmetric_factor *f, vf d, symmetric_choice *c)
{
    const vf low = vf_all((float)-shape->scales), high = vf_all((float)shape->scales - 1);
    const vf near = vf_round(vf_clamp(vf_ratio(d, f->d.part[part]), low, high));
    symmetric_choice trial;

    c->error = vf_all(FLT_MAX);
    for (int k = -1; k <= 1; k++) {
        vf slope;

        trial.scale = vf_clamp(near + (float)k, low, high);
        slope = f->d.part[part] * trial.scale;
        symmetric_round(n, levels, g, part, vf_ratio(vf_all(1), slope), &trial.sqq, &trial.sqx);
        trial.error = slope * (slope * trial.sqq - 2 * trial.sqx);
        symmetric_select(trial.error < c->error, &trial, c);
    }
}

/* The factor of each super-block by least squares over its groups, scales and quants given. */
LANE_FN void symmetric_refit(const fit_shape *shape, const group_lanes *g,
                             const symmetric_choice *c, symmetric_factor *f)
{
    group_values dd, dx;

    for (int part = 0; part < PARTS; part++) {
        dd.part[part] = c[part].scale * c[part].scale * c[part].sqq;
        dx.part[part] = c[part].scale * c[part].sqx;
    }
    super_sum(shape->per_super, &dd);
    super_sum(shape->per_super, &dx);
    for (int part = 0; part < PARTS; part++)
        f->d.part[part] = vf_ratio(dx.part[part], dd.part[part]);
    half_factors(g, &f->d, f->half);
}

/* Which super-blocks the new choice improves: they replace those of the best. */
LANE_FN void symmetric_keep(const fit_shape *shape, const symmetric_choice *c,
                            const symmetric_factor *f, symmetric_choice *best,
                            symmetric_factor *best_f)
{
    group_values now, before;

    for (int part = 0; part < PARTS; part++) {
        now.part[part] = c[part].error;
        before.part[part] = best[part].error;
    }
    super_sum(shape->per_super, &now);
    super_sum(shape->per_super, &before);
    for (int part = 0; part < PARTS; part++)
        symmetric_select(now.part[part] < before.part[part], &c[part], &best[part]);
    for (int i = 0; i < FIT_GROUPS; i++) {
        if (now.lane[i] < before.lane[i]) {
            best_f->d.lane[i] = f->d.lane[i];
            best_f->half[i] = f->half[i];
        }
    }
}

LANE_FN void symmetric_store(int n, int levels, const group_lanes *g, const symmetric_choice *c,
                             const symmetric_factor *f, fit_result *out)
{
    for (int part = 0; part < PARTS; part++) {
        vf inverse = vf_ratio(vf_all(1), f->d.part[part] * c[part].scale);

        for (int j = 0; j < n; j++)
            store_quants(n, part, j, nearest_code(levels, g->x[j].part[part] * inverse), out->q);
        store_scales(part, c[part].scale, out->scale);
    }
    memcpy(out->d, f->half, sizeof out->d);
}

LANE_FN void symmetric_body(int n, int levels, const fit_shape *shape, const float *x,
                            const float *importance, int n_groups, fit_result *out)
{
    group_lanes g;
    symmetric_choice c[PARTS], best[PARTS];
    symmetric_factor f, best_f;
    vf d[PARTS];

    load_groups(n, shape->per_super, x, importance, n_groups, &g);
    for (int part = 0; part < PARTS; part++) {
        d[part] = symmetric_search(n, levels, &g, part);
        f.d.part[part] = d[part] / (float)-shape->scales;
        c[part] = (symmetric_choice){0};
    }
    super_peak(shape->per_super, &f.d);
    half_factors(&g, &f.d, f.half);
    for (int part = 0; part < PARTS; part++) {
        symmetric_integers(n, levels, shape, &g, part, &f, d[part], &c[part]);
        best[part] = c[part];
    }
    best_f = f;
    for (int round = 0; round < SYMMETRIC_ROUNDS; round++) {
        for (int part = 0; part < PARTS; part++)
            d[part] = f.d.part[part] * c[part].scale;
        symmetric_refit(shape, &g, c, &f);
        for (int part = 0; part < PARTS; part++)
            symmetric_integers(n, levels, shape, &g, part, &f, d[part], &c[part]);
        symmetric_keep(shape, c, &f, best, &best_f);
    }
    symmetric_store(n, levels, &g, best, &best_f, out);
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
