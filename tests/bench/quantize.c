/* SPDX-License-Identifier: MIT */
/*
 * Times the rounding of a whole model to a mix, and weighs the errors against another quantiser's:
 *     bench_quantize THREADS MIX SOURCE.gguf [OTHER.gguf]
 * Reads every tensor of the source (best F16 or F32), rounds those that the mix names, and prints
 * seconds and weights a second. With OTHER, made from the same source by another program, it prints
 * for each tensor the root mean square error of both, relative to the tensor's own, and at the end
 * the worst and the mean ratio.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr/mixes.h>
#include <apr/model.h>
#include <trueno/quantize.h>
#include <trueno/sys/threads.h>

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_quantize: %s\n", what);
    exit(1);
}

static apr_model *open_or_die(const char *path)
{
    apr_model *model;
    trueno_error err;

    if (apr_model_open(&model, path, NULL, &err) < 0)
        die(err.message);
    return model;
}

/* Root mean square of a - b relative to b's. */
static double relative_error(const trueno_tensor *a, const trueno_tensor *b)
{
    float *x = malloc((size_t)a->cols * sizeof *x), *y = malloc((size_t)b->cols * sizeof *y);
    double error = 0, total = 0;

    if (x == NULL || y == NULL)
        die("no memory");
    for (int64_t r = 0; r < a->rows; r++) {
        trueno_tensor_row_to_f32(a, r, x);
        trueno_tensor_row_to_f32(b, r, y);
        for (int64_t k = 0; k < a->cols; k++) {
            error += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
            total += (double)y[k] * y[k];
        }
    }
    free(x);
    free(y);
    return sqrt(error / total);
}

typedef struct ratios {
    double worst, log_sum;
    int n;
} ratios;

/* Both errors of one tensor, the other program's tensor being of the same type. */
static void compare(const apr_model *other, const apr_tensor *t, const trueno_tensor *source,
                    const trueno_tensor *ours, ratios *r)
{
    const apr_tensor *theirs = apr_model_find(other, t->name);
    trueno_tensor matrix;
    double mine, reference;

    if (theirs == NULL || theirs->type != ours->type) {
        (void)printf("%-28s %s, the other file has %s\n", t->name,
                     trueno_type_get(ours->type)->name,
                     theirs != NULL ? trueno_type_get(theirs->type)->name : "no such tensor");
        return;
    }
    matrix = apr_tensor_matrix(other, theirs);
    mine = relative_error(ours, source);
    reference = relative_error(&matrix, source);
    (void)printf("%-28s %-6s error %.4e other %.4e ratio %.4f\n", t->name,
                 trueno_type_get(ours->type)->name, mine, reference, mine / reference);
    if (reference > 0) {
        r->worst = fmax(r->worst, mine / reference);
        r->log_sum += log(mine / reference);
        r->n++;
    }
}

int main(int argc, char **argv)
{
    const apr_mix *mix = argc >= 4 ? apr_mix_find(argv[2]) : NULL;
    apr_model *model, *other;
    trueno_pool *pool;
    trueno_error err;
    double spent = 0, weights = 0;
    ratios r = {0};

    if (mix == NULL)
        die("THREADS MIX SOURCE.gguf [OTHER.gguf]");
    model = open_or_die(argv[3]);
    other = argc > 4 ? open_or_die(argv[4]) : NULL;
    if (trueno_pool_new(&pool, atoi(argv[1]), NULL, &err) < 0)
        die(err.message);
    for (size_t i = 0; i < apr_model_tensor_count(model); i++) {
        const apr_tensor *t = apr_model_tensor(model, i);
        trueno_tensor source = apr_tensor_matrix(model, t), ours;
        int type = t->role < 0 ? -1
                               : apr_mix_type(mix, apr_model_config(model), false,
                                              (apr_role)t->role, t->layer, source.cols);
        size_t bytes = type < 0 ? 0 : (size_t)source.rows * trueno_row_bytes(type, source.cols);
        void *blocks = malloc(bytes + 1);
        double start = seconds();

        if (type >= 0 && blocks != NULL) {
            if (trueno_quantize_rows(&source, type, NULL, blocks, pool, NULL, &err) < 0)
                die(err.message);
            spent += seconds() - start;
            weights += (double)source.rows * (double)source.cols;
            ours = trueno_tensor_make(type, source.rows, source.cols, blocks);
            if (other != NULL)
                compare(other, t, &source, &ours, &r);
        }
        free(blocks);
    }
    (void)printf("%s: %.2f s for %.1f M weights, %.1f M a second, %s threads\n", apr_mix_name(mix),
                 spent, weights * 1e-6, weights * 1e-6 / spent, argv[1]);
    if (r.n > 0)
        (void)printf("%d tensors: error against the other's: worst %.4f, mean %.4f\n", r.n, r.worst,
                     exp(r.log_sum / r.n));
    trueno_pool_free(pool);
    apr_model_close(other);
    apr_model_close(model);
    return 0;
}
