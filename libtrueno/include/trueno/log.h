/* SPDX-License-Identifier: MIT */
/** @file log.h  Where a library's notes go: a callback of the application, never stderr. */
#ifndef TRUENO_LOG_H
#define TRUENO_LOG_H

#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trueno_log_level {
    TRUENO_LOG_DEBUG = 0,
    TRUENO_LOG_INFO = 1,
    TRUENO_LOG_WARNING = 2
} trueno_log_level;

/** Receives one line without a newline. May be called from any thread that calls the library. */
typedef void (*trueno_log_fn)(void *user, trueno_log_level level, const char *line);

/** A log sink; a zeroed one swallows everything. */
typedef struct trueno_log {
    trueno_log_fn write;
    void *user;
} trueno_log;

/** Format one line and give it to `log` (NULL, or without `write`: dropped). */
TRUENO_API void trueno_log_write(const trueno_log *log, trueno_log_level level, const char *format,
                                 ...) TRUENO_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
