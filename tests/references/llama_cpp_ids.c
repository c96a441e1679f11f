/* SPDX-License-Identifier: MIT */
/*
 * llama_cpp_ids MODEL: reads records (a 32-bit length, then text) from standard input and writes
 * the ids that llama.cpp gives them (a 32-bit count, then the ids). For tokenizer_ids.py, where no
 * tokenizer.json exists. Build: cc llama_cpp_ids.c -I.../include -I.../ggml/include -lllama
 */
#include <llama.h>
#include <stdio.h>
#include <stdlib.h>

static void be_quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

int main(int argc, char **argv)
{
    struct llama_model_params params = llama_model_default_params();
    struct llama_model *model;
    const struct llama_vocab *vocab;
    uint32_t bytes;

    if (argc != 2)
        return EXIT_FAILURE;
    llama_log_set(be_quiet, NULL);
    params.vocab_only = true;
    model = llama_model_load_from_file(argv[1], params);
    if (!model)
        return EXIT_FAILURE;
    vocab = llama_model_get_vocab(model);
    while (fread(&bytes, sizeof bytes, 1, stdin) == 1) {
        const int32_t capacity = (int32_t)bytes * 4 + 16;
        char *text = malloc(bytes + 1);
        llama_token *ids = malloc(sizeof *ids * (size_t)capacity);
        int32_t n;
        if (!text || !ids || fread(text, 1, bytes, stdin) != bytes)
            return EXIT_FAILURE;
        n = llama_tokenize(vocab, text, (int32_t)bytes, ids, capacity, false, true);
        if (n < 0 || fwrite(&n, sizeof n, 1, stdout) != 1 ||
            fwrite(ids, sizeof *ids, (size_t)n, stdout) != (size_t)n)
            return EXIT_FAILURE;
        free(text);
        free(ids);
    }
    llama_model_free(model);
    return EXIT_SUCCESS;
}
