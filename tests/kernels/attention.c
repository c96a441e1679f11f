/* SPDX-License-Identifier: MIT */
/*
 * Attention through the backend's table: against the reference backend, and bit-equal for any cut
 * into steps, any company in the batch, any number of threads and any CPU level.
 */
#include "backends.h"

typedef struct shape {
    int32_t n_heads, n_kv_heads, head_dim, window;
    float softcap;
    bool head_norms;
    trueno_rope_type rope;
    int32_t n_rot;
    trueno_kv_type kv;
    float size; /* of the random activations */
} shape;

static const shape SHAPES[] = {
    {12, 2, 128, 0, 0.0f, false, TRUENO_ROPE_NEOX, 128, TRUENO_KV_F16, 1.0f},
    {14, 2, 64, 0, 0.0f, false, TRUENO_ROPE_NEOX, 64, TRUENO_KV_F16, 4.0f},
    {9, 3, 64, 0, 0.0f, false, TRUENO_ROPE_NORM, 64, TRUENO_KV_F32, 1.0f},
    {4, 4, 80, 100, 0.0f, true, TRUENO_ROPE_NEOX, 20, TRUENO_KV_F32, 2.0f},
    {8, 1, 40, 0, 30.0f, true, TRUENO_ROPE_NORM, 40, TRUENO_KV_Q8_0, 3.0f},
    {6, 2, 16, 33, 5.0f, false, TRUENO_ROPE_NEOX, 16, TRUENO_KV_F16, 20.0f},
    {3, 1, 4, 1, 0.0f, false, TRUENO_ROPE_NORM, 2, TRUENO_KV_F32, 1.0f},
    {7, 7, 256, 0, 50.0f, false, TRUENO_ROPE_NEOX, 256, TRUENO_KV_F16, 1.0f},
};

enum { N_SHAPES = sizeof SHAPES / sizeof SHAPES[0], MAX_HALF = 128 };

/* Every how many-th shape is run: more than 1 where a processor is emulated. */
static int shape_step = 1;

static float frequencies[MAX_HALF], head_norm_weights[2][256];

static size_t qkv_width(const shape *s)
{
    return (size_t)(s->n_heads + 2 * s->n_kv_heads) * (size_t)s->head_dim;
}

static size_t out_width(const shape *s)
{
    return (size_t)s->n_heads * (size_t)s->head_dim;
}

static trueno_attention facts_of(const shape *s)
{
    return (trueno_attention){.layer = 1,
                              .n_heads = s->n_heads,
                              .n_kv_heads = s->n_kv_heads,
                              .head_dim = s->head_dim,
                              .window = s->window,
                              .scale = 1.0f / sqrtf((float)s->head_dim),
                              .softcap = s->softcap,
                              .qk_norm_eps = 1e-6f,
                              .q_norm = s->head_norms ? head_norm_weights[0] : NULL,
                              .k_norm = s->head_norms ? head_norm_weights[1] : NULL,
                              .rope = {s->rope, s->n_rot, 1.0f, frequencies}};
}

static trueno_kv *new_kv(trueno_backend *be, const shape *s, int32_t n_positions)
{
    const trueno_kv_shape kv_shape = {2, s->n_kv_heads, s->head_dim, n_positions, s->kv};
    trueno_kv *kv;

    assert_int_equal(be->kv_new(be, &kv_shape, &kv, NULL), TRUENO_OK);
    return kv;
}

typedef struct results {
    float *out, *log_sum_exp, *mean_score; /* log_sum_exp NULL: not watched */
} results;

/* One step of the given spans; row i of the step reads and writes row i of the arrays. */
static void step(trueno_backend *be, const shape *s, const trueno_span *spans, int32_t n_spans,
                 const float *qkv, results r)
{
    const trueno_span *last = &spans[n_spans - 1];
    const trueno_rows rows = {last->first_row + last->n_rows, n_spans, NULL, spans};
    const trueno_attention facts = facts_of(s);
    const trueno_attention_watch watch = {r.log_sum_exp, r.mean_score};
    size_t bytes = (size_t)rows.n_rows * qkv_width(s) * sizeof(float);
    float *own = malloc(bytes);

    memcpy(own, qkv, bytes);
    for (int32_t i = 0; i < n_spans; i++)
        assert_int_equal(
            be->kv_reserve(be, spans[i].kv, spans[i].first_pos + spans[i].n_rows, NULL), TRUENO_OK);
    assert_int_equal(be->step_begin(be, &rows, NULL), TRUENO_OK);
    be->rope_store(be, &facts, own);
    be->attention(be, &facts, own, r.out, r.log_sum_exp != NULL ? &watch : NULL);
    assert_int_equal(be->step_end(be, NULL), TRUENO_OK);
    free(own);
}

/* A whole sequence of n positions in steps of at most `chunk` rows. */
static void run_sequence(trueno_backend *be, const shape *s, const float *qkv, int32_t n,
                         int32_t chunk, results r)
{
    trueno_kv *kv = new_kv(be, s, n);

    for (int32_t first = 0; first < n; first += chunk) {
        const trueno_span span = {kv, 0, n - first < chunk ? n - first : chunk, first};
        results part = {r.out + (size_t)first * out_width(s), NULL, NULL};

        if (r.log_sum_exp != NULL) {
            part.log_sum_exp = r.log_sum_exp + (size_t)first * (size_t)s->n_heads;
            part.mean_score = r.mean_score + (size_t)first * (size_t)s->n_heads;
        }
        step(be, s, &span, 1, qkv + (size_t)first * qkv_width(s), part);
    }
    assert_true(be->kv_bytes(kv) > 0);
    be->kv_free(be, kv);
}

static void fill_model(void)
{
    for (int j = 0; j < MAX_HALF; j++)
        frequencies[j] = (float)pow(10000.0, -j / 64.0);
    for (int i = 0; i < 256; i++) {
        head_norm_weights[0][i] = 1.0f + 0.5f * test_float();
        head_norm_weights[1][i] = 1.0f + 0.5f * test_float();
    }
}

/* Keys as large as Qwen2's biased ones: a few elements are in the hundreds. */
static float *random_qkv(const shape *s, int32_t n)
{
    size_t count = (size_t)n * qkv_width(s);
    float *qkv = test_floats(count);

    test_fill(qkv, count, s->size);
    for (int32_t row = 0; row < n; row++)
        for (int32_t h = 0; h < s->n_kv_heads; h++)
            qkv[(size_t)row * qkv_width(s) + (size_t)(s->n_heads + h) * (size_t)s->head_dim + 1] +=
                60.0f;
    return qkv;
}

/*
 * Relative to the values' size: F32 storage leaves the error of F32 sums and of scores (which grows
 * with their size), F16 that of keys and values rounded to 11 bits, Q8_0 that of 7 bits.
 */
static double tolerance_of(const shape *s)
{
    return (s->kv == TRUENO_KV_F32 ? 2e-5 : s->kv == TRUENO_KV_F16 ? 4e-2 : 2e-1) * (double)s->size;
}

static void test_against_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i += shape_step) {
        const shape *s = &SHAPES[i];
        int32_t n = test_int(520, 700);
        size_t outs = (size_t)n * out_width(s), heads = (size_t)n * (size_t)s->n_heads;
        trueno_backend *cpu = open_backend("cpu", 2, UINT32_MAX),
                       *ref = open_backend("reference", 2, UINT32_MAX);
        results got = {test_floats(outs), test_floats(heads), test_floats(heads)};
        results want = {test_floats(outs), test_floats(heads), test_floats(heads)};
        float *qkv = random_qkv(s, n);
        double error;

        run_sequence(cpu, s, qkv, n, 200, got);
        run_sequence(ref, s, qkv, n, n, want);
        error = test_error(got.out, want.out, outs, 1.0);
        if (!(error <= tolerance_of(s)))
            fail_msg("shape %d: output off by %g", i, error);
        error = test_error(got.log_sum_exp, want.log_sum_exp, heads, 1.0);
        if (!(error <= tolerance_of(s)))
            fail_msg("shape %d: log-sum-exp off by %g", i, error);
        error = test_error(got.mean_score, want.mean_score, heads, 1.0);
        if (!(error <= tolerance_of(s)))
            fail_msg("shape %d: mean score off by %g", i, error);
        test_floats_free(qkv, (size_t)n * qkv_width(s));
        test_floats_free(got.out, outs);
        test_floats_free(got.log_sum_exp, heads);
        test_floats_free(got.mean_score, heads);
        test_floats_free(want.out, outs);
        test_floats_free(want.log_sum_exp, heads);
        test_floats_free(want.mean_score, heads);
        cpu->close(cpu);
        ref->close(ref);
    }
}

static void compare_run(const char *what, trueno_backend *be, const shape *s, const float *qkv,
                        int32_t n, int32_t chunk, const results *want)
{
    size_t outs = (size_t)n * out_width(s), heads = (size_t)n * (size_t)s->n_heads;
    results got = {test_floats(outs), test_floats(heads), test_floats(heads)};

    run_sequence(be, s, qkv, n, chunk, got);
    test_equal_bits(what, got.out, want->out, outs);
    test_equal_bits(what, got.log_sum_exp, want->log_sum_exp, heads);
    test_equal_bits(what, got.mean_score, want->mean_score, heads);
    test_floats_free(got.out, outs);
    test_floats_free(got.log_sum_exp, heads);
    test_floats_free(got.mean_score, heads);
}

/* Row by row, in odd chunks, whole; on 1, 2 and 5 threads; at every level. */
static void test_equal_for_any_cut(void **state)
{
    static const int THREADS[] = {1, 2, 5};
    uint32_t levels[8];
    int n_levels = test_levels(levels);

    (void)state;
    for (int i = 0; i < N_SHAPES; i += shape_step) {
        const shape *s = &SHAPES[i];
        int32_t n = test_int(520, 600);
        size_t outs = (size_t)n * out_width(s), heads = (size_t)n * (size_t)s->n_heads;
        results want = {test_floats(outs), test_floats(heads), test_floats(heads)};
        float *qkv = random_qkv(s, n);
        trueno_backend *be = open_backend("cpu", 1, UINT32_MAX);
        char what[256];

        run_sequence(be, s, qkv, n, n, want);
        be->close(be);
        for (int t = 0; t < 3; t++) {
            const int32_t chunks[] = {1, test_int(2, 100), n};

            be = open_backend("cpu", THREADS[t], UINT32_MAX);
            for (int c = 0; c < 3; c++) {
                (void)snprintf(what, sizeof what, "shape %d, %d threads, chunks of %d of %d", i,
                               THREADS[t], chunks[c], n);
                compare_run(what, be, s, qkv, n, chunks[c], &want);
            }
            be->close(be);
        }
        for (int l = 0; l < n_levels; l++) {
            be = open_backend("cpu", 2, levels[l]);
            (void)snprintf(what, sizeof what, "shape %d, %s", i, be->device);
            compare_run(what, be, s, qkv, n, test_int(50, 300), &want);
            be->close(be);
        }
        test_floats_free(qkv, (size_t)n * qkv_width(s));
        test_floats_free(want.out, outs);
        test_floats_free(want.log_sum_exp, heads);
        test_floats_free(want.mean_score, heads);
    }
}

/* A prompt chunk and two decode rows of other sessions in one step equal each of them alone. */
static void test_equal_in_mixed_batch(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i += shape_step) {
        const shape *s = &SHAPES[i];
        trueno_backend *be = open_backend("cpu", 2, UINT32_MAX);
        const int32_t lengths[] = {test_int(60, 140), test_int(513, 530), 1};
        const int32_t fresh[] = {test_int(2, 60), 1, 1}; /* rows in the mixed step */
        trueno_kv *kv[3];
        trueno_span spans[3];
        float *qkv[3], *alone[3], *mixed, *together;
        int32_t rows = 0;

        for (int k = 0; k < 3; k++)
            rows += fresh[k];
        mixed = test_floats((size_t)rows * qkv_width(s));
        together = test_floats((size_t)rows * out_width(s));
        rows = 0;
        for (int k = 0; k < 3; k++) {
            int32_t before = lengths[k] - fresh[k];

            qkv[k] = random_qkv(s, lengths[k]);
            alone[k] = test_floats((size_t)lengths[k] * out_width(s));
            run_sequence(be, s, qkv[k], lengths[k], lengths[k], (results){alone[k], NULL, NULL});
            kv[k] = new_kv(be, s, lengths[k]);
            if (before > 0) {
                const trueno_span span = {kv[k], 0, before, 0};
                float *ignored = test_floats((size_t)before * out_width(s));

                step(be, s, &span, 1, qkv[k], (results){ignored, NULL, NULL});
                test_floats_free(ignored, (size_t)before * out_width(s));
            }
            spans[k] = (trueno_span){kv[k], rows, fresh[k], before};
            memcpy(mixed + (size_t)rows * qkv_width(s), qkv[k] + (size_t)before * qkv_width(s),
                   (size_t)fresh[k] * qkv_width(s) * sizeof(float));
            rows += fresh[k];
        }
        step(be, s, spans, 3, mixed, (results){together, NULL, NULL});
        for (int k = 0; k < 3; k++) {
            test_equal_bits("mixed batch", together + (size_t)spans[k].first_row * out_width(s),
                            alone[k] + (size_t)spans[k].first_pos * out_width(s),
                            (size_t)fresh[k] * out_width(s));
            be->kv_free(be, kv[k]);
            test_floats_free(qkv[k], (size_t)lengths[k] * qkv_width(s));
            test_floats_free(alone[k], (size_t)lengths[k] * out_width(s));
        }
        test_floats_free(mixed, (size_t)rows * qkv_width(s));
        test_floats_free(together, (size_t)rows * out_width(s));
        be->close(be);
    }
}

/* An infinity in a later row of the chunk, or left by a longer past, never reaches an earlier row.
 */
static void test_blind_to_the_future(void **state)
{
    const shape s = {4, 4, 64, 0, 0.0f, false, TRUENO_ROPE_NEOX, 64, TRUENO_KV_F16, 1.0f};
    const int32_t n = 90;
    size_t outs = (size_t)n * out_width(&s);
    trueno_backend *be = open_backend("cpu", 2, UINT32_MAX);
    float *qkv = random_qkv(&s, n), *clean = test_floats(outs), *dirty = test_floats(outs);
    int32_t bad = test_int(1, n - 1);
    trueno_kv *kv = new_kv(be, &s, n);
    trueno_span span = {kv, 0, n, 0};

    (void)state;
    step(be, &s, &span, 1, qkv, (results){clean, NULL, NULL});
    for (size_t i = 0; i < 64; i++) /* the last values of row `bad` */
        qkv[(size_t)(bad + 1) * qkv_width(&s) - 1 - i] = i % 2 == 0 ? INFINITY : NAN;
    step(be, &s, &span, 1, qkv, (results){dirty, NULL, NULL});
    test_equal_bits("rows before an infinity", dirty, clean, (size_t)bad * out_width(&s));
    span.n_rows = bad; /* rewound: the bad row is still stored behind these */
    step(be, &s, &span, 1, qkv, (results){dirty, NULL, NULL});
    test_equal_bits("rows of a rewound session", dirty, clean, (size_t)bad * out_width(&s));
    be->kv_free(be, kv);
    be->close(be);
    test_floats_free(qkv, (size_t)n * qkv_width(&s));
    test_floats_free(clean, outs);
    test_floats_free(dirty, outs);
}

/* Scores of 1e5 and more, and values that are subnormal, stay finite and right. */
static void test_extreme_scores(void **state)
{
    const shape s = {6, 1, 64, 0, 0.0f, false, TRUENO_ROPE_NEOX, 2, TRUENO_KV_F32, 1.0f};
    const int32_t n = 200;
    size_t outs = (size_t)n * out_width(&s);
    trueno_backend *cpu = open_backend("cpu", 2, UINT32_MAX),
                   *ref = open_backend("reference", 1, UINT32_MAX);
    float *qkv = random_qkv(&s, n), *got = test_floats(outs), *want = test_floats(outs);

    (void)state;
    for (int32_t row = 0; row < n; row++) { /* one large element decides each score */
        float *q = qkv + (size_t)row * qkv_width(&s), *k = q + out_width(&s), *v = k + s.head_dim;

        for (int32_t h = 0; h < s.n_heads; h++)
            q[h * s.head_dim + 5] = h % 2 == 0 ? 4000.0f : -4000.0f;
        k[5] = 16.0f * (float)test_int(-16, 16);
        v[3] = 1e-41f * test_float();
        v[4] = 1e30f * test_float();
    }
    run_sequence(cpu, &s, qkv, n, 64, (results){got, NULL, NULL});
    run_sequence(ref, &s, qkv, n, n, (results){want, NULL, NULL});
    for (size_t i = 0; i < outs; i++) /* scores near 1e5 carry an error of 1e5 * 2^-24 */
        if (!(fabs((double)got[i] - (double)want[i]) <=
              0.05 * (i % 64 == 4 ? 1e30 : 1.0) + 0.05 * fabs((double)want[i])))
            fail_msg("element %zu is %g, must be %g", i, (double)got[i], (double)want[i]);
    test_floats_free(qkv, (size_t)n * qkv_width(&s));
    test_floats_free(got, outs);
    test_floats_free(want, outs);
    cpu->close(cpu);
    ref->close(ref);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_reference),    cmocka_unit_test(test_equal_for_any_cut),
        cmocka_unit_test(test_equal_in_mixed_batch), cmocka_unit_test(test_blind_to_the_future),
        cmocka_unit_test(test_extreme_scores),
    };

    if (argc > 1)
        shape_step = atoi(argv[1]);
    test_seed_init();
    fill_model();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
