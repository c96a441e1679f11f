/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first cancels the session or conversion under way, the second ends the process. */
#include "commands.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { SECOND_CHANCE_MS = 1000 };

static _Atomic(realizar_session *) watched;
static atomic_bool lasting;
static _Atomic(int64_t) last_ms; /* when the last Ctrl-C came; 0: never */
static atomic_int count;
static atomic_bool asked; /* what runs without a session looks at interrupted() by itself */

/* clock_gettime() is async-signal-safe. */
bool interrupt_ends_process(void)
{
    struct timespec t;
    int64_t now, before;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    before = atomic_exchange(&last_ms, now);
    (void)atomic_fetch_add(&count, 1);
    if (atomic_load(&lasting))
        return before != 0 && now - before < SECOND_CHANCE_MS;
    return before != 0 || (atomic_load(&watched) == NULL && !atomic_load(&asked));
}

/* Only async-signal-safe work: realizar_session_cancel() stores one flag. */
static void on_interrupt(int signal_number)
{
    realizar_session *session = atomic_load(&watched);

    (void)signal_number;
    if (interrupt_ends_process()) {
        terminal_restore();
        _exit(130);
    }
    if (session != NULL)
        realizar_session_cancel(session);
}

static void watch(realizar_session *session, bool lasts)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    atomic_store(&lasting, lasts);
    atomic_store(&watched, session);
    (void)sigaction(SIGINT, &action, NULL);
}

void interrupt_ask(void)
{
    atomic_store(&asked, true);
    interrupt_watch(NULL);
}

bool interrupted(void)
{
    return atomic_load(&count) > 0;
}

void interrupt_watch(realizar_session *session)
{
    watch(session, false);
}

void interrupt_watch_lasting(realizar_session *session)
{
    watch(session, true);
}

int interrupt_count(void)
{
    return atomic_load(&count);
}
