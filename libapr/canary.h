/* SPDX-License-Identifier: MIT */
/* What recording a canary and checking one share. */
#ifndef APR_CANARY_PRIVATE_H
#define APR_CANARY_PRIVATE_H

#include "canonical.h"
#include "json_write.h"
#include <apr/canary.h>

/* The members "config" and "tokenizer" of an open object. */
void apr_canary_put_facts(apr_json *j, const apr_model *m);

#endif
