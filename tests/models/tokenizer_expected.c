/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_expected [INDEX...] MODEL: encodes the texts of MODEL.inp and compares the ids with the
 * lines of MODEL.out, both written by llama.cpp's maintainers. Texts named by INDEX must differ:
 * there Hugging Face's tokenizer, which is followed, normalises and llama.cpp does not.
 */
#include <apr/model.h>
#include <realizar/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char separator[] = "\n__ggml_vocab_test__\n";

static void die(const char *what, const char *which)
{
    fprintf(stderr, "tokenizer_expected: %s%s\n", what, which);
    exit(EXIT_FAILURE);
}

static char *read_beside(const char *model, const char *suffix)
{
    char path[4096];
    FILE *f;
    char *text;
    long bytes = -1;

    (void)snprintf(path, sizeof path, "%s%s", model, suffix);
    f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0 || (bytes = ftell(f)) < 0)
        die("cannot read ", path);
    rewind(f);
    text = calloc(1, (size_t)bytes + 1);
    if (!text || fread(text, 1, (size_t)bytes, f) != (size_t)bytes)
        die("cannot read ", path);
    (void)fclose(f);
    return text;
}

/* True when the line at *line holds exactly these ids; moves *line to the next one. */
static bool same_ids(char **line, const int32_t *ids, size_t count)
{
    char *p = *line;
    size_t n = 0;
    bool same = true;

    while (*p && *p != '\n') {
        char *end;
        const long id = strtol(p, &end, 10);
        if (end == p)
            break;
        same = same && n < count && ids[n] == id;
        n++;
        p = end + strspn(end, " ");
    }
    *line = p + (*p == '\n');
    return same && n == count;
}

static bool is_named(int argc, char **argv, int index)
{
    for (int i = 1; i + 1 < argc; i++)
        if (atoi(argv[i]) == index)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *path = argv[argc - 1];
    char *texts = read_beside(path, ".inp"), *lines = read_beside(path, ".out");
    char *text = texts, *line = lines;
    realizar_tokenizer *tokenizer;
    apr_model *model;
    trueno_error err = {0};
    int index = 0, wrong = 0;

    if (apr_model_open(&model, path, NULL, &err) < 0 ||
        realizar_tokenizer_new(&tokenizer, apr_model_vocab(model), NULL, &err) < 0)
        die(err.message, "");
    for (char *next; text; text = next, index++) {
        int32_t ids[4096];
        size_t count, bytes;
        next = strstr(text, separator);
        bytes = next ? (size_t)(next - text) : strlen(text);
        next = next ? next + strlen(separator) : NULL;
        if (realizar_tokenizer_encode(tokenizer, text, bytes, 0, ids, 4096, &count, &err) < 0)
            die(err.message, "");
        if (same_ids(&line, ids, count) == is_named(argc, argv, index)) {
            fprintf(stderr, "text %d: \"%.*s\"\n", index, (int)bytes, text);
            wrong++;
        }
    }
    printf("%d texts, %d not as expected\n", index, wrong);
    realizar_tokenizer_free(tokenizer);
    apr_model_close(model);
    free(texts);
    free(lines);
    return index > 40 && wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
