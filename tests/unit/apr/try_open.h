/* SPDX-License-Identifier: MIT */
/* Opening a file that may be bad, under guard. */
#ifndef TEST_APR_TRY_OPEN_H
#define TEST_APR_TRY_OPEN_H

#include "memory_fixture.h"
#include <apr/model.h>
#include <stdbool.h>

/* Looks at a model that opened. */
typedef void model_look(const apr_model *m);

/*
 * Open from guarded memory with counted allocations, `look` at it, and close: asserts that nothing
 * is left allocated and that a failure has one line of text. `options`: all but the allocator. The
 * status of opening.
 */
trueno_status try_open(const void *data, size_t n, counting *c, apr_model_options options,
                       model_look *look, trueno_error *err);

/* The same for what lies at a path, folders too, which is not looked at. */
trueno_status try_open_path(const char *path, counting *c, trueno_error *err);

/* The same for a GGUF file, all of which is looked at. */
trueno_status try_open_gguf(const void *data, size_t n, counting *c, bool lenient,
                            trueno_error *err);

#endif
