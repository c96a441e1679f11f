/* SPDX-License-Identifier: MIT */
/* The libraries' log lines into Python. */
#include "convert.h"

#include <stdatomic.h>
#include <string.h>

static PyObject *log_target;
static atomic_bool is_wanted; /* read without the interpreter lock */

void set_log_target(PyObject *target)
{
    atomic_store(&is_wanted, target != Py_None);
    Py_INCREF(target);
    Py_XSETREF(log_target, target);
}

/* An exception of the target is reported, not raised: there is no Python frame to raise it in. A
 * Ctrl-C that arrived here is raised again where Python looks for it next. */
static void report_exception(void)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_Clear();
        PyErr_SetInterrupt();
    } else {
        PyErr_WriteUnraisable(log_target);
    }
}

void write_log(void *user, trueno_log_level level, const char *line)
{
    PyGILState_STATE state;
    PyObject *text, *answer;

    /* when the interpreter ends, a thread that asked for its lock would never come back */
    if (!atomic_load(&is_wanted) || !Py_IsInitialized())
        return;
    state = PyGILState_Ensure();
    if (log_target != Py_None) { /* it may have changed while this thread waited */
        text = PyUnicode_DecodeUTF8(line, (Py_ssize_t)strlen(line), "replace");
        answer = text != NULL ? PyObject_CallFunction(log_target, "iO", (int)level, text) : NULL;
        if (answer == NULL)
            report_exception();
        Py_XDECREF(text);
        Py_XDECREF(answer);
    }
    PyGILState_Release(state);
}
