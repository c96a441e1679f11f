/* SPDX-License-Identifier: MIT */
/* The terminal: colours when wanted, a spinner on stderr while loading. */
#include "commands.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static pthread_t spinner;
static bool spinning;
static atomic_bool stop_spinning;
static char spinner_text[256];

double now_milliseconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

bool terminal_wants_color(const cli_arguments *a, int fd)
{
    const char *when = a->o.color != NULL ? a->o.color : "auto";
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return isatty(fd) && (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static void *spin(void *unused)
{
    static const char *const FRAMES[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    const struct timespec pause = {0, 100000000};

    (void)unused;
    for (int i = 0; !atomic_load(&stop_spinning); i++) {
        (void)fprintf(stderr, "\r%s %s", FRAMES[i % 10], spinner_text);
        (void)fflush(stderr);
        (void)nanosleep(&pause, NULL);
    }
    (void)fprintf(stderr, "\r\033[K");
    (void)fflush(stderr);
    return NULL;
}

void spinner_start(const cli_arguments *a, const char *what)
{
    if (spinning || a->o.quiet || a->o.json || !terminal_wants_color(a, STDERR_FILENO) ||
        !isatty(STDERR_FILENO))
        return;
    (void)snprintf(spinner_text, sizeof spinner_text, "%s", what);
    atomic_store(&stop_spinning, false);
    spinning = pthread_create(&spinner, NULL, spin, NULL) == 0;
}

void spinner_stop(void)
{
    if (!spinning)
        return;
    atomic_store(&stop_spinning, true);
    (void)pthread_join(spinner, NULL);
    spinning = false;
}

static struct termios before_chat;
static atomic_bool changed;

void terminal_restore(void)
{
    if (atomic_load(&changed))
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before_chat);
}

/* Only async-signal-safe work. */
static void restore_and_die(int signal_number)
{
    terminal_restore();
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

void terminal_remember(void)
{
    static const int FATAL[] = {SIGHUP, SIGQUIT, SIGTERM};
    struct sigaction action = {.sa_handler = restore_and_die}, before;

    if (tcgetattr(STDIN_FILENO, &before_chat) != 0)
        return;
    atomic_store(&changed, true);
    for (size_t i = 0; i < sizeof FATAL / sizeof FATAL[0]; i++)
        if (sigaction(FATAL[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            (void)sigaction(FATAL[i], &action, NULL);
}
