/* SPDX-License-Identifier: MIT */
/* Python objects to C structs and back. */
#include "convert.h"

#include <stdlib.h>
#include <string.h>

_Thread_local trueno_error wrapper_error;

void raise_status(trueno_status status, const char *message)
{
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    PyObject *errors = text != NULL ? PyImport_ImportModule("realizar.errors") : NULL;
    PyObject *error = NULL;

    if (errors != NULL)
        error = PyObject_CallMethod(errors, "from_status", "iO", (int)status, text);
    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    Py_XDECREF(errors);
    Py_XDECREF(text);
}

int text_from_python(PyObject *object, const char **text, size_t *bytes)
{
    Py_ssize_t length = 0;

    if (PyBytes_Check(object)) {
        *text = PyBytes_AS_STRING(object);
        length = PyBytes_GET_SIZE(object);
    } else {
        *text = PyUnicode_AsUTF8AndSize(object, &length); /* TypeError for anything else */
    }
    *bytes = (size_t)length;
    return *text != NULL ? 0 : -1;
}

/* A text that C code takes up to its NUL. */
static int terminated_text(PyObject *object, const char **text)
{
    size_t bytes;

    if (text_from_python(object, text, &bytes) < 0)
        return -1;
    if (strlen(*text) != bytes) {
        PyErr_SetString(PyExc_ValueError, "the text holds a NUL character");
        return -1;
    }
    return 0;
}

static int int32_from_python(PyObject *object, int32_t *out)
{
    long value = PyLong_AsLong(object);

    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value < INT32_MIN || value > INT32_MAX) {
        PyErr_Format(PyExc_OverflowError, "%ld does not fit 32 bits", value);
        return -1;
    }
    *out = (int32_t)value;
    return 0;
}

int ids_from_python(PyObject *object, int32_t **ids, size_t *count)
{
    PyObject *fast = PySequence_Fast(object, "a sequence of token ids is needed");
    Py_ssize_t n;

    *ids = NULL;
    if (fast == NULL)
        return -1;
    n = PySequence_Fast_GET_SIZE(fast);
    if (n > INT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "more than 2^31 token ids");
        goto failed;
    }
    *ids = malloc(((size_t)n + 1) * sizeof **ids);
    if (*ids == NULL) {
        PyErr_NoMemory();
        goto failed;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (int32_from_python(PySequence_Fast_GET_ITEM(fast, i), &(*ids)[i]) < 0)
            goto failed;
    *count = (size_t)n;
    Py_DECREF(fast);
    return 0;
failed:
    free(*ids);
    *ids = NULL;
    Py_DECREF(fast);
    return -1;
}

PyObject *ids_to_python(const int32_t *ids, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);

    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *id = PyLong_FromLong(ids[i]);

        if (id == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, id);
    }
    return list;
}

typedef enum field_kind {
    FIELD_INT32,
    FIELD_INT64,
    FIELD_UINT64,
    FIELD_FLOAT,
    FIELD_BOOL,
    FIELD_NAME, /* const char *, NUL-terminated */
    FIELD_TEXT  /* const char *, and a size_t of its length right after it */
} field_kind;

/* One field of a struct that a key of a dictionary sets. */
typedef struct field {
    const char *name;
    size_t offset;
    field_kind kind;
} field;

#define FIELD(type, member, kind)             \
    {                                         \
#member, offsetof(type, member), kind \
    }

static int set_float(PyObject *value, float *out)
{
    double number = PyFloat_AsDouble(value);

    if (number == -1 && PyErr_Occurred())
        return -1;
    *out = (float)number;
    return 0;
}

static int set_integer(PyObject *value, field_kind kind, void *out)
{
    if (kind == FIELD_INT32)
        return int32_from_python(value, out);
    if (kind == FIELD_INT64)
        *(int64_t *)out = PyLong_AsLongLong(value);
    else
        *(uint64_t *)out = PyLong_AsUnsignedLongLong(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int set_field(const field *f, PyObject *value, void *target)
{
    char *place = (char *)target + f->offset;
    int truth;

    switch (f->kind) {
    case FIELD_FLOAT:
        return set_float(value, (float *)(void *)place);
    case FIELD_BOOL:
        if ((truth = PyObject_IsTrue(value)) < 0)
            return -1;
        *(bool *)place = truth != 0;
        return 0;
    case FIELD_NAME:
        return terminated_text(value, (const char **)(void *)place);
    case FIELD_TEXT:
        return text_from_python(value, (const char **)(void *)place,
                                (size_t *)(void *)(place + sizeof(char *)));
    default:
        return set_integer(value, f->kind, place);
    }
}

/* Say which key an exception is about, keeping its class. */
static void name_the_key(const char *name)
{
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_Format(type, "%s: %S", name, value != NULL ? value : Py_None);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static int set_fields(PyObject *dict, const field *fields, size_t n_fields, void *target)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;

    if (!PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "a dictionary of settings is needed");
        return -1;
    }
    while (PyDict_Next(dict, &position, &key, &value)) {
        size_t i = 0;
        const char *name;

        if (terminated_text(key, &name) < 0)
            return -1;
        while (i < n_fields && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == n_fields) {
            PyErr_Format(PyExc_TypeError, "there is no setting '%s'", name);
            return -1;
        }
        if (set_field(&fields[i], value, target) < 0) {
            name_the_key(name);
            return -1;
        }
    }
    return 0;
}

int engine_options_from_python(PyObject *dict, realizar_engine_options *out)
{
    static const field FIELDS[] = {
        FIELD(realizar_engine_options, backend, FIELD_NAME),
        FIELD(realizar_engine_options, threads, FIELD_INT32),
        FIELD(realizar_engine_options, device, FIELD_INT32),
        FIELD(realizar_engine_options, context, FIELD_INT32),
        FIELD(realizar_engine_options, step_rows, FIELD_INT32),
        FIELD(realizar_engine_options, kv_type, FIELD_INT32),
        FIELD(realizar_engine_options, keep_mapping, FIELD_BOOL),
        FIELD(realizar_engine_options, lenient, FIELD_BOOL),
        FIELD(realizar_engine_options, verify, FIELD_BOOL),
    };

    _Static_assert(sizeof(trueno_kv_type) == sizeof(int32_t), "kv_type is set as an int32");
    realizar_engine_options_init(out, sizeof *out);
    out->log.write = write_log;
    return set_fields(dict, FIELDS, sizeof FIELDS / sizeof *FIELDS, out);
}

int chat_input_from_python(PyObject *dict, realizar_chat_input *out)
{
    static const field FIELDS[] = {
        FIELD(realizar_chat_input, messages, FIELD_TEXT),
        FIELD(realizar_chat_input, tools, FIELD_TEXT),
        FIELD(realizar_chat_input, variables, FIELD_TEXT),
        FIELD(realizar_chat_input, add_generation_prompt, FIELD_BOOL),
        FIELD(realizar_chat_input, now, FIELD_INT64),
    };

    realizar_chat_input_init(out, sizeof *out);
    return set_fields(dict, FIELDS, sizeof FIELDS / sizeof *FIELDS, out);
}

/* A list of texts; the array is the caller's, the texts are borrowed from the list. */
static int stops_from_python(PyObject *list, generation_settings *out)
{
    Py_ssize_t n;

    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "stops: a list of texts is needed");
        return -1;
    }
    n = PyList_GET_SIZE(list);
    out->stops = calloc((size_t)n + 1, sizeof *out->stops);
    if (out->stops == NULL || n > INT32_MAX) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (terminated_text(PyList_GET_ITEM(list, i), &out->stops[i]) < 0) {
            name_the_key("stops");
            return -1;
        }
    out->options.stops = out->stops;
    out->options.n_stops = (int32_t)n;
    return 0;
}

/* A dictionary of token id to bias. */
static int bias_from_python(PyObject *dict, generation_settings *out)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    int32_t n = 0;

    if (!PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "bias: a dictionary of token id to bias is needed");
        return -1;
    }
    out->bias = calloc((size_t)PyDict_GET_SIZE(dict) + 1, sizeof *out->bias);
    if (out->bias == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; PyDict_Next(dict, &position, &key, &value); n++)
        if (int32_from_python(key, &out->bias[n].id) < 0 ||
            set_float(value, &out->bias[n].bias) < 0) {
            name_the_key("bias");
            return -1;
        }
    out->options.sampling.bias = out->bias;
    out->options.sampling.n_bias = n;
    return 0;
}

int generation_settings_from_python(PyObject *dict, const realizar_engine *engine,
                                    generation_settings *out)
{
#define SAMPLING(member, kind)                                                \
    {                                                                         \
#member, offsetof(realizar_generation_options, sampling.member), kind \
    }
    static const field FIELDS[] = {
        FIELD(realizar_generation_options, max_tokens, FIELD_INT32),
        FIELD(realizar_generation_options, ignore_eos, FIELD_BOOL),
        FIELD(realizar_generation_options, show_special, FIELD_BOOL),
        SAMPLING(repeat_penalty, FIELD_FLOAT),
        SAMPLING(frequency_penalty, FIELD_FLOAT),
        SAMPLING(presence_penalty, FIELD_FLOAT),
        SAMPLING(repeat_last_n, FIELD_INT32),
        SAMPLING(top_k, FIELD_INT32),
        SAMPLING(top_p, FIELD_FLOAT),
        SAMPLING(min_p, FIELD_FLOAT),
        SAMPLING(temperature, FIELD_FLOAT),
        SAMPLING(seed, FIELD_UINT64),
    };
#undef SAMPLING
    PyObject *scalars = PyDict_Check(dict) ? PyDict_Copy(dict) : NULL;
    PyObject *stops = NULL, *bias = NULL;
    int result = -1;

    realizar_generation_options_init(&out->options, sizeof out->options, engine);
    if (scalars == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a dictionary of settings is needed");
        return -1;
    }
    stops = PyDict_GetItemString(dict, "stops"); /* borrowed, as the texts in them will be */
    bias = PyDict_GetItemString(dict, "bias");
    if ((stops == NULL ||
         (PyDict_DelItemString(scalars, "stops") == 0 && stops_from_python(stops, out) == 0)) &&
        (bias == NULL ||
         (PyDict_DelItemString(scalars, "bias") == 0 && bias_from_python(bias, out) == 0)))
        result = set_fields(scalars, FIELDS, sizeof FIELDS / sizeof *FIELDS, out);
    Py_DECREF(scalars);
    return result;
}

void generation_settings_free(generation_settings *settings)
{
    free(settings->stops);
    free(settings->bias);
}

PyObject *piece_to_python(const realizar_piece *piece)
{
    return Py_BuildValue("(y#if)", piece->text != NULL ? piece->text : "", (Py_ssize_t)piece->bytes,
                         (int)piece->id, piece->log_probability);
}

PyObject *candidates_to_python(const realizar_candidate *candidates, int32_t count)
{
    PyObject *list = PyList_New(count);

    for (int32_t i = 0; list != NULL && i < count; i++) {
        const realizar_candidate *c = &candidates[i];
        PyObject *item = Py_BuildValue("(iff)", (int)c->id, c->log_probability, c->probability);

        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

PyObject *timings_to_python(const realizar_timings *t)
{
    return Py_BuildValue("{s:i,s:i,s:i,s:d,s:d,s:d}", "prompt_tokens", (int)t->prompt_tokens,
                         "reused_tokens", (int)t->reused_tokens, "completion_tokens",
                         (int)t->completion_tokens, "prompt_ms", t->prompt_ms, "first_token_ms",
                         t->first_token_ms, "decode_ms", t->decode_ms);
}

PyObject *memory_use_to_python(const trueno_memory_use *use)
{
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K}", "weights", (unsigned long long)use->weights, "kv",
                         (unsigned long long)use->kv, "activations",
                         (unsigned long long)use->activations, "device_total",
                         (unsigned long long)use->device_total, "device_free",
                         (unsigned long long)use->device_free);
}
