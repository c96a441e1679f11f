/* SPDX-License-Identifier: MIT */
/** @file module.h  Finds and loads backend modules. */
#ifndef MODULE_H
#define MODULE_H

#include <trueno/sys/module.h>

/**
 * Load libtrueno-NAME.so from the folder in TRUENO_BACKEND_DIR if that is set; else from the folder
 * that holds this library (or program, when linked statically), else from the configured libdir.
 * A loaded module stays loaded. Errors: TRUENO_NO_DEVICE, naming where it was looked for, or what
 * is wrong with the file.
 */
trueno_status module_load(const char *name, const trueno_module **out, trueno_error *err);

#endif
