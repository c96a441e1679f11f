/* SPDX-License-Identifier: MIT */
/* Recorded logits of a tiny model, and a file of it held against them. */
#ifndef TEST_REALIZAR_RECORDED_H
#define TEST_REALIZAR_RECORDED_H

#include "support.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct recorded {
    int32_t n, vocab;
    int32_t *ids;
    float *logits; /* [n, vocab] */
} recorded;

static inline recorded read_recorded(const char *path)
{
    recorded r = {0};
    FILE *f = fopen(path, "rb");

    if (f == NULL || fread(&r.n, 4, 1, f) != 1 || fread(&r.vocab, 4, 1, f) != 1) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    r.ids = malloc((size_t)r.n * sizeof *r.ids);
    r.logits = malloc((size_t)r.n * (size_t)r.vocab * sizeof *r.logits);
    if (fread(r.ids, 4, (size_t)r.n, f) != (size_t)r.n ||
        fread(r.logits, 4, (size_t)r.n * (size_t)r.vocab, f) != (size_t)r.n * (size_t)r.vocab) {
        (void)fprintf(stderr, "%s ends early\n", path);
        exit(2);
    }
    (void)fclose(f);
    return r;
}

/* Largest difference over the largest logit, or infinity. */
static inline double distance(const recorded *r, const float *logits)
{
    double most = 0, difference = 0;

    for (size_t i = 0; i < (size_t)r->n * (size_t)r->vocab; i++) {
        double d = (double)logits[i] - r->logits[i];

        d = d < 0 ? -d : d;
        most = r->logits[i] > most ? r->logits[i] : most;
        difference = d > difference || d != d ? d : difference;
    }
    return difference / most;
}

/* True when the file, computed by the backend, gives the recorded logits within 1e-4. */
static inline bool check(const char *path, const char *backend, const recorded *r)
{
    realizar_engine_options o;
    realizar_engine *e = NULL;
    realizar_session *s = NULL;
    trueno_error err = {0};
    float *logits = calloc((size_t)r->n * (size_t)r->vocab, sizeof *logits);
    double far = -1;

    realizar_engine_options_init(&o, sizeof o);
    o.backend = backend;
    o.kv_type = TRUENO_KV_F32;
    o.bench_only = true; /* they have no tokenizer */
    if (realizar_engine_open(&e, path, &o, &err) == TRUENO_OK &&
        realizar_session_new(&s, e, 0, &err) == TRUENO_OK) {
        realizar_step_item item = {s, r->ids, r->n, REALIZAR_ROWS_ALL, logits, NULL, NULL, NULL};

        if (realizar_engine_vocab_size(e) != r->vocab)
            (void)trueno_fail(&err, TRUENO_CONTENT, "vocabulary of %d",
                              realizar_engine_vocab_size(e));
        else if (realizar_step(e, &item, 1, &err) == TRUENO_OK)
            far = distance(r, logits);
    }
    if (far < 0)
        (void)printf("FAIL %s on %s: %s\n", path, backend, err.message);
    else
        (void)printf("%s %s on %s: %.2e\n", far <= 1e-4 ? "ok  " : "FAIL", path, backend, far);
    realizar_session_free(s);
    realizar_engine_close(e);
    free(logits);
    return far >= 0 && far <= 1e-4;
}

#endif
