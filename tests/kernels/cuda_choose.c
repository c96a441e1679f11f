/* SPDX-License-Identifier: MIT */
/*
 * Choosing tokens on the device against the rules of <realizar/sampler.h>, computed here with a
 * sort: widths, settings, ties, penalties, forbidden tokens, rows that cannot be chosen from. A
 * choice may differ where the number drawn lies within 1e-6 of the border between two tokens, as
 * exponentials may differ in their last bit.
 */
#include "../support/choice_rules.h"
#include "cuda_sides.h"

enum { MOST_ROWS = 64, BORDER = 1 };

/* 0: the same; 1: another, as wrong as it may be (see above); 2: wrong. */
static int judge(const candidate *e, int n, double random, int32_t id)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        double before = sum;

        sum += e[i].probability;
        if (e[i].id == id)
            return (random >= before && random < sum) || (i == n - 1 && random >= before) ? 0
                   : random >= before - 1e-6 && random < sum + 1e-6                       ? BORDER
                                                                                          : 2;
    }
    return 2;
}

static double log_of_sum(const float *logits, const uint8_t *forbidden, int width)
{
    double sum = 0;

    for (int i = 0; i < width; i++)
        if (forbidden == NULL || !forbidden[i])
            sum += exp((double)logits[i]);
    return log(sum);
}

static double draw_number(void)
{
    return (double)(test_bits() >> 11) * 0x1p-53;
}

static void fill_choice(trueno_choice *c, int round, int width, int32_t *recent)
{
    static const int32_t K[] = {40, 1, 2, 20, 256, 7};
    static const float P[] = {0.95f, 1, 0.5f}, T[] = {0.7f, 1.5f, 0, 1}, M[] = {0.05f, 0, 0.3f};

    *c = (trueno_choice){.top_k = K[round % 6],
                         .top_p = P[round % 3],
                         .min_p = M[round / 3 % 3],
                         .temperature = T[round % 4],
                         .repeat_penalty = 1,
                         .random = draw_number()};
    if (round % 2 == 0)
        return;
    c->recent = recent;
    c->n_recent = test_int(1, TRUENO_MOST_RECENT - 1);
    c->recent_chosen = round % 4 == 3;
    for (int i = 0; i < c->n_recent; i++)
        recent[i] = test_int(0, width - 1 < 50 ? width - 1 : 50);
    c->repeat_penalty = 1.3f;
    c->frequency_penalty = 0.1f;
    c->presence_penalty = -0.2f;
}

/* kind 0: normal numbers; 1: few different ones; 2: one alone. */
static void fill_logits(float *x, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++)
        x[i] = kind == 0 ? 3 * random_normal() : kind == 1 ? (float)test_int(-3, 9) : 1.0f;
}

typedef struct choose_test {
    trueno_backend *be;
    trueno_kv *kv[MOST_ROWS];
    int32_t last[MOST_ROWS];
    int n_border;
} choose_test;

static void check_rows(choose_test *t, int round, int n, int width, int kind)
{
    size_t count = (size_t)n * (size_t)width;
    float *logits = malloc(count * sizeof *logits), *d;
    uint8_t *forbidden = NULL;
    void *d_forbidden = NULL;
    trueno_bias bias[TRUENO_MOST_BIAS] = {{0, 0}};
    int n_bias = width < TRUENO_MOST_BIAS ? 1 : TRUENO_MOST_BIAS;
    static int32_t recent[MOST_ROWS][TRUENO_MOST_RECENT];
    candidate *e = malloc((size_t)width * sizeof *e);
    trueno_choice c[MOST_ROWS];
    trueno_error err = {0};
    int wrong = 0;
    double worst = 0;
    char what[96];

    fill_logits(logits, count, kind);
    if (round % 3 == 1) {
        forbidden = calloc((size_t)width, 1);
        for (int i = 0; i < width; i++)
            forbidden[i] = i % 7 == 3;
        if (t->be->alloc(t->be, (size_t)width, &d_forbidden, &err) < 0 ||
            t->be->write(t->be, d_forbidden, forbidden, (size_t)width, &err) < 0)
            die(&err);
    }
    for (int i = 0; i < n_bias; i++)
        bias[i] = (trueno_bias){width / n_bias * i, i % 3 == 0 ? -INFINITY : test_float()};
    d = put(t->be, logits, count);
    for (int r = 0; r < n; r++) {
        fill_choice(&c[r], round + r, width, recent[r]);
        c[r].kv = t->kv[r];
        c[r].forbidden = d_forbidden;
        c[r].bias = bias;
        c[r].n_bias = round % 3 == 0 ? 0 : n_bias;
    }
    if (t->be->choose(t->be, d, n, width, c, &err) < 0)
        die(&err);
    for (int r = 0; r < n; r++) {
        const float *row = logits + (size_t)r * (size_t)width;
        trueno_chosen got;
        int kept = list_candidates(row, forbidden, width, &c[r], t->last[r], e), how;

        if (t->be->chosen(t->be, t->kv[r], c[r].ticket, &got, &err) < 0)
            die(&err);
        how = kept == 0 ? 2 * (got.id != TRUENO_CHOSEN_NONE)
                        : judge(e, kept, kept == 1 ? 0 : c[r].random, got.id);
        t->n_border += how == BORDER;
        wrong += how > BORDER;
        if (got.id >= 0) {
            double lp = row[got.id] - log_of_sum(row, forbidden, width);

            worst = fmax(worst, fabs(lp - got.log_probability));
        }
        t->last[r] = got.id >= 0 ? got.id : 0;
    }
    (void)snprintf(what, sizeof what, "%d choices of %d logits, kind %d", n, width, kind);
    report(what, wrong, 0);
    report("log probability", worst, 1e-4);
    drop(t->be, d);
    t->be->release(t->be, d_forbidden);
    free(forbidden), free(logits), free(e);
}

/* Rows from which nothing can be chosen, and a row that nothing is asked of. */
static void check_bad(choose_test *t)
{
    enum { WIDTH = 500 };
    static float logits[4][WIDTH];
    static uint8_t forbidden[WIDTH];
    trueno_choice c[4];
    trueno_chosen got;
    trueno_error err = {0};
    float *d;
    void *d_forbidden = NULL;

    fill_logits(logits[0], sizeof logits / sizeof logits[0][0], 0);
    logits[0][77] = NAN;
    logits[1][499] = INFINITY;
    for (int i = 0; i < WIDTH; i++) {
        forbidden[i] = 1;
        logits[3][i] = -INFINITY;
    }
    d = put(t->be, logits[0], sizeof logits / sizeof logits[0][0]);
    if (t->be->alloc(t->be, WIDTH, &d_forbidden, &err) < 0 ||
        t->be->write(t->be, d_forbidden, forbidden, WIDTH, &err) < 0)
        die(&err);
    for (int r = 0; r < 4; r++) {
        fill_choice(&c[r], 0, WIDTH, NULL);
        c[r].kv = t->kv[r];
    }
    c[2].forbidden = d_forbidden;
    if (t->be->choose(t->be, d, 4, WIDTH, c, &err) < 0)
        die(&err);
    for (int r = 0; r < 4; r++) {
        if (t->be->chosen(t->be, t->kv[r], c[r].ticket, &got, &err) < 0)
            die(&err);
        report("a row without a choice",
               got.id != (r < 2 ? TRUENO_CHOSEN_NOT_FINITE : TRUENO_CHOSEN_NONE), 0);
    }
    c[0].top_k = 0;
    if (t->be->choose(t->be, d + (size_t)2 * WIDTH, 1, WIDTH, c, &err) < 0)
        die(&err);
    report("a ticket that never comes",
           t->be->chosen(t->be, t->kv[0], c[0].ticket + 1, &got, &err) != TRUENO_INFERENCE, 0);
    printf("a ticket that never comes: %s\n", err.message);
    drop(t->be, d);
    t->be->release(t->be, d_forbidden);
}

int main(void)
{
    static const int WIDTHS[] = {1, 2, 33, 300, 1000, 5000, 49152, 151936};
    trueno_kv_shape shape = {1, 1, 64, 64, TRUENO_KV_F16};
    choose_test t = {0};
    trueno_error err = {0};

    test_seed_init();
    open_sides();
    t.be = sides[CUDA];
    for (int r = 0; r < MOST_ROWS; r++)
        if (t.be->kv_new(t.be, &shape, &t.kv[r], &err) < 0)
            die(&err);
    for (int r = 0; r < MOST_ROWS; r++)
        t.last[r] = 0; /* cleared with the session */
    for (int round = 0; round < 48; round++)
        check_rows(&t, round, round % 5 == 4 ? MOST_ROWS : test_int(1, 8), WIDTHS[round % 8],
                   round < 24 ? 0 : round % 3);
    check_rows(&t, 0, 6, 151936, 2);
    check_bad(&t);
    printf("%d choices at a border\n", t.n_border);
    for (int r = 0; r < MOST_ROWS; r++)
        t.be->kv_free(t.be, t.kv[r]);
    return close_sides();
}
