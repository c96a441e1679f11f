/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_text KIND FIRST COUNT BYTES: writes chunks of a generated text to standard output, each
 * behind its length (32 bits, little endian); KIND "string" writes COUNT random strings, seeded
 * with FIRST. For tests/references/tokenizer_ids.py.
 */
#include "text_generator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put_record(const char *text, size_t bytes)
{
    const uint32_t length = (uint32_t)bytes;

    return fwrite(&length, sizeof length, 1, stdout) == 1 &&
           fwrite(text, 1, bytes, stdout) == bytes;
}

int main(int argc, char **argv)
{
    uint64_t first, count;
    size_t bytes;
    char *out;
    int kind = 0;

    if (argc != 5)
        return EXIT_FAILURE;
    first = strtoull(argv[2], NULL, 10);
    count = strtoull(argv[3], NULL, 10);
    bytes = strtoull(argv[4], NULL, 10);
    out = malloc(bytes + TEXT_SLACK);
    if (!out)
        return EXIT_FAILURE;
    if (strcmp(argv[1], "string") == 0) {
        text_random random = {.state = first};
        for (uint64_t i = 0; i < count; i++)
            if (!put_record(out, text_string(&random, out)))
                return EXIT_FAILURE;
        return EXIT_SUCCESS;
    }
    while (kind < TEXT_KINDS && strcmp(argv[1], text_kind_names[kind]) != 0)
        kind++;
    for (uint64_t i = 0; kind < TEXT_KINDS && i < count; i++)
        if (!put_record(out, text_chunk((text_kind)kind, first + i, bytes, out)))
            return EXIT_FAILURE;
    return kind < TEXT_KINDS ? EXIT_SUCCESS : EXIT_FAILURE;
}
