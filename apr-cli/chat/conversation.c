/* SPDX-License-Identifier: MIT */
/* The messages of a conversation: adding, taking back, forgetting. */
#include "conversation.h"
#include "../commands.h"

#include <stdlib.h>
#include <string.h>

static const char *role_at(const conversation *c, size_t i)
{
    return json_string_value(json_object_get(json_array_get(c->messages, i), "role"));
}

static bool is_user(const conversation *c, size_t i)
{
    return strcmp(role_at(c, i), "user") == 0;
}

static bool has_system(const conversation *c)
{
    return json_array_size(c->messages) > 0 && strcmp(role_at(c, 0), "system") == 0;
}

trueno_status conversation_init(conversation *c, trueno_error *err)
{
    *c = (conversation){.messages = json_array()};
    return c->messages != NULL
               ? TRUENO_OK
               : trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the conversation");
}

void conversation_free(conversation *c)
{
    json_decref(c->messages);
    free(c->file);
    *c = (conversation){0};
}

const char *conversation_system(const conversation *c)
{
    if (!has_system(c))
        return NULL;
    return json_string_value(json_object_get(json_array_get(c->messages, 0), "content"));
}

static json_t *message(const char *role, const char *text, size_t bytes)
{
    return json_pack("{s:s, s:o}", "role", role, "content", json_text(text, bytes));
}

trueno_status conversation_set_system(conversation *c, const char *text, trueno_error *err)
{
    if (has_system(c))
        (void)json_array_remove(c->messages, 0);
    if (text == NULL || text[0] == '\0')
        return TRUENO_OK;
    if (json_array_insert_new(c->messages, 0, message("system", text, strlen(text))) != 0)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the system message");
    return TRUENO_OK;
}

trueno_status conversation_add(conversation *c, const char *role, const char *text, size_t bytes,
                               trueno_error *err)
{
    if (json_array_append_new(c->messages, message(role, text, bytes)) != 0)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a message of %zu bytes", bytes);
    return TRUENO_OK;
}

size_t conversation_exchanges(const conversation *c)
{
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(c->messages); i++)
        n += is_user(c, i);
    return n;
}

/* Where the exchange number `skip`, counted from 0, begins; the end where there are not so many. */
static size_t exchange_begin(const conversation *c, size_t skip)
{
    size_t size = json_array_size(c->messages);

    for (size_t i = 0; i < size; i++)
        if (is_user(c, i) && skip-- == 0)
            return i;
    return size;
}

static void remove_range(conversation *c, size_t begin, size_t end)
{
    for (size_t i = end; i > begin; i--)
        (void)json_array_remove(c->messages, i - 1);
}

bool conversation_undo(conversation *c)
{
    size_t n = conversation_exchanges(c);

    if (n == 0)
        return false;
    remove_range(c, exchange_begin(c, n - 1), json_array_size(c->messages));
    return true;
}

bool conversation_drop_answer(conversation *c)
{
    size_t n = conversation_exchanges(c), size = json_array_size(c->messages);
    size_t begin = n > 0 ? exchange_begin(c, n - 1) + 1 : size;

    remove_range(c, begin, size);
    return begin < size;
}

void conversation_forget(conversation *c, size_t exchanges)
{
    remove_range(c, has_system(c), exchange_begin(c, exchanges));
}

void conversation_clear(conversation *c)
{
    remove_range(c, has_system(c), json_array_size(c->messages));
}

char *conversation_json(const conversation *c, size_t skip)
{
    conversation shorter = {.messages = json_copy(c->messages)};
    char *text;

    if (shorter.messages == NULL)
        return NULL;
    if (skip > 0)
        conversation_forget(&shorter, skip);
    text = json_dumps(shorter.messages, JSON_COMPACT);
    json_decref(shorter.messages);
    return text;
}
