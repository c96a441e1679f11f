/* SPDX-License-Identifier: MIT */
/**
 * @file module.h  What a backend module (libtrueno-NAME.so) exports. No ABI promise: a module works
 * with the libtrueno it was built with; `abi` is checked before anything else is read.
 */
#ifndef TRUENO_SYS_MODULE_H
#define TRUENO_SYS_MODULE_H

#include <trueno/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trueno_module {
    uint32_t abi;     /**< TRUENO_BACKEND_ABI the module was built with */
    const char *name; /**< the backend's name, "cuda" */
    /** As trueno_backend_open(); TRUENO_NO_DEVICE when there is no usable device. */
    trueno_status (*open)(trueno_backend **out, const trueno_backend_options *options,
                          trueno_error *err);
    /** One line about the devices ("NVIDIA H100 80GB HBM3, sm_90"; why there is none). */
    void (*describe)(char *line, size_t bytes);
} trueno_module;

/** The one symbol that a module exports, of this type. The struct is static. */
typedef const trueno_module *(*trueno_module_fn)(void);

#define TRUENO_MODULE_SYMBOL "trueno_backend_module"

#ifdef __cplusplus
}
#endif
#endif
