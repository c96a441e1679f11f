/* SPDX-License-Identifier: MIT */
/* Tests: what stands behind `is`. */
#include "jinja/methods.h"

#define TEST(name) static JINJA_ROW_FUNCTION(name)

TEST(is_defined)
{
    return jinja_bool(self.kind != JINJA_UNDEFINED);
}

TEST(is_undefined)
{
    return jinja_bool(self.kind == JINJA_UNDEFINED);
}

TEST(is_none)
{
    return jinja_bool(self.kind == JINJA_NONE);
}

TEST(is_boolean)
{
    return jinja_bool(self.kind == JINJA_BOOL);
}

TEST(is_true)
{
    return jinja_bool(self.kind == JINJA_BOOL && self.as.boolean);
}

TEST(is_false)
{
    return jinja_bool(self.kind == JINJA_BOOL && !self.as.boolean);
}

TEST(is_integer)
{
    return jinja_bool(self.kind == JINJA_INT);
}

TEST(is_float)
{
    return jinja_bool(self.kind == JINJA_FLOAT);
}

TEST(is_number)
{
    double x;

    return jinja_bool(jinja_number(self, &x));
}

TEST(is_string)
{
    return jinja_bool(self.kind == JINJA_STRING);
}

TEST(is_mapping)
{
    return jinja_bool(self.kind == JINJA_DICT);
}

TEST(is_sequence)
{
    /* what has len() and []; an undefined has both, and its [] is never called */
    return jinja_bool(self.kind == JINJA_STRING || self.kind == JINJA_LIST ||
                      self.kind == JINJA_TUPLE || self.kind == JINJA_DICT ||
                      self.kind == JINJA_UNDEFINED ||
                      (self.kind == JINJA_LAZY && self.as.sequence->lazy == JINJA_RANGE));
}

TEST(is_iterable)
{
    return jinja_bool(jinja_is_iterable(self));
}

TEST(is_callable)
{
    return jinja_bool(self.kind == JINJA_MACRO || self.kind == JINJA_FUNCTION ||
                      self.kind == JINJA_METHOD || self.kind == JINJA_LOOP ||
                      self.kind == JINJA_JOINER || self.kind == JINJA_UNDEFINED);
}

TEST(is_escaped)
{
    return jinja_bool(self.kind == JINJA_STRING && self.as.string->safe);
}

TEST(is_same_as)
{
    if (self.kind != argv[0].kind)
        return jinja_bool(false);
    if (self.kind == JINJA_NONE || self.kind == JINJA_BOOL || self.kind == JINJA_INT)
        return jinja_bool(jinja_equal(c, self, argv[0]));
    return jinja_bool(jinja_same_object(self, argv[0]));
}

/* The remainder of a whole number, for odd, even and divisibleby. */
static jinja_value remainder_is(jinja_context *c, jinja_value self, jinja_value by, int64_t wanted)
{
    jinja_value r = jinja_modulo(c, self, by);

    return jinja_bool(!c->failed && jinja_equal(c, r, jinja_int(wanted)));
}

TEST(is_odd)
{
    return remainder_is(c, self, jinja_int(2), 1);
}

TEST(is_even)
{
    return remainder_is(c, self, jinja_int(2), 0);
}

TEST(is_divisible_by)
{
    return remainder_is(c, self, argv[0], 0);
}

TEST(is_lower)
{
    return jinja_str_islower(c, self, argv, raw);
}

TEST(is_upper)
{
    return jinja_str_isupper(c, self, argv, raw);
}

TEST(is_filter)
{
    return jinja_bool(self.kind == JINJA_STRING &&
                      jinja_find_filter(self.as.string->bytes, self.as.string->length) != NULL);
}

TEST(is_test)
{
    return jinja_bool(self.kind == JINJA_STRING &&
                      jinja_find_row(JINJA_TESTS, self.as.string->bytes, self.as.string->length) !=
                          NULL);
}

TEST(is_in)
{
    return jinja_bool(jinja_contains(c, argv[0], self));
}

TEST(is_equal)
{
    return jinja_bool(jinja_equal(c, self, argv[0]));
}

TEST(is_not_equal)
{
    return jinja_bool(!jinja_equal(c, self, argv[0]));
}

TEST(is_less)
{
    return jinja_bool(jinja_less(c, self, argv[0]));
}

TEST(is_greater)
{
    return jinja_bool(jinja_less(c, argv[0], self));
}

TEST(is_at_most)
{
    return jinja_bool(jinja_less(c, self, argv[0]) || jinja_equal(c, self, argv[0]));
}

TEST(is_at_least)
{
    return jinja_bool(jinja_less(c, argv[0], self) || jinja_equal(c, self, argv[0]));
}

const jinja_callable JINJA_TESTS[] = {
    {"defined", is_defined, "", 0},
    {"undefined", is_undefined, "", 0},
    {"none", is_none, "", 0},
    {"string", is_string, "", 0},
    {"mapping", is_mapping, "", 0},
    {"iterable", is_iterable, "", 0},
    {"sequence", is_sequence, "", 0},
    {"boolean", is_boolean, "", 0},
    {"true", is_true, "", 0},
    {"false", is_false, "", 0},
    {"number", is_number, "", 0},
    {"integer", is_integer, "", 0},
    {"float", is_float, "", 0},
    {"callable", is_callable, "", 0},
    {"escaped", is_escaped, "", 0},
    {"lower", is_lower, "", 0},
    {"upper", is_upper, "", 0},
    {"odd", is_odd, "", 0},
    {"even", is_even, "", 0},
    {"divisibleby", is_divisible_by, "num", 1},
    {"filter", is_filter, "", 0},
    {"test", is_test, "", 0},
    {"sameas", is_same_as, "other", 1},
    {"in", is_in, "seq", 1},
    {"==", is_equal, "other", 1},
    {"eq", is_equal, "other", 1},
    {"equalto", is_equal, "other", 1},
    {"!=", is_not_equal, "other", 1},
    {"ne", is_not_equal, "other", 1},
    {"<", is_less, "other", 1},
    {"lt", is_less, "other", 1},
    {"lessthan", is_less, "other", 1},
    {">", is_greater, "other", 1},
    {"gt", is_greater, "other", 1},
    {"greaterthan", is_greater, "other", 1},
    {"<=", is_at_most, "other", 1},
    {"le", is_at_most, "other", 1},
    {">=", is_at_least, "other", 1},
    {"ge", is_at_least, "other", 1},
    {NULL, NULL, NULL, 0},
};
