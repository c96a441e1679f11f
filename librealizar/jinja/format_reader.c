/* SPDX-License-Identifier: MIT */
/* Reading a format text, % or str.format. */
#include "jinja/format.h"

char jinja_peek(const jinja_reader *r)
{
    return (char)(r->at < r->end ? r->s->bytes[r->at] : '\0');
}

bool jinja_skip(jinja_reader *r, char ch)
{
    if (r->at >= r->end || r->s->bytes[r->at] != ch)
        return false;
    r->at++;
    return true;
}

int64_t jinja_read_number(jinja_reader *r)
{
    int64_t n = 0;

    while (jinja_peek(r) >= '0' && jinja_peek(r) <= '9') {
        n = n * 10 + (jinja_peek(r) - '0');
        r->at++;
        if (n > JINJA_MAX_FORMAT_NUMBER) {
            jinja_raise(r->c, "a number in a format is too big");
            return 0;
        }
    }
    return n;
}

void jinja_append_literal(jinja_reader *r, size_t begin, size_t end)
{
    jinja_append_string(&r->out, jinja_substring(r->c, r->s, begin, end));
}
