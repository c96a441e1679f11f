/* SPDX-License-Identifier: MIT */
/** The tables of filters, each in the file of its kind. */
#ifndef REALIZAR_JINJA_FILTERS_H
#define REALIZAR_JINJA_FILTERS_H

#include "jinja/methods.h"

extern const jinja_callable JINJA_TEXT_FILTERS[];
extern const jinja_callable JINJA_VALUE_FILTERS[];
extern const jinja_callable JINJA_SELECT_FILTERS[];
extern const jinja_callable JINJA_ORDER_FILTERS[];

/* item.a.b.0 for the path "a.b.0" (or an integer); `fallback` instead of undefined if given. */
jinja_value jinja_get_path(jinja_context *c, jinja_value item, jinja_value path,
                           jinja_value fallback);

#endif
