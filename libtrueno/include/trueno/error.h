/* SPDX-License-Identifier: MIT */
/** @file error.h  Status codes and the error struct that every fallible call fills. */
#ifndef TRUENO_ERROR_H
#define TRUENO_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TRUENO_API          __attribute__((visibility("default")))
#define TRUENO_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define TRUENO_API
#define TRUENO_PRINTF(f, a)
#endif

/**
 * What a fallible function returns: 0, or one of these negative values. Iterators may return 1
 * ("there is more"). Names, exit codes and HTTP status codes are rows of one table (error.c).
 */
typedef enum trueno_status {
    TRUENO_OK = 0,
    TRUENO_INTERNAL = -1,    /**< a bug or an impossible state */
    TRUENO_USAGE = -2,       /**< bad argument, contradiction, target exists, prompt too long */
    TRUENO_NOT_FOUND = -3,   /**< file not found, or not a file */
    TRUENO_FORMAT = -4,      /**< the bytes break the format's own rules */
    TRUENO_CONTENT = -5,     /**< well-formed, but a check found the content wrong */
    TRUENO_UNSUPPORTED = -6, /**< well-formed, but cannot run here */
    TRUENO_IO = -7,          /**< read or write failed, disk full */
    TRUENO_INFERENCE = -8,   /**< a forward pass failed */
    TRUENO_NO_DEVICE = -9,   /**< feature or device not present */
    TRUENO_NETWORK = -10,    /**< download or server failure */
    TRUENO_CANCELLED = -11,  /**< stopped by the caller */
    TRUENO_NO_MEMORY = -12   /**< an allocation failed */
} trueno_status;

/** One error: a status and one line of text with names and numbers. Lives on the caller's stack. */
typedef struct trueno_error {
    trueno_status status;
    char message[500];
} trueno_error;

/**
 * Fill *err (NULL is allowed) and return `status`, so that a function can end with
 * `return trueno_fail(err, TRUENO_FORMAT, "...", ...)`. The text is cut at the struct's size.
 */
TRUENO_API trueno_status trueno_fail(trueno_error *err, trueno_status status, const char *format,
                                     ...) TRUENO_PRINTF(3, 4);

/**
 * Put "text: " before the message in *err, unless it begins so, and return its status; for callers
 * that know the file.
 */
TRUENO_API trueno_status trueno_prefix(trueno_error *err, const char *text);

/** Stable machine-readable name of a status, such as "invalid_format"; never NULL. */
TRUENO_API const char *trueno_status_name(trueno_status status);

/** Process exit code of a status (spec: 0 ok, 1 internal, 2 usage ... 130 interrupted). */
TRUENO_API int trueno_status_exit_code(trueno_status status);

/** HTTP status code that a server answers with for this status. */
TRUENO_API int trueno_status_http_code(trueno_status status);

#ifdef __cplusplus
}
#endif
#endif
