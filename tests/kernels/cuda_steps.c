/* SPDX-License-Identifier: MIT */
/*
 * Whole steps of a small model on the CUDA backend: logits against the reference backend over 64
 * positions, for prompts in chunks, single rows and batches; kernels shared by neighbouring
 * operations against the operations apart; a replayed graph against the first run, bit for bit;
 * many rows again and again, bit for bit.
 * cuda_steps tiny: few steps of a tiny model, for tools that make kernels slow.
 */
#include "cuda_sides.h"
#include "step_model.h"

static const model_shape SMALL = {"small", 512, 1024, 8, 2, 64, 3, 1000, true};
static const type_mix MIXES[] = {
    {"Q4_K_M", TRUENO_Q4_K, TRUENO_Q4_K, TRUENO_Q4_K, TRUENO_Q6_K, TRUENO_Q6_K, TRUENO_Q6_K},
    {"Q5_0", TRUENO_Q5_0, TRUENO_Q5_0, TRUENO_Q4_K, TRUENO_Q8_0, TRUENO_Q6_K, TRUENO_Q8_0},
    {"F16", TRUENO_F16, TRUENO_F16, TRUENO_F16, TRUENO_F16, TRUENO_F16, TRUENO_F16},
    {"BF16", TRUENO_BF16, TRUENO_BF16, TRUENO_BF16, TRUENO_BF16, TRUENO_BF16, TRUENO_BF16},
    {"F32", TRUENO_F32, TRUENO_F32, TRUENO_F32, TRUENO_F32, TRUENO_F32, TRUENO_F32},
    {"Q4_0", TRUENO_Q4_0, TRUENO_Q4_0, TRUENO_Q4_0, TRUENO_Q8_0, TRUENO_Q8_0, TRUENO_F32},
};

enum { POSITIONS = 64, BATCH = 12 };

static int positions = POSITIONS, batch_positions = 20; /* fewer under a checking tool */

/* Logits of all positions of tokens[0 .. n), `chunk` rows a step. */
static float *run(step_model *m, const int32_t *tokens, int n, int chunk, bool apart)
{
    size_t vocab = (size_t)m->s.vocab;
    float *logits = malloc((size_t)n * vocab * sizeof *logits);
    trueno_kv *kv = model_session(m, 256, TRUENO_KV_F16);
    trueno_error err = {0};

    for (int at = 0; at < n; at += chunk) {
        int32_t count = n - at < chunk ? n - at : chunk, results[POSITIONS];
        trueno_span span = {kv, 0, count, at};
        trueno_rows rows = {count, 1, tokens + at, &span};

        for (int i = 0; i < count; i++)
            results[i] = i;
        model_step(m, &rows, results, count, apart);
        if (m->be->read(m->be, logits + (size_t)at * vocab, m->logits,
                        (size_t)count * vocab * sizeof *logits, &err) < 0 ||
            m->be->step_end(m->be, &err) < 0)
            model_die(&err);
    }
    m->be->kv_free(m->be, kv);
    return logits;
}

/* Logits of the last tokens of BATCH sessions that are fed together, a row of each in a step. */
static float *run_batch(step_model *m, const int32_t *tokens, int n)
{
    size_t vocab = (size_t)m->s.vocab;
    float *logits = malloc(BATCH * vocab * sizeof *logits);
    trueno_kv *kv[BATCH];
    int32_t results[BATCH], step[BATCH];
    trueno_error err = {0};

    for (int k = 0; k < BATCH; k++) {
        kv[k] = model_session(m, 256, TRUENO_KV_F16);
        results[k] = k;
    }
    for (int at = 0; at < n; at++) {
        trueno_span spans[BATCH];
        trueno_rows rows = {BATCH, BATCH, step, spans};

        for (int k = 0; k < BATCH; k++) {
            spans[k] = (trueno_span){kv[k], k, 1, at};
            step[k] = tokens[(at + 5 * k) % POSITIONS];
        }
        model_step(m, &rows, results, BATCH, false);
        if (m->be->read(m->be, logits, m->logits, BATCH * vocab * sizeof *logits, &err) < 0 ||
            m->be->step_end(m->be, &err) < 0)
            model_die(&err);
    }
    for (int k = 0; k < BATCH; k++)
        m->be->kv_free(m->be, kv[k]);
    return logits;
}

static void check_logits(const char *mix, const char *kind, const float *got, const float *want,
                         size_t n, double bound)
{
    char what[96];

    (void)snprintf(what, sizeof what, "%s, %s", mix, kind);
    report(what, compare(got, want, n).relative, bound);
}

static void check_mix(const model_shape *shape, const type_mix *mix)
{
    step_model model[N_SIDES];
    uint64_t seed = test_bits();
    int32_t tokens[POSITIONS];
    size_t vocab = (size_t)shape->vocab, all = (size_t)positions * vocab;
    float *want, *first, *other;

    for (int side = 0; side < N_SIDES; side++) {
        test_seed = seed; /* the same weights */
        model_make(&model[side], sides[side], shape, mix);
        model_rows(&model[side], POSITIONS, POSITIONS);
    }
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = test_int(0, shape->vocab - 1);
    want = run(&model[REFERENCE], tokens, positions, positions, false);
    first = run(&model[CUDA], tokens, positions, 1, false);
    check_logits(mix->name, "row by row", first, want, all, 2e-3);
    other = run(&model[CUDA], tokens, positions, 1, false);
    report("a graph gives the bits of the first run",
           memcmp(first, other, all * sizeof *first) != 0, 0);
    free(other);
    other = run(&model[CUDA], tokens, positions, 1, true);
    check_logits(mix->name, "operations apart", other, want, all, 2e-3);
    free(other);
    other = run(&model[CUDA], tokens, positions, positions, false);
    check_logits(mix->name, "one chunk", other, want, all, 2e-3);
    free(other);
    other = run(&model[CUDA], tokens, positions, 7, false);
    check_logits(mix->name, "chunks of 7", other, want, all, 2e-3);
    free(other), free(want);
    want = run_batch(&model[REFERENCE], tokens, batch_positions);
    other = run_batch(&model[CUDA], tokens, batch_positions);
    check_logits(mix->name, "a batch of sessions", other, want, BATCH * vocab, 2e-3);
    free(other), free(want), free(first);
    model_free(&model[0]);
    model_free(&model[1]);
}

/* The same rows give the same bits every time, although kernels begin before their predecessors
 * end and no two runs have the same timing: 64, 8 and single rows a step. The shape keeps all
 * processors busy for a while. */
static void check_repeats(void)
{
    static const model_shape wide = {"wide", 1536, 4096, 12, 2, 128, 2, 60000, true};
    enum { REPEATS = 20 };
    step_model m;
    int32_t tokens[POSITIONS];
    size_t bytes = (size_t)POSITIONS * (size_t)wide.vocab * sizeof(float);

    model_make(&m, sides[CUDA], &wide, &MIXES[0]);
    model_rows(&m, POSITIONS, POSITIONS);
    for (int i = 0; i < POSITIONS; i++)
        tokens[i] = test_int(0, wide.vocab - 1);
    for (int chunk = POSITIONS; chunk >= 1; chunk /= 8) {
        float *first = run(&m, tokens, POSITIONS, chunk, false);
        int different = 0;
        char what[64];

        for (int i = 0; i < REPEATS; i++) {
            float *other = run(&m, tokens, POSITIONS, chunk, false);

            different += memcmp(first, other, bytes) != 0;
            free(other);
        }
        (void)snprintf(what, sizeof what, "%d rows a step, %d times the same bits", chunk, REPEATS);
        report(what, different, 0);
        free(first);
    }
    model_free(&m);
}

int main(int argc, char **argv)
{
    static const model_shape tiny = {"tiny", 256, 512, 4, 2, 64, 1, 272, true};

    test_seed_init();
    open_sides();
    if (argc > 1 && strcmp(argv[1], "tiny") == 0) {
        positions = 9;
        batch_positions = 2;
        for (size_t i = 0; i < 3; i++)
            check_mix(&tiny, &MIXES[i]);
        return close_sides();
    }
    for (size_t i = 0; i < sizeof MIXES / sizeof MIXES[0]; i++)
        check_mix(&SMALL, &MIXES[i]);
    check_repeats();
    return close_sides();
}
