/* SPDX-License-Identifier: MIT */
/* The tiny demo model that is linked into the library (demo/embed.S), or its absence. */
#include <realizar/engine.h>

#ifdef REALIZAR_DEMO_MODEL
extern const unsigned char realizar_demo_begin[], realizar_demo_end[];
#endif

const void *realizar_demo_model(size_t *bytes)
{
#ifdef REALIZAR_DEMO_MODEL
    *bytes = (size_t)(realizar_demo_end - realizar_demo_begin);
    return realizar_demo_begin;
#else
    *bytes = 0;
    return NULL;
#endif
}
