/* SPDX-License-Identifier: MIT */
/* The search for w = d scale q - dmin min, q in 0 .. levels.
 *
 * For given quants the squared error is quadratic in scale and minimum, so least squares has the
 * best pair in closed form; for a given pair rounding has the best quants. The search tries a grid
 * of slopes, alternates the two from the best, then chooses the integer scales, and fits the
 * super-block's two factors by least squares again.
 *
 * Sums over a group, weights w: sw = sum w, sx = sum w x, sq = sum w q, sqq = sum w q q,
 * sqx = sum w q x. The squared error of d, m is
 *     sum w x x - 2 d sqx + 2 m sx + d d sqq - 2 d m sq + m m sw. */
#ifndef QUANTS_FIT_AFFINE_H
#define QUANTS_FIT_AFFINE_H

#include "fit_groups.h"

#define AFFINE_STEPS   20 /* slopes tried */
#define AFFINE_REFINES 3  /* alternations of rounding and least squares */
#define AFFINE_ROUNDS  2  /* alternations of integer scales and factors */

typedef struct affine_sums {
    vf sw, sx, sq, sqq, sqx;
} affine_sums;

/* A choice for every group: w = d scale q - dmin min, and the quants it rounds to, as sums. */
typedef struct affine_choice {
    vf scale, min; /* whole numbers */
    vf d, dmin;    /* of the super-block, in its unit */
    affine_sums sums;
    vf error; /* squared, less sum w x x */
    uint16_t half_d[LANES], half_dmin[LANES];
} affine_choice;

LANE_FN vf affine_quant(vf x, vf inverse, vf m, vf top)
{
    return vf_round(vf_clamp((x + m) * inverse, (vf){0}, top));
}

/* Round to q = (x + m) * inverse and take the sums. */
LANE_FN void affine_round(int n, const group_lanes *g, vf inverse, vf m, vf top, affine_sums *s)
{
    vf sq = {0}, sqq = {0}, sqx = {0};

    for (int j = 0; j < n; j++) {
        vf q = affine_quant(g->x[j], inverse, m, top), wq = g->w[j] * q;

        sq += wq;
        sqq += wq * q;
        sqx += wq * g->x[j];
    }
    s->sq = sq;
    s->sqq = sqq;
    s->sqx = sqx;
}

/* The pair of least error for the rounding behind the sums, m >= 0 unless `any_sign`; returns by
 * how much it beats d = m = 0, negative when the slope is. */
LANE_FN vf affine_solve(const affine_sums *s, bool any_sign, vf *d, vf *m)
{
    vf det = s->sw * s->sqq - s->sq * s->sq;
    vf slope = vf_ratio(s->sw * s->sqx - s->sx * s->sq, det);
    vf min = vf_ratio(slope * s->sq - s->sx, s->sw);

    if (!any_sign) {
        vi negative = min < 0;

        min = vf_select(negative, (vf){0}, min);
        slope = vf_select(negative, vf_ratio(s->sqx, s->sqq), slope);
    }
    *d = slope;
    *m = min;
    return vf_select(slope < 0, vf_all(-1), slope * s->sqx - min * s->sx);
}

/* Round with `inverse` and *best's offset m; keep the least-squares pair where it gains more. */
LANE_FN void affine_try(int n, const group_lanes *g, const fit_shape *shape, vf inverse, vf m,
                        affine_sums *s, vf best[3])
{
    vf pair[2], gain;
    vi better;

    affine_round(n, g, inverse, m, vf_all((float)shape->levels), s);
    gain = affine_solve(s, shape->per_super == 1, &pair[0], &pair[1]);
    better = gain > best[2];
    best[0] = vf_select(better, pair[0], best[0]);
    best[1] = vf_select(better, pair[1], best[1]);
    best[2] = vf_select(better, gain, best[2]);
}

/* Each group's own real d and m. */
LANE_FN void affine_search(int n, const fit_shape *shape, const group_lanes *g, affine_sums *s,
                           vf *d, vf *m)
{
    vf low = g->x[0], high = g->x[0], range, best[3] = {{0}, {0}, vf_all(-1)};

    s->sw = s->sx = (vf){0};
    for (int j = 0; j < n; j++) {
        low = vf_min(g->x[j], low);
        high = vf_max(g->x[j], high);
        s->sw += g->w[j];
        s->sx += g->w[j] * g->x[j];
    }
    if (shape->per_super > 1) /* minima are unsigned */
        low = vf_min(low, (vf){0});
    range = high - low;
    for (int step = 0; step < AFFINE_STEPS; step++) {
        float reach = (float)shape->levels - 1.0f + 2.0f / AFFINE_STEPS * (float)step;

        affine_try(n, g, shape, vf_ratio(vf_all(reach), range), -low, s, best);
    }
    for (int step = 0; step < AFFINE_REFINES; step++)
        affine_try(n, g, shape, vf_ratio(vf_all(1), best[0]), best[1], s, best);
    *d = best[0];
    *m = best[1];
}

LANE_FN vf affine_error(const affine_sums *s, vf d, vf m)
{
    return d * (d * s->sqq - 2 * (s->sqx + m * s->sq)) + m * (m * s->sw + 2 * s->sx);
}

LANE_FN void affine_select(vi mask, const affine_choice *from, affine_choice *to)
{
    to->scale = vf_select(mask, from->scale, to->scale);
    to->min = vf_select(mask, from->min, to->min);
    to->d = vf_select(mask, from->d, to->d);
    to->dmin = vf_select(mask, from->dmin, to->dmin);
    to->sums.sq = vf_select(mask, from->sums.sq, to->sums.sq);
    to->sums.sqq = vf_select(mask, from->sums.sqq, to->sums.sqq);
    to->sums.sqx = vf_select(mask, from->sums.sqx, to->sums.sqx);
    to->error = vf_select(mask, from->error, to->error);
    for (int i = 0; i < LANES; i++) {
        to->half_d[i] = mask[i] ? from->half_d[i] : to->half_d[i];
        to->half_dmin[i] = mask[i] ? from->half_dmin[i] : to->half_dmin[i];
    }
}

/* Integer scales near d and m for the factors in *c: of three scales, each with the minimum that
 * suits its rounding best, the one of least error. */
LANE_FN void affine_integers(int n, const fit_shape *shape, const group_lanes *g, vf d, vf m,
                             affine_choice *c)
{
    const vf top = vf_all((float)shape->scales), levels = vf_all((float)shape->levels);
    const vf near = vf_round(vf_clamp(vf_ratio(d, c->d), (vf){0}, top));
    const vf min = vf_round(vf_clamp(vf_ratio(m, c->dmin), (vf){0}, top));
    affine_choice trial = *c;

    c->error = vf_all(FLT_MAX);
    for (int k = -1; k <= 1; k++) {
        vf scale = vf_clamp(near + (float)k, (vf){0}, top), slope = c->d * scale, wanted;

        affine_round(n, g, vf_ratio(vf_all(1), slope), c->dmin * min, levels, &trial.sums);
        wanted = vf_ratio(slope * trial.sums.sq - trial.sums.sx, trial.sums.sw);
        trial.scale = scale;
        trial.min = vf_round(vf_clamp(vf_ratio(wanted, c->dmin), (vf){0}, top));
        trial.error = affine_error(&trial.sums, slope, c->dmin * trial.min);
        affine_select(trial.error < c->error, &trial, c);
    }
}

/* Both factors of each super-block by least squares over its groups, scales and quants given. */
LANE_FN void affine_factors(const fit_shape *shape, const group_lanes *g, affine_choice *c)
{
    const int per = shape->per_super;
    const affine_sums *s = &c->sums;
    vf dd = super_sum(per, c->scale * c->scale * s->sqq),
       dm = super_sum(per, c->scale * c->min * s->sq);
    vf mm = super_sum(per, c->min * c->min * s->sw), dx = super_sum(per, c->scale * s->sqx);
    vf mx = super_sum(per, c->min * s->sx), det = dd * mm - dm * dm;
    vi firm = det > 1e-4f * dd * mm; /* else the two are nearly the same direction */

    c->d = vf_select(firm, vf_ratio(dx * mm - mx * dm, det), vf_ratio(dx + c->dmin * dm, dd));
    c->dmin = vf_select(firm, vf_ratio(dx * dm - mx * dd, det), c->dmin);
    c->d = half_factor(c->d, g->unit, c->half_d);
    c->dmin = half_factor(c->dmin, g->unit, c->half_dmin);
}

LANE_FN void affine_body(int n, const fit_shape *shape, const float *x, const float *importance,
                         int n_groups, fit_result *out)
{
    const int per = shape->per_super;
    group_lanes g;
    affine_choice c = {0}, best;
    vf d, m, inverse;

    load_groups(n, per, x, importance, n_groups, &g);
    affine_search(n, shape, &g, &c.sums, &d, &m);
    c.d = half_factor(super_peak(per, d) / (float)shape->scales, g.unit, c.half_d);
    c.dmin = half_factor(super_peak(per, m) / (float)shape->scales, g.unit, c.half_dmin);
    affine_integers(n, shape, &g, d, m, &c);
    best = c;
    for (int round = 0; round < AFFINE_ROUNDS; round++) {
        d = c.d * c.scale;
        m = c.dmin * c.min;
        affine_factors(shape, &g, &c);
        affine_integers(n, shape, &g, d, m, &c);
        affine_select(super_sum(per, c.error) < super_sum(per, best.error), &c, &best);
    }
    inverse = vf_ratio(vf_all(1), best.d * best.scale);
    for (int j = 0; j < n; j++)
        store_quants(
            n, j, affine_quant(g.x[j], inverse, best.dmin * best.min, vf_all((float)shape->levels)),
            out->q);
    store_scales(best.scale, out->scale);
    store_scales(best.min, out->min);
    memcpy(out->d, best.half_d, sizeof out->d);
    memcpy(out->dmin, best.half_dmin, sizeof out->dmin);
}

static void fit_affine(const fit_shape *shape, const float *x, const float *importance,
                       int n_groups, fit_result *out)
{
    if (shape->group == 16)
        affine_body(16, shape, x, importance, n_groups, out);
    else
        affine_body(32, shape, x, importance, n_groups, out);
}

#endif
