/* SPDX-License-Identifier: MIT */
/* The user's folders, as the XDG Base Directory specification names them. */
#ifndef CLI_FOLDERS_H
#define CLI_FOLDERS_H

/* $VARIABLE/apr/NAME, or $HOME/FALLBACK/apr/NAME where the variable holds no absolute path.
 * Allocated; NULL when there is neither, or no memory. */
char *user_file(const char *variable, const char *fallback, const char *name);

/* The same in the configuration folder: $XDG_CONFIG_HOME, ~/.config. */
char *config_file(const char *name);

/* `path` seen from the folder of the file `from`; absolute ones stay. Allocated; NULL: no memory.
 */
char *path_beside(const char *from, const char *path);

#endif
