/* SPDX-License-Identifier: MIT */
/* Text on its way out: whole UTF-8 characters only, and nothing that may become a stop text. */
#include "held_text.h"

#include <stdint.h>
#include <string.h>

void held_text_free(held_text *h)
{
    for (size_t i = 0; i < h->n_stops; i++)
        if (h->stops[i] != NULL)
            trueno_release(h->allocator, h->stops[i], strlen(h->stops[i]) + 1);
    trueno_release(h->allocator, h->stops, h->n_stops * sizeof *h->stops);
    trueno_release(h->allocator, h->bytes, h->capacity);
    *h = (held_text){0};
}

trueno_status held_text_init(held_text *h, const char *const *stops, size_t n_stops,
                             const trueno_allocator *allocator, trueno_error *err)
{
    *h = (held_text){.allocator = allocator};
    if (n_stops == 0)
        return TRUENO_OK;
    h->stops = trueno_allocate_zero(allocator, n_stops * sizeof *h->stops);
    if (h->stops == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu stop texts", n_stops);
    h->n_stops = n_stops;
    for (size_t i = 0; i < n_stops; i++) {
        size_t bytes = strlen(stops[i]) + 1;

        h->stops[i] = trueno_allocate(allocator, bytes, 1);
        if (h->stops[i] == NULL) {
            held_text_free(h);
            return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a stop text of %zu", bytes);
        }
        memcpy(h->stops[i], stops[i], bytes);
    }
    return TRUENO_OK;
}

/* Drop what was released, so that only held-back bytes stay. */
static void forget_released(held_text *h)
{
    memmove(h->bytes, h->bytes + h->released, h->length - h->released);
    h->length -= h->released;
    h->released = 0;
}

/*
 * Cut the text before the stop text that is complete first (the longest of those that end
 * together), so that the cut does not depend on how the text came in pieces.
 */
static void find_stops(held_text *h)
{
    size_t first_end = SIZE_MAX, begin = h->length;

    for (size_t i = 0; i < h->n_stops; i++) {
        const size_t bytes = strlen(h->stops[i]);
        const char *at = memmem(h->bytes, h->length, h->stops[i], bytes);
        const size_t start = at != NULL ? (size_t)(at - h->bytes) : 0;

        if (at == NULL || start + bytes > first_end ||
            (start + bytes == first_end && start > begin))
            continue;
        first_end = start + bytes;
        begin = start;
        h->stopped = true;
    }
    h->length = begin;
}

trueno_status held_text_add(held_text *h, const char *bytes, size_t length, trueno_error *err)
{
    if (h->released > 0)
        forget_released(h);
    if (h->stopped || length == 0)
        return TRUENO_OK;
    if (length > h->capacity - h->length) {
        size_t capacity = 2 * (h->length + length) + 64;
        char *larger = trueno_allocate(h->allocator, capacity, 1);

        if (larger == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu bytes of text", capacity);
        if (h->length > 0)
            memcpy(larger, h->bytes, h->length);
        trueno_release(h->allocator, h->bytes, h->capacity);
        h->bytes = larger;
        h->capacity = capacity;
    }
    memcpy(h->bytes + h->length, bytes, length);
    h->length += length;
    find_stops(h);
    return TRUENO_OK;
}

/* Bytes at the end that begin a stop text. */
static size_t stop_prefix(const held_text *h)
{
    size_t longest = 0;

    for (size_t i = 0; i < h->n_stops; i++) {
        size_t most = strlen(h->stops[i]) - 1;

        for (size_t n = most < h->length ? most : h->length; n > longest; n--)
            if (memcmp(h->bytes + h->length - n, h->stops[i], n) == 0)
                longest = n;
    }
    return longest;
}

/* Bytes at the end that begin a UTF-8 character without finishing it. */
static size_t open_character(const held_text *h)
{
    for (size_t back = 1; back <= 3 && back <= h->length; back++) {
        unsigned char lead = (unsigned char)h->bytes[h->length - back];
        size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

        if ((lead & 0xc0) == 0x80)
            continue;
        return need > back && lead < 0xf8 ? back : 0;
    }
    return 0;
}

const char *held_text_take(held_text *h, bool all, size_t *length)
{
    size_t held = 0;

    if (!all && !h->stopped) {
        size_t stop = stop_prefix(h), character = open_character(h);

        held = stop > character ? stop : character;
    }
    h->released = h->length - held;
    *length = h->released;
    return h->bytes;
}
