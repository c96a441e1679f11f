/* SPDX-License-Identifier: MIT */
/** @file layout.h  The bytes of a model file, field by field: where they lie and what they mean. */
#ifndef APR_LAYOUT_H
#define APR_LAYOUT_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A run of bytes with one meaning; everything lives during the callback. */
typedef struct apr_region {
    const char *file;    /**< path of the file */
    uint64_t offset;     /**< in the file, or in the tensor when `unpacked` */
    uint64_t bytes;      /**< 0: a remark about what came before */
    const uint8_t *data; /**< those bytes */
    const char *what;    /**< "tensor count", "scales" */
    const char *value;   /**< what they say, as a text of one line; may be "" */
    bool unpacked;       /**< not in the file as such: decompressed from it */
} apr_region;

typedef void (*apr_region_fn)(void *user, const apr_region *region);

/** What to tell. Zeroed: header and tables, eight entries of each. */
typedef struct apr_layout_options {
    size_t size;        /**< sizeof, of the caller's struct */
    const char *tensor; /**< the blocks of this tensor instead; NULL: header and tables */
    uint64_t first;     /**< of the tensor's blocks */
    uint64_t limit;     /**< most entries of a table, or blocks; 0: 8 */
} apr_layout_options;

/**
 * Tell the fields of a model's files in order: of GGUF header, keys and tensor table; of
 * SafeTensors length, header and where tensors lie; of .apr header, metadata, index and footer.
 * Entries beyond the limit are one remark. Of a split GGUF file the further parts are told by their
 * headers alone. With options->tensor instead the parts of its blocks, and the weights that each
 * block stands for. options NULL: defaults.
 * TRUENO_USAGE: no tensor of that name; TRUENO_CONTENT: a damaged compressed tensor.
 */
TRUENO_API trueno_status apr_layout_tell(const apr_model *model, const apr_layout_options *options,
                                         apr_region_fn fn, void *user, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
