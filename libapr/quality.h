/* SPDX-License-Identifier: MIT */
/* The checks of a model's quality: what each looks at, and where they are. */
#ifndef APR_QUALITY_PRIVATE_H
#define APR_QUALITY_PRIVATE_H

#include "model_private.h"
#include <apr/quality.h>
#include <apr/statistics.h>

/* What a check looks at, and where it says what it found. */
typedef struct apr_quality_look {
    const apr_model *m;
    const apr_tensor_statistics *stats; /* by tensor; NULL: weights were not read */
    char detail[512];
} apr_quality_look;

/* One check. */
typedef apr_quality_outcome apr_quality_check(apr_quality_look *l);

/* Failed or skipped, with the words for it. */
apr_quality_outcome apr_quality_say(apr_quality_look *l, apr_quality_outcome outcome,
                                    const char *format, ...) TRUENO_PRINTF(3, 4);

/* structure */
apr_quality_check apr_quality_version, apr_quality_alignment, apr_quality_types, apr_quality_shapes,
    apr_quality_sizes, apr_quality_layers, apr_quality_gaps;

/* weights */
apr_quality_check apr_quality_nan, apr_quality_infinite, apr_quality_zero, apr_quality_flat,
    apr_quality_norms, apr_quality_range, apr_quality_embedding, apr_quality_outliers;

/* use */
apr_quality_check apr_quality_tokenizer, apr_quality_pre_tokenizer, apr_quality_special_tokens,
    apr_quality_chat_template, apr_quality_name, apr_quality_license, apr_quality_provenance,
    apr_quality_description;

/* conversion */
apr_quality_check apr_quality_architecture, apr_quality_names, apr_quality_ties, apr_quality_merges,
    apr_quality_tokens, apr_quality_layout;

#endif
