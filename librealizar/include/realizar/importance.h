/* SPDX-License-Identifier: MIT */
/** @file importance.h  An importance matrix from a text: what each product of a model is fed. */
#ifndef REALIZAR_IMPORTANCE_H
#define REALIZAR_IMPORTANCE_H

#include <apr/importance.h>
#include <realizar/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Compute ids[0..count) as one text, from an empty timeline, and add the inputs of every product of
 * attention and of the feed-forward blocks to `out`, of an expert those of the rows that chose it.
 * Ends with apr_importance_end_chunk(). Errors: those of
 * realizar_session_append() and apr_importance_add().
 */
TRUENO_API trueno_status realizar_importance_add(apr_importance *out, realizar_session *session,
                                                 const int32_t *ids, int32_t count,
                                                 trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
