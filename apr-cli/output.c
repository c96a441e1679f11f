/* SPDX-License-Identifier: MIT */
/* What reaches stdout and stderr: JSON documents, notes, the one line of an error. */
#include "commands.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

trueno_status flush_output(trueno_error *err)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return trueno_fail(err, TRUENO_IO, "standard output: %s", strerror(errno));
    return TRUENO_OK;
}

trueno_status print_json(json_t *document, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (document == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the JSON document");
    if (json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0)
        status = trueno_fail(err, TRUENO_IO, "standard output: %s", strerror(errno));
    (void)putchar('\n');
    json_decref(document);
    return status;
}

/* Length of the valid UTF-8 character at p, or 0. */
static size_t character_length(const unsigned char *p, size_t left)
{
    size_t need = p[0] < 0x80                   ? 1
                  : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                  : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                  : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                                                : 0;

    if (need == 0 || need > left)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return need;
}

json_t *json_text(const char *bytes, size_t length)
{
    char *clean = malloc(3 * length + 1);
    size_t n = 0;
    json_t *value;

    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < length;) {
        size_t step = character_length((const unsigned char *)bytes + i, length - i);

        memcpy(clean + n, step > 0 ? bytes + i : "\xef\xbf\xbd", step > 0 ? step : 3);
        n += step > 0 ? step : 3;
        i += step > 0 ? step : 1;
    }
    value = json_stringn(clean, n);
    free(clean);
    return value;
}

json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *error_json(const trueno_error *error)
{
    return json_pack("{s:i, s:s, s:o}", "code", trueno_status_exit_code(error->status), "name",
                     trueno_status_name(error->status), "message",
                     json_text(error->message, strlen(error->message)));
}

trueno_status finish_report(cli_arguments *a, json_t *document, trueno_status status,
                            trueno_error *err)
{
    trueno_status printed;

    if (status < 0)
        (void)json_object_set_new(document, "error", error_json(err));
    a->reported = true;
    printed = print_json(document, status < 0 ? NULL : err);
    return status < 0 ? status : printed;
}

/* All bytes, on the disk before the file gets its name; false with errno. */
static bool write_whole(const char *text, size_t bytes, const char *temporary)
{
    FILE *f = fopen(temporary, "w");
    bool written;

    if (f == NULL)
        return false;
    written = fwrite(text, 1, bytes, f) == bytes && fflush(f) == 0 && fsync(fileno(f)) == 0;
    return fclose(f) == 0 && written;
}

trueno_status write_text_file(const cli_arguments *a, const char *text, size_t bytes,
                              const char *path, trueno_error *err)
{
    const size_t room = strlen(path) + 6;
    char *temporary = malloc(room);
    bool written;

    if (!a->o.force && access(path, F_OK) == 0) {
        free(temporary);
        return trueno_fail(err, TRUENO_USAGE, "%s: exists already", path);
    }
    if (temporary == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a path");
    (void)snprintf(temporary, room, "%s.part", path);
    written = write_whole(text, bytes, temporary) && rename(temporary, path) == 0;
    if (!written) {
        (void)trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
        (void)remove(temporary);
    }
    free(temporary);
    return written ? TRUENO_OK : TRUENO_IO;
}

trueno_status write_json_file(const cli_arguments *a, const json_t *document, const char *path,
                              trueno_error *err)
{
    char *text = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    text_buffer file = {0};
    trueno_status status;

    if (text == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the document", path);
    if ((status = text_append(&file, text, strlen(text), err)) == TRUENO_OK &&
        (status = text_append(&file, "\n", 1, err)) == TRUENO_OK)
        status = write_text_file(a, file.data, file.bytes, path, err);
    free(file.data);
    free(text);
    return status;
}

trueno_status write_or_print(const cli_arguments *a, json_t *document, trueno_error *err)
{
    trueno_status status;

    if (a->o.output == NULL)
        return print_json(document, err);
    status = write_json_file(a, document, a->o.output, err);
    if (status == TRUENO_OK && a->o.json)
        return print_json(document, err);
    json_decref(document);
    return status;
}

void report_error(const cli_arguments *a, const trueno_error *error)
{
    if (a->o.json && !a->reported) {
        json_t *document = json_pack("{s:i, s:o}", "schema", 1, "error", error_json(error));

        if (document != NULL)
            (void)print_json(document, NULL);
        (void)fflush(stdout);
    }
    (void)fflush(stdout);
    if (terminal_wants_color(a, STDERR_FILENO))
        (void)fprintf(stderr, "apr: \033[31m%s\033[0m\n", error->message);
    else
        (void)fprintf(stderr, "apr: %s\n", error->message);
}

void print_note(const cli_arguments *a, const char *format, ...)
{
    va_list args;

    if (a->o.quiet)
        return;
    spinner_stop();
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}
