/* SPDX-License-Identifier: MIT */
/*
 * pre_tokenizers.c: the table of the pre-tokenisers that GGUF files name.
 *
 * One row a name. The expressions are those of the models' own tokenizer.json, applied one after
 * the other, each isolating its matches from what the ones before left; docs/tokenizers.md lists
 * which rows are checked against what. A name that is not here is refused.
 */
#include "tokenizer_internal.h"

#define GPT2         words_gpt2_pattern
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LINES_SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD_QWEN2   "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define OTHERS       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_1      "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+"
#define CASED_2      "[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*"
#define PUNCTUATION  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
#define HAN_KANA     "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define CJK          "[\\x{4E00}-\\x{9FA5}\\x{0800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"

/* Cased letters as DeepSeek lists them. */
#define DEEPSEEK_LETTERS                                                                   \
    "\\s?[A-Za-z\\x{00B5}\\x{00C0}-\\x{00D6}\\x{00D8}-\\x{00F6}\\x{00F8}-\\x{01BA}"        \
    "\\x{01BC}-\\x{01BF}\\x{01C4}-\\x{0293}\\x{0295}-\\x{02AF}\\x{0370}-\\x{0373}"         \
    "\\x{0376}\\x{0377}\\x{037B}-\\x{037D}\\x{037F}\\x{0386}\\x{0388}-\\x{038A}\\x{038C}"  \
    "\\x{038E}-\\x{03A1}\\x{03A3}-\\x{03F5}\\x{03F7}-\\x{0481}\\x{048A}-\\x{052F}"         \
    "\\x{0531}-\\x{0556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}"         \
    "\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}"         \
    "\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}"         \
    "\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}" \
    "\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}"                   \
    "\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}"         \
    "\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}" \
    "\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}" \
    "\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}"           \
    "\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}"          \
    "\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}"         \
    "\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}"         \
    "\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}"     \
    "\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}" \
    "\\x{1E900}-\\x{1E943}]+"

static const pre_steps gpt2 = {.splits = {GPT2}};
static const pre_steps gpt2_nfc = {.nfc = true, .splits = {GPT2}};
static const pre_steps digits_gpt2 = {.splits = {"\\p{N}", GPT2}};
static const pre_steps digits_gpt2_nfc = {.nfc = true, .splits = {"\\p{N}", GPT2}};
static const pre_steps qwen2 = {
    .nfc = true, .splits = {CONTRACTIONS "|" WORD_QWEN2 "|\\p{N}|" OTHERS "|" LINES_SPACES}};
static const pre_steps qwen2_plain = {
    .splits = {CONTRACTIONS "|" WORD_QWEN2 "|\\p{N}|" OTHERS "|" LINES_SPACES}};
static const pre_steps qwen35 = {.nfc = true,
                                 .splits = {CONTRACTIONS
                                            "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                                            "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES_SPACES}};
static const pre_steps llama3 = {
    .ignore_merges = true,
    .splits = {CONTRACTIONS "|" WORD_QWEN2 "|\\p{N}{1,3}|" OTHERS "|" LINES_SPACES}};
static const pre_steps cl100k = {
    .splits = {CONTRACTIONS "|" WORD_QWEN2 "|\\p{N}{1,3}|" OTHERS "|" LINES_SPACES}};
static const pre_steps glm4 = {
    .ignore_merges = true,
    .splits = {CONTRACTIONS "|" WORD_QWEN2 "|\\p{N}{1,3}|" OTHERS "|" LINES_SPACES}};
static const pre_steps gpt4o = {
    .splits = {CASED_1 CONTRACTIONS "?|" CASED_2 CONTRACTIONS
                                    "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" LINES_SPACES}};
static const pre_steps tekken = {
    .ignore_merges = true,
    .splits = {CASED_1 "|" CASED_2 "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" LINES_SPACES}};
static const pre_steps deepseek_coder = {
    .splits = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"}};
static const pre_steps deepseek_llm = {
    .splits = {
        "[\\r\\n]", DEEPSEEK_LETTERS,
        "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+",
        "\\s+$", CJK, "\\p{N}"}};
static const pre_steps deepseek_v3 = {
    .splits = {"\\p{N}{1,3}", HAN_KANA,
               PUNCTUATION "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
                           "?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES_SPACES}};
static const pre_steps falcon = {.splits = {words_punctuation_run, GPT2, "[0-9][0-9][0-9]"}};
static const pre_steps gemma4 = {.marks = true, .splits = {"[^\\n]+|[\\n]+"}};
static const pre_steps bloom = {
    .splits = {" ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{0964}\\x{06D4}\\x{060C})]+"}};
static const pre_steps viking = {
    .splits = {" ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{0964}\\x{06D4}\\x{060C})]+",
               "\\p{N}"}};
static const pre_steps seed_coder = {
    .splits = {CONTRACTIONS "|" WORD_QWEN2 "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" LINES_SPACES}};
static const pre_steps bailing = {
    .splits = {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| "
               "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};

static const pre_tokenizer table[] = {
    {"bailingmoe", &bailing},
    {"bailingmoe2", &bailing},
    {"bloom", &bloom},
    {"chatglm-bpe", &glm4},
    {"codeshell", &digits_gpt2},
    {"command-r", &digits_gpt2_nfc},
    {"dbrx", &cl100k},
    {"deepseek-coder", &deepseek_coder},
    {"deepseek-llm", &deepseek_llm},
    {"deepseek-r1-qwen", &qwen2_plain},
    {"deepseek-v3", &deepseek_v3},
    {"exaone", &digits_gpt2},
    {"falcon", &falcon},
    {"falcon3", &llama3},
    {"gemma4", &gemma4},
    {"glm4", &glm4},
    {"gpt-2", &gpt2},
    {"gpt-4o", &gpt4o},
    {"gpt3-finnish", &bloom},
    {"jais", &gpt2},
    {"lfm2", &llama3},
    {"llama-bpe", &llama3},
    {"llama-v3", &llama3},
    {"llama3", &llama3},
    {"llama4", &gpt4o},
    {"llada-moe", &bailing},
    {"megrez", &qwen2_plain},
    {"minerva-7b", &digits_gpt2},
    {"mpt", &gpt2_nfc},
    {"olmo", &gpt2_nfc},
    {"phi-2", &gpt2},
    {"pixtral", &llama3},
    {"poro-chat", &bloom},
    {"qwen2", &qwen2},
    {"qwen35", &qwen35},
    {"refact", &digits_gpt2},
    {"roberta-bpe", &gpt2},
    {"seed-coder", &seed_coder},
    {"smaug-bpe", &cl100k},
    {"smollm", &digits_gpt2},
    {"starcoder", &digits_gpt2},
    {"tekken", &tekken},
    {"trillion", &gpt2},
    {"viking", &viking},
};

const pre_tokenizer *pre_tokenizer_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
