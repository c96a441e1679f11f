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
#define AFFINE_UNUSED  4  /* upper levels that a group which was quantised before may leave out */
#define AFFINE_REFINES 3  /* alternations of rounding and least squares */
#define AFFINE_ROUNDS  2  /* alternations of integer scales and factors */

/* A slope replaces a smaller one only where it gains more than rounding noise: of equally good ones
 * the smallest leaves the finest steps to the other groups of its super-block. (A group that one
 * outlier rules can put it on any level.) The symmetric search has no such margin: measured on
 * weights that were Q6_K before, it costs more than it saves. */
#define GAIN_MARGIN 1.0000005f

typedef struct affine_sums {
    vf sw, sx, sq, sqq, sqx;
} affine_sums;

/* A choice for the groups of one part: scale and min are whole numbers. */
typedef struct affine_choice {
    vf scale, min;
    affine_sums sums; /* of the quants that w = d scale q - dmin min rounds to */
    vf error;         /* squared, less sum w x x */
} affine_choice;

/* The factors of each group's super-block, in units and as halves. */
typedef struct affine_factors {
    group_values d, dmin;
    uint16_t half_d[FIT_GROUPS], half_dmin[FIT_GROUPS];
} affine_factors;

LANE_FN vf affine_quant(vf x, vf inverse, vf m, vf top)
{
    return vf_round(vf_clamp((x + m) * inverse, (vf){0}, top));
}

/* Round to q = (x + m) * inverse and take the sums. */
LANE_FN void affine_round(int n, const group_lanes *g, int part, vf inverse, vf m, vf top,
                          affine_sums *s)
{
    vf sq = {0}, sqq = {0}, sqx = {0};

    for (int j = 0; j < n; j++) {
        vf x = g->x[j].part[part], q = affine_quant(x, inverse, m, top);
        vf wq = g->w[j].part[part] * q;

        sq += wq;
        sqq += wq * q;
        sqx += wq * x;
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

typedef struct affine_pair {
    vf d, m, gain;
} affine_pair;

/* Round to q = (x + m) * inverse; keep the least-squares pair where it gains more than *best. */
LANE_FN void affine_try(int n, const fit_shape *shape, const group_lanes *g, int part, vf inverse,
                        vf m, affine_sums *s, affine_pair *best)
{
    affine_pair new;
    vi better;

    affine_round(n, g, part, inverse, m, vf_all((float)shape->levels), s);
    new.gain = affine_solve(s, shape->per_super == 1, &new.d, &new.m);
    better = new.gain > best->gain *GAIN_MARGIN;
    best->d = vf_select(better, new.d, best->d);
    best->m = vf_select(better, new.m, best->m);
    best->gain = vf_select(better, new.gain, best->gain);
}

/* Each group's own real d and m. */
LANE_FN affine_pair affine_search(int n, const fit_shape *shape, const group_lanes *g, int part,
                                  affine_sums *s)
{
    vf low = g->x[0].part[part], high = low, range;
    affine_pair best = {{0}, {0}, {0}};

    s->sw = s->sx = (vf){0};
    for (int j = 0; j < n; j++) {
        vf x = g->x[j].part[part];

        low = vf_min(x, low);
        high = vf_max(x, high);
        s->sw += g->w[j].part[part];
        s->sx += g->w[j].part[part] * x;
    }
    if (shape->per_super > 1) /* minima are unsigned */
        low = vf_min(low, (vf){0});
    range = high - low;
    for (int step = AFFINE_STEPS - 1; step >= 0; step--) { /* from small slopes to large */
        float reach = (float)shape->levels - 1.0f + 2.0f / AFFINE_STEPS * (float)step;

        affine_try(n, shape, g, part, vf_ratio(vf_all(reach), range), -low, s, &best);
    }
    for (int unused = 2; unused <= AFFINE_UNUSED && 2 * unused < shape->levels; unused++)
        affine_try(n, shape, g, part, vf_ratio(vf_all((float)(shape->levels - unused)), range),
                   -low, s, &best);
    for (int step = 0; step < AFFINE_REFINES; step++)
        affine_try(n, shape, g, part, vf_ratio(vf_all(1), best.d), best.m, s, &best);
    return best;
}

LANE_FN vf affine_error(const affine_sums *s, vf d, vf m)
{
    return d * (d * s->sqq - 2 * (s->sqx + m * s->sq)) + m * (m * s->sw + 2 * s->sx);
}

LANE_FN void affine_select(vi mask, const affine_choice *from, affine_choice *to)
{
    to->scale = vf_select(mask, from->scale, to->scale);
    to->min = vf_select(mask, from->min, to->min);
    to->sums.sq = vf_select(mask, from->sums.sq, to->sums.sq);
    to->sums.sqq = vf_select(mask, from->sums.sqq, to->sums.sqq);
    to->sums.sqx = vf_select(mask, from->sums.sqx, to->sums.sqx);
    to->error = vf_select(mask, from->error, to->error);
}

/* Integer scales near d and m for the factors f: of three scales, each with the minimum that suits
 * its rounding best, the one of least error. */
LANE_FN void affine_integers(int n, const fit_shape *shape, const group_lanes *g, int part,
                             const affine_factors *f, vf d, vf m, affine_choice *c)
{
    const vf top = vf_all((float)shape->scales), levels = vf_all((float)shape->levels);
    const vf unit_d = f->d.part[part], unit_m = f->dmin.part[part];
    const vf near = vf_round(vf_clamp(vf_ratio(d, unit_d), (vf){0}, top));
    const vf min = vf_round(vf_clamp(vf_ratio(m, unit_m), (vf){0}, top));
    affine_choice trial = *c;

    c->error = vf_all(FLT_MAX);
    for (int k = -1; k <= 1; k++) {
        vf slope, wanted;

        trial.scale = vf_clamp(near + (float)k, (vf){0}, top);
        slope = unit_d * trial.scale;
        affine_round(n, g, part, vf_ratio(vf_all(1), slope), unit_m * min, levels, &trial.sums);
        wanted = vf_ratio(slope * trial.sums.sq - trial.sums.sx, trial.sums.sw);
        trial.min = vf_round(vf_clamp(vf_ratio(wanted, unit_m), (vf){0}, top));
        trial.error = affine_error(&trial.sums, slope, unit_m * trial.min);
        affine_select(trial.error < c->error, &trial, c);
    }
}

/* Both factors of each super-block by least squares over its groups, scales and quants given. */
LANE_FN void affine_refit(const fit_shape *shape, const group_lanes *g, const affine_choice *c,
                          affine_factors *f)
{
    group_values dd, dm, mm, dx, mx;

    for (int part = 0; part < PARTS; part++) {
        const affine_choice *p = &c[part];

        dd.part[part] = p->scale * p->scale * p->sums.sqq;
        dm.part[part] = p->scale * p->min * p->sums.sq;
        mm.part[part] = p->min * p->min * p->sums.sw;
        dx.part[part] = p->scale * p->sums.sqx;
        mx.part[part] = p->min * p->sums.sx;
    }
    super_sum(shape->per_super, &dd);
    super_sum(shape->per_super, &dm);
    super_sum(shape->per_super, &mm);
    super_sum(shape->per_super, &dx);
    super_sum(shape->per_super, &mx);
    for (int part = 0; part < PARTS; part++) {
        vf a = dd.part[part], b = dm.part[part], e = mm.part[part], u = dx.part[part];
        vf v = mx.part[part], det = a * e - b * b, old = f->dmin.part[part];
        vi firm = det > 1e-4f * a * e; /* else the two are nearly the same direction */

        f->d.part[part] = vf_select(firm, vf_ratio(u * e - v * b, det), vf_ratio(u + old * b, a));
        f->dmin.part[part] = vf_select(firm, vf_ratio(u * b - v * a, det), old);
    }
    half_factors(g, &f->d, f->half_d);
    half_factors(g, &f->dmin, f->half_dmin);
}

/* Which super-blocks the new choice improves: they replace those of the best. */
LANE_FN void affine_keep(const fit_shape *shape, const affine_choice *c, const affine_factors *f,
                         affine_choice *best, affine_factors *best_f)
{
    group_values now, before;

    for (int part = 0; part < PARTS; part++) {
        now.part[part] = c[part].error;
        before.part[part] = best[part].error;
    }
    super_sum(shape->per_super, &now);
    super_sum(shape->per_super, &before);
    for (int part = 0; part < PARTS; part++) {
        vi better = now.part[part] < before.part[part];

        affine_select(better, &c[part], &best[part]);
        best_f->d.part[part] = vf_select(better, f->d.part[part], best_f->d.part[part]);
        best_f->dmin.part[part] = vf_select(better, f->dmin.part[part], best_f->dmin.part[part]);
    }
    for (int i = 0; i < FIT_GROUPS; i++) {
        if (now.lane[i] < before.lane[i]) {
            best_f->half_d[i] = f->half_d[i];
            best_f->half_dmin[i] = f->half_dmin[i];
        }
    }
}

LANE_FN void affine_store(int n, const fit_shape *shape, const group_lanes *g,
                          const affine_choice *c, const affine_factors *f, fit_result *out)
{
    for (int part = 0; part < PARTS; part++) {
        vf inverse = vf_ratio(vf_all(1), f->d.part[part] * c[part].scale);
        vf m = f->dmin.part[part] * c[part].min, top = vf_all((float)shape->levels);

        for (int j = 0; j < n; j++)
            store_quants(n, part, j, affine_quant(g->x[j].part[part], inverse, m, top), out->q);
        store_scales(part, c[part].scale, out->scale);
        store_scales(part, c[part].min, out->min);
    }
    memcpy(out->d, f->half_d, sizeof out->d);
    memcpy(out->dmin, f->half_dmin, sizeof out->dmin);
}

LANE_FN void affine_body(int n, const fit_shape *shape, const float *x, const float *importance,
                         int n_groups, fit_result *out)
{
    group_lanes g;
    affine_choice c[PARTS] = {0}, best[PARTS];
    affine_pair pair[PARTS];
    affine_factors f, best_f;

    load_groups(n, shape->per_super, x, importance, n_groups, &g);
    for (int part = 0; part < PARTS; part++) {
        pair[part] = affine_search(n, shape, &g, part, &c[part].sums);
        f.d.part[part] = pair[part].d / (float)shape->scales;
        f.dmin.part[part] = pair[part].m / (float)shape->scales;
    }
    super_peak(shape->per_super, &f.d);
    super_peak(shape->per_super, &f.dmin);
    half_factors(&g, &f.d, f.half_d);
    half_factors(&g, &f.dmin, f.half_dmin);
    for (int part = 0; part < PARTS; part++) {
        affine_integers(n, shape, &g, part, &f, pair[part].d, pair[part].m, &c[part]);
        best[part] = c[part];
    }
    best_f = f;
    for (int round = 0; round < AFFINE_ROUNDS; round++) {
        for (int part = 0; part < PARTS; part++) {
            pair[part].d = f.d.part[part] * c[part].scale;
            pair[part].m = f.dmin.part[part] * c[part].min;
        }
        affine_refit(shape, &g, c, &f);
        for (int part = 0; part < PARTS; part++)
            affine_integers(n, shape, &g, part, &f, pair[part].d, pair[part].m, &c[part]);
        affine_keep(shape, c, &f, best, &best_f);
    }
    affine_store(n, shape, &g, best, &best_f, out);
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
