/* SPDX-License-Identifier: MIT */
/*
 * The reference backend against transformers in F32 on a real file: real_logits LOGITS.json
 * MODEL.gguf
 *
 * Every position's largest logits and log-sum-exp, and samples of the rest, must lie within ALLOWED
 * times the root mean square of all logits: both sides use the same dequantised weights in F32 and
 * differ by orders of summation alone.
 */
#include "logits.h"

#include <jansson.h>
#include <math.h>

#define ALLOWED 1e-4

static double log_sum_exp(const float *row, int32_t n)
{
    double largest = row[0], sum = 0;

    for (int32_t i = 1; i < n; i++)
        largest = row[i] > largest ? row[i] : largest;
    for (int32_t i = 0; i < n; i++)
        sum += exp(row[i] - largest);
    return largest + log(sum);
}

static double number(const json_t *array, size_t i)
{
    return json_number_value(json_array_get(array, i));
}

/* Largest difference of one position. */
static double row_difference(const float *row, int32_t vocabulary, const json_t *expected,
                             int32_t stride)
{
    const json_t *ids = json_object_get(expected, "ids"),
                 *best = json_object_get(expected, "logits");
    const json_t *sampled = json_object_get(expected, "sampled");
    double worst = fabs(log_sum_exp(row, vocabulary) -
                        json_number_value(json_object_get(expected, "log_sum_exp")));

    for (size_t i = 0; i < json_array_size(ids); i++)
        worst = fmax(worst, fabs(row[(size_t)number(ids, i)] - number(best, i)));
    for (size_t i = 0; i < json_array_size(sampled); i++)
        worst = fmax(worst, fabs(row[i * (size_t)stride] - number(sampled, i)));
    return worst;
}

int main(int argc, char **argv)
{
    realizar_engine_options options;
    realizar_engine *engine;
    trueno_error err = {0};
    double worst = 0;

    if (argc != 3)
        return 2;
    json_t *file = json_load_file(argv[1], 0, NULL);
    const json_t *rows = json_object_get(file, "rows"), *given = json_object_get(file, "ids");
    const size_t count = json_array_size(given);
    const double rms = json_number_value(json_object_get(file, "rms"));
    int32_t *ids = calloc(count + 1, sizeof *ids);

    if (!file || !ids || count == 0 || json_array_size(rows) != count || !(rms > 0)) {
        fprintf(stderr, "%s: not a file of logits\n", argv[1]);
        return 1;
    }
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)number(given, i);
    realizar_engine_options_init(&options, sizeof options);
    options.backend = "reference";
    options.kv_type = TRUENO_KV_F32;
    require(realizar_engine_open(&engine, argv[2], &options, &err), &err);
    const int32_t vocabulary = realizar_engine_vocab_size(engine);
    float *logits = logits_of(engine, ids, (int32_t)count);

    for (size_t i = 0; i < count; i++) {
        const double difference =
            row_difference(logits + i * (size_t)vocabulary, vocabulary, json_array_get(rows, i),
                           (int32_t)json_integer_value(json_object_get(file, "stride")));
        if (!(difference <= worst)) /* a NaN is the worst of all */
            worst = difference;
    }
    printf("%zu positions: worst difference %.3g of rms %.3g, allowed %.3g\n", count, worst, rms,
           ALLOWED * rms);
    free(logits);
    free(ids);
    realizar_engine_close(engine);
    json_decref(file);
    return worst <= ALLOWED * rms ? 0 : 1;
}
