/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first cancels the session or conversion under way, the second ends the process. */
#include "commands.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic(realizar_session *) watched;
static atomic_int count;
static atomic_bool asked; /* what runs without a session looks at interrupted() by itself */

/* Only async-signal-safe work: realizar_session_cancel() stores one flag. */
static void on_interrupt(int signal_number)
{
    realizar_session *session = atomic_load(&watched);

    (void)signal_number;
    if (atomic_fetch_add(&count, 1) > 0 || (session == NULL && !asked))
        _exit(130);
    if (session == NULL)
        return;
    realizar_session_cancel(session);
}

void interrupt_watch(realizar_session *session)
{
    struct sigaction action = {.sa_handler = on_interrupt};

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
