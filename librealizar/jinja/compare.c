/* SPDX-License-Identifier: MIT */
/* Equality and order of values, and the dictionaries that rest on them. */
#include "jinja/value.h"

#include <string.h>

static bool sequences_equal(jinja_context *c, const jinja_sequence *a, const jinja_sequence *b)
{
    bool equal = a->n == b->n;

    if (a == b || !equal || !jinja_enter(c))
        return equal;
    for (size_t i = 0; i < a->n && equal && jinja_spend(c, 1); i++)
        equal = jinja_equal(c, a->items[i], b->items[i]);
    c->depth--;
    return equal;
}

static bool dicts_equal(jinja_context *c, const jinja_dict *a, const jinja_dict *b)
{
    bool equal = a->n == b->n;

    if (a == b || !equal || !jinja_enter(c))
        return equal;
    for (size_t i = 0; i < a->n && equal && jinja_spend(c, 1); i++) {
        const jinja_value *other = jinja_dict_get(c, b, a->pairs[i].key);

        equal = other != NULL && jinja_equal(c, a->pairs[i].value, *other);
    }
    c->depth--;
    return equal;
}

/* An int and a double are compared without rounding the int. */
static bool int_equals_double(int64_t i, double d)
{
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 && (double)(int64_t)d == d &&
           (int64_t)d == i;
}

static bool numbers_equal(jinja_value a, jinja_value b)
{
    int64_t i, j;

    if (a.kind == JINJA_FLOAT && b.kind == JINJA_FLOAT)
        return a.as.number == b.as.number;
    if (jinja_index(a, &i))
        return jinja_index(b, &j) ? i == j : int_equals_double(i, b.as.number);
    return jinja_index(b, &j) && int_equals_double(j, a.as.number);
}

bool jinja_same_object(jinja_value a, jinja_value b)
{
    switch (a.kind) {
    case JINJA_STRING:
        return a.as.string == b.as.string;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_LAZY:
        return a.as.sequence == b.as.sequence;
    case JINJA_DICT:
    case JINJA_NAMESPACE:
        return a.as.dict == b.as.dict;
    case JINJA_MACRO:
        return a.as.macro == b.as.macro;
    case JINJA_FUNCTION:
        return a.as.function == b.as.function;
    case JINJA_METHOD:
        return a.as.method == b.as.method;
    case JINJA_LOOP:
        return a.as.loop == b.as.loop;
    case JINJA_CYCLER:
    case JINJA_JOINER:
        return a.as.cycler == b.as.cycler;
    default:
        return false;
    }
}

bool jinja_equal(jinja_context *c, jinja_value a, jinja_value b)
{
    double x;

    if (jinja_number(a, &x))
        return jinja_number(b, &x) && numbers_equal(a, b);
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case JINJA_MISSING:
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return true;
    case JINJA_STRING:
        return jinja_spend(c, a.as.string->length / 64) &&
               jinja_string_equal(a.as.string, b.as.string);
    case JINJA_LIST:
    case JINJA_TUPLE:
        return sequences_equal(c, a.as.sequence, b.as.sequence);
    case JINJA_LAZY:
        return a.as.sequence == b.as.sequence || (a.as.sequence->lazy == b.as.sequence->lazy &&
                                                  a.as.sequence->lazy != JINJA_GENERATOR &&
                                                  a.as.sequence->lazy != JINJA_DICT_VALUES &&
                                                  sequences_equal(c, a.as.sequence, b.as.sequence));
    case JINJA_DICT:
        return dicts_equal(c, a.as.dict, b.as.dict);
    case JINJA_METHOD:
        return a.as.method->row == b.as.method->row &&
               jinja_equal(c, a.as.method->self, b.as.method->self);
    default:
        return jinja_same_object(a, b);
    }
}

static bool numbers_less(jinja_value a, jinja_value b)
{
    int64_t i, j;
    double x = 0, y = 0;

    if (jinja_index(a, &i) && jinja_index(b, &j))
        return i < j;
    (void)jinja_number(a, &x);
    (void)jinja_number(b, &y);
    return x < y;
}

static bool sequences_less(jinja_context *c, const jinja_sequence *a, const jinja_sequence *b)
{
    bool less = a->n < b->n;

    if (!jinja_enter(c))
        return false;
    for (size_t i = 0; i < a->n && i < b->n && jinja_spend(c, 1); i++)
        if (!jinja_equal(c, a->items[i], b->items[i])) {
            less = jinja_less(c, a->items[i], b->items[i]);
            break;
        }
    c->depth--;
    return less;
}

bool jinja_less(jinja_context *c, jinja_value a, jinja_value b)
{
    double x;

    if (jinja_number(a, &x) && jinja_number(b, &x))
        return numbers_less(a, b);
    if (a.kind == JINJA_STRING && b.kind == JINJA_STRING)
        return jinja_spend(c, a.as.string->length / 64) &&
               jinja_string_compare(a.as.string, b.as.string) < 0;
    if (a.kind == b.kind && (a.kind == JINJA_LIST || a.kind == JINJA_TUPLE))
        return sequences_less(c, a.as.sequence, b.as.sequence);
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        jinja_raise_undefined(c, a.kind == JINJA_UNDEFINED ? a : b);
    else
        jinja_raise(c, "'<' not supported between instances of '%s' and '%s'", jinja_type_name(a),
                    jinja_type_name(b));
    return false;
}

bool jinja_hashable(jinja_context *c, jinja_value key)
{
    bool good = true;

    if (key.kind == JINJA_LIST || key.kind == JINJA_DICT) {
        jinja_raise(c, "unhashable type: '%s'", jinja_type_name(key));
        return false;
    }
    if (key.kind != JINJA_TUPLE)
        return true;
    if (!jinja_enter(c))
        return false;
    for (size_t i = 0; i < key.as.sequence->n && good && jinja_spend(c, 1); i++)
        good = jinja_hashable(c, key.as.sequence->items[i]);
    c->depth--;
    return good;
}

/* FNV-1a */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001B3u;
    return hash;
}

/* Equal values give equal hashes; what is not text or a number shares one, which is only slow. */
static uint64_t hash_value(jinja_value v)
{
    const uint64_t seed = 0xCBF29CE484222325u;
    double x;

    if (v.kind == JINJA_STRING)
        return hash_bytes(seed, v.as.string->bytes, v.as.string->length);
    if (jinja_number(v, &x)) {
        x += 0.0; /* -0.0 is 0.0 */
        return hash_bytes(seed, &x, sizeof x);
    }
    return seed;
}

jinja_dict *jinja_dict_new(jinja_context *c)
{
    static jinja_dict nothing; /* never written: the context has failed */
    jinja_dict *dict = jinja_alloc(c, 1, sizeof *dict);

    return dict != NULL ? dict : &nothing;
}

static void fill_slot(jinja_dict *dict, uint32_t pair)
{
    size_t mask = dict->n_slots - 1;
    size_t at = hash_value(dict->pairs[pair].key) & mask;

    while (dict->slots[at] != 0)
        at = (at + 1) & mask;
    dict->slots[at] = pair + 1;
}

static size_t find_pair(jinja_context *c, const jinja_dict *dict, jinja_value key)
{
    size_t mask = dict->n_slots - 1;

    if (dict->slots == NULL) {
        for (size_t i = 0; i < dict->n; i++)
            if (jinja_equal(c, dict->pairs[i].key, key))
                return i;
        return SIZE_MAX;
    }
    for (size_t at = hash_value(key) & mask; dict->slots[at] != 0 && jinja_spend(c, 1);
         at = (at + 1) & mask)
        if (jinja_equal(c, dict->pairs[dict->slots[at] - 1].key, key))
            return dict->slots[at] - 1;
    return SIZE_MAX;
}

const jinja_value *jinja_dict_get(jinja_context *c, const jinja_dict *dict, jinja_value key)
{
    size_t i = find_pair(c, dict, key);

    return i == SIZE_MAX ? NULL : &dict->pairs[i].value;
}

const jinja_value *jinja_dict_find(const jinja_dict *dict, const char *text, size_t length)
{
    size_t mask = dict->n_slots - 1;
    size_t i = 0, at = 0;

    if (dict->slots != NULL)
        at = hash_bytes(0xCBF29CE484222325u, text, length) & mask;
    for (;;) {
        const jinja_pair *pair;

        if (dict->slots == NULL ? i == dict->n : dict->slots[at] == 0)
            return NULL;
        pair = &dict->pairs[dict->slots == NULL ? i : dict->slots[at] - 1];
        if (pair->key.kind == JINJA_STRING && pair->key.as.string->length == length &&
            memcmp(pair->key.as.string->bytes, text, length) == 0)
            return &pair->value;
        i++;
        at = (at + 1) & mask;
    }
}

/* Room for one more pair; from nine on, also slots, at most half full. */
static bool grow_dict(jinja_context *c, jinja_dict *dict)
{
    size_t before = dict->capacity;

    if (!jinja_grow(c, &dict->pairs, dict->n, &dict->capacity, sizeof *dict->pairs, 8))
        return false;
    if (dict->capacity == before || dict->capacity <= 8)
        return true;
    dict->slots = jinja_alloc(c, dict->capacity * 2, sizeof *dict->slots);
    dict->n_slots = dict->capacity * 2;
    for (size_t i = 0; i < dict->n && dict->slots != NULL; i++)
        fill_slot(dict, (uint32_t)i);
    return dict->slots != NULL;
}

void jinja_dict_set(jinja_context *c, jinja_dict *dict, jinja_value key, jinja_value value)
{
    size_t i;

    if (!jinja_hashable(c, key))
        return;
    i = find_pair(c, dict, key);
    if (i != SIZE_MAX) {
        dict->pairs[i].value = value;
        return;
    }
    if (c->failed || !grow_dict(c, dict))
        return;
    dict->pairs[dict->n] = (jinja_pair){.key = key, .value = value};
    dict->n++;
    if (dict->slots != NULL)
        fill_slot(dict, (uint32_t)(dict->n - 1));
}
