/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first cancels the session under way, the second ends the process. */
#include "commands.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic(realizar_session *) watched;
static atomic_int count;

/* Only async-signal-safe work: realizar_session_cancel() stores one flag. */
static void on_interrupt(int signal_number)
{
    realizar_session *session = atomic_load(&watched);

    (void)signal_number;
    if (atomic_fetch_add(&count, 1) > 0 || session == NULL)
        _exit(130);
    realizar_session_cancel(session);
}

void interrupt_watch(realizar_session *session)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    atomic_store(&watched, session);
    (void)sigaction(SIGINT, &action, NULL);
}

bool interrupted(void)
{
    return atomic_load(&count) > 0;
}
