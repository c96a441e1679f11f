/* SPDX-License-Identifier: MIT */
/* A text in the user's own editor. */
#include "editing.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *editor_command(void)
{
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");

    if (visual != NULL && visual[0] != '\0')
        return visual;
    return editor != NULL && editor[0] != '\0' ? editor : "vi";
}

/* Through the shell, because EDITOR may be "code --wait". Ctrl-C is the editor's meanwhile. */
static bool run_editor(char *path)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    char *command = NULL;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int state = -1;
    pid_t child;

    if (asprintf(&command, "exec %s \"$1\"", editor_command()) < 0)
        return false;
    char *argv[] = {"sh", "-c", command, "sh", path, NULL};

    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGINT);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    (void)sigaction(SIGINT, &ignore, &before);
    if (posix_spawn(&child, "/bin/sh", NULL, &attributes, argv, environ) == 0)
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            ;
    (void)sigaction(SIGINT, &before, NULL);
    (void)posix_spawnattr_destroy(&attributes);
    free(command);
    return state == 0;
}

static bool write_whole(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, text, n);

        if (k < 0 && errno != EINTR)
            return false;
        text += k > 0 ? k : 0;
        n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

/* The file's text without the line break that editors put at its end. */
static bool read_edited(const char *path, char **edited)
{
    text_buffer text = {0};

    if (read_text_file(path, &text, NULL) < 0) {
        free(text.data);
        return false;
    }
    while (text.bytes > 0 && text.data[text.bytes - 1] == '\n')
        text.data[--text.bytes] = '\0';
    *edited = text.data;
    return true;
}

bool edit_in_editor(const char *text, char **edited)
{
    const char *folder = getenv("TMPDIR");
    char *path = NULL;
    bool ok = false;
    int fd;

    if (asprintf(&path, "%s/apr-message-XXXXXX.md",
                 folder != NULL && folder[0] != '\0' ? folder : "/tmp") < 0)
        return false;
    fd = mkstemps(path, 3);
    if (fd >= 0) {
        ok = write_whole(fd, text, strlen(text));
        ok = close(fd) == 0 && ok;
        ok = ok && run_editor(path) && read_edited(path, edited);
        (void)unlink(path);
    }
    free(path);
    return ok;
}
