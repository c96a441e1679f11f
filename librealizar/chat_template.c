/* SPDX-License-Identifier: MIT */
/* Chat templates: the public face of the template engine. */
#include <realizar/chat.h>

#include "internal.h"
#include "jinja/run.h"
#include "jinja/unicode.h"

#include <string.h>

enum {
    MAX_SOURCE_BYTES = 1 << 20,
    DEFAULT_MAX_STEPS = 10 * 1000 * 1000,
    DEFAULT_MAX_MEMORY = 512 << 20,
    DEFAULT_MAX_OUTPUT = 64 << 20
};

struct realizar_template {
    trueno_arena arena; /* the source and the parsed statements */
    const trueno_allocator *allocator;
    const char *name;
    const char *source;
    size_t source_length;
    jinja_nodes body;
};

/* A copy with "\n" for every line end, and without the last one, as Jinja2 reads templates. */
static bool copy_source(realizar_template *t, const char *source, size_t bytes)
{
    char *copy = trueno_arena_alloc(&t->arena, bytes + 1);
    size_t n = 0;

    if (copy == NULL)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (source[i] == '\r' && i + 1 < bytes && source[i + 1] == '\n')
            continue;
        copy[n++] = (char)(source[i] == '\r' ? '\n' : source[i]);
    }
    if (n > 0 && copy[n - 1] == '\n')
        n--;
    copy[n] = '\0';
    t->source = copy;
    t->source_length = n;
    return true;
}

static jinja_context context_for(const realizar_template *t, trueno_arena *arena, trueno_error *err)
{
    return (jinja_context){.arena = arena,
                           .err = err,
                           .name = t->name,
                           .source = t->source,
                           .source_length = t->source_length,
                           .steps_left = DEFAULT_MAX_STEPS,
                           .max_memory_bytes = DEFAULT_MAX_MEMORY,
                           .max_output_bytes = DEFAULT_MAX_OUTPUT};
}

static trueno_status compile(realizar_template *t, const char *source, size_t bytes,
                             const char *name, trueno_error *err)
{
    jinja_context c;
    size_t valid;

    t->name = trueno_arena_string(&t->arena, name, strlen(name));
    if (bytes > MAX_SOURCE_BYTES)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%.60s: %zu bytes of template, at most %d",
                           name, bytes, MAX_SOURCE_BYTES);
    if (t->name == NULL || !copy_source(t, source, bytes))
        return trueno_fail(err, TRUENO_NO_MEMORY, "%.60s: cannot allocate the template", name);
    c = context_for(t, &t->arena, err);
    valid = jinja_valid_utf8(t->source, t->source_length);
    if (valid < t->source_length) {
        c.offset = valid;
        jinja_fail(&c, TRUENO_FORMAT, "the template is not valid UTF-8");
        return c.status;
    }
    t->body = jinja_parse(&c);
    return c.failed ? c.status : TRUENO_OK;
}

trueno_status realizar_template_new(realizar_template **out, const char *source, size_t bytes,
                                    const char *name, const trueno_allocator *allocator,
                                    trueno_error *err)
{
    realizar_template *t = trueno_allocate_zero(allocator, sizeof *t);
    trueno_status status;

    if (t == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "cannot allocate a template");
    t->allocator = allocator;
    t->arena.allocator = allocator;
    status = compile(t, source, bytes, name != NULL ? name : "template", err);
    if (status < 0) {
        realizar_template_free(t);
        return status;
    }
    *out = t;
    return TRUENO_OK;
}

const trueno_allocator *template_allocator(const realizar_template *t)
{
    return t->allocator;
}

void realizar_template_free(realizar_template *t)
{
    if (t == NULL)
        return;
    trueno_arena_free(&t->arena);
    trueno_release(t->allocator, t, sizeof *t);
}

void realizar_chat_input_init(realizar_chat_input *input, size_t size)
{
    memset(input, 0, size);
    input->size = size;
}

static void set_global(jinja_context *c, const char *name, jinja_value value)
{
    jinja_dict_set(c, c->globals, jinja_text(c, name), value);
}

static void set_token(jinja_context *c, const char *name, const char *text)
{
    if (text == NULL)
        return;
    if (jinja_valid_utf8(text, strlen(text)) < strlen(text))
        jinja_fail(c, TRUENO_FORMAT, "%s is not valid UTF-8", name);
    else
        set_global(c, name, jinja_text(c, text));
}

/* A role that holds no character of a special token may become a part of one. */
static jinja_value trusted_role(jinja_context *c, jinja_value role)
{
    const jinja_string *s = role.as.string;

    if (role.kind != JINJA_STRING)
        return role;
    for (size_t i = 0; i < s->length; i++) {
        char ch = s->bytes[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
              ch == '_' || ch == '-'))
            return role;
    }
    return jinja_from_string(jinja_string_over(c, s->bytes, s->length, false));
}

/* The message's reasoning, under whichever of its names it was given; NULL when there is none. */
static const jinja_value *find_reasoning(const jinja_dict *message)
{
    static const char *const NAMES[] = {"reasoning_content", "thinking", "reasoning"};

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const jinja_value *found = jinja_dict_find(message, NAMES[i], strlen(NAMES[i]));

        if (found != NULL && found->kind != JINJA_NONE)
            return found;
    }
    return NULL;
}

/* As transformers prepares a message: no null members, reasoning under all its names. */
static jinja_value prepare_message(jinja_context *c, jinja_value message, size_t i)
{
    jinja_dict *out = jinja_dict_new(c);
    const jinja_dict *in = message.as.dict;
    const jinja_value *reasoning;

    if (message.kind != JINJA_DICT) {
        jinja_fail(c, TRUENO_FORMAT, "message %zu is not an object", i);
        return message;
    }
    reasoning = find_reasoning(in);
    if (reasoning != NULL)
        jinja_dict_set(c, out, jinja_text(c, "thinking"), *reasoning);
    for (size_t k = 0; k < in->n && !c->failed; k++) {
        jinja_value value = in->pairs[k].value;

        if (value.kind == JINJA_NONE)
            continue;
        if (jinja_string_is(in->pairs[k].key.as.string, "role"))
            value = trusted_role(c, value);
        jinja_dict_set(c, out, in->pairs[k].key, value);
    }
    if (reasoning != NULL)
        jinja_dict_set(c, out, jinja_text(c, "reasoning_content"), *reasoning);
    if (!c->failed)
        out->from_user = true;
    return jinja_from_dict(out);
}

static jinja_value read_messages(jinja_context *c, const realizar_chat_input *input)
{
    jinja_value json =
        jinja_parse_json(c, input->messages, input->messages_bytes, true, "messages");
    jinja_value list = jinja_list(c, 0);

    if (c->failed)
        return list;
    if (json.kind != JINJA_LIST) {
        jinja_fail(c, TRUENO_FORMAT, "messages are not a JSON array");
        return list;
    }
    for (size_t i = 0; i < json.as.sequence->n && !c->failed; i++)
        jinja_push(c, list, prepare_message(c, json.as.sequence->items[i], i));
    if (!c->failed)
        list.as.sequence->from_user = true;
    return list;
}

static void read_variables(jinja_context *c, const realizar_chat_input *input)
{
    jinja_value json =
        jinja_parse_json(c, input->variables, input->variables_bytes, true, "variables");

    if (c->failed)
        return;
    if (json.kind != JINJA_DICT) {
        jinja_fail(c, TRUENO_FORMAT, "variables are not a JSON object");
        return;
    }
    for (size_t i = 0; i < json.as.dict->n && !c->failed; i++)
        jinja_dict_set(c, c->globals, json.as.dict->pairs[i].key, json.as.dict->pairs[i].value);
}

static void set_globals(jinja_context *c, const realizar_chat_input *input)
{
    jinja_value tools = jinja_none();

    c->globals = jinja_dict_new(c);
    set_global(c, "documents", jinja_none());
    set_global(c, "add_generation_prompt", jinja_bool(input->add_generation_prompt));
    set_token(c, "bos_token", input->bos_token);
    set_token(c, "eos_token", input->eos_token);
    set_token(c, "unk_token", input->unk_token);
    set_token(c, "pad_token", input->pad_token);
    if (input->messages != NULL)
        set_global(c, "messages", read_messages(c, input));
    if (input->tools != NULL && !c->failed) {
        tools = jinja_parse_json(c, input->tools, input->tools_bytes, true, "tools");
        if (!c->failed && tools.kind != JINJA_LIST && tools.kind != JINJA_NONE)
            jinja_fail(c, TRUENO_FORMAT, "tools are not a JSON array");
    }
    set_global(c, "tools", tools);
    if (input->variables != NULL && !c->failed)
        read_variables(c, input);
}

/* Alternating spans that cover the text. */
static size_t fill_spans(const jinja_builder *b, realizar_prompt_span *spans)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < b->n_marks; i++) {
        if (b->marks[i].begin > at)
            spans[n++] = (realizar_prompt_span){at, b->marks[i].begin, false};
        spans[n++] = (realizar_prompt_span){b->marks[i].begin, b->marks[i].end, true};
        at = b->marks[i].end;
    }
    if (at < b->length)
        spans[n++] = (realizar_prompt_span){at, b->length, false};
    return n;
}

static trueno_status make_prompt(const realizar_template *t, const jinja_builder *b,
                                 realizar_prompt *prompt, trueno_error *err)
{
    size_t bound = 2 * b->n_marks + 1;
    char *text = trueno_allocate(t->allocator, b->length + 1, 1);
    realizar_prompt_span *spans =
        trueno_allocate(t->allocator, bound * sizeof *spans, _Alignof(realizar_prompt_span));
    size_t n_spans;

    if (text == NULL || spans == NULL) {
        trueno_release(t->allocator, text, b->length + 1);
        trueno_release(t->allocator, spans, bound * sizeof *spans);
        return trueno_fail(err, TRUENO_NO_MEMORY, "cannot allocate a prompt of %zu bytes",
                           b->length);
    }
    if (b->length > 0)
        memcpy(text, b->bytes, b->length);
    text[b->length] = '\0';
    n_spans = fill_spans(b, spans);
    *prompt = (realizar_prompt){.text = text,
                                .bytes = b->length,
                                .spans = spans,
                                .n_spans = n_spans,
                                .spans_capacity = bound,
                                .allocator = t->allocator};
    return TRUENO_OK;
}

trueno_status realizar_template_render(const realizar_template *t, const realizar_chat_input *given,
                                       realizar_prompt *prompt, trueno_error *err)
{
    realizar_chat_input input = {0};
    trueno_arena arena = {.allocator = t->allocator};
    jinja_context c = context_for(t, &arena, err);
    jinja_builder out = {.c = &c};
    trueno_status status;

    memcpy(&input, given, given->size < sizeof input ? given->size : sizeof input);
    if (input.max_steps != 0)
        c.steps_left = input.max_steps;
    if (input.max_memory_bytes != 0)
        c.max_memory_bytes = input.max_memory_bytes;
    if (input.max_output_bytes != 0)
        c.max_output_bytes = input.max_output_bytes;
    c.now = input.now;
    c.out = &out;
    set_globals(&c, &input);
    c.scope = jinja_scope_new(&c, NULL);
    if (!c.failed)
        (void)jinja_execute(&c, &t->body);
    status = c.failed ? c.status : make_prompt(t, &out, prompt, err);
    trueno_arena_free(&arena);
    return status;
}

void realizar_prompt_free(realizar_prompt *prompt)
{
    if (prompt == NULL)
        return;
    trueno_release(prompt->allocator, prompt->text, prompt->bytes + 1);
    trueno_release(prompt->allocator, prompt->spans,
                   prompt->spans_capacity * sizeof *prompt->spans);
    memset(prompt, 0, sizeof *prompt);
}
