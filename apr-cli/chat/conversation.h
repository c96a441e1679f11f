/* SPDX-License-Identifier: MIT */
/* The messages of a conversation, and what can be done to them. */
#ifndef CLI_CHAT_CONVERSATION_H
#define CLI_CHAT_CONVERSATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <trueno/error.h>

/* An exchange is a user's message and all that follows up to the next one. */
typedef struct conversation {
    json_t *messages; /* array of {"role", "content"}; a system message only as the first */
    char *file;       /* of the last save or load, or NULL */
} conversation;

trueno_status conversation_init(conversation *c, trueno_error *err);
void conversation_free(conversation *c);

/* The system message, or NULL. Borrowed. */
const char *conversation_system(const conversation *c);
/* Set it; NULL or "" removes it. */
trueno_status conversation_set_system(conversation *c, const char *text, trueno_error *err);

/* Add a message. Bytes that are no UTF-8 become U+FFFD. */
trueno_status conversation_add(conversation *c, const char *role, const char *text, size_t bytes,
                               trueno_error *err);

size_t conversation_exchanges(const conversation *c);

/* Remove the last exchange; false where there is none. */
bool conversation_undo(conversation *c);

/* Remove what follows the user's last message; false where nothing does. */
bool conversation_drop_answer(conversation *c);

/* Remove the oldest `exchanges` exchanges, and answers before the first one. */
void conversation_forget(conversation *c, size_t exchanges);

/* All exchanges go, the system message stays. */
void conversation_clear(conversation *c);

/* The messages as JSON text (allocated), without the oldest `skip` exchanges; NULL: no memory. */
char *conversation_json(const conversation *c, size_t skip);

/*
 * Write the messages to a file (NULL: the one of the last save or load), whole or not at all. A
 * file that is there already is replaced only when it is that one.
 */
trueno_status conversation_save(conversation *c, const char *path, trueno_error *err);

/* Replace the conversation by the file's: an array of messages, or an object that has one as
 * "messages". Untouched on failure. */
trueno_status conversation_load(conversation *c, const char *path, trueno_error *err);

#endif
