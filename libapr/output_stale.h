/* SPDX-License-Identifier: MIT */
/* What conversions that were killed left behind. */
#ifndef APR_OUTPUT_STALE_H
#define APR_OUTPUT_STALE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Name under which this process writes what becomes `path`, into out[0..capacity); false: too long.
 */
bool apr_temporary_name(const char *path, char *out, size_t capacity);

/* Mark an open file or folder of such a name as being written, for as long as it is open. */
void apr_temporary_hold(int fd);

/*
 * Remove files and folders of plain files beside `path` that other processes wrote under such names
 * for it and did not finish: their process is gone, and nobody holds them.
 */
void apr_temporary_sweep(const char *path);

/* Visit the plain files of a folder: false when it holds anything else, or cannot be read. */
bool apr_folder_is_plain(const char *folder, bool remove_them);

#endif
