/* SPDX-License-Identifier: MIT */
/* Diagnoses of the demo model: conversions, damage, and what is learned from both. */
#include "diagnose/diagnosis.h"
#include "diagnose/faults.h"
#include "diagnose/learn.h"

#include <apr/inspect.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DEMO TEST_DATA_DIR "/../../librealizar/demo/demo.gguf"

/* One diagnosis serves most tests: opened once, never changed. */
static apr_model *model;
static apr_diagnosis *diagnosis;

static apr_diagnosis *diagnose(uint64_t seed, int32_t trials, trueno_error *err)
{
    apr_diagnose_options o;
    apr_diagnosis *d = NULL;

    apr_diagnose_options_init(&o, sizeof o);
    o.seed = seed;
    o.trials = trials;
    (void)apr_diagnose_model(&d, model, &o, err);
    return d;
}

static int open_demo(void **state)
{
    trueno_error err = {0};

    (void)state;
    if (apr_model_open(&model, DEMO, NULL, &err) < 0 ||
        (diagnosis = diagnose(7, 12, &err)) == NULL) {
        (void)fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    return 0;
}

static int close_demo(void **state)
{
    (void)state;
    apr_diagnosis_free(diagnosis);
    apr_model_close(model);
    return 0;
}

static const apr_criterion *criterion(const char *id)
{
    const apr_criterion *c;

    for (size_t i = 0; (c = apr_diagnosis_criterion(diagnosis, i)) != NULL; i++)
        if (strcmp(c->id, id) == 0)
            return c;
    fail_msg("no criterion %s", id);
    return NULL;
}

static void check_criterion(const char *id, double least, int32_t n)
{
    const apr_criterion *c = criterion(id);

    assert_true(c->least == least);
    assert_true(c->n >= n);
    if (!(c->value >= c->least))
        fail_msg("%s: %g, at least %g", id, c->value, c->least);
}

static void regression_predicts_held_out_errors(void **state)
{
    (void)state;
    check_criterion("F-LR-001", 0.7, 30);
}

static void clusters_are_apart(void **state)
{
    (void)state;
    check_criterion("F-KMEANS-001", 0.5, 25);
}

static void three_directions_hold_the_variance(void **state)
{
    (void)state;
    check_criterion("F-PCA-001", 0.8, 30);
}

static void messages_name_their_fix(void **state)
{
    (void)state;
    check_criterion("F-NB-001", 0.85, 25);
}

static void conversions_keep_every_weight(void **state)
{
    (void)state;
    for (int i = 0; i < DIAGNOSIS_FILES; i++) {
        assert_true(diagnosis->conversions[i].same);
        assert_true(diagnosis->conversions[i].bytes > 1000000);
    }
    assert_string_not_equal(diagnosis->conversions[0].format, diagnosis->conversions[1].format);
}

static void every_damage_is_found(void **state)
{
    int32_t of_kind[APR_DAMAGE_KINDS] = {0};

    (void)state;
    for (size_t i = 0; i < diagnosis->n_trials; i++) {
        const trial *t = &diagnosis->trials[i];

        if (!t->found || t->message[0] == '\0')
            fail_msg("%s, %s: not found", apr_damage_name(t->damage), t->fault);
        of_kind[t->damage]++;
    }
    for (int k = 0; k < APR_DAMAGE_KINDS; k++)
        assert_int_equal(of_kind[k], 12);
}

static void check_messages(apr_damage kind, const char *word)
{
    int32_t n = 0;

    for (size_t i = 0; i < diagnosis->n_trials; i++) {
        const trial *t = &diagnosis->trials[i];

        if (t->damage != kind || t->status < 0)
            continue;
        n++;
        if (t->tensor == NULL || strstr(t->message, t->tensor) == NULL ||
            strstr(t->message, word) == NULL)
            fail_msg("%s: '%s' does not tell of %s", t->fault, t->message, word);
    }
    assert_true(n > 0);
}

static void shape_is_told(void **state)
{
    (void)state;
    check_messages(APR_DAMAGE_SHAPE, "shape");
}

static void scales_are_told(void **state)
{
    (void)state;
    check_messages(APR_DAMAGE_QUANT, "scales");
}

static void order_is_told(void **state)
{
    (void)state;
    check_messages(APR_DAMAGE_LAYOUT, "another order");
}

static void headers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < diagnosis->n_trials; i++)
        if (diagnosis->trials[i].damage == APR_DAMAGE_HEADER)
            assert_true(diagnosis->trials[i].status < 0);
}

static void predictions_follow_measurements(void **state)
{
    double off = 0;

    (void)state;
    assert_true(diagnosis->errors.n_rows >= 8);
    for (int32_t i = 0; i < diagnosis->errors.n_rows; i++)
        off += fabs(log2(diagnosis->errors.rows[i].predicted / diagnosis->errors.rows[i].measured));
    assert_true(off / diagnosis->errors.n_rows < 2); /* within a factor of four on average */
}

static void fewer_bits_more_error(void **state)
{
    (void)state;
    assert_true(diagnosis->errors.weights[2] < 0); /* of bits a weight */
    assert_true(diagnosis->errors.weights[4] > 0); /* of the standard deviation */
}

static void classify(const char *message, apr_damage kind)
{
    double probability = 0;

    assert_int_equal(apr_diagnosis_classify(diagnosis, message, &probability), kind);
    assert_true(probability > 0.5 && probability <= 1);
}

static void messages_of_others_are_classified(void **state)
{
    (void)state;
    classify("blk.7.ffn_up.weight: shape 4864 x 896, the source has 896 x 4864", APR_DAMAGE_SHAPE);
    classify("blk.0.attn_k.weight: 12 of 400 quantised blocks differ, wrong scales",
             APR_DAMAGE_QUANT);
    classify("blk.2.attn_q.weight: type Q8_0, the source has type Q4_K", APR_DAMAGE_DTYPE);
    classify("blk.3.ffn_down.weight: the source's weights in another order: layout of rows and "
             "columns exchanged",
             APR_DAMAGE_LAYOUT);
}

static void the_same_seed_gives_the_same(void **state)
{
    trueno_error err = {0};
    apr_diagnosis *again = diagnose(7, 12, &err);
    char *a, *b;
    size_t n, m;

    (void)state;
    assert_non_null(again);
    assert_int_equal(apr_diagnosis_json(diagnosis, &a, &n, &err), TRUENO_OK);
    assert_int_equal(apr_diagnosis_json(again, &b, &m, &err), TRUENO_OK);
    assert_int_equal(n, m);
    assert_string_equal(a, b);
    apr_inspect_free(model, a, n);
    apr_inspect_free(model, b, m);
    apr_diagnosis_free(again);
}

static void json_is_whole(void **state)
{
    trueno_error err = {0};
    json_t *document;
    char *text;
    size_t bytes;

    (void)state;
    assert_int_equal(apr_diagnosis_json(diagnosis, &text, &bytes, &err), TRUENO_OK);
    document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    assert_int_equal(json_integer_value(json_object_get(document, "schema")), 1);
    assert_int_equal(json_array_size(json_object_get(document, "trials")), diagnosis->n_trials);
    assert_int_equal(json_array_size(json_object_get(document, "clusters")), APR_DAMAGE_KINDS);
    assert_int_equal(json_array_size(json_object_get(document, "points")),
                     apr_model_tensor_count(model));
    json_decref(document);
    apr_inspect_free(model, text, bytes);
}

static void plot_has_every_tensor(void **state)
{
    trueno_error err = {0};
    size_t bytes, titles = 0;
    char *text;

    (void)state;
    assert_int_equal(apr_diagnosis_plot(diagnosis, &text, &bytes, &err), TRUENO_OK);
    assert_int_equal(strlen(text), bytes);
    for (const char *p = text; (p = strstr(p, "<title>")) != NULL; p++)
        titles++;
    assert_int_equal(titles, apr_model_tensor_count(model));
    assert_null(strstr(text, "nan"));
    assert_string_equal(text + bytes - strlen("</svg>\n"), "</svg>\n");
    apr_inspect_free(model, text, bytes);
}

static void suspects_are_the_faults(void **state)
{
    (void)state;
    assert_true(diagnosis->n_suspects > 6);
    assert_true(diagnosis->suspects[0].suspicion == 1);
    for (size_t i = 0; i < diagnosis->n_suspects; i++) /* what both do is not accused */
        if (strncmp(diagnosis->suspects[i].name, "writes", 6) == 0)
            assert_true(diagnosis->suspects[i].suspicion < 0.75);
}

static void bad_options_are_refused(void **state)
{
    apr_diagnosis *d = diagnosis;
    apr_diagnose_options o;
    trueno_error err = {0};

    (void)state;
    apr_diagnose_options_init(&o, sizeof o);
    o.trials = 3;
    assert_int_equal(apr_diagnose_model(&d, model, &o, &err), TRUENO_USAGE);
    assert_null(d);
    o.trials = 4;
    o.type = (trueno_type)5;
    assert_int_equal(apr_diagnose_model(&d, model, &o, &err), TRUENO_USAGE);
    o.type = TRUENO_Q8_0;
    o.folder = TEST_DATA_DIR "/no such folder";
    assert_int_equal(apr_diagnose_model(&d, model, &o, &err), TRUENO_IO);
    assert_non_null(strstr(err.message, "no such folder"));
}

static void nothing_is_left_behind(void **state)
{
    char folder[] = "diagnose-XXXXXX";
    apr_diagnose_options o;
    apr_diagnosis *d;
    trueno_error err = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    apr_diagnose_options_init(&o, sizeof o);
    o.trials = 4;
    o.folder = folder;
    assert_int_equal(apr_diagnose_model(&d, model, &o, &err), TRUENO_OK);
    apr_diagnosis_free(d);
    assert_int_equal(rmdir(folder), 0); /* it is empty */
}

static void every_kind_has_faults(void **state)
{
    (void)state;
    for (int k = 0; k < APR_DAMAGE_KINDS; k++) {
        const fault_row *first = fault_find((apr_damage)k, 0, true);

        assert_non_null(first);
        assert_int_equal(first->kind, k);
        assert_true(strlen(apr_damage_name((apr_damage)k)) > 5);
        assert_true(strlen(apr_damage_fix((apr_damage)k)) > 10);
        for (uint32_t n = 1; n < 20; n++) /* counted round */
            assert_int_equal(fault_find((apr_damage)k, n, true)->kind, k);
    }
    assert_null(fault_find(APR_DAMAGE_SHAPE, 0, false)); /* .apr's index has a checksum */
}

static void keywords_are_seen(void **state)
{
    double x[MESSAGE_FEATURES];

    (void)state;
    trial_message_features("a: shape 1 x 2 of type Q4_0", x);
    assert_true(x[0] == 0.27 && x[1] == 1 && x[2] == 0 && x[3] == 1 && x[4] == 0);
    trial_message_features("", x);
    assert_true(x[0] + x[1] + x[2] + x[3] + x[4] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regression_predicts_held_out_errors),
        cmocka_unit_test(clusters_are_apart),
        cmocka_unit_test(three_directions_hold_the_variance),
        cmocka_unit_test(messages_name_their_fix),
        cmocka_unit_test(conversions_keep_every_weight),
        cmocka_unit_test(every_damage_is_found),
        cmocka_unit_test(shape_is_told),
        cmocka_unit_test(scales_are_told),
        cmocka_unit_test(order_is_told),
        cmocka_unit_test(headers_are_refused),
        cmocka_unit_test(predictions_follow_measurements),
        cmocka_unit_test(fewer_bits_more_error),
        cmocka_unit_test(messages_of_others_are_classified),
        cmocka_unit_test(the_same_seed_gives_the_same),
        cmocka_unit_test(json_is_whole),
        cmocka_unit_test(plot_has_every_tensor),
        cmocka_unit_test(suspects_are_the_faults),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(every_kind_has_faults),
        cmocka_unit_test(keywords_are_seen),
    };

    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
