/* SPDX-License-Identifier: MIT */
/*
 * What goes between Python objects and the C structs of the libraries. All of it runs with the
 * interpreter lock held. Functions that read Python objects return -1 with an exception set when
 * the object does not fit, else 0; those that make one return NULL with an exception set.
 */
#ifndef REALIZAR_PYTHON_CONVERT_H
#define REALIZAR_PYTHON_CONVERT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <realizar/generate.h>
#include <realizar/prompt.h>

/** Where the C functions of this thread put their error; read by the wrapper after the call. */
extern _Thread_local trueno_error wrapper_error;

/** Raise the class of realizar.errors that stands for `status`. */
void raise_status(trueno_status status, const char *message);

/** str (as UTF-8) or bytes; *text is borrowed from the object. */
int text_from_python(PyObject *object, const char **text, size_t *bytes);

/** A sequence of integers; *ids is the caller's, to be freed with free(). */
int ids_from_python(PyObject *object, int32_t **ids, size_t *count);
PyObject *ids_to_python(const int32_t *ids, size_t count);

/** Dictionaries whose keys are names of the struct's fields; texts are borrowed from them. */
int engine_options_from_python(PyObject *dict, realizar_engine_options *out);
int chat_input_from_python(PyObject *dict, realizar_chat_input *out);

/** Options of a generation, with the lists that they point to. */
typedef struct generation_settings {
    realizar_generation_options options;
    const char **stops;
    realizar_logit_bias *bias;
} generation_settings;

/** `out` must be zeroed; free it with generation_settings_free() in every case. */
int generation_settings_from_python(PyObject *dict, const realizar_engine *engine,
                                    generation_settings *out);
void generation_settings_free(generation_settings *settings);

/** The piece as (bytes, id, log-probability). */
PyObject *piece_to_python(const realizar_piece *piece);

/** A list of (id, log-probability, probability). */
PyObject *candidates_to_python(const realizar_candidate *candidates, int32_t count);

/** A dictionary of the struct's fields. */
PyObject *timings_to_python(const realizar_timings *timings);
PyObject *memory_use_to_python(const trueno_memory_use *use);

/**
 * Where lines of the libraries' log go: a callable of (level, line), or None to drop them. Lines
 * may come from any thread that calls the libraries.
 */
void set_log_target(PyObject *target);

/** What engines are given to write to: hands a line to the target. A trueno_log_fn. */
void write_log(void *user, trueno_log_level level, const char *line);

#endif
