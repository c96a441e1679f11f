/* SPDX-License-Identifier: MIT */
/* The tensors of a model in three dimensions, seen from a corner, as SVG. */
#include "../buffer.h"
#include "diagnosis.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 900, HEIGHT = 640, MARGIN = 60, LEGEND = 190 };

/* Parts of a model, by the roles up to which they reach in the table of roles. */
static const struct {
    const char *name, *colour;
    int32_t last;
} PARTS[] = {
    {"embedding and output", "#7a5195", APR_OUTPUT_BIAS},
    {"RoPE factors", "#999999", APR_ROPE_FACTORS_SHORT},
    {"norms", "#2f9e44", APR_ATTN_NORM_BIAS},
    {"attention", "#1c6dd0", APR_ATTN_OUT_BIAS},
    {"norms", "#2f9e44", APR_FFN_NORM_BIAS},
    {"feed-forward", "#e8590c", APR_ROLE_COUNT},
};

static size_t part_of(const apr_tensor *t)
{
    size_t i = 0;

    if (t->role == APR_OUTPUT_NORM || t->role == APR_FFN_POST_NORM || t->role == APR_ATTN_Q_NORM ||
        t->role == APR_ATTN_K_NORM)
        return 2;
    while (t->role > PARTS[i].last && PARTS[i].last != APR_ROLE_COUNT)
        i++;
    return i;
}

static void put(apr_buffer *b, const char *format, ...) TRUENO_PRINTF(2, 3);

static void put(apr_buffer *b, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n > 0)
        apr_buffer_append(b, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void put_escaped(apr_buffer *b, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
            put(b, "&#%d;", *text);
        else if ((unsigned char)*text >= ' ')
            apr_buffer_append(b, text, 1);
}

/* A view: turned 35 degrees about the vertical axis and tipped by 25. */
typedef struct view {
    double low[2], scale, near, far;
} view;

static void turn(const double *at, double *x, double *y, double *depth)
{
    const double a = 35 * M_PI / 180, b = 25 * M_PI / 180;
    double along = at[0] * cos(a) - at[1] * sin(a), back = at[0] * sin(a) + at[1] * cos(a);

    *x = along;
    *y = at[2] * cos(b) + back * sin(b);
    *depth = back * cos(b) - at[2] * sin(b);
}

static view fit_view(const apr_diagnosis *d, const double (*corners)[POINT_DIMENSIONS], int n)
{
    double high[2] = {-INFINITY, -INFINITY};
    view v = {.low = {INFINITY, INFINITY}, .near = INFINITY, .far = -INFINITY};

    for (size_t i = 0; i < d->n_points + (size_t)n; i++) {
        double at[2], depth;

        turn(i < d->n_points ? d->points[i].at : corners[i - d->n_points], &at[0], &at[1], &depth);
        for (int k = 0; k < 2; k++) {
            v.low[k] = fmin(v.low[k], at[k]);
            high[k] = fmax(high[k], at[k]);
        }
        v.near = fmin(v.near, depth);
        v.far = fmax(v.far, depth);
    }
    v.scale = fmin((WIDTH - LEGEND - 2 * MARGIN) / fmax(high[0] - v.low[0], 1e-9),
                   (HEIGHT - 2 * MARGIN) / fmax(high[1] - v.low[1], 1e-9));
    return v;
}

static void place(const view *v, const double *at, double *x, double *y, double *depth)
{
    turn(at, x, y, depth);
    *x = MARGIN + (*x - v->low[0]) * v->scale;
    *y = HEIGHT - MARGIN - (*y - v->low[1]) * v->scale;
    *depth = (*depth - v->near) / fmax(v->far - v->near, 1e-9); /* 0 near, 1 far */
}

static void put_axes(apr_buffer *b, const view *v, const double (*ends)[POINT_DIMENSIONS])
{
    double x0, y0, depth;

    place(v, ends[3], &x0, &y0, &depth);
    for (int i = 0; i < POINT_DIMENSIONS; i++) {
        double x, y;

        place(v, ends[i], &x, &y, &depth);
        put(b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#888\"/>\n", x0, y0,
            x, y);
        put(b, "<text x=\"%.1f\" y=\"%.1f\" fill=\"#444\">%d</text>\n", x + 6, y + 4, i + 1);
    }
}

static void put_legend(apr_buffer *b)
{
    int line = 0;

    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (i > 0 && i != 4) /* norms stand twice in the order of roles */
            line++;
        if (i == 4)
            continue;
        put(b, "<circle cx=\"%d\" cy=\"%d\" r=\"6\" fill=\"%s\"/>\n", WIDTH - LEGEND,
            60 + 24 * line, PARTS[i].colour);
        put(b, "<text x=\"%d\" y=\"%d\">%s</text>\n", WIDTH - LEGEND + 14, 64 + 24 * line,
            PARTS[i].name);
    }
}

static void put_points(apr_buffer *b, const apr_diagnosis *d, const view *v)
{
    for (int layer = 0; layer < 8; layer++) /* far ones first, in eight slices of depth */
        for (size_t i = 0; i < d->n_points; i++) {
            const diagnosis_point *p = &d->points[i];
            double x, y, depth;
            int slice;

            place(v, p->at, &x, &y, &depth);
            slice = (int)fmin(7, (1 - depth) * 8);
            if (slice != layer)
                continue;
            put(b,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" "
                "fill-opacity=\"0.75\"><title>",
                x, y, 6 - 3 * depth, PARTS[part_of(p->tensor)].colour);
            put_escaped(b, p->tensor->name);
            put(b, "</title></circle>\n");
        }
}

trueno_status apr_diagnosis_plot(const apr_diagnosis *d, char **out, size_t *bytes,
                                 trueno_error *err)
{
    apr_buffer b = {.allocator = d->allocator};
    const char *slash = strrchr(apr_model_path(d->model), '/');
    double ends[4][POINT_DIMENSIONS];
    view v;

    for (int k = 0; k < POINT_DIMENSIONS; k++) {
        double low = 0, high = 0;

        for (size_t i = 0; i < d->n_points; i++) {
            low = fmin(low, d->points[i].at[k]);
            high = fmax(high, d->points[i].at[k]);
        }
        for (int e = 0; e < 4; e++)
            ends[e][k] = e == k ? high : low;
    }
    v = fit_view(d, (const double(*)[POINT_DIMENSIONS])ends, 4);
    put(&b,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
        "%d\" "
        "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" "
        "fill=\"white\"/>\n<text x=\"%d\" y=\"28\" font-size=\"16\">",
        WIDTH, HEIGHT, WIDTH, HEIGHT, MARGIN);
    put_escaped(&b, slash != NULL ? slash + 1 : apr_model_path(d->model));
    put(&b, ": %zu tensors, %.0f %% of the variance of twelve statistics</text>\n", d->n_points,
        100 * d->criteria[2].value);
    put_axes(&b, &v, (const double(*)[POINT_DIMENSIONS])ends);
    put_points(&b, d, &v);
    put_legend(&b);
    put(&b, "</svg>\n");
    apr_buffer_append(&b, "", 1);
    *out = NULL;
    *bytes = 0;
    if (!b.failed && (*out = trueno_allocate(d->allocator, b.length, 1)) != NULL) {
        memcpy(*out, b.data, b.length);
        *bytes = b.length - 1;
    }
    apr_buffer_free(&b);
    return *out != NULL ? TRUENO_OK : trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the plot");
}
