/* SPDX-License-Identifier: MIT */
/* apr canary: record what a model is, and find out later whether it still is. */
#include "commands.h"

#include <apr/canary.h>
#include <apr/inspect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const command_row CANARY_VERBS[] = {
    {"canary create", "MODEL", "record config, tokenizer and every tensor of a model",
     GROUP_CANARY_CREATE | GROUP_FILE, 1, 1, canary_create_command},
    {"canary check", "MODEL", "hold a model of any format against a recorded canary",
     GROUP_CANARY_CHECK | GROUP_FILE, 1, 1, canary_check_command},
    {0},
};

/* What tokenizers take apart differently: cases, digits, contractions, runs of white space, code,
 * other scripts, an accent of its own, an emoji of several parts. */
static const char TEXT[] = "The canary's song, it'll cost $1,234.50 -- won't it?\n\n"
                           "    if (x != 0x1F) { return y[i]++; }\t// 50% \n"
                           "na\xc3\xafve Stra\xc3\x9f"
                           "e e\xcc\x81t\xc3\xa9 "
                           "\xd0\xbf\xd1\x82\xd0\xb8\xd1\x86\xd0\xb0 "
                           "\xe9\x87\x91\xe4\xb8\x9d\xe9\x9b\x80 "
                           "\xe3\x82\xab\xe3\x83\x8a\xe3\x83\xaa\xe3\x82\xa2 "
                           "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb 007\r\n";

/* The time now as ISO 8601 has it. */
static void time_text(char out[32])
{
    const time_t now = time(NULL);
    struct tm parts;

    out[0] = '\0';
    if (gmtime_r(&now, &parts) != NULL)
        (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* --input, or the text above; *text is the caller's to free. */
static trueno_status read_input(const cli_arguments *a, text_buffer *text, trueno_error *err)
{
    json_t *valid;
    trueno_status status;

    if (a->o.input == NULL)
        return text_append(text, TEXT, sizeof TEXT - 1, err);
    if ((status = read_text_file(a->o.input, text, err)) < 0)
        return status;
    valid = json_stringn(text->data, text->bytes);
    json_decref(valid);
    return valid != NULL ? TRUENO_OK
                         : trueno_fail(err, TRUENO_USAGE, "%s: is no UTF-8 text", a->o.input);
}

/* The text's tokens; *ids NULL where the model has no vocabulary, or one that cannot be used and
 * none was asked for. */
static trueno_status make_ids(const cli_arguments *a, const apr_model *model,
                              const text_buffer *text, int32_t **ids, size_t *n, trueno_error *err)
{
    trueno_error problem = {0};
    trueno_status status = TRUENO_OK;

    if (apr_model_vocab(model) != NULL)
        status = encode_text(model, text->data, text->bytes, ids, n, &problem);
    else if (a->o.input != NULL)
        status = trueno_fail(&problem, TRUENO_UNSUPPORTED, "%s: no vocabulary", a->positional[0]);
    if (status == TRUENO_UNSUPPORTED && a->o.input == NULL) {
        print_note(a, "apr: warning: no tokens are recorded: %s", problem.message);
        return TRUENO_OK;
    }
    return status < 0 ? trueno_fail(err, status, "%s", problem.message) : status;
}

static trueno_status make_canary(const cli_arguments *a, const apr_model *model, char **made,
                                 size_t *bytes, trueno_error *err)
{
    text_buffer text = {0};
    apr_canary_input input = {0};
    int32_t *ids = NULL;
    char now[32];
    trueno_status status = read_input(a, &text, err);

    if (status == TRUENO_OK)
        status = make_ids(a, model, &text, &ids, &input.n_ids, err);
    input.text = text.data;
    input.bytes = text.bytes;
    input.ids = ids;
    time_text(now);
    if (status == TRUENO_OK)
        status = apr_canary_make(model, ids != NULL ? &input : NULL, now, (int32_t)a->o.threads,
                                 made, bytes, err);
    free(text.data);
    free(ids);
    return status;
}

trueno_status canary_create_command(cli_arguments *a, trueno_error *err)
{
    return document_command(a, make_canary, write_or_print, err);
}

/* One check: what is told of it, in text as it comes and in the document at the end. */
typedef struct canary_report {
    const cli_arguments *a;
    json_t *failures;
    apr_canary_sums sums;
} canary_report;

static void take_finding(void *user, const apr_canary_finding *f)
{
    canary_report *r = user;

    if (!r->a->o.json && (!f->passed || r->a->o.verbose))
        (void)printf("[%s] %-9s %s%s%s\n", f->passed ? "PASS" : "FAIL", f->group, f->name,
                     f->detail[0] != '\0' ? ": " : "", f->detail);
    if (f->passed)
        return;
    (void)json_array_append_new(r->failures,
                                json_pack("{s:s, s:o, s:o, s:o}", "group", f->group, "name",
                                          json_text(f->name, strlen(f->name)), "detail",
                                          json_text(f->detail, strlen(f->detail)), "deviation",
                                          json_number(f->deviation)));
}

/* Where two lists of tokens part. */
static void say_tokens(char *out, size_t capacity, const int32_t *now, size_t n,
                       const apr_canary_input *recorded)
{
    size_t at = 0;

    while (at < n && at < recorded->n_ids && now[at] == recorded->ids[at])
        at++;
    if (at == n && n == recorded->n_ids)
        out[0] = '\0';
    else
        (void)snprintf(out, capacity,
                       "%zu tokens, recorded are %zu; the first that differs is number %zu", n,
                       recorded->n_ids, at);
}

/* The recorded text through the model's tokenizer. */
static trueno_status check_text(canary_report *r, const apr_canary *canary, const apr_model *model,
                                trueno_error *err)
{
    apr_canary_input recorded;
    apr_canary_finding f = {.group = "tokenizer", .name = "tokens of the recorded text"};
    trueno_error problem = {.message = "the model has no vocabulary"};
    char detail[sizeof problem.message];
    int32_t *ids = NULL;
    size_t n = 0;
    trueno_status status = TRUENO_OK;

    if (!apr_canary_text(canary, &recorded))
        return TRUENO_OK;
    if (apr_model_vocab(model) != NULL)
        status = encode_text(model, recorded.text, recorded.bytes, &ids, &n, &problem);
    if (status < 0 && status != TRUENO_UNSUPPORTED)
        return trueno_fail(err, status, "%s", problem.message);
    (void)snprintf(detail, sizeof detail, "%s", problem.message);
    if (ids != NULL)
        say_tokens(detail, sizeof detail, ids, n, &recorded);
    free(ids);
    f.detail = detail;
    f.passed = detail[0] == '\0';
    r->sums.passed += f.passed;
    r->sums.failed += !f.passed;
    take_finding(r, &f);
    return TRUENO_OK;
}

static json_t *report_json(const canary_report *r, bool passed)
{
    const apr_canary_sums *s = &r->sums;

    return json_pack("{s:i, s:s, s:s, s:b, s:o, s:I, s:I, s:o, s:O}", "schema", 1, "file",
                     r->a->positional[0], "canary", r->a->o.canary, "passed", passed, "tolerance",
                     json_number(r->a->o.tolerance), "checks_passed", (json_int_t)s->passed,
                     "checks_failed", (json_int_t)s->failed, "max_deviation",
                     json_number(s->deviation), "failures", r->failures);
}

static trueno_status check(cli_arguments *a, const apr_canary *canary, const apr_model *model,
                           trueno_error *err)
{
    canary_report r = {.a = a, .failures = json_array()};
    apr_canary_sums *s = &r.sums;
    trueno_status status = apr_canary_check(canary, model, a->o.tolerance, (int32_t)a->o.threads,
                                            take_finding, &r, s, err);

    if (status == TRUENO_OK)
        status = check_text(&r, canary, model, err);
    if (status == TRUENO_OK) {
        if (s->failed > 0)
            status = trueno_fail(err, TRUENO_CONTENT,
                                 "%s is not as %s has it: %llu of %llu checks failed",
                                 a->positional[0], a->o.canary, (unsigned long long)s->failed,
                                 (unsigned long long)s->passed + s->failed);
        if (a->o.json)
            status = finish_report(a, report_json(&r, status == TRUENO_OK), status, err);
        else
            (void)printf("%s: %llu passed, %llu failed of %llu; largest deviation %.3g\n",
                         a->positional[0], (unsigned long long)s->passed,
                         (unsigned long long)s->failed, (unsigned long long)s->passed + s->failed,
                         s->deviation);
    }
    json_decref(r.failures);
    return status;
}

trueno_status canary_check_command(cli_arguments *a, trueno_error *err)
{
    apr_canary *canary = NULL;
    apr_model *model = NULL;
    trueno_status status;

    if (a->o.canary == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--canary FILE is needed");
    if ((status = apr_canary_open(&canary, a->o.canary, NULL, err)) == TRUENO_OK &&
        (status = load_model(a, a->positional[0], true, &model, err)) == TRUENO_OK)
        status = check(a, canary, model, err);
    apr_model_close(model);
    apr_canary_close(canary);
    return status;
}
