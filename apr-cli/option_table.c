/* SPDX-License-Identifier: MIT */
/* The rows of the option table. */
#include "options.h"

#define AT(field) offsetof(cli_options, field)
#define FLAG(name, letter, groups, field, help)                              \
    {                                                                        \
        name, letter, OPTION_FLAG, NULL, NULL, 0, 0, groups, AT(field), help \
    }
#define INT(name, letter, value, initial, low, high, groups, field, help)            \
    {                                                                                \
        name, letter, OPTION_INT, value, initial, low, high, groups, AT(field), help \
    }
#define FLOAT(name, value, initial, low, high, groups, field, help)               \
    {                                                                             \
        name, 0, OPTION_FLOAT, value, initial, low, high, groups, AT(field), help \
    }
#define TEXT(name, letter, value, initial, groups, field, help)                  \
    {                                                                            \
        name, letter, OPTION_TEXT, value, initial, 0, 0, groups, AT(field), help \
    }
#define LIST(name, value, groups, field, help)                           \
    {                                                                    \
        name, 0, OPTION_LIST, value, NULL, 0, 0, groups, AT(field), help \
    }

#define MAX_INT 2147483647.0

const option_row OPTION_ROWS[] = {
    FLAG("json", 0, GROUP_GLOBAL, json, "print one JSON document on standard output"),
    FLAG("verbose", 'v', GROUP_GLOBAL | GROUP_DISPLAY, verbose,
         "tell what is loaded and how fast it runs"),
    FLAG("quiet", 'q', GROUP_GLOBAL | GROUP_DISPLAY, quiet, "errors only on standard error"),
    FLAG("offline", 0, GROUP_GLOBAL, offline, "never use the network (no command does so far)"),
    FLAG("no-settings", 0, GROUP_GLOBAL | GROUP_NOT_SETTINGS, no_settings,
         "read no settings file (apr.yaml)"),
    TEXT("color", 0, "auto|always|never", "auto", GROUP_GLOBAL | GROUP_DISPLAY, color,
         "colours and spinner; auto: on a terminal, unless NO_COLOR is set"),
    FLAG("help", 'h', GROUP_GLOBAL | GROUP_NOT_ENVIRONMENT | GROUP_NOT_SETTINGS, help, "show help"),
    FLAG("version", 0, GROUP_GLOBAL | GROUP_NOT_ENVIRONMENT | GROUP_NOT_SETTINGS, version,
         "show the version; with -v also the backends"),

    INT("ctx", 'c', "N", NULL, 1, MAX_INT, GROUP_ENGINE | GROUP_EVAL | GROUP_PARAMETER, ctx,
        "positions in the context (default: the model's limit; eval: 512)"),
    INT("threads", 't', "N", NULL, 1, 1024,
        GROUP_ENGINE | GROUP_CONVERT | GROUP_DIFFERENCES | GROUP_CHAIN | GROUP_ROUND_TRIP |
            GROUP_TENSORS | GROUP_QUALITY | GROUP_DIFF | GROUP_MERGE | GROUP_DIAGNOSE |
            GROUP_CANARY_CREATE | GROUP_CANARY_CHECK | GROUP_STATISTICS,
        threads, "CPU threads (default: physical cores in the affinity mask and quota)"),
    FLAG("gpu", 0, GROUP_ENGINE, gpu, "use the GPU, or fail"),
    FLAG("no-gpu", 0, GROUP_ENGINE, no_gpu, "use the CPU even where a GPU is"),
    TEXT("backend", 0, "cpu|cuda|reference", NULL, GROUP_ENGINE, backend,
         "compute with this backend; reference: exact and slow"),
    TEXT("kv-type", 0, "f16|f32|q8_0", "f16", GROUP_ENGINE | GROUP_PARAMETER, kv_type,
         "how keys and values are stored"),
    FLAG("mmap", 0, GROUP_ENGINE, mmap,
         "compute from the file's own layout: less memory written, slower"),
    FLAG("lenient", 0, GROUP_ENGINE | GROUP_FILE, lenient,
         "accept what the strict reader refuses but can be read safely"),
    FLAG("verify", 0, GROUP_ENGINE | GROUP_FILE, verify, "check every checksum before use"),

    TEXT("prompt", 'p', "TEXT", NULL, GROUP_PROMPT | GROUP_INFERENCES, prompt,
         "the prompt, or a part of it"),
    TEXT("file", 'f', "FILE", NULL, GROUP_PROMPT | GROUP_TOKENIZE, file,
         "read the prompt from FILE (-: standard input)"),
    TEXT("system", 0, "TEXT", NULL, GROUP_PROMPT, system, "system message of the conversation"),
    FLAG("chat", 0, GROUP_PROMPT, chat, "insist on the model's chat template"),
    FLAG("no-chat", 0, GROUP_PROMPT, no_chat, "give the model the raw text"),
    TEXT("chat-template", 0, "NAME|FILE", NULL, GROUP_PROMPT | GROUP_TEMPLATE, chat_template,
         "use this chat template instead of the model's"),

    FLAG("inspect", 0, GROUP_CHAT | GROUP_DISPLAY, inspect,
         "show each token with what else was likely, and how fast it went"),

    INT("max-tokens", 'n', "N", NULL, 1, MAX_INT, GROUP_SAMPLING | GROUP_INFERENCES, max_tokens,
        "stop after N tokens (default: when the turn ends or the context is full; chat: 512)"),
    FLOAT("temperature", "X", NULL, 0, 1e4, GROUP_SAMPLING, temperature,
          "0: always the most probable token (default: the model's, else 0.7)"),
    INT("top-k", 0, "N", NULL, 0, MAX_INT, GROUP_SAMPLING, top_k,
        "keep the N most probable tokens; 0: all (default: the model's, else 40)"),
    FLOAT("top-p", "X", NULL, 0, 1, GROUP_SAMPLING, top_p,
          "keep the most probable tokens up to this sum (default: the model's, else 0.95; chat: "
          "0.9)"),
    FLOAT("min-p", "X", NULL, 0, 1, GROUP_SAMPLING, min_p,
          "drop tokens below X times the largest probability (default: the model's, else 0.05)"),
    FLOAT("repeat-penalty", "X", NULL, 1e-4, 1e4, GROUP_SAMPLING, repeat_penalty,
          "divide the logits of recent tokens (default: the model's, else 1)"),
    FLOAT("frequency-penalty", "X", NULL, -1e4, 1e4, GROUP_SAMPLING, frequency_penalty,
          "subtract X for each recent occurrence (default: 0)"),
    FLOAT("presence-penalty", "X", NULL, -1e4, 1e4, GROUP_SAMPLING, presence_penalty,
          "subtract X once for each recent token (default: 0)"),
    INT("repeat-last-n", 0, "N", "64", 0, 4096, GROUP_SAMPLING, repeat_last_n,
        "how many tokens the penalties look back on"),
    INT("seed", 0, "N", NULL, 0, 9007199254740992.0, GROUP_SAMPLING | GROUP_DIAGNOSE, seed,
        "random seed (default: random, reported; diagnose: 1)"),
    LIST("stop", "TEXT", GROUP_SAMPLING, stop, "end before this text (repeatable)"),
    FLAG("ignore-eos", 0, GROUP_SAMPLING, ignore_eos, "never end the turn by itself"),
    LIST("logit-bias", "ID=X", GROUP_SAMPLING, logit_bias, "add X to a token's logit (repeatable)"),
    FLAG("stream", 0, GROUP_SAMPLING, stream, "print text as it comes (default)"),
    FLAG("no-stream", 0, GROUP_SAMPLING, no_stream, "print the text when it is complete"),
    FLAG("benchmark", 0, GROUP_SAMPLING, benchmark, "print the timings after the text"),

    FLAG("no-special", 0, GROUP_TOKENIZE, no_special,
         "special tokens in the text are plain text, and BOS is not added"),
    FLAG("vocab", 0, GROUP_INSPECT, vocab, "show long arrays whole"),
    FLAG("stats", 0, GROUP_TENSORS, stats,
         "minimum, maximum, mean, deviation, zeros, NaN and infinities of every tensor"),
    TEXT("filter", 0, "PATTERN", NULL,
         GROUP_TENSORS | GROUP_DIFFERENCES | GROUP_FINGERPRINT | GROUP_DIFF | GROUP_STATISTICS,
         filter, "only tensors whose name matches (* and ?)"),
    INT("limit", 0, "N", NULL, 0, MAX_INT, GROUP_TENSORS | GROUP_HEX, limit,
        "at most N tensors; hex: N entries of a table, or blocks (default: 8)"),
    TEXT("messages", 0, "FILE.json", NULL, GROUP_RENDER, messages, "the conversation"),
    TEXT("tools", 0, "FILE.json", NULL, GROUP_RENDER, tools, "tools offered to the model"),
    FLAG("no-generation-prompt", 0, GROUP_RENDER, no_generation_prompt,
         "do not open the assistant's turn"),

    TEXT("n-prompt", 'p', "N,...", "512", GROUP_BENCH, n_prompt,
         "prompt lengths to time (0: none)"),
    TEXT("n-gen", 'n', "N,...", "128", GROUP_BENCH, n_gen,
         "numbers of tokens to generate (0: none)"),
    TEXT("depth", 'd', "N,...", "0", GROUP_BENCH, depth, "positions filled before each test"),
    TEXT("batch", 0, "M,...", "1", GROUP_BENCH, batch, "sessions decoded at once"),
    INT("repetitions", 'r', "N", "5", 1, 1000, GROUP_BENCH, repetitions, "runs of each test"),
    INT("warmup", 0, "N", "1", 0, 100, GROUP_BENCH, warmup, "runs not counted"),
    TEXT("text", 0, "FILE", NULL, GROUP_EVAL | GROUP_IMATRIX, text,
         "the text to score, or to learn from"),
    TEXT("save-logits", 0, "FILE", NULL, GROUP_EVAL, save_logits, "save the base distribution"),
    TEXT("kl-against", 0, "FILE", NULL, GROUP_EVAL, kl_against, "compare with a saved base"),
    TEXT("output", 'o', "FILE", NULL,
         GROUP_CONVERT | GROUP_FINGERPRINT | GROUP_IMATRIX | GROUP_SET | GROUP_CANARY_CREATE,
         output, "write here (default: the source's stem in the working folder)"),
    TEXT("format", 0, "apr|gguf|safetensors", NULL, GROUP_CONVERT | GROUP_MERGE, format,
         "target format (default: by the extension of the output)"),
    TEXT("quantize", 0, "TYPE", NULL, GROUP_CONVERT | GROUP_MERGE | GROUP_DIAGNOSE, quantize,
         "weight type or mix: Q8_0, Q4_K_M, Q4_K_S, Q5_K_M, Q6_K, ..."),
    FLAG("force", 0,
         GROUP_CONVERT | GROUP_CHAIN | GROUP_FINGERPRINT | GROUP_IMATRIX | GROUP_SET |
             GROUP_DIAGNOSE | GROUP_CANARY_CREATE,
         force, "replace a file of that name"),
    TEXT("imatrix", 0, "FILE", NULL, GROUP_CONVERT, imatrix,
         "importance matrix that weighs the rounding (apr imatrix, or llama.cpp's)"),
    TEXT("compress", 0, "none|zstd", "none", GROUP_CONVERT, compress,
         "compress the tensors of a .apr file that shrink by it"),
    TEXT("max-shard-size", 0, "SIZE", NULL, GROUP_CONVERT | GROUP_SPLIT, max_shard_size,
         "at most so many bytes of tensors in a file (4GB, 500MB); convert: of .apr sets"),
    FLAG("quality", 0, GROUP_QUALITY, quality, "a score of 100 points, check by check"),
    INT("min-score", 0, "N", NULL, 0, 100, GROUP_QUALITY, min_score,
        "fail below this score (and show it)"),
    FLAG("strict", 0, GROUP_STRICT, strict, "fail for warnings and notes too"),
    FLAG("values", 0, GROUP_DIFF, values, "only the values of tensors: neither metadata nor types"),
    TEXT("tensor", 0, "NAME", NULL, GROUP_HEX, tensor, "the blocks of this tensor"),
    INT("block", 0, "N", "0", 0, 9007199254740992.0, GROUP_HEX, block,
        "with --tensor: the first block shown"),
    TEXT("strategy", 0, "average|weighted|slerp|ties", "average", GROUP_MERGE, strategy,
         "how weights are joined"),
    TEXT("weights", 0, "X,...", NULL, GROUP_MERGE, merge_weights,
         "weighted, ties: how much each model counts (ties: 1 each)"),
    FLOAT("ratio", "X", "0.5", 0, 1, GROUP_MERGE, ratio,
          "slerp: how far from the first model to the second"),
    FLOAT("density", "X", "0.5", 1e-9, 1, GROUP_MERGE, density,
          "ties: the share of each task vector that stays"),
    FLOAT("lambda", "X", "1", -1e6, 1e6, GROUP_MERGE, lambda,
          "ties: factor of the merged task vector"),
    TEXT("base", 0, "MODEL", NULL, GROUP_MERGE, base, "ties: what the models were made from"),
    INT("max-tensors", 0, "N", NULL, 1, MAX_INT, GROUP_SPLIT, max_tensors,
        "at most N tensors in a file"),
    TEXT("plot", 0, "FILE.svg", NULL, GROUP_DIAGNOSE, plot,
         "draw the tensors in three dimensions of their statistics"),
    INT("trials", 0, "N", "24", 1, 1000, GROUP_DIAGNOSE, trials,
        "damaged copies of each of the five kinds"),
    TEXT("message", 0, "TEXT", NULL, GROUP_DIAGNOSE, message,
         "an error message: say what it speaks of and what mends it"),
    FLAG("hexdump", 0, GROUP_HEXDUMP, hexdump, "also the first bytes of the file"),
    FLAG("mismatches-only", 0, GROUP_DIFFERENCES, mismatches_only, "only tensors that differ"),
    INT("show-values", 0, "N", "0", 0, 16, GROUP_DIFFERENCES | GROUP_DIFF, show_values,
        "N values of both models from the largest difference on"),
    FLOAT("tolerance", "X", NULL, 0, 1e30,
          GROUP_DIFFERENCES | GROUP_CHAIN | GROUP_ROUND_TRIP | GROUP_INFERENCES | GROUP_DIFF |
              GROUP_CANARY_CHECK,
          tolerance,
          "largest difference that passes (default: 0; verify: 1e-5; compare-inference: 0.1); "
          "canary: of statistics, in standard deviations"),
    TEXT("input", 0, "FILE", NULL, GROUP_CANARY_CREATE, input,
         "the text whose tokens are recorded (default: one of many scripts)"),
    TEXT("canary", 0, "FILE", NULL, GROUP_CANARY_CHECK, canary, "what was recorded"),
    TEXT("reference", 0, "MODEL", NULL, GROUP_STATISTICS, reference,
         "hold the model against this one"),
    TEXT("fingerprints", 0, "FILE", NULL, GROUP_STATISTICS, fingerprints,
         "hold the model against what rosetta fingerprint wrote"),
    FLOAT("threshold", "X", "3", 0, 1e30, GROUP_STATISTICS, threshold,
          "standard deviations that a statistic may be off (norms: half, embeddings: twice)"),
    TEXT("work-dir", 0, "FOLDER", "rosetta-work", GROUP_CHAIN | GROUP_ROUND_TRIP, work_dir,
         "where the files of each step are written"),
    TEXT("intermediate", 0, "apr|gguf|safetensors", NULL, GROUP_ROUND_TRIP, intermediate,
         "the format between (default: safetensors; for a SafeTensors model: apr)"),
    FLAG("show-origin", 0, GROUP_CONFIG | GROUP_NOT_ENVIRONMENT | GROUP_NOT_SETTINGS, show_origin,
         "say where each value comes from"),
};

const int N_OPTION_ROWS = sizeof OPTION_ROWS / sizeof OPTION_ROWS[0];

_Static_assert(sizeof OPTION_ROWS / sizeof OPTION_ROWS[0] <= MOST_OPTION_ROWS,
               "cli_arguments holds a source for each row");
