/* SPDX-License-Identifier: MIT */
/* The history of messages: $XDG_STATE_HOME/apr/chat_history, readable by its owner alone. */
#include "../folders.h"
#include "editing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT = 1000 }; /* messages */

static bool wanted(void)
{
    const char *off = getenv("APR_NOHISTORY");

    return off == NULL || off[0] == '\0' || strcmp(off, "0") == 0;
}

/* All folders of an absolute path up to its last '/'. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        bool ok;

        *slash = '\0';
        ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!ok)
            return false;
    }
    return true;
}

static char *file_name(void)
{
    char *path = user_file("XDG_STATE_HOME", ".local/state", "chat_history");

    if (path != NULL && make_folders(path))
        return path;
    free(path);
    return NULL;
}

void history_open(line_input *in)
{
    HistEvent event;

    in->history = history_init();
    if (in->history == NULL)
        return;
    (void)history(in->history, &event, H_SETSIZE, KEPT);
    (void)history(in->history, &event, H_SETUNIQUE, 1);
    (void)el_set(in->editor, EL_HIST, history, in->history);
    in->history_file = wanted() ? file_name() : NULL;
    if (in->history_file != NULL)
        (void)history(in->history, &event, H_LOAD, in->history_file);
}

/* Each message is added to the file at once: nothing is lost to a kill, and two chats mix. */
void history_add(line_input *in, const char *text)
{
    HistEvent event;
    FILE *f;
    int fd;

    if (in->history == NULL || text[0] == '\0')
        return;
    (void)history(in->history, &event, H_ENTER, text);
    if (in->history_file == NULL)
        return;
    fd = open(in->history_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    (void)fchmod(fd, 0600);
    f = fdopen(fd, "a");
    if (f == NULL) {
        (void)close(fd);
        return;
    }
    (void)history(in->history, &event, H_NSAVE_FP, (size_t)1, f);
    (void)fclose(f);
}

/* A file of over a MiB is written anew, with what is kept. */
static void shorten_file(line_input *in)
{
    char *temporary = NULL;
    HistEvent event;
    struct stat info;
    int n;

    if (stat(in->history_file, &info) != 0 || info.st_size < (off_t)1 << 20 ||
        asprintf(&temporary, "%s.%d", in->history_file, (int)getpid()) < 0)
        return;
    n = history(in->history, &event, H_SAVE, temporary); /* 0600 */
    if (n < 0 || rename(temporary, in->history_file) != 0)
        (void)unlink(temporary);
    free(temporary);
}

void history_close(line_input *in)
{
    if (in->history_file != NULL)
        shorten_file(in);
    if (in->history != NULL)
        history_end(in->history);
    free(in->history_file);
}
