/* SPDX-License-Identifier: MIT */
/* Opening a file that may be bad, under guard. */
#ifndef TEST_APR_TRY_OPEN_H
#define TEST_APR_TRY_OPEN_H

#include "memory_fixture.h"
#include <stdbool.h>
#include <trueno/error.h>

/*
 * Open from guarded memory with counted allocations, look at all of it, and close: asserts that
 * nothing is left allocated and that a failure has one line of text. The status of opening.
 */
trueno_status try_open_gguf(const void *data, size_t n, counting *c, bool lenient,
                            trueno_error *err);

#endif
