/* SPDX-License-Identifier: MIT */
/*
 * What the CUDA backend computes beside products (cuda.c) and attention (cuda_attention.c), against
 * the reference backend: embedding of every weight type, and operations on rows of any width.
 * Without a device it exits with 77 (skipped).
 */
#include "cuda_weights.h"

static void test_embed(void)
{
    for (int t = 0; t < N_TYPES; t++) {
        int64_t rows = 50, cols = 512;
        weight_pair w = make_weight(&TYPES[t], &rows, 1, cols);
        int32_t tokens[7] = {0, 49, 17, 16, 15, 33, 48};
        trueno_span span = {NULL, 0, 7, 0};
        trueno_rows step = {7, 1, tokens, &span};
        float *out[N_SIDES];
        char what[64];

        for (int s = 0; s < N_SIDES; s++) {
            trueno_error err = {0};
            float *dy = put_poison(sides[s], 7 * (size_t)cols);

            if (sides[s]->step_begin(sides[s], &step, &err) < 0)
                die(&err);
            sides[s]->embed(sides[s], w.side[s], 3.5f, dy);
            if (sides[s]->step_end(sides[s], &err) < 0)
                die(&err);
            out[s] = get(sides[s], dy, 7 * (size_t)cols);
            drop(sides[s], dy);
        }
        (void)snprintf(what, sizeof what, "embed %s", trueno_type_get(TYPES[t])->name);
        report(what, compare(out[CUDA], out[REFERENCE], 7 * (size_t)cols).relative, 1e-6);
        free(out[0]), free(out[1]);
        free_weight(&w);
    }
}

static int32_t largest(const float *row, int32_t width)
{
    int32_t best = 0;

    for (int32_t i = 1; i < width; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

static void test_elementwise(void)
{
    for (int round = 0; round < 12; round++) {
        int32_t n = round < 3 ? 1 : test_int(1, 40), width = test_int(1, 700);
        size_t count = (size_t)n * (size_t)width;
        trueno_activation act = (trueno_activation)(round % 3);
        int32_t picked[5] = {n - 1, 0, n / 2, n - 1, n / 3}, ids[40];
        float *x = malloc(2 * count * sizeof *x), *w = malloc((size_t)width * sizeof *w);
        float *out[N_SIDES][8];
        size_t sizes[8] = {count, count, count, count, count, 5 * (size_t)width, count, count};
        const char *names[8] = {"rms norm", "layer norm", "glu",     "activate",
                                "add",      "gather",     "softcap", "add gated"};
        trueno_error err = {0};

        test_fill(x, 2 * count, round % 4 == 3 ? 1e4f : 4.0f);
        test_fill(w, (size_t)width, 2.0f);
        x[test_int(0, (int)count - 1)] = x[test_int(0, (int)count - 1)]; /* ties for argmax */
        for (int s = 0; s < N_SIDES; s++) {
            trueno_backend *be = sides[s];
            float *dx = put(be, x, 2 * count), *dw = put(be, w, (size_t)width),
                  *dy = put_poison(be, 2 * count);
            trueno_norm norm = {TRUENO_NORM_RMS, width, 1e-6f, dw, NULL};

            be->norm(be, &norm, dx, n, dy);
            out[s][0] = get(be, dy, count);
            norm = (trueno_norm){TRUENO_NORM_LAYER, width, 1e-5f, dw, dw};
            be->norm(be, &norm, dx, n, dy);
            out[s][1] = get(be, dy, count);
            be->glu(be, act, dx, n, width, dy);
            out[s][2] = get(be, dy, count);
            be->activate(be, act, dx, n, width, dy);
            out[s][3] = get(be, dy, count);
            be->add(be, dx, n, width, dy);
            out[s][4] = get(be, dy, count);
            be->add_gated(be, dx + count, dx, n, width, dy);
            out[s][7] = get(be, dy, count);
            {
                float *dg = put_poison(be, 5 * (size_t)width);

                be->gather(be, dx, picked, 5, width, dg);
                out[s][5] = get(be, dg, 5 * (size_t)width);
                drop(be, dg);
            }
            if (s == CUDA && be->argmax(be, dx, n, width, ids, &err) < 0)
                die(&err);
            be->softcap(be, 30.0f, dx, n, width);
            out[s][6] = get(be, dx, count);
            drop(be, dx), drop(be, dw), drop(be, dy);
        }
        for (int k = 0; k < 8; k++) {
            report(names[k], compare(out[CUDA][k], out[REFERENCE][k], sizes[k]).relative,
                   k == 1 && width < 8 ? 1e-3 : 1e-5);
            free(out[0][k]), free(out[1][k]);
        }
        for (int r = 0; r < n; r++)
            report("argmax", ids[r] != largest(x + (size_t)r * (size_t)width, width), 0);
        free(x), free(w);
    }
}

int main(void)
{
    test_seed_init();
    open_sides();
    test_embed();
    test_elementwise();
    return close_sides();
}
