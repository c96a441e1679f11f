/* SPDX-License-Identifier: MIT */
/* apr hex: the bytes of a model file and what they mean. */
#include "commands.h"

#include <apr/layout.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 16, JSON_BYTES = 64 };

/* One listing. */
typedef struct hex_listing {
    const cli_arguments *a;
    json_t *regions;  /* NULL: printed as they come */
    const char *file; /* of the last region */
} hex_listing;

static void print_bytes(const apr_region *r)
{
    for (uint64_t i = 0; i < LINE; i++)
        (void)(i < r->bytes ? printf(" %02x", r->data[i]) : printf("   "));
    (void)(r->bytes > LINE ? printf(" .. %10llu bytes ", (unsigned long long)r->bytes)
                           : printf("%20s", ""));
}

static void print_region(hex_listing *l, const apr_region *r)
{
    if (l->file == NULL || strcmp(l->file, r->file) != 0)
        (void)printf("%s\n", r->file);
    l->file = r->file;
    if (r->bytes == 0) {
        (void)printf("%-10s %s %s\n", "", r->what, r->value);
        return;
    }
    (void)printf("%c%08llx ", r->unpacked ? '+' : ' ', (unsigned long long)r->offset);
    print_bytes(r);
    (void)printf(" %s%s%s\n", r->what, r->value[0] != '\0' ? ": " : "", r->value);
}

static json_t *hex_text(const uint8_t *data, uint64_t bytes)
{
    char text[2 * JSON_BYTES + 1] = "";
    const uint64_t n = bytes < JSON_BYTES ? bytes : JSON_BYTES;

    for (uint64_t i = 0; i < n; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", data[i]);
    return json_stringn(text, (size_t)(2 * n));
}

static void take_region(void *user, const apr_region *r)
{
    hex_listing *l = user;

    if (l->regions == NULL) {
        print_region(l, r);
        return;
    }
    (void)json_array_append_new(
        l->regions,
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:b}", "file", r->file, "offset",
                  (json_int_t)r->offset, "bytes", (json_int_t)r->bytes, "hex",
                  hex_text(r->data, r->bytes), "what", json_text(r->what, strlen(r->what)), "value",
                  json_text(r->value, strlen(r->value)), "unpacked", r->unpacked));
}

trueno_status hex_command(cli_arguments *a, trueno_error *err)
{
    const apr_layout_options options = {.size = sizeof options,
                                        .tensor = a->o.tensor,
                                        .first = (uint64_t)a->o.block,
                                        .limit = (uint64_t)a->o.limit};
    hex_listing l = {.a = a, .regions = a->o.json ? json_array() : NULL};
    apr_model *model;
    trueno_status status = load_model(a, a->positional[0], true, &model, err);

    if (status == TRUENO_OK)
        status = apr_layout_tell(model, &options, take_region, &l, err);
    if (status == TRUENO_OK && a->o.json)
        status = print_json(json_pack("{s:i, s:s, s:s, s:O}", "schema", 1, "file", a->positional[0],
                                      "format", apr_model_format(model), "regions", l.regions),
                            err);
    json_decref(l.regions);
    apr_model_close(model);
    return status;
}
