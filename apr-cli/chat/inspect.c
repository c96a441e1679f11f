/* SPDX-License-Identifier: MIT */
/* apr chat --inspect: each token, how probable it was, and what else was. */
#include "chat.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

enum { CANDIDATES = 5 };

/* The token's text in quotes: line breaks and other control characters escaped, bytes that are only
 * a part of a character in hexadecimal. */
static void print_token(const realizar_tokenizer *tokenizer, int32_t id)
{
    apr_text text = realizar_tokenizer_piece(tokenizer, id, true);
    json_t *whole = json_stringn(text.data, text.length); /* NULL when it is not UTF-8 */

    (void)fputc('"', stderr);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte == '\n')
            (void)fputs("\\n", stderr);
        else if (byte == '"' || byte == '\\')
            (void)fprintf(stderr, "\\%c", byte);
        else if (iscntrl(byte) || (byte >= 0x80 && whole == NULL))
            (void)fprintf(stderr, "\\x%02x", byte);
        else
            (void)fputc(byte, stderr);
    }
    (void)fputc('"', stderr);
    json_decref(whole);
}

/* Probabilities are the model's own, before temperature and cuts; * marks what was chosen. */
void inspect_token(void *user, const realizar_generation *generation, const realizar_piece *piece)
{
    const chat *c = user;
    const realizar_tokenizer *tokenizer = realizar_engine_tokenizer(c->engine);
    realizar_candidate top[CANDIDATES];
    int32_t n = realizar_generation_top(generation, top, CANDIDATES), count;

    if (c->arguments->o.quiet)
        return;
    (void)realizar_generation_ids(generation, &count);
    (void)fprintf(stderr, "%4d  ", count);
    print_token(tokenizer, piece->id);
    (void)fprintf(stderr, " %.1f%%  |", 100 * exp((double)piece->log_probability));
    for (int32_t i = 0; i < n; i++) {
        (void)fprintf(stderr, "  %s", top[i].id == piece->id ? "*" : "");
        print_token(tokenizer, top[i].id);
        (void)fprintf(stderr, " %.1f%%", 100 * exp((double)top[i].log_probability));
    }
    (void)fputc('\n', stderr);
}
