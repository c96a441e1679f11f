/* SPDX-License-Identifier: MIT */
/** @file backends.h  The backends that are built in; backend.c lists them. */
#ifndef BACKENDS_H
#define BACKENDS_H

#include <trueno/backend.h>

/** Open each kind; as trueno_backend_open(). */
trueno_status backend_cpu_open(trueno_backend **out, const trueno_backend_options *options,
                               trueno_error *err);
trueno_status backend_reference_open(trueno_backend **out, const trueno_backend_options *options,
                                     trueno_error *err);

#endif
