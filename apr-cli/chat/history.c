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

/* One message a line: a line break is \n there, a backslash \\. */
static void write_message(const char *text, FILE *f)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            (void)fputs("\\n", f);
        else if (*text == '\\')
            (void)fputs("\\\\", f);
        else
            (void)fputc(*text, f);
    }
    (void)fputc('\n', f);
}

/* The message of a line, in place. */
static void read_message(char *line)
{
    char *to = line;

    for (; *line != '\0' && *line != '\n'; line++) {
        if (*line == '\\' && (line[1] == 'n' || line[1] == '\\'))
            *to++ = *++line == 'n' ? '\n' : '\\';
        else
            *to++ = *line;
    }
    *to = '\0';
}

static void load(line_input *in)
{
    FILE *f = fopen(in->history_file, "re");
    size_t capacity = 0;
    char *line = NULL;
    HistEvent event;

    if (f == NULL)
        return;
    while (getline(&line, &capacity, f) >= 0) {
        read_message(line);
        if (line[0] != '\0')
            (void)history(in->history, &event, H_ENTER, line);
    }
    free(line);
    (void)fclose(f);
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
        load(in);
}

/* Readable by its owner alone, whatever it was before; NULL when it cannot be written. */
static FILE *open_private(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    FILE *f = NULL;

    if (fd >= 0 && fchmod(fd, 0600) == 0)
        f = fdopen(fd, "w");
    if (fd >= 0 && f == NULL)
        (void)close(fd);
    return f;
}

/* Each message is added to the file at once: nothing is lost to a kill, and two chats mix. */
void history_add(line_input *in, const char *text)
{
    HistEvent event;
    FILE *f;

    if (in->history == NULL || text[0] == '\0')
        return;
    (void)history(in->history, &event, H_ENTER, text);
    f = in->history_file != NULL ? open_private(in->history_file, O_APPEND) : NULL;
    if (f == NULL)
        return;
    write_message(text, f);
    (void)fclose(f);
}

/* A file of over a MiB is written anew, with what is kept. */
static void shorten_file(line_input *in)
{
    char *temporary = NULL;
    HistEvent event;
    struct stat info;
    bool ok;
    FILE *f;

    if (stat(in->history_file, &info) != 0 || info.st_size < (off_t)1 << 20 ||
        asprintf(&temporary, "%s.%d", in->history_file, (int)getpid()) < 0)
        return;
    f = open_private(temporary, O_TRUNC);
    if (f != NULL) {
        for (int more = history(in->history, &event, H_LAST); more >= 0; /* the oldest first */
             more = history(in->history, &event, H_PREV))
            write_message(event.str, f);
        ok = ferror(f) == 0;
        if (fclose(f) != 0 || !ok || rename(temporary, in->history_file) != 0)
            (void)unlink(temporary);
    }
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
