/* SPDX-License-Identifier: MIT */
/* Conversations as files: a JSON array of messages, as apr render --messages reads it. */
#include "conversation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static trueno_status remember_file(conversation *c, const char *path, trueno_error *err)
{
    char *copy = strdup(path); /* before the old one goes: path may be it */

    if (copy == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a file name");
    free(c->file);
    c->file = copy;
    return TRUENO_OK;
}

static bool write_messages(const conversation *c, int fd)
{
    FILE *f = fdopen(fd, "w");
    bool ok;

    if (f == NULL) {
        (void)close(fd);
        return false;
    }
    ok = json_dumpf(c->messages, f, JSON_INDENT(2)) == 0 && fputc('\n', f) != EOF;
    return fclose(f) == 0 && ok;
}

/* Under a name of its own first, so that a full disk costs nothing. What people say is theirs:
 * mkstemp() makes the file 0600. */
trueno_status conversation_save(conversation *c, const char *path, trueno_error *err)
{
    bool known = path == NULL || (c->file != NULL && strcmp(path, c->file) == 0);
    char *temporary;
    int fd;

    if (path == NULL && (path = c->file) == NULL)
        return trueno_fail(err, TRUENO_USAGE, "a file name is needed: /save FILE");
    if (!known && access(path, F_OK) == 0)
        return trueno_fail(err, TRUENO_USAGE, "%s exists; choose another name", path);
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a file name");
    fd = mkstemp(temporary);
    if (fd < 0 || !write_messages(c, fd) || rename(temporary, path) != 0) {
        trueno_status status = trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));

        if (fd >= 0)
            (void)unlink(temporary);
        free(temporary);
        return status;
    }
    free(temporary);
    return remember_file(c, path, err);
}

static bool is_role(const char *role)
{
    static const char *const ROLES[] = {"system", "user", "assistant", "tool"};

    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (role != NULL && strcmp(role, ROLES[i]) == 0)
            return true;
    return false;
}

static trueno_status check_messages(const json_t *messages, const char *path, trueno_error *err)
{
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const char *role = json_string_value(json_object_get(message, "role"));

        if (!is_role(role) || !json_is_string(json_object_get(message, "content")))
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: message %zu needs a role (system, user, assistant, tool) and a "
                               "content",
                               path, i + 1);
        if (i > 0 && strcmp(role, "system") == 0)
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: message %zu is a system message, only the first may be one",
                               path, i + 1);
    }
    return TRUENO_OK;
}

static trueno_status read_json(const char *path, json_t **out, trueno_error *err)
{
    json_error_t error;

    if (access(path, R_OK) != 0)
        return trueno_fail(err, errno == ENOENT ? TRUENO_NOT_FOUND : TRUENO_IO, "%s: %s", path,
                           strerror(errno));
    *out = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return trueno_fail(err, TRUENO_FORMAT, "%s:%d: %s", path, error.line, error.text);
    return TRUENO_OK;
}

trueno_status conversation_load(conversation *c, const char *path, trueno_error *err)
{
    json_t *document, *messages;
    trueno_status status = read_json(path, &document, err);

    if (status < 0)
        return status;
    messages = json_is_object(document) ? json_object_get(document, "messages") : document;
    if (!json_is_array(messages))
        status = trueno_fail(err, TRUENO_FORMAT, "%s: not a list of messages", path);
    else
        status = check_messages(messages, path, err);
    if (status == TRUENO_OK)
        status = remember_file(c, path, err);
    if (status == TRUENO_OK) {
        json_decref(c->messages);
        c->messages = json_incref(messages);
    }
    json_decref(document);
    return status;
}
