/* SPDX-License-Identifier: MIT */
/*
 * Speed of whole steps on a backend with random weights of real shapes: decode at several depths,
 * prompts, batches. gpu_step MODEL MIX [BACKEND] prints one line a figure: median of the runs,
 * smallest and largest. Everything that a token needs is in the time, the transfer of its number
 * included.
 */
#include "../kernels/step_model.h"

static const model_shape SHAPES[] = {
    {"0.5B", 896, 4864, 14, 2, 64, 24, 151936, true},
    {"1.5B", 1536, 8960, 12, 2, 128, 28, 151936, true},
    {"1.5B/14", 1536, 8960, 12, 2, 128, 2, 151936, true}, /* two layers, for profilers */
    {"7B", 3584, 18944, 28, 4, 128, 28, 152064, true},
    {"32B", 5120, 27648, 40, 8, 128, 64, 152064, true},
};
static const type_mix MIXES[] = {
    {"Q4_K_M", TRUENO_Q4_K, TRUENO_Q4_K, TRUENO_Q4_K, TRUENO_Q6_K, TRUENO_Q6_K, TRUENO_Q6_K},
    {"Q5_0", TRUENO_Q5_0, TRUENO_Q5_0, TRUENO_Q4_K, TRUENO_Q8_0, TRUENO_Q6_K, TRUENO_Q8_0},
    {"Q8_0", TRUENO_Q8_0, TRUENO_Q8_0, TRUENO_Q8_0, TRUENO_Q8_0, TRUENO_Q8_0, TRUENO_Q8_0},
    {"F16", TRUENO_F16, TRUENO_F16, TRUENO_F16, TRUENO_F16, TRUENO_F16, TRUENO_F16},
    {"BF16", TRUENO_BF16, TRUENO_BF16, TRUENO_BF16, TRUENO_BF16, TRUENO_BF16, TRUENO_BF16},
    {"Q4_0", TRUENO_Q4_0, TRUENO_Q4_0, TRUENO_Q4_0, TRUENO_Q4_0, TRUENO_Q4_0, TRUENO_Q4_0},
    {"Q3_K", TRUENO_Q3_K, TRUENO_Q3_K, TRUENO_Q3_K, TRUENO_Q5_K, TRUENO_Q5_K, TRUENO_Q6_K},
};

enum { RUNS = 7, MOST_SESSIONS = 64, CHUNK = 2048 };

static int runs = RUNS; /* 1: each stage once */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* tokens: of one run. */
static void print_figure(const step_model *m, const char *mix, const char *what, double *t, int n,
                         double tokens)
{
    qsort(t, (size_t)n, sizeof *t, by_size);
    printf("%s %s %-28s %9.1f tok/s  [%.1f .. %.1f]  %.1f us a token, n=%d\n", m->s.name, mix, what,
           tokens / t[n / 2], tokens / t[n - 1], tokens / t[0], 1e6 * t[n / 2] / tokens, n);
    (void)fflush(stdout);
}

/* Sessions that are decoded together, a row of each a step. */
typedef struct decoding {
    trueno_kv *kv[MOST_SESSIONS];
    int32_t tokens[MOST_SESSIONS];
    uint64_t tickets[MOST_SESSIONS]; /* of choices that were not waited for; 0: none */
    int n;
} decoding;

static void decode_wait(step_model *m, decoding *d)
{
    trueno_chosen chosen;
    trueno_error err = {0};

    for (int k = 0; k < d->n; k++)
        if (d->tickets[k] != 0 && m->be->chosen(m->be, d->kv[k], d->tickets[k], &chosen, &err) < 0)
            model_die(&err);
    memset(d->tickets, 0, sizeof d->tickets);
}

/* The largest logits are the next tokens. Where the backend chooses them, the step before is waited
 * for when this one has begun, as in generation. */
static void decode_step(step_model *m, decoding *d, int position)
{
    trueno_backend *be = m->be;
    trueno_span spans[MOST_SESSIONS];
    trueno_rows rows = {d->n, d->n, d->tokens, spans};
    trueno_choice choices[MOST_SESSIONS] = {0};
    int32_t results[MOST_SESSIONS];
    trueno_error err = {0};

    for (int k = 0; k < d->n; k++) {
        spans[k] = (trueno_span){d->kv[k], k, 1, position};
        results[k] = k;
        choices[k].kv = d->kv[k];
        choices[k].top_k = 1;
        choices[k].top_p = choices[k].repeat_penalty = 1;
    }
    model_step(m, &rows, results, d->n, false);
    if (be->choose == NULL) {
        if (be->argmax(be, m->logits, d->n, m->s.vocab, d->tokens, &err) < 0 ||
            be->step_end(be, &err) < 0)
            model_die(&err);
        return;
    }
    if (be->choose(be, m->logits, d->n, m->s.vocab, choices, &err) < 0 ||
        be->step_leave(be, &err) < 0)
        model_die(&err);
    decode_wait(m, d);
    for (int k = 0; k < d->n; k++) {
        d->tickets[k] = choices[k].ticket;
        d->tokens[k] = TRUENO_TOKEN_CHOSEN;
    }
}

/* Rows [at, at + n) of a prompt; the last one's logits. */
static void prompt_step(step_model *m, trueno_kv *kv, int at, int n)
{
    static int32_t tokens[CHUNK];
    trueno_span span = {kv, 0, n, at};
    trueno_rows rows = {n, 1, tokens, &span};
    int32_t last = n - 1, id;
    trueno_error err = {0};

    for (int i = 0; i < n; i++)
        tokens[i] = test_int(0, m->s.vocab - 1);
    model_step(m, &rows, &last, 1, false);
    if (m->be->argmax(m->be, m->logits, 1, m->s.vocab, &id, &err) < 0 ||
        m->be->step_end(m->be, &err) < 0)
        model_die(&err);
}

/* Each run of 128 tokens (of several sessions 64) begins at `depth` again. */
static void time_decode(step_model *m, const char *mix, int n, int depth, const char *what)
{
    const int tokens = n == 1 ? 128 : 64;
    decoding d = {.n = n};
    double t[RUNS];

    for (int k = 0; k < n; k++) {
        d.kv[k] = model_session(m, depth + tokens, TRUENO_KV_F16);
        for (int at = 0; at < depth; at += CHUNK)
            prompt_step(m, d.kv[k], at, depth - at < CHUNK ? depth - at : CHUNK);
    }
    for (int run = -1; run < runs; run++) {
        double begin = seconds();

        for (int i = 0; i < tokens; i++)
            decode_step(m, &d, depth + i);
        decode_wait(m, &d);
        if (run >= 0)
            t[run] = seconds() - begin;
    }
    print_figure(m, mix, what, t, runs, (double)tokens * n);
    for (int k = 0; k < n; k++)
        m->be->kv_free(m->be, d.kv[k]);
}

static void time_prompt(step_model *m, const char *mix, int n, int chunk)
{
    trueno_kv *kv = model_session(m, n, TRUENO_KV_F16);
    double t[RUNS];
    char what[64];

    for (int run = -2; run < runs; run++) {
        double begin = seconds();

        for (int at = 0; at < n; at += chunk)
            prompt_step(m, kv, at, n - at < chunk ? n - at : chunk);
        if (run >= 0)
            t[run] = seconds() - begin;
    }
    (void)snprintf(what, sizeof what, "prompt of %d%s", n, chunk < n ? " in two steps" : "");
    print_figure(m, mix, what, t, runs, n);
    m->be->kv_free(m->be, kv);
}

/* A part of every layer's work alone, over rows of different sessions; the arrays hold anything. */
enum stage {
    STAGE_QKV,
    STAGE_ATTENTION,
    STAGE_OUT,
    STAGE_GATE_UP,
    STAGE_DOWN,
    STAGE_HEAD,
    N_STAGES
};

static void stage_step(step_model *m, const trueno_rows *rows, enum stage stage)
{
    trueno_backend *be = m->be;
    const model_shape *s = &m->s;
    int32_t n = rows->n_rows;
    trueno_norm norm = {TRUENO_NORM_RMS, s->hidden, 1e-6f, m->norm, NULL};
    trueno_error err = {0};

    if (be->step_begin(be, rows, &err) < 0)
        model_die(&err);
    if (stage == STAGE_HEAD)
        be->matmul(be, m->output, NULL, m->x, n, false, m->logits);
    for (int l = 0; l < s->n_layers && stage != STAGE_HEAD; l++) {
        const model_layer *w = &m->layer[l];
        trueno_attention facts = model_attention(m, l);

        if (stage == STAGE_QKV || stage == STAGE_GATE_UP)
            be->norm(be, &norm, m->x, n, m->h);
        if (stage == STAGE_QKV)
            be->matmul(be, w->qkv, w->bias, m->h, n, false, m->qkv);
        if (stage == STAGE_ATTENTION) {
            be->rope_store(be, &facts, m->qkv);
            be->attention(be, &facts, m->qkv, m->attn, NULL);
        }
        if (stage == STAGE_OUT)
            be->matmul(be, w->out, NULL, m->attn, n, true, m->x);
        if (stage == STAGE_GATE_UP) {
            be->matmul(be, w->gate_up, NULL, m->h, n, false, m->gate_up);
            be->glu(be, TRUENO_SILU, m->gate_up, n, s->ff, m->ff);
        }
        if (stage == STAGE_DOWN)
            be->matmul(be, w->down, NULL, m->ff, n, true, m->x);
    }
    if (be->step_end(be, &err) < 0)
        model_die(&err);
}

static void time_stages(step_model *m, const char *mix, int n)
{
    static const char *const NAMES[N_STAGES] = {
        "norm, qkv", "attention at 1,024", "out", "norm, gate, up, activation", "down", "head"};
    static int32_t tokens[MOST_SESSIONS];
    trueno_kv *kv[MOST_SESSIONS];
    trueno_span spans[MOST_SESSIONS];
    trueno_rows rows = {n, n, tokens, spans};
    trueno_error err = {0};

    for (int k = 0; k < n; k++) {
        kv[k] = model_session(m, 1088, TRUENO_KV_F16);
        if (m->be->kv_reserve(m->be, kv[k], 1025, &err) < 0)
            model_die(&err);
        spans[k] = (trueno_span){kv[k], k, 1, 1024};
    }
    for (int stage = 0; stage < N_STAGES; stage++) {
        double t[RUNS];
        int steps = runs > 1 ? 8 : 1;

        for (int run = runs > 1 ? -2 : 0; run < runs; run++) {
            double begin = seconds();

            for (int i = 0; i < steps; i++)
                stage_step(m, &rows, (enum stage)stage);
            if (run >= 0)
                t[run] = (seconds() - begin) / steps / (stage == STAGE_HEAD ? 1 : m->s.n_layers);
        }
        qsort(t, (size_t)runs, sizeof *t, by_size);
        printf("%s %s %2d rows, %-28s %8.2f us  [%.2f .. %.2f]\n", m->s.name, mix, n, NAMES[stage],
               1e6 * t[runs / 2], 1e6 * t[0], 1e6 * t[runs - 1]);
        (void)fflush(stdout);
    }
    for (int k = 0; k < n; k++)
        m->be->kv_free(m->be, kv[k]);
}

static void print_memory(const step_model *m, const char *mix)
{
    trueno_memory_use use;

    m->be->memory_use(m->be, &use);
    printf("%s %s weights of a token %.1f MB; memory: weights %.1f MB, kv %.1f MB, activations "
           "%.1f MB\n",
           m->s.name, mix, (double)m->bytes / 1e6, (double)use.weights / 1e6, (double)use.kv / 1e6,
           (double)use.activations / 1e6);
}

/* d: decode, l: long contexts, p: prompts, b: batches (B: of 32 alone), s: the stages of a layer
 * alone (the time of a step's launch, a fraction of a microsecond a layer, is in it). */
static void measure(step_model *m, const char *mix, const char *parts)
{
    if (strchr(parts, 'd') != NULL) {
        time_decode(m, mix, 1, 0, "decode, empty context");
        time_decode(m, mix, 1, 1024, "decode at 1,024");
    }
    if (strchr(parts, 'p') != NULL) {
        time_prompt(m, mix, 512, CHUNK);
        time_prompt(m, mix, 2048, CHUNK);
        time_prompt(m, mix, 2048, CHUNK / 2); /* an engine's default from 1 GB on */
    }
    if (strchr(parts, 'l') != NULL) {
        time_decode(m, mix, 1, 4096, "decode at 4,096");
        time_decode(m, mix, 1, 32000, "decode at 32,000");
    }
    if (strchr(parts, 'L') != NULL) /* alone, for a profiler */
        time_decode(m, mix, 1, 32000, "decode at 32,000");
    if (strchr(parts, 'B') != NULL)
        time_decode(m, mix, 32, 1024, "32 sessions at 1,024");
    if (strchr(parts, 'b') != NULL) {
        static const int SIZES[] = {2, 4, 8, 16, 32, 64};
        char what[64];

        for (int i = 0; i < 6; i++) {
            (void)snprintf(what, sizeof what, "%d sessions at 1,024", SIZES[i]);
            time_decode(m, mix, SIZES[i], 1024, what);
        }
    }
    if (strchr(parts, 's') != NULL)
        for (int n = 1; n <= MOST_SESSIONS; n *= n == 1 ? 8 : 2)
            time_stages(m, mix, n);
    print_memory(m, mix);
}

int main(int argc, char **argv)
{
    const char *parts = argc > 3 ? argv[3] : "dplb", *name = argc > 4 ? argv[4] : "cuda";
    trueno_backend *be;
    trueno_error err = {0};
    step_model m;

    test_seed_init();
    if (argc < 3) {
        printf("usage: %s MODEL MIX [PARTS [BACKEND [1]]]\n", argv[0]);
        return 2;
    }
    if (argc > 5)
        runs = 1;
    if (trueno_backend_open(&be, name, NULL, &err) < 0) {
        printf("%s\n", err.message);
        return 77;
    }
    printf("%s: %s\n", name, be->device);
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
        for (size_t k = 0; k < sizeof MIXES / sizeof MIXES[0]; k++)
            if (strcmp(SHAPES[i].name, argv[1]) == 0 && strcmp(MIXES[k].name, argv[2]) == 0) {
                double begin = seconds();

                model_make(&m, be, &SHAPES[i], &MIXES[k]);
                printf("%s %s made in %.2f s\n", argv[1], argv[2], seconds() - begin);
                model_rows(&m, CHUNK, MOST_SESSIONS);
                measure(&m, argv[2], parts);
                model_free(&m);
            }
    be->close(be);
    return 0;
}
