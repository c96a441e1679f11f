/* SPDX-License-Identifier: MIT */
/* The rules by which a token is chosen (bias, penalties, top-k, top-p, min-p, temperature), with a
 * sort: what the backends' choose() is compared with. */
#ifndef TESTS_SUPPORT_CHOICE_RULES_H
#define TESTS_SUPPORT_CHOICE_RULES_H

#include <math.h>
#include <stdlib.h>
#include <trueno/backend.h>

typedef struct candidate {
    int32_t id;
    float value;
    float probability;
} candidate;

static inline int by_value(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    return x->value != y->value ? (x->value < y->value) - (x->value > y->value)
                                : (x->id > y->id) - (x->id < y->id);
}

static inline void set_probabilities(candidate *e, int n, float t)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        e[i].probability = expf((e[i].value - e[0].value) / t);
        sum += e[i].probability;
    }
    for (int i = 0; i < n; i++)
        e[i].probability = (float)(e[i].probability / sum);
}

static inline float penalized(const trueno_choice *c, int32_t id, int32_t last, float v)
{
    int count = 0;

    for (int i = 0; i < c->n_recent; i++)
        count += c->recent[i] == id;
    count += c->recent_chosen && last == id;
    if (count == 0)
        return v;
    v = v > 0 ? v / c->repeat_penalty : v * c->repeat_penalty;
    return v - (c->frequency_penalty * (float)count + c->presence_penalty);
}

/* The candidates that are left, most probable first; returns how many. */
static inline int list_candidates(const float *logits, const uint8_t *forbidden, int width,
                                  const trueno_choice *c, int32_t last, candidate *e)
{
    int n = 0, kept;
    double sum = 0;

    for (int id = 0; id < width; id++) {
        float v;

        if (forbidden != NULL && forbidden[id])
            continue;
        v = logits[id];
        for (int i = 0; i < c->n_bias; i++)
            v += c->bias[i].id == id ? c->bias[i].bias : 0.0f;
        v = penalized(c, id, last, v);
        if (v != -INFINITY)
            e[n++] = (candidate){id, v, 0};
    }
    qsort(e, (size_t)n, sizeof *e, by_value);
    n = n < c->top_k ? n : c->top_k;
    if (n == 0 || c->temperature == 0)
        return n < 1 ? n : 1;
    set_probabilities(e, n, 1);
    if (c->top_p < 1)
        for (int i = 0; i < n; i++) {
            sum += e[i].probability;
            if (sum >= c->top_p) {
                n = i + 1;
                break;
            }
        }
    for (kept = 1; kept < n && e[kept].probability >= c->min_p * e[0].probability; kept++)
        ;
    n = c->min_p > 0 ? kept : n;
    set_probabilities(e, n, c->temperature);
    return n;
}

static inline int draw_candidate(const candidate *e, int n, double random)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        sum += e[i].probability;
        if (random < sum)
            return i;
    }
    return n - 1;
}

#endif
