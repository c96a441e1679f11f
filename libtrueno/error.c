/* SPDX-License-Identifier: MIT */
/* Status names and exit codes, one row each; filling the error struct. */
#include <trueno/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct status_row {
    trueno_status status;
    const char *name;
    int exit_code;
    int http_code;
} STATUS_ROWS[] = {
    {TRUENO_OK, "ok", 0, 200},
    {TRUENO_INTERNAL, "internal", 1, 500},
    {TRUENO_USAGE, "usage", 2, 400},
    {TRUENO_NOT_FOUND, "not_found", 3, 404},
    {TRUENO_FORMAT, "invalid_format", 4, 400},
    {TRUENO_CONTENT, "invalid_content", 5, 422},
    {TRUENO_UNSUPPORTED, "unsupported", 6, 501},
    {TRUENO_IO, "io", 7, 500},
    {TRUENO_INFERENCE, "inference", 8, 500},
    {TRUENO_NO_DEVICE, "no_device", 9, 501},
    {TRUENO_NETWORK, "network", 10, 502},
    {TRUENO_CANCELLED, "interrupted", 130, 499},
    {TRUENO_NO_MEMORY, "out_of_memory", 6, 503},
};

static const struct status_row *status_row(trueno_status status)
{
    for (size_t i = 0; i < sizeof STATUS_ROWS / sizeof STATUS_ROWS[0]; i++)
        if (STATUS_ROWS[i].status == status)
            return &STATUS_ROWS[i];
    return &STATUS_ROWS[1];
}

const char *trueno_status_name(trueno_status status)
{
    return status_row(status)->name;
}

int trueno_status_exit_code(trueno_status status)
{
    return status_row(status)->exit_code;
}

int trueno_status_http_code(trueno_status status)
{
    return status_row(status)->http_code;
}

trueno_status trueno_fail(trueno_error *err, trueno_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;

        err->status = status;
        va_start(args, format);
        (void)vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

trueno_status trueno_prefix(trueno_error *err, const char *text)
{
    const size_t room = sizeof err->message - 1;
    size_t prefix, old;

    if (err == NULL)
        return TRUENO_INTERNAL;
    prefix = strnlen(text, room - 2);
    if (strncmp(err->message, text, prefix) == 0 && err->message[prefix] == ':')
        return err->status;
    old = strnlen(err->message, room - prefix - 2);
    memmove(err->message + prefix + 2, err->message, old);
    memcpy(err->message, text, prefix);
    memcpy(err->message + prefix, ": ", 2);
    err->message[prefix + 2 + old] = '\0';
    return err->status;
}
