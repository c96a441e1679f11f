/* SPDX-License-Identifier: MIT */
/* Writing JSON into a growing buffer: every document that the library makes goes through this. */
#ifndef APR_JSON_WRITE_H
#define APR_JSON_WRITE_H

#include "buffer.h"
#include <apr/model.h>

/* A document in the making; zeroed but for the buffer's allocator. */
typedef struct apr_json {
    apr_buffer buffer;
    bool comma; /* the next value follows another */
} apr_json;

/* Open and close objects and arrays. */
void apr_json_open(apr_json *j, char bracket);
void apr_json_close(apr_json *j, char bracket);

/* A member's name; its value follows. */
void apr_json_key(apr_json *j, const char *key);

void apr_json_string(apr_json *j, const char *text);

/* Any bytes: what is no UTF-8 becomes U+FFFD. */
void apr_json_text(apr_json *j, const char *text, size_t length);
void apr_json_int(apr_json *j, int64_t value);
void apr_json_uint(apr_json *j, uint64_t value);

/* The shortest decimal that reads back to the same value; null when it is not finite. */
void apr_json_float(apr_json *j, float value);
void apr_json_double(apr_json *j, double value);
void apr_json_bool(apr_json *j, bool value);
void apr_json_null(apr_json *j);

/* A member that is an object or an array, opened. */
void apr_json_put_open(apr_json *j, const char *key, char bracket);

/* Whole members of an object. */
void apr_json_put_string(apr_json *j, const char *key, const char *text);
void apr_json_put_int(apr_json *j, const char *key, int64_t value);
void apr_json_put_uint(apr_json *j, const char *key, uint64_t value);
void apr_json_put_double(apr_json *j, const char *key, double value);
void apr_json_put_bool(apr_json *j, const char *key, bool value);
void apr_json_put_ints(apr_json *j, const char *key, const int64_t *values, int32_t n);
void apr_json_put_floats(apr_json *j, const char *key, const float *values, int32_t n);

/* JSON text as it is. */
void apr_json_raw(apr_json *j, const char *text, size_t length);

/* More bytes of the value that apr_json_raw() began. */
void apr_json_more(apr_json *j, const char *text, size_t length);

/*
 * The finished text, NUL-terminated, of exactly *bytes + 1 bytes from the allocator, for the caller
 * to release. The document is emptied in every case.
 */
trueno_status apr_json_finish(apr_json *j, const char *what, char **out, size_t *bytes,
                              trueno_error *err);

/* Drop an unfinished document. */
void apr_json_drop(apr_json *j);

#endif
