/* SPDX-License-Identifier: MIT */
/*
 * Model files on the GPU: gpu_model [--same] [--bound X] [--kv-f32] MODEL...
 *
 * Each: logits of 64 positions against the reference backend (relative rms of at most 2e-3, or X,
 * and the same largest logit wherever its margin is more than ten times the largest error of the
 * row); the same row by row; a second, longer prompt in a session gives what it gives in a new one,
 * as close as that; the same tokens whether they are chosen by the host or run ahead on the device,
 * for greedy and for drawn ones; several sessions' steps begun before the tokens of the step before
 * are known give the tokens of steps that wait. With --same all files are one model: they give the
 * same tokens. The reference keeps keys and values as floats; with --kv-f32 the GPU does so too,
 * for models whose keys are so large that rounding them to halves is more than all else (the real
 * Qwen2.5). Exit 77 where there is no device.
 */
#include "logits.h"

#include <math.h>
#include <realizar/generate.h>
#include <string.h>
#include <time.h>

enum { POSITIONS = 64, ANSWER = 64, PROMPT = 12, SEEDS = 4 };
enum { FIRST_PROMPT = 2000, SECOND_PROMPT = 2600 };
enum { BATCH = 12, BATCH_STEPS = 24 };

static double bound = 2e-3;
static trueno_kv_type kv_type = TRUENO_KV_F16;

typedef struct figures {
    double relative;
    int32_t n_tops; /* rows with another largest logit in spite of a wide margin */
} figures;

static realizar_engine *open_on(const char *path, const char *backend)
{
    realizar_engine_options o;
    realizar_engine *e;
    trueno_error err = {0};
    trueno_status status;

    realizar_engine_options_init(&o, sizeof o);
    o.backend = backend;
    o.bench_only = true;
    o.kv_type = kv_type;
    status = strcmp(path, "demo") == 0 ? realizar_engine_open_demo(&e, &o, &err)
                                       : realizar_engine_open(&e, path, &o, &err);
    if (status == TRUENO_NO_DEVICE) {
        printf("skipped: %s\n", err.message);
        exit(77);
    }
    require(status, &err);
    return e;
}

static void make_ids(const realizar_engine *e, int32_t *ids, int32_t n)
{
    uint32_t vocab = (uint32_t)apr_model_config(realizar_engine_model(e))->vocab_size, state = 7;

    for (int32_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        ids[i] = (int32_t)((state >> 8) % vocab);
    }
}

/* Index of the largest of a row; *margin: how far above all others. */
static int32_t top(const float *row, int32_t n, double *margin)
{
    int32_t best = 0;
    double second = -INFINITY;

    for (int32_t i = 1; i < n; i++)
        best = row[i] > row[best] ? i : best;
    for (int32_t i = 0; i < n; i++)
        if (i != best && row[i] > second)
            second = row[i];
    *margin = row[best] - second;
    return best;
}

static figures compare(const float *got, const float *want, int32_t rows, int32_t width)
{
    double difference = 0, square = 0;
    figures f = {0, 0};

    for (int32_t r = 0; r < rows; r++) {
        const float *a = got + (size_t)r * (size_t)width, *b = want + (size_t)r * (size_t)width;
        double worst = 0, margin, unused;

        for (int32_t i = 0; i < width; i++) {
            double d = (double)a[i] - (double)b[i];

            difference += d * d;
            square += (double)b[i] * (double)b[i];
            worst = !(fabs(d) <= worst) ? fabs(d) : worst;
        }
        if (top(b, width, &margin) != top(a, width, &unused))
            f.n_tops += margin > 10 * worst;
    }
    f.relative = sqrt(difference / square);
    return f;
}

static float *row_by_row(realizar_engine *e, const int32_t *ids, int32_t n)
{
    size_t width = (size_t)realizar_engine_vocab_size(e);
    float *logits = malloc((size_t)n * width * sizeof *logits);
    realizar_session *s;
    trueno_error err = {0};

    require(realizar_session_new(&s, e, 0, &err), &err);
    for (int32_t i = 0; i < n; i++) {
        require(realizar_session_append(s, ids + i, 1, &err), &err);
        memcpy(logits + (size_t)i * width, realizar_session_logits(s), width * sizeof *logits);
    }
    realizar_session_free(s);
    return logits;
}

static int check_figures(const char *path, const char *how, figures f)
{
    int bad = !(f.relative <= bound) || f.n_tops > 0;

    printf("%s %s, %s: relative rms %.2e, %d other tops\n", bad ? "FAILED" : "ok    ", path, how,
           f.relative, f.n_tops);
    return bad;
}

static int check_logits(realizar_engine *gpu, const char *path)
{
    realizar_engine *reference = open_on(path, "reference");
    int32_t ids[POSITIONS], width = realizar_engine_vocab_size(gpu);
    int failed;
    float *want, *got;

    make_ids(gpu, ids, POSITIONS);
    want = logits_of(reference, ids, POSITIONS);
    got = logits_of(gpu, ids, POSITIONS);
    failed = check_figures(path, "one step", compare(got, want, POSITIONS, width));
    free(got);
    got = row_by_row(gpu, ids, POSITIONS);
    failed += check_figures(path, "row by row", compare(got, want, POSITIONS, width));
    free(got), free(want);
    realizar_engine_close(reference);
    return failed;
}

/* Logits after ids, where the session has tokens already or is new. */
static void logits_after(realizar_session *s, const int32_t *ids, int32_t n, float *to)
{
    size_t width = (size_t)realizar_engine_vocab_size(realizar_session_engine(s));
    trueno_error err = {0};

    require(realizar_session_sync(s, ids, n, NULL, &err), &err);
    memcpy(to, realizar_session_logits(s), width * sizeof *to);
}

/* A second, longer prompt that begins as the first one does gives what it gives in a new session.
 */
static int check_second_prompt(realizar_engine *gpu, const char *path)
{
    const int32_t most = apr_model_config(realizar_engine_model(gpu))->max_positions;
    const int32_t first = most / 2 < FIRST_PROMPT ? most / 2 : (int32_t)FIRST_PROMPT;
    const int32_t second = most < SECOND_PROMPT ? most : (int32_t)SECOND_PROMPT;
    size_t width = (size_t)realizar_engine_vocab_size(gpu);
    float *logits = malloc(3 * width * sizeof *logits);
    int32_t *ids = malloc((size_t)second * sizeof *ids), same = first / 3;
    realizar_session *used, *fresh;
    trueno_error err = {0};
    int failed;

    if (logits == NULL || ids == NULL)
        abort();
    make_ids(gpu, ids, second);
    require(realizar_session_new(&used, gpu, second, &err), &err);
    require(realizar_session_new(&fresh, gpu, second, &err), &err);
    logits_after(used, ids, same, logits);
    logits_after(used, ids + 1, first, logits); /* nothing in common */
    logits_after(used, ids, first - same, logits);
    logits_after(used, ids, second, logits + width);
    logits_after(fresh, ids, second, logits + 2 * width);
    failed = check_figures(path, "a second, longer prompt",
                           compare(logits + width, logits + 2 * width, 1, (int32_t)width));
    realizar_session_free(used), realizar_session_free(fresh);
    free(logits), free(ids);
    return failed;
}

/* ANSWER tokens after a made-up prompt; returns tokens a second. */
static double answer(realizar_engine *e, uint64_t seed, bool ahead, int32_t *out)
{
    realizar_generation_options o;
    realizar_generation *g;
    realizar_session *s;
    realizar_piece piece;
    realizar_timings t;
    int32_t prompt[PROMPT], n;
    trueno_error err = {0};
    int more;

    make_ids(e, prompt, PROMPT);
    realizar_generation_options_init(&o, sizeof o, NULL);
    o.sampling.temperature = seed == 0 ? 0.0f : 0.9f;
    o.sampling.top_k = seed % 2 ? 40 : 200;
    o.sampling.repeat_penalty = seed > 2 ? 1.2f : 1.0f;
    o.sampling.seed = seed;
    o.max_tokens = ANSWER;
    o.ignore_eos = true;
    o.run_ahead = ahead;
    require(realizar_session_new(&s, e, 0, &err), &err);
    require(realizar_generation_start(&g, s, prompt, PROMPT, &o, &err), &err);
    while ((more = realizar_generation_next(g, &piece, &err)) == 1)
        ;
    require((trueno_status)more, &err);
    memcpy(out, realizar_generation_ids(g, &n), ANSWER * sizeof *out);
    realizar_generation_timings(g, &t);
    realizar_generation_free(g);
    realizar_session_free(s);
    return (n - 1) * 1e3 / t.decode_ms;
}

static int check_choices(realizar_engine *gpu, const char *path, int32_t *greedy)
{
    int32_t host[ANSWER], device[ANSWER];
    int failed = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double slow, fast = answer(gpu, seed, true, device);
        int same;

        slow = answer(gpu, seed, false, host);
        same = memcmp(host, device, sizeof host) == 0;
        failed += !same;
        printf("%s %s, seed %d: tokens chosen by the host, %.0f tok/s, and run ahead, %.0f tok/s\n",
               same ? "ok    " : "FAILED", path, (int)seed, slow, fast);
        if (seed == 0)
            memcpy(greedy, device, sizeof host);
    }
    return failed;
}

/* BATCH sessions with prompts of different lengths and samplers of their own, all in each step;
 * ahead: a step is begun before the tokens of the one before it are asked for. */
static void run_batch(realizar_engine *e, bool ahead, int32_t out[BATCH_STEPS][BATCH])
{
    realizar_step_item items[BATCH];
    realizar_session *s[BATCH];
    realizar_sampler *sampler[BATCH];
    realizar_candidate chosen[BATCH];
    int32_t prompt[PROMPT + BATCH], unknown = REALIZAR_TOKEN_CHOSEN;
    trueno_error err = {0};

    make_ids(e, prompt, PROMPT + BATCH);
    for (int i = 0; i < BATCH; i++) {
        realizar_sampling o;

        realizar_sampling_init(&o, sizeof o);
        o.temperature = i % 2 ? 0.9f : 0.0f;
        o.repeat_penalty = i % 3 ? 1.0f : 1.2f;
        o.seed = (uint64_t)i;
        require(realizar_session_new(&s[i], e, 0, &err), &err);
        require(
            realizar_sampler_new(&sampler[i], &o, NULL, realizar_engine_vocab_size(e), NULL, &err),
            &err);
        items[i] = (realizar_step_item){.session = s[i],
                                        .tokens = prompt,
                                        .count = PROMPT + i,
                                        .wanted = REALIZAR_ROWS_LAST,
                                        .sampler = sampler[i],
                                        .chosen = &chosen[i]};
    }
    for (int t = 0; t < BATCH_STEPS + (ahead ? 1 : 0); t++) {
        if (t < BATCH_STEPS)
            require((ahead ? realizar_step_ahead : realizar_step)(e, items, BATCH, &err), &err);
        for (int i = 0; i < BATCH; i++) {
            if (ahead && t > 0)
                require(realizar_session_chosen(s[i], &chosen[i], &err), &err);
            if (!ahead || t > 0)
                out[t - ahead][i] = chosen[i].id;
            items[i].tokens = ahead ? &unknown : &chosen[i].id;
            items[i].count = 1;
        }
    }
    for (int i = 0; i < BATCH; i++) {
        realizar_session_free(s[i]);
        realizar_sampler_free(sampler[i]);
    }
}

static int check_batch(realizar_engine *gpu, const char *path)
{
    int32_t want[BATCH_STEPS][BATCH], got[BATCH_STEPS][BATCH];
    bool same;

    run_batch(gpu, false, want);
    run_batch(gpu, true, got);
    same = memcmp(want, got, sizeof want) == 0;
    printf("%s %s: %d steps of %d sessions, waited for and run ahead\n", same ? "ok    " : "FAILED",
           path, BATCH_STEPS, BATCH);
    return !same;
}

/* Hidden rows are the same beside a choice of the device as without one. */
static int check_hidden(realizar_engine *gpu, const char *path)
{
    size_t width = (size_t)apr_model_config(realizar_engine_model(gpu))->hidden_size;
    float *hidden = calloc(2 * width, sizeof *hidden);
    int32_t prompt[PROMPT];
    realizar_sampler *sampler;
    realizar_sampling o;
    realizar_session *s;
    realizar_candidate chosen;
    trueno_error err = {0};
    int failed = 0;

    if (hidden == NULL)
        abort();
    make_ids(gpu, prompt, PROMPT);
    realizar_sampling_init(&o, sizeof o);
    require(realizar_sampler_new(&sampler, &o, NULL, realizar_engine_vocab_size(gpu), NULL, &err),
            &err);
    require(realizar_session_new(&s, gpu, 0, &err), &err);
    for (int32_t n = 1; n <= PROMPT; n += PROMPT - 1) {
        for (int k = 0; k < 2; k++) {
            realizar_step_item item = {.session = s,
                                       .tokens = prompt,
                                       .count = n,
                                       .wanted = REALIZAR_ROWS_LAST,
                                       .hidden = hidden + (size_t)k * width,
                                       .sampler = k > 0 ? sampler : NULL,
                                       .chosen = &chosen};

            realizar_session_rewind(s, 0);
            require(realizar_step(gpu, &item, 1, &err), &err);
        }
        failed += check_figures(path, "hidden rows beside a choice",
                                compare(hidden + width, hidden, 1, (int32_t)width));
    }
    realizar_session_free(s);
    realizar_sampler_free(sampler);
    free(hidden);
    return failed;
}

int main(int argc, char **argv)
{
    int first = 1, failed = 0;
    int32_t want[ANSWER], got[ANSWER];
    bool all_same = false;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++)
        if (strcmp(argv[first], "--same") == 0)
            all_same = true;
        else if (strcmp(argv[first], "--kv-f32") == 0)
            kv_type = TRUENO_KV_F32;
        else if (++first < argc)
            bound = atof(argv[first]);
    for (int i = first; i < argc; i++) {
        realizar_engine *gpu = open_on(argv[i], "cuda");

        failed += check_logits(gpu, argv[i]);
        failed += check_second_prompt(gpu, argv[i]);
        failed += check_choices(gpu, argv[i], got);
        failed += check_batch(gpu, argv[i]);
        failed += check_hidden(gpu, argv[i]);
        if (i == first)
            memcpy(want, got, sizeof want);
        if (all_same && i > first) {
            bool same = memcmp(want, got, sizeof want) == 0;

            printf("%s %s: the tokens of %s\n", same ? "ok    " : "FAILED", argv[i], argv[first]);
            failed += !same;
        }
        realizar_engine_close(gpu);
    }
    printf("%d failed\n", failed);
    return failed > 0;
}
