/* SPDX-License-Identifier: MIT */
/* Writing a folder that is either complete or not there. */
#ifndef APR_OUTPUT_FOLDER_H
#define APR_OUTPUT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

typedef struct apr_output_folder {
    char path[4000], temporary[4064];
    bool open;
    int fd;          /* of the folder, held while it is filled */
    bool beside;     /* the files go beside `path`, which is that of the weights */
    int32_t n_files; /* of those that go beside */
    /* name of file `i` in the folder, and its path when it has its own; false: too long */
    bool (*name)(const struct apr_output_folder *out, int32_t i, char *name, char *to, size_t room);
    char stem[4000]; /* of a set: its path without number and extension */
} apr_output_folder;

/*
 * Make an empty folder under a temporary name beside `path`. TRUENO_USAGE when `path` exists and
 * not `force`, or is no folder of plain files alone: with `force` such a folder is replaced.
 */
trueno_status apr_output_folder_open(apr_output_folder *out, const char *path, bool force,
                                     trueno_error *err);

/*
 * As above for files beside one another instead of a folder: `path` is what model.safetensors
 * becomes, its companions go beside it under their own names. TRUENO_USAGE when one of these files
 * exists and not `force`.
 */
trueno_status apr_output_folder_open_beside(apr_output_folder *out, const char *path, bool force,
                                            trueno_error *err);

/*
 * As above for a set of `count` .apr files and their manifest, which gets its name last. `path` is
 * what a single file would be called, "X.apr".
 */
trueno_status apr_output_folder_open_set(apr_output_folder *out, const char *path, int32_t count,
                                         bool force, trueno_error *err);

/* As above for `count` GGUF files of a set, "X-00001-of-0000N.gguf", or one, "X.gguf". */
trueno_status apr_output_folder_open_gguf(apr_output_folder *out, const char *path, int32_t count,
                                          bool force, trueno_error *err);

/* Give the folder its name, or the files theirs, the weights last; what had the name before is
 * removed after that. */
trueno_status apr_output_folder_commit(apr_output_folder *out, trueno_error *err);

/* Remove what was written, unless it was committed. */
void apr_output_folder_abandon(apr_output_folder *out);

#endif
