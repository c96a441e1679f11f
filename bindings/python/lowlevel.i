/* SPDX-License-Identifier: MIT */
/*
 * realizar.lowlevel: the C functions that the Python layer calls, one by one, under their own names and with the
 * headers' comments as docstrings. Private: people use the classes of realizar.
 *
 * Structs of options are dictionaries here, arrays are sequences or bytearrays, errors are exceptions. Handles own what
 * they stand for; realizar/_handles.py sees to it that they go in the right order.
 */
%module(package="realizar", threads="1") lowlevel
%nothread;

%{
#include "convert.h"

#include <apr/inspect.h>
#include <realizar/evaluate.h>
%}

%include <stdint.i>

/* Nothing of the headers but what is named below. */
%rename("$ignore", %$isfunction) "";
%rename("$ignore", %$isclass) "";
%rename("$ignore", %$isenum) "";
%rename("$ignore", %$isenumitem) "";
%rename("$ignore", %$isconstant) "";
%define USED(function)
%rename("%s") function;
%enddef
/* These compute, read files or wait for a lock: other Python threads run meanwhile. */
%define USED_UNLOCKED(function)
%rename("%s") function;
%thread function;
%enddef

USED(trueno_status_name)
USED(realizar_version)
USED_UNLOCKED(realizar_engine_open)
USED_UNLOCKED(realizar_engine_open_demo)
USED(realizar_engine_model)
USED(realizar_engine_backend)
USED(realizar_engine_device)
USED(realizar_engine_context)
USED(realizar_engine_vocab_size)
USED(realizar_engine_hidden_size)
USED(realizar_engine_bytes_per_token)
USED(realizar_engine_memory)
USED_UNLOCKED(apr_inspect_json)
USED_UNLOCKED(realizar_encode_text)
USED_UNLOCKED(realizar_encode_chat)
USED_UNLOCKED(realizar_render_chat)
USED_UNLOCKED(realizar_template_new)
USED(realizar_template_preset)
USED_UNLOCKED(realizar_session_new)
USED(realizar_session_length)
USED(realizar_session_context)
USED(realizar_session_kv_bytes)
USED(realizar_session_cancel)
USED(realizar_session_logits)
USED_UNLOCKED(realizar_session_sync)
USED_UNLOCKED(realizar_generation_start)
USED_UNLOCKED(realizar_generation_next)
USED(realizar_generation_finish)
USED(realizar_finish_name)
USED(realizar_generation_ids)
USED(realizar_generation_top)
USED(realizar_generation_timings)
USED_UNLOCKED(realizar_embed)
USED_UNLOCKED(realizar_score)
USED(REALIZAR_ENCODE_SPECIAL)
USED(REALIZAR_ENCODE_BOS)
USED(REALIZAR_ENCODE_CONTINUES)

/* ---- errors: the last parameter is hidden, a negative result raises ---- */

%typemap(in, numinputs=0) trueno_error *err {
    memset(&wrapper_error, 0, sizeof wrapper_error);
    $1 = &wrapper_error;
}
%typemap(out) trueno_status {
    if ($1 < 0) {
        raise_status($1, wrapper_error.message);
        SWIG_fail;
    }
    $result = SWIG_Py_Void();
}

/* ---- handles: classes that own a C object and free it with the lock released; `owner` is what parameters that
   must not be NULL are called ---- */

%define HANDLE(name, owner, release)
%rename("%s") name;
%nodefaultctor name;
%thread name::~name;
struct name {};
%extend name {
    ~name() { release($self); }
}
%typemap(in, numinputs=0) name **out (name *made = NULL) "$1 = &made;"
%typemap(check) name *owner, const name *owner {
    if ($1 == NULL)
        SWIG_exception_fail(SWIG_ValueError, "a closed handle was given to $symname()");
}
%typemap(argout) name **out {
    $result = SWIG_Python_AppendOutput($result, SWIG_NewPointerObj(*$1, $*1_descriptor, SWIG_POINTER_OWN));
}
%enddef

HANDLE(realizar_engine, engine, realizar_engine_close)
HANDLE(realizar_template, given, realizar_template_free)
HANDLE(realizar_session, session, realizar_session_free)
HANDLE(realizar_generation, g, realizar_generation_free)

/* ---- texts, paths and token ids going in ---- */

%typemap(in) const char *path (PyObject *encoded = NULL) {
    if (!PyUnicode_FSConverter($input, &encoded))
        SWIG_fail;
    $1 = PyBytes_AS_STRING(encoded);
}
%typemap(freearg) const char *path "Py_XDECREF(encoded$argnum);"

%typemap(in) (const char *text, size_t bytes), (const char *source, size_t bytes) {
    if (text_from_python($input, (const char **)&$1, &$2) < 0)
        SWIG_fail;
}

%typemap(in, numinputs=0) const trueno_allocator *allocator "$1 = NULL;"

%typemap(in) (const int32_t *ids, int32_t count) (int32_t *made = NULL, size_t n),
             (const int32_t *tokens, int32_t count) (int32_t *made = NULL, size_t n) {
    if (ids_from_python($input, &made, &n) < 0)
        SWIG_fail;
    $1 = made;
    $2 = (int32_t)n;
}
%typemap(freearg) (const int32_t *ids, int32_t count), (const int32_t *tokens, int32_t count) "free(made$argnum);"

/* ---- structs of options, as dictionaries ---- */

%typemap(in) const realizar_engine_options *options (realizar_engine_options options) {
    if (engine_options_from_python($input, &options) < 0)
        SWIG_fail;
    $1 = &options;
}
%typemap(in) const realizar_chat_input *input (realizar_chat_input chat) {
    if (chat_input_from_python($input, &chat) < 0)
        SWIG_fail;
    $1 = &chat;
}
/* arg2 is the session: its model's own generation defaults are what a setting left out means */
%typemap(in) const realizar_generation_options *options (generation_settings settings = {0}) {
    if (generation_settings_from_python($input, realizar_session_engine(arg2), &settings) < 0)
        SWIG_fail;
    $1 = &settings.options;
}
%typemap(freearg) const realizar_generation_options *options "generation_settings_free(&settings$argnum);"

/* ---- results ---- */

%typemap(in, numinputs=0) realizar_ids *out (realizar_ids ids = {0}) "$1 = &ids;"
%typemap(argout) realizar_ids *out "$result = SWIG_Python_AppendOutput($result, ids_to_python($1->ids, $1->count));"
%typemap(freearg) realizar_ids *out "realizar_ids_free($1);"

%typemap(in, numinputs=0) realizar_prompt *prompt (realizar_prompt prompt = {0}) "$1 = &prompt;"
%typemap(argout) realizar_prompt *prompt {
    $result = SWIG_Python_AppendOutput($result, PyUnicode_DecodeUTF8($1->text, (Py_ssize_t)$1->bytes, "replace"));
}
%typemap(freearg) realizar_prompt *prompt "realizar_prompt_free($1);"

/* arg1 is the model that the text was made from */
%typemap(in, numinputs=0) (char **out, size_t *bytes) (char *text = NULL, size_t n = 0) {
    $1 = &text;
    $2 = &n;
}
%typemap(argout) (char **out, size_t *bytes) {
    $result = SWIG_Python_AppendOutput($result, PyBytes_FromStringAndSize(*$1, (Py_ssize_t)*$2));
}
%typemap(freearg) (char **out, size_t *bytes) "apr_inspect_free(arg1, text$argnum, n$argnum);"

%typemap(in, numinputs=0) int32_t *reused (int32_t reused) "$1 = &reused;"
%typemap(argout) int32_t *reused "$result = SWIG_Python_AppendOutput($result, PyLong_FromLong(*$1));"

/* None when the text has ended, else the piece */
%typemap(in, numinputs=0) realizar_piece *piece (realizar_piece piece) "$1 = &piece;"
%typemap(out) int realizar_generation_next {
    if ($1 < 0) {
        raise_status((trueno_status)$1, wrapper_error.message);
        SWIG_fail;
    }
    $result = SWIG_Py_Void();
}
%typemap(argout) realizar_piece *piece {
    if (result == 1) {
        Py_DECREF($result);
        $result = piece_to_python($1);
    }
}

%typemap(in, numinputs=0) int32_t *count (int32_t count = 0) "$1 = &count;"
%typemap(out) const int32_t *realizar_generation_ids "$result = ids_to_python($1, (size_t)*arg2);"

%typemap(in) (realizar_candidate *out, int32_t n) (realizar_candidate *made = NULL) {
    long n = PyLong_AsLong($input);

    if (n == -1 && PyErr_Occurred())
        SWIG_fail;
    $2 = n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (int32_t)n;
    $1 = made = malloc(((size_t)$2 + 1) * sizeof *made);
    if (made == NULL) {
        PyErr_NoMemory();
        SWIG_fail;
    }
}
%typemap(out) int32_t realizar_generation_top "$result = candidates_to_python(arg2, $1);"
%typemap(freearg) (realizar_candidate *out, int32_t n) "free(made$argnum);"

%typemap(in, numinputs=0) realizar_timings *out (realizar_timings timings) "$1 = &timings;"
%typemap(argout) realizar_timings *out "$result = SWIG_Python_AppendOutput($result, timings_to_python($1));"

%typemap(in, numinputs=0) trueno_memory_use *out (trueno_memory_use use) "$1 = &use;"
%typemap(argout) trueno_memory_use *out "$result = SWIG_Python_AppendOutput($result, memory_use_to_python($1));"

/* ---- floats, as bytearrays that Python owns; sizes are known once all parameters are ---- */

%define FLOATS(parameter, n_floats)
%typemap(in, numinputs=0) float *parameter (PyObject *floats = NULL) "$1 = NULL;"
%typemap(check) float *parameter {
    Py_ssize_t n_floats_ = (Py_ssize_t)(n_floats);

    floats$argnum = PyByteArray_FromStringAndSize(NULL, n_floats_ > 0 ? n_floats_ * (Py_ssize_t)sizeof(float) : 0);
    if (floats$argnum == NULL)
        SWIG_fail;
    $1 = (float *)(void *)PyByteArray_AS_STRING(floats$argnum);
}
%typemap(argout) float *parameter {
    Py_INCREF(floats$argnum);
    $result = SWIG_Python_AppendOutput($result, floats$argnum);
}
%typemap(freearg) float *parameter "Py_XDECREF(floats$argnum);"
%enddef

FLOATS(embedding, realizar_engine_hidden_size(realizar_session_engine(arg1)))
FLOATS(log_probabilities, arg3 - 1)
FLOATS(all_logits, (size_t)arg3 * (size_t)realizar_engine_vocab_size(realizar_session_engine(arg1)))

%typemap(out) const float *realizar_session_logits {
    size_t n = (size_t)realizar_engine_vocab_size(realizar_session_engine(arg1));

    $result = $1 != NULL ? PyByteArray_FromStringAndSize((const char *)$1, (Py_ssize_t)(n * sizeof(float)))
                         : SWIG_Py_Void();
}

/* ---- the headers ---- */

%include <trueno/error.h>
%include <apr/inspect.h>
%include <realizar/tokenizer.h>
%include <realizar/engine.h>
%include <realizar/chat.h>
%include <realizar/prompt.h>
%include <realizar/session.h>
%include <realizar/sampler.h>
%include <realizar/generate.h>
%include <realizar/evaluate.h>

/* ---- what is several calls in C ---- */

USED(engine_vocab)
USED(engine_chat_template)
USED(decode)
USED_UNLOCKED(step_logits)
USED(set_log_target)

%typemap(out) PyObject * "$result = $1; if ($result == NULL) SWIG_fail;"

%inline %{
/** The vocabulary that templates take the texts of special tokens from. */
const apr_vocab *engine_vocab(const realizar_engine *engine)
{
    return apr_model_vocab(realizar_engine_model(engine));
}

/** The model's chat template, or None. */
const char *engine_chat_template(const realizar_engine *engine)
{
    return apr_model_chat_template(realizar_engine_model(engine));
}

/** The bytes that `ids` stand for; control tokens give none unless `special`. */
PyObject *decode(const realizar_engine *engine, const int32_t *ids, int32_t count, bool special)
{
    const realizar_tokenizer *tokenizer = realizar_engine_tokenizer(engine);
    size_t bytes = realizar_tokenizer_decode(tokenizer, ids, (size_t)count, special, NULL, 0);
    PyObject *text = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);

    if (text != NULL)
        (void)realizar_tokenizer_decode(tokenizer, ids, (size_t)count, special, PyBytes_AS_STRING(text), bytes);
    return text;
}

/** Compute tokens at the end of the session and give the logits after each, [count, vocab_size]. */
trueno_status step_logits(realizar_session *session, const int32_t *tokens, int32_t count, float *all_logits,
                          trueno_error *err)
{
    realizar_step_item item = {session, tokens, count, REALIZAR_ROWS_ALL, all_logits, NULL, NULL, NULL};

    return realizar_step(realizar_session_engine(session), &item, 1, err);
}
%}
/**
 * Where lines of the libraries' log go: a callable of (level, line), or None to drop them. Lines may come from any
 * thread that calls the libraries.
 */
void set_log_target(PyObject *target);
