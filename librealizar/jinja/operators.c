/* SPDX-License-Identifier: MIT */
/* Arithmetic, concatenation and membership, as Python defines them on these types. */
#include "jinja/value.h"

#include <math.h>
#include <string.h>

static jinja_value bad_operands(jinja_context *c, const char *op, jinja_value a, jinja_value b)
{
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, a.kind == JINJA_UNDEFINED ? a : b);
    return jinja_raise(c, "unsupported operand type(s) for %s: '%s' and '%s'", op,
                       jinja_type_name(a), jinja_type_name(b));
}

static jinja_value overflow(jinja_context *c)
{
    return jinja_raise(c, "an integer beyond 64 bits");
}

static void append_html(jinja_builder *b, char ch, bool from_user)
{
    static const struct {
        char ch;
        const char *text;
    } ROWS[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].ch == ch) {
            jinja_append_bytes(b, ROWS[i].text, strlen(ROWS[i].text), from_user);
            return;
        }
    jinja_append_bytes(b, &ch, 1, from_user);
}

const jinja_string *jinja_escape(jinja_context *c, const jinja_string *s)
{
    jinja_builder b = {.c = c};
    size_t mark = 0;

    if (s->safe)
        return s;
    for (size_t i = 0; i < s->length && !c->failed; i++) {
        while (mark < s->n_marks && s->marks[mark].end <= i)
            mark++;
        append_html(&b, s->bytes[i], mark < s->n_marks && s->marks[mark].begin <= i);
    }
    return jinja_with_safety(c, jinja_built(&b), true);
}

static jinja_value add_strings(jinja_context *c, const jinja_string *a, const jinja_string *b)
{
    if (!a->safe && !b->safe)
        return jinja_from_string(jinja_concat(c, a, b));
    a = jinja_concat(c, jinja_escape(c, a), jinja_escape(c, b));
    return jinja_from_string(jinja_with_safety(c, a, true));
}

static jinja_value add_sequences(jinja_context *c, jinja_value a, jinja_value b)
{
    size_t n = a.as.sequence->n + b.as.sequence->n;
    jinja_value sum = a.kind == JINJA_LIST ? jinja_list(c, n) : jinja_tuple(c, n);

    for (size_t i = 0; i < a.as.sequence->n && !c->failed; i++)
        jinja_push(c, sum, a.as.sequence->items[i]);
    for (size_t i = 0; i < b.as.sequence->n && !c->failed; i++)
        jinja_push(c, sum, b.as.sequence->items[i]);
    return sum;
}

jinja_value jinja_add(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j, sum;
    double x, y;

    if (a.kind == JINJA_STRING && b.kind == JINJA_STRING)
        return add_strings(c, a.as.string, b.as.string);
    if (a.kind == b.kind && (a.kind == JINJA_LIST || a.kind == JINJA_TUPLE))
        return add_sequences(c, a, b);
    if (jinja_index(a, &i) && jinja_index(b, &j))
        return __builtin_add_overflow(i, j, &sum) ? overflow(c) : jinja_int(sum);
    if (jinja_number(a, &x) && jinja_number(b, &y))
        return jinja_float(x + y);
    if (a.kind == JINJA_STRING && b.kind != JINJA_UNDEFINED)
        return jinja_raise(c, "can only concatenate str (not \"%s\") to str", jinja_type_name(b));
    return bad_operands(c, "+", a, b);
}

jinja_value jinja_subtract(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j, difference;
    double x, y;

    if (jinja_index(a, &i) && jinja_index(b, &j))
        return __builtin_sub_overflow(i, j, &difference) ? overflow(c) : jinja_int(difference);
    if (jinja_number(a, &x) && jinja_number(b, &y))
        return jinja_float(x - y);
    return bad_operands(c, "-", a, b);
}

static jinja_value repeat(jinja_context *c, jinja_value v, int64_t times)
{
    jinja_builder b = {.c = c};
    jinja_value out;

    if (v.kind == JINJA_STRING) {
        jinja_append_repeated(&b, v.as.string, times < 0 ? 0 : (size_t)times);
        return jinja_from_string(jinja_with_safety(c, jinja_built(&b), v.as.string->safe));
    }
    out = v.kind == JINJA_LIST ? jinja_list(c, 0) : jinja_tuple(c, 0);
    for (int64_t i = 0; i < times && v.as.sequence->n > 0 && !c->failed; i++)
        for (size_t k = 0; k < v.as.sequence->n && !c->failed; k++)
            jinja_push(c, out, v.as.sequence->items[k]);
    return out;
}

static bool repeatable(jinja_value v)
{
    return v.kind == JINJA_STRING || v.kind == JINJA_LIST || v.kind == JINJA_TUPLE;
}

jinja_value jinja_multiply(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j, product;
    double x, y;

    if (jinja_index(a, &i) && jinja_index(b, &j))
        return __builtin_mul_overflow(i, j, &product) ? overflow(c) : jinja_int(product);
    if (jinja_number(a, &x) && jinja_number(b, &y))
        return jinja_float(x * y);
    if (repeatable(a) && jinja_index(b, &j))
        return repeat(c, a, j);
    if (repeatable(b) && jinja_index(a, &i))
        return repeat(c, b, i);
    return bad_operands(c, "*", a, b);
}

static uint64_t magnitude(int64_t i)
{
    return i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
}

/* i / j, j not 0, rounded once to the nearest double, as Python does it: bits of the quotient are
 * found until there are more than a double has, and what is left counts as half a last one. */
static double true_quotient(int64_t i, int64_t j)
{
    enum { ENOUGH = 62 };
    const uint64_t divisor = magnitude(j);
    uint64_t quotient = magnitude(i) / divisor, rest = magnitude(i) % divisor;
    int exponent = 0;
    double q;

    while (i != 0 && quotient >> ENOUGH == 0) {
        bool one = rest >= divisor - rest;

        rest = one ? rest - (divisor - rest) : 2 * rest;
        quotient = 2 * quotient + one;
        exponent--;
    }
    q = ldexp((double)(quotient | (rest != 0)), exponent);
    return (i < 0) != (j < 0) ? -q : q;
}

jinja_value jinja_divide(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j;
    double x, y;

    if (!jinja_number(a, &x) || !jinja_number(b, &y))
        return bad_operands(c, "/", a, b);
    if (y == 0)
        return jinja_raise(c, "division by zero");
    if (jinja_index(a, &i) && jinja_index(b, &j))
        return jinja_float(true_quotient(i, j));
    return jinja_float(x / y);
}

/* Remainder with the sign of the divisor, as Python's float %. */
static double float_modulo(double x, double y)
{
    double r = fmod(x, y);

    if (r != 0 && (r < 0) != (y < 0))
        r += y;
    return r == 0 ? copysign(0.0, y) : r;
}

static double float_floor_divide(double x, double y)
{
    double quotient = (x - float_modulo(x, y)) / y;
    double floored = floor(quotient);

    if (quotient == 0)
        return copysign(0.0, x / y);
    return quotient - floored > 0.5 ? floored + 1 : floored;
}

jinja_value jinja_floor_divide(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j;
    double x, y;

    if (!jinja_number(a, &x) || !jinja_number(b, &y))
        return bad_operands(c, "//", a, b);
    if (y == 0)
        return jinja_raise(c, "integer division or modulo by zero");
    if (!jinja_index(a, &i) || !jinja_index(b, &j))
        return jinja_float(float_floor_divide(x, y));
    if (i == INT64_MIN && j == -1)
        return overflow(c);
    return jinja_int(i / j - (i % j != 0 && (i < 0) != (j < 0)));
}

jinja_value jinja_modulo(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j, r;
    double x, y;

    if (a.kind == JINJA_STRING)
        return jinja_percent(c, a.as.string, b);
    if (!jinja_number(a, &x) || !jinja_number(b, &y))
        return bad_operands(c, "%", a, b);
    if (y == 0)
        return jinja_raise(c, "integer division or modulo by zero");
    if (!jinja_index(a, &i) || !jinja_index(b, &j))
        return jinja_float(float_modulo(x, y));
    if (j == -1)
        return jinja_int(0);
    r = i % j;
    return jinja_int(r != 0 && (r < 0) != (j < 0) ? r + j : r);
}

static jinja_value integer_power(jinja_context *c, int64_t base, int64_t exponent)
{
    int64_t result = 1;

    for (; exponent > 0 && jinja_spend(c, 1); exponent >>= 1) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
            return overflow(c);
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
            return overflow(c);
    }
    return jinja_int(result);
}

jinja_value jinja_power(jinja_context *c, jinja_value a, jinja_value b)
{
    int64_t i, j;
    double x, y, power;

    if (!jinja_number(a, &x) || !jinja_number(b, &y))
        return bad_operands(c, "** or pow()", a, b);
    if (jinja_index(a, &i) && jinja_index(b, &j) && j >= 0)
        return integer_power(c, i, j);
    if (x == 0 && y < 0)
        return jinja_raise(c, "0.0 cannot be raised to a negative power");
    if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y))
        return jinja_raise(c, "a complex number");
    power = pow(x, y);
    if (isinf(power) && isfinite(x) && isfinite(y))
        return jinja_raise(c, "numerical result out of range");
    return jinja_float(power);
}

jinja_value jinja_negate(jinja_context *c, jinja_value v)
{
    int64_t i;

    if (v.kind == JINJA_FLOAT)
        return jinja_float(-v.as.number);
    if (jinja_index(v, &i))
        return i == INT64_MIN ? overflow(c) : jinja_int(-i);
    if (v.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, v);
    return jinja_raise(c, "bad operand type for unary -: '%s'", jinja_type_name(v));
}

static bool string_contains(jinja_context *c, const jinja_string *s, jinja_value item)
{
    if (item.kind != JINJA_STRING) {
        jinja_raise(c, "'in <string>' requires string as left operand, not %s",
                    jinja_type_name(item));
        return false;
    }
    return jinja_spend(c, s->length / 64) &&
           memmem(s->bytes, s->length, item.as.string->bytes, item.as.string->length) != NULL;
}

bool jinja_contains(jinja_context *c, jinja_value container, jinja_value item)
{
    const jinja_sequence *items;

    if (c->failed)
        return false;
    if (container.kind == JINJA_STRING)
        return string_contains(c, container.as.string, item);
    if (container.kind == JINJA_DICT)
        return jinja_hashable(c, item) && jinja_dict_get(c, container.as.dict, item) != NULL;
    if (!jinja_is_iterable(container)) {
        jinja_raise(c, "argument of type '%s' is not iterable", jinja_type_name(container));
        return false;
    }
    items = jinja_iterate(c, container);
    for (size_t i = 0; items != NULL && i < items->n && jinja_spend(c, 1); i++)
        if (jinja_equal(c, items->items[i], item))
            return true;
    return false;
}
