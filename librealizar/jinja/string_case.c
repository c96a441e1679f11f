/* SPDX-License-Identifier: MIT */
/* Methods of str about letter case and kinds of characters. */
#include "jinja/methods.h"

#include "jinja/unicode.h"

bool jinja_next_char(jinja_walker *w, uint32_t *code, bool *from_user)
{
    const jinja_string *s = w->s;

    if (w->at >= s->length)
        return false;
    while (w->mark < s->n_marks && s->marks[w->mark].end <= w->at)
        w->mark++;
    *from_user = w->mark < s->n_marks && s->marks[w->mark].begin <= w->at;
    *code = jinja_decode(s->bytes + w->at);
    w->at += jinja_char_bytes(s->bytes + w->at);
    return true;
}

typedef size_t case_mapping(uint32_t code, uint32_t out[3]);

static void append_mapped(jinja_builder *b, uint32_t code, bool from_user, case_mapping *map)
{
    uint32_t out[3];
    size_t n = map(code, out);

    for (size_t i = 0; i < n; i++)
        jinja_append_char(b, out[i], from_user);
}

static bool is_cased(uint32_t code)
{
    return jinja_is_upper(code) || jinja_is_lower(code) || jinja_is_title(code);
}

/* A capital sigma in lower case: another letter at the end of a word. `w` is behind it. */
static uint32_t lower_sigma(jinja_walker w, bool after_letter)
{
    uint32_t next;
    bool from_user;
    bool before_letter = jinja_next_char(&w, &next, &from_user) && jinja_is_alpha(next);

    return after_letter && !before_letter ? 0x3C2 : 0x3C3;
}

static void append_lower(jinja_builder *b, const jinja_walker *w, uint32_t code, bool from_user,
                         bool after_letter)
{
    if (code == 0x3A3)
        jinja_append_char(b, lower_sigma(*w, after_letter), from_user);
    else
        append_mapped(b, code, from_user, jinja_lower);
}

typedef enum case_style { UPPER, LOWER, CAPITALIZE, TITLE, SWAP, FOLD } case_style;

static jinja_value change_case(jinja_context *c, jinja_value self, case_style style)
{
    const jinja_string *s = jinja_str(c, self);
    jinja_walker w = {.s = s};
    jinja_builder b = {.c = c};
    uint32_t code;
    bool from_user, after_letter = false, after_cased = false;

    if (!jinja_spend(c, s->length / 16))
        return jinja_none();
    for (size_t i = 0; jinja_next_char(&w, &code, &from_user) && !c->failed; i++) {
        bool title = (style == CAPITALIZE && i == 0) || (style == TITLE && !after_cased);

        if (style == FOLD)
            append_mapped(&b, code, from_user, jinja_casefold);
        else if (title)
            append_mapped(&b, code, from_user, jinja_title);
        else if (style == UPPER || (style == SWAP && jinja_is_lower(code)))
            append_mapped(&b, code, from_user, jinja_upper);
        else if (style == SWAP && !jinja_is_upper(code))
            jinja_append_char(&b, code, from_user);
        else
            append_lower(&b, &w, code, from_user, after_letter);
        after_letter = jinja_is_alpha(code);
        after_cased = is_cased(code);
    }
    return jinja_from_string(jinja_with_safety(c, jinja_built(&b), s->safe));
}

JINJA_ROW_FUNCTION(jinja_str_upper)
{
    return change_case(c, self, UPPER);
}

JINJA_ROW_FUNCTION(jinja_str_lower)
{
    return change_case(c, self, LOWER);
}

JINJA_ROW_FUNCTION(jinja_str_capitalize)
{
    return change_case(c, self, CAPITALIZE);
}

JINJA_ROW_FUNCTION(jinja_str_title)
{
    return change_case(c, self, TITLE);
}

JINJA_ROW_FUNCTION(jinja_str_swapcase)
{
    return change_case(c, self, SWAP);
}

JINJA_ROW_FUNCTION(jinja_str_casefold)
{
    return change_case(c, self, FOLD);
}

/* isupper() and islower(): letters of the wanted case, none of the other. */
static jinja_value has_case(jinja_context *c, jinja_value self, bool upper)
{
    jinja_walker w = {.s = jinja_str(c, self)};
    uint32_t code;
    bool from_user, found = false;

    while (jinja_next_char(&w, &code, &from_user)) {
        if (jinja_is_title(code) || (upper ? jinja_is_lower(code) : jinja_is_upper(code)))
            return jinja_bool(false);
        found |= upper ? jinja_is_upper(code) : jinja_is_lower(code);
    }
    return jinja_bool(found);
}

JINJA_ROW_FUNCTION(jinja_str_isupper)
{
    return has_case(c, self, true);
}

JINJA_ROW_FUNCTION(jinja_str_islower)
{
    return has_case(c, self, false);
}

JINJA_ROW_FUNCTION(jinja_str_istitle)
{
    jinja_walker w = {.s = self.as.string};
    uint32_t code;
    bool from_user, found = false, after_cased = false;

    while (jinja_next_char(&w, &code, &from_user)) {
        bool starts = jinja_is_upper(code) || jinja_is_title(code);

        if (starts ? after_cased : jinja_is_lower(code) && !after_cased)
            return jinja_bool(false);
        after_cased = starts || jinja_is_lower(code);
        found |= after_cased;
    }
    return jinja_bool(found);
}

/* True when there is a character, and all of them are of the kind. */
static jinja_value all_are(jinja_value self, bool (*kind)(uint32_t code), bool if_empty)
{
    jinja_walker w = {.s = self.as.string};
    uint32_t code;
    bool from_user;

    while (jinja_next_char(&w, &code, &from_user))
        if (!kind(code))
            return jinja_bool(false);
    return jinja_bool(self.as.string->length > 0 || if_empty);
}

static bool is_alphanumeric(uint32_t code)
{
    return jinja_is_alpha(code) || jinja_is_numeric(code);
}

static bool is_ascii(uint32_t code)
{
    return code < 0x80;
}

JINJA_ROW_FUNCTION(jinja_str_isalpha)
{
    return all_are(self, jinja_is_alpha, false);
}

JINJA_ROW_FUNCTION(jinja_str_isalnum)
{
    return all_are(self, is_alphanumeric, false);
}

JINJA_ROW_FUNCTION(jinja_str_isdigit)
{
    return all_are(self, jinja_is_digit, false);
}

JINJA_ROW_FUNCTION(jinja_str_isdecimal)
{
    return all_are(self, jinja_is_decimal, false);
}

JINJA_ROW_FUNCTION(jinja_str_isnumeric)
{
    return all_are(self, jinja_is_numeric, false);
}

JINJA_ROW_FUNCTION(jinja_str_isspace)
{
    return all_are(self, jinja_is_space, false);
}

JINJA_ROW_FUNCTION(jinja_str_isascii)
{
    return all_are(self, is_ascii, true);
}

JINJA_ROW_FUNCTION(jinja_str_isprintable)
{
    return all_are(self, jinja_is_printable, true);
}

JINJA_ROW_FUNCTION(jinja_str_isidentifier)
{
    const jinja_string *s = self.as.string;

    return s->length > 0 && jinja_is_name_start(jinja_decode(s->bytes))
               ? all_are(self, jinja_is_name_part, false)
               : jinja_bool(false);
}
