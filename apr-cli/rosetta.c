/* SPDX-License-Identifier: MIT */
/* apr rosetta: the verbs about conversions, one row each; inspect and fingerprint. */
#include "commands.h"

#include <apr/compare.h>
#include <apr/inspect.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const command_row ROSETTA_VERBS[] = {
    {"rosetta inspect", "MODEL", "metadata, tensors and their types in one report",
     GROUP_FILE | GROUP_HEXDUMP, 1, 1, rosetta_inspect_command},
    {"rosetta convert", "SOURCE TARGET", "write a model in the format that TARGET's name says",
     GROUP_CONVERT | GROUP_FILE, 2, 2, rosetta_convert_command},
    {"rosetta chain", "SOURCE FORMAT FORMAT...",
     "convert through several formats, comparing each with the source", GROUP_CHAIN | GROUP_FILE, 3,
     -1, rosetta_chain_command},
    {"rosetta verify", "SOURCE", "convert to another format and back, and compare with the source",
     GROUP_ROUND_TRIP | GROUP_FILE, 1, 1, rosetta_verify_command},
    {"rosetta compare-inference", "FIRST SECOND",
     "logits and greedy tokens of two models on the same prompt", GROUP_INFERENCES | GROUP_ENGINE,
     2, 2, rosetta_inference_command},
    {"rosetta diff-tensors", "FIRST SECOND", "compare the weights of two models, whatever formats",
     GROUP_DIFFERENCES | GROUP_FILE, 2, 2, rosetta_diff_command},
    {"rosetta fingerprint", "MODEL", "moments, percentiles and a checksum of every tensor",
     GROUP_FINGERPRINT | GROUP_FILE, 1, 1, rosetta_fingerprint_command},
    {"rosetta validate-stats", "MODEL",
     "statistics of tensors against those of another model, or a fingerprint's",
     GROUP_STATISTICS | GROUP_STRICT | GROUP_FILE, 1, 1, rosetta_statistics_command},
    {"rosetta diagnose", "MODEL",
     "convert, damage copies, and learn to predict errors and to name faults",
     GROUP_DIAGNOSE | GROUP_FILE, 1, 1, rosetta_diagnose_command},
    {0},
};

/* The first bytes of the file as lines of offset, hex and text, or as one text of hex for JSON. */
enum { DUMP_BYTES = 256, DUMP_LINE = 16 };

static trueno_status read_begin(const char *path, unsigned char *out, size_t *bytes,
                                trueno_error *err)
{
    FILE *f = fopen(path, "rb");

    if (f == NULL)
        return trueno_fail(err, errno == ENOENT ? TRUENO_NOT_FOUND : TRUENO_IO, "%s: %s", path,
                           strerror(errno));
    *bytes = fread(out, 1, DUMP_BYTES, f);
    if (ferror(f)) {
        (void)fclose(f);
        return trueno_fail(err, TRUENO_IO, "%s: no file to show the bytes of", path);
    }
    (void)fclose(f);
    return TRUENO_OK;
}

static void print_dump(const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at < n; at += DUMP_LINE) {
        (void)printf("%08zx ", at);
        for (size_t i = at; i < at + DUMP_LINE; i++)
            (void)(i < n ? printf(" %02x", bytes[i]) : printf("   "));
        (void)printf("  ");
        for (size_t i = at; i < at + DUMP_LINE && i < n; i++)
            (void)putchar(bytes[i] >= 32 && bytes[i] < 127 ? bytes[i] : '.');
        (void)putchar('\n');
    }
}

static json_t *dump_json(const unsigned char *bytes, size_t n)
{
    char text[2 * DUMP_BYTES + 1];

    for (size_t i = 0; i < n; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_stringn(text, 2 * n);
}

/* The element type that most of the bytes are of. */
static const char *main_type(const apr_model *model)
{
    const char *best = "none";
    uint64_t most = 0;

    for (size_t i = 0; i < apr_model_tensor_count(model); i++) {
        const char *type = apr_tensor_type_name(apr_model_tensor(model, i));
        uint64_t bytes = 0;

        if (strcmp(type, best) == 0)
            continue;
        for (size_t k = 0; k < apr_model_tensor_count(model); k++)
            if (strcmp(apr_tensor_type_name(apr_model_tensor(model, k)), type) == 0)
                bytes += apr_model_tensor(model, k)->bytes;
        if (bytes > most) {
            most = bytes;
            best = type;
        }
    }
    return best;
}

/* inspect's document with the tensors of the other, "quantization" and "architecture". */
static trueno_status make_report(const apr_model *model, json_t **out, trueno_error *err)
{
    const apr_tensors_options all = {.size = sizeof all};
    char *text = NULL, *list = NULL;
    size_t bytes = 0, list_bytes = 0;
    json_t *tensors = NULL;
    trueno_status status = apr_inspect_json(model, false, &text, &bytes, err);

    status = take_document(model, status, text, bytes, out, err);
    if (status == TRUENO_OK)
        status = apr_tensors_json(model, &all, &list, &list_bytes, err);
    status = take_document(model, status, list, list_bytes, &tensors, err);
    if (status == TRUENO_OK) {
        (void)json_object_set_new(*out, "architecture",
                                  json_string(apr_model_config(model)->architecture));
        (void)json_object_set_new(*out, "quantization", json_string(main_type(model)));
        (void)json_object_set(*out, "tensors", json_object_get(tensors, "tensors"));
    }
    json_decref(tensors);
    return status;
}

/* The first ten tensors and the last two. */
static void print_report(json_t *report)
{
    enum { FIRST = 10, LAST = 2 };
    json_t *tensors = json_incref(json_object_get(report, "tensors"));
    const size_t n = json_array_size(tensors);
    json_t *shown = json_array(), *document = json_pack("{s:O}", "tensors", shown);

    (void)json_object_del(report, "tensors");
    print_members(report, "", 60);
    (void)printf("tensors\n");
    for (size_t i = 0; i < n; i++)
        if (i < FIRST || i + LAST >= n)
            (void)json_array_append(shown, json_array_get(tensors, i));
    print_tensors(document);
    if (n > FIRST + LAST)
        (void)printf("(%zu more between the tenth and the last two)\n", n - FIRST - LAST);
    json_decref(document);
    json_decref(shown);
    json_decref(tensors);
}

trueno_status rosetta_inspect_command(cli_arguments *a, trueno_error *err)
{
    unsigned char begin[DUMP_BYTES];
    size_t begin_bytes = 0;
    json_t *report = NULL;
    apr_model *model;
    trueno_status status = load_model(a, a->positional[0], true, &model, err);

    if (status < 0)
        return status;
    if (a->o.hexdump)
        status = read_begin(a->positional[0], begin, &begin_bytes, err);
    if (status == TRUENO_OK)
        status = make_report(model, &report, err);
    if (status == TRUENO_OK && a->o.json && a->o.hexdump)
        (void)json_object_set_new(report, "hexdump", dump_json(begin, begin_bytes));
    if (status == TRUENO_OK && a->o.json) {
        status = print_json(json_incref(report), err);
    } else if (status == TRUENO_OK) {
        print_report(report);
        print_dump(begin, begin_bytes);
    }
    json_decref(report);
    apr_model_close(model);
    return status;
}

static trueno_status make_fingerprint(const cli_arguments *a, const apr_model *model, char **text,
                                      size_t *bytes, trueno_error *err)
{
    return apr_fingerprint_json(model, a->o.filter, text, bytes, err);
}

trueno_status rosetta_fingerprint_command(cli_arguments *a, trueno_error *err)
{
    return document_command(a, make_fingerprint, write_or_print, err);
}
