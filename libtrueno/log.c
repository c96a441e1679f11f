/* SPDX-License-Identifier: MIT */
/* One line to the application's log sink. */
#include <trueno/log.h>

#include <stdarg.h>
#include <stdio.h>

void trueno_log_write(const trueno_log *log, trueno_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (log == NULL || log->write == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log->write(log->user, level, line);
}
