/* SPDX-License-Identifier: MIT */
/* A folder of the test program's own, for the files that its tests write. */
#ifndef TEST_APR_FOLDER_FIXTURE_H
#define TEST_APR_FOLDER_FIXTURE_H

#include <apr/model.h>

/* Its path; empty before make_folder(). */
extern char folder[64];

/* For cmocka's groups: before the first test, and after the last, which fails where a file is left.
 */
int make_folder(void **state);
int remove_folder(void **state);

/* After a test that leaves files in it; folders stay. */
int empty_folder(void **state);

/* The path of a file in it. */
void path_of(char out[256], const char *name);

/* How many there are in it, those with a dot in front included. */
int files_in_folder(void);

/* A model with all its checksums checked; a failure of the test when that does not work. Close it.
 */
apr_model *open_verified(const char *path);

#endif
