/* SPDX-License-Identifier: MIT */
/*
 * chains FOLDER NAME: a tiny model through every round trip and chain of formats. Each result has
 * the weights of the source (all types here are floats or pass unchanged: no difference is
 * allowed), its hyperparameters field by field, and gives the logits that transformers computed. A
 * folder that comes back as a folder has the names that transformers gave.
 */
#include "recorded.h"

#include <apr/compare.h>
#include <apr/convert.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

enum { MOST_STEPS = 5 };

/* A way through formats: g GGUF, a .apr, s SafeTensors. */
static const struct chain {
    const char *id, *steps;
} CHAINS[] = {
    {"F-ROUNDTRIP-001", "gag"}, {"F-ROUNDTRIP-002", "aga"}, {"F-ROUNDTRIP-003", "sas"},
    {"F-ROUNDTRIP-004", "asa"}, {"F-ROUNDTRIP-005", "gsg"}, {"F-ROUNDTRIP-006", "sgs"},
    {"F-CHAIN-001", "gas"},     {"F-CHAIN-002", "gasa"},    {"F-CHAIN-003", "gasg"},
    {"F-CHAIN-004", "saga"},    {"F-CHAIN-005", "sgas"},    {"F-CHAIN-006", "agsga"},
};

static char folder[64];

static void path_of(char out[512], const char *id, int step, char format)
{
    (void)snprintf(out, 512, "%s/%s-%d%s", folder, id, step,
                   format == 'g'   ? ".gguf"
                   : format == 'a' ? ".apr"
                                   : "-safetensors");
}

static apr_model *open_model(const char *path)
{
    apr_model_options o;
    apr_model *m;
    trueno_error err = {0};

    apr_model_options_init(&o, sizeof o);
    o.verify = true;
    if (apr_model_open(&m, path, &o, &err) < 0) {
        (void)printf("FAIL %s: %s\n", path, err.message);
        exit(1);
    }
    return m;
}

static void convert(const char *from, const char *to)
{
    apr_model *m = open_model(from);
    trueno_error err = {0};

    if (apr_convert_model(m, to, NULL, &err) < 0) {
        (void)printf("FAIL %s to %s: %s\n", from, to, err.message);
        exit(1);
    }
    apr_model_close(m);
}

/* A number that follows from others where a format does not say it. */
static apr_config with_derived(const apr_model *m)
{
    apr_config c = *apr_model_config(m);

    if (c.query_scale == 0)
        c.query_scale = (float)c.head_dim;
    if (apr_model_role(m, APR_ROPE_FREQUENCIES, 0) != NULL ||
        c.rope_scaling == APR_ROPE_SCALING_LLAMA3) { /* a table, or numbers in the config */
        c.rope_scaling = APR_ROPE_SCALING_LLAMA3;
        c.rope_scaling_factor = 0;
        c.rope_original_positions = 0;
    }
    return c;
}

/* What must never be lost on the way, and the rest of the numbers. */
static int config_differences(const apr_config *a, const apr_config *b)
{
#define FIELD(name)                             \
    {                                           \
#name, (double)a->name, (double)b->name \
    }
    const struct {
        const char *name;
        double before, after;
    } rows[] = {FIELD(n_layers),
                FIELD(hidden_size),
                FIELD(n_heads),
                FIELD(n_kv_heads),
                FIELD(head_dim),
                FIELD(intermediate_size),
                FIELD(vocab_size),
                FIELD(max_positions),
                FIELD(n_rot),
                FIELD(rope_theta),
                FIELD(rope_local_theta),
                FIELD(norm_eps),
                FIELD(tied_embeddings),
                FIELD(rope_scaling),
                FIELD(rope_scaling_factor),
                FIELD(rope_original_positions),
                FIELD(yarn_beta_fast),
                FIELD(yarn_beta_slow),
                FIELD(n_rope_factors),
                FIELD(sliding_window),
                FIELD(attention_softcap),
                FIELD(logit_softcap),
                FIELD(query_scale),
                FIELD(n_experts),
                FIELD(n_experts_used),
                FIELD(expert_intermediate_size),
                FIELD(expert_renormalize)};
#undef FIELD
    int n = strcmp(a->architecture, b->architecture) != 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].before != rows[i].after) {
            (void)printf("     %s: %.9g became %.9g\n", rows[i].name, rows[i].before,
                         rows[i].after);
            n++;
        }
    return n;
}

static void tell_difference(void *user, const apr_tensor_difference *d)
{
    (void)user;
    if (d->kind != APR_SAME)
        (void)printf("     %s: kind %d, %llu values differ, by up to %g\n", d->name, (int)d->kind,
                     (unsigned long long)d->differing, d->max);
}

static bool same_models(const char *before, const char *after)
{
    apr_model *a = open_model(before), *b = open_model(after);
    apr_comparison sums;
    trueno_error err = {0};
    bool same = apr_compare_models(a, b, NULL, tell_difference, NULL, &sums, &err) == TRUENO_OK &&
                sums.tensors > 0 && sums.same == sums.tensors;

    const apr_config x = with_derived(a), y = with_derived(b);

    if (config_differences(&x, &y) > 0)
        same = false;
    apr_model_close(a);
    apr_model_close(b);
    return same;
}

static bool same_names(const char *before, const char *after)
{
    apr_model *a = open_model(before), *b = open_model(after);
    const size_t n = apr_model_tensor_count(a);
    bool same = apr_model_tensor_count(b) == n;

    for (size_t i = 0; i < n; i++)
        if (apr_model_find(b, apr_model_tensor(a, i)->name) == NULL) {
            (void)printf("     %s: not in the folder written\n", apr_model_tensor(a, i)->name);
            same = false;
        }
    apr_model_close(a);
    apr_model_close(b);
    return same;
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char file[1024];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        (void)unlink(file);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(path);
}

/* 0 when the chain leaves the model as it was. */
static int run_chain(const struct chain *c, const char *source, const recorded *r)
{
    char paths[MOST_STEPS][512];
    const int n = (int)strlen(c->steps);
    int failed;

    (void)snprintf(paths[0], sizeof paths[0], "%s", source);
    if (c->steps[0] == 'a') { /* made of the GGUF file first */
        path_of(paths[0], c->id, 0, 'a');
        convert(source, paths[0]);
    }
    for (int i = 1; i < n; i++) {
        path_of(paths[i], c->id, i, c->steps[i]);
        convert(paths[i - 1], paths[i]);
    }
    failed = !same_models(paths[0], paths[n - 1]) + !check(paths[n - 1], "cpu", r) +
             !check(paths[n - 1], "reference", r);
    if (c->steps[0] == 's' && c->steps[n - 1] == 's')
        failed += !same_names(paths[0], paths[n - 1]);
    (void)printf("%s %s %s\n", failed > 0 ? "FAIL" : "ok  ", c->id, c->steps);
    for (int i = c->steps[0] == 'a' ? 0 : 1; i < n; i++)
        if (unlink(paths[i]) != 0)
            remove_folder(paths[i]);
    return failed;
}

int main(int argc, char **argv)
{
    char path[512];
    int failures = 0;
    recorded r;

    if (argc != 3)
        return 2;
    (void)snprintf(folder, sizeof folder, "/tmp/apr-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 2;
    (void)snprintf(path, sizeof path, "%s/%s.logits", argv[1], argv[2]);
    r = read_recorded(path);
    for (size_t i = 0; i < sizeof CHAINS / sizeof CHAINS[0]; i++) {
        (void)snprintf(path, sizeof path, CHAINS[i].steps[0] == 's' ? "%s/%s" : "%s/%s.gguf",
                       argv[1], argv[2]);
        failures += run_chain(&CHAINS[i], path, &r);
    }
    free(r.ids);
    free(r.logits);
    (void)printf("%d failures\n", failures);
    return rmdir(folder) != 0 || failures > 0;
}
