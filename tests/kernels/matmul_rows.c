/* SPDX-License-Identifier: MIT */
/*
 * What a product does beside multiplying: bias and addition, for one row and for many; and a NaN or
 * an infinity, which stays in its row.
 */
#include "products.h"

/* bias and add: (product + bias) + y, at the highest level. */
static void check_epilogue(trueno_type type)
{
    trueno_tensor t = make_tensor(type, 45, 512, 0.01f);
    level_context c = level_open(UINT32_MAX, 2);
    float *x = make_activations(512), bias[45], start[MANY * 45], *plain, *y;
    packed_weight *w;
    trueno_error err;
    bool ok = true;

    for (int i = 0; i < 45; i++)
        bias[i] = random_normal();
    for (int i = 0; i < MANY * 45; i++)
        start[i] = random_normal();
    must(packed_new(&w, c.work, &t, 1, false, &err), &err);
    for (int64_t n = 1; n <= MANY; n += MANY - 1) {
        plain = multiply(&c, w, NULL, x, n, NULL);
        y = multiply(&c, w, bias, x, n, start);
        for (int64_t i = 0; i < n * 45; i++) {
            float v = plain[i] + bias[i % 45];

            ok &= y[i] == v + start[i];
        }
        free(plain);
        free(y);
    }
    check(ok, "bias or add", type, 45, 512);
    packed_free(w);
    level_close(&c);
    free(x);
    free_tensor(&t);
}

/* A NaN or an infinity in one row of activations is seen in that row alone, at every level. */
static void check_nan(trueno_type type)
{
    trueno_tensor t = make_tensor(type, 20, 512, 0.01f);
    float *x = make_activations(512);

    x[5 * 512 + 100] = NAN;
    x[6 * 512 + 511] = INFINITY;
    for (int l = 0; l < N_LEVELS; l++) {
        level_context c;
        packed_weight *w;
        trueno_error err;
        bool seen = true, alone = true;
        float *y;

        if (!level_is_here(&LEVELS[l]))
            continue;
        c = level_open(LEVELS[l].flags, 1);
        must(packed_new(&w, c.work, &t, 1, false, &err), &err);
        y = multiply(&c, w, NULL, x, MANY, NULL);
        for (int i = 0; i < MANY * 20; i++) {
            bool bad = i / 20 == 5 || i / 20 == 6;

            seen &= !bad || !isfinite(y[i]);
            alone &= bad || isfinite(y[i]);
        }
        check(seen, "a NaN or infinity was lost", type, 20, 512);
        check(alone, "a NaN or infinity spread to another row", type, 20, 512);
        free(y);
        packed_free(w);
        level_close(&c);
    }
    free(x);
    free_tensor(&t);
}

int main(void)
{
    test_seed_init();
    name_missing_levels();
    for (int type = 0; type < TRUENO_TYPE_LIMIT; type++)
        if (trueno_type_get(type) != NULL) {
            check_epilogue((trueno_type)type);
            check_nan((trueno_type)type);
        }
    return finish_checks();
}
