/* SPDX-License-Identifier: MIT */
/* The ten rows of the stage table. */
#include <realizar/stages.h>

static const realizar_stage_info STAGES[REALIZAR_STAGE_COUNT] = {
    {REALIZAR_STAGE_TOKENIZER, "tokenizer", "Tokenizer", "Words -> numbers"},
    {REALIZAR_STAGE_EMBEDDING, "embedding", "Embedding", "Numbers -> vectors"},
    {REALIZAR_STAGE_POSITION, "position", "Positional Encoding", "\"You are word #3\""},
    {REALIZAR_STAGE_QKV, "qkv", "Q/K/V Projection", "Make 3 question copies"},
    {REALIZAR_STAGE_ATTENTION, "attention", "Attention Scores", "\"Who to look at?\""},
    {REALIZAR_STAGE_FFN, "ffn", "Feed-Forward (MLP)", "\"Think about it\""},
    {REALIZAR_STAGE_NORM, "norm", "Layer Norm", "Keep numbers stable"},
    {REALIZAR_STAGE_LM_HEAD, "lm_head", "LM Head", "Vector -> vocab scores"},
    {REALIZAR_STAGE_PROBABILITIES, "probabilities", "Logits -> Probs", "Scores -> percentages"},
    {REALIZAR_STAGE_SAMPLER, "sampler", "Sampler/Decode", "Pick word, return"},
};

const realizar_stage_info *realizar_stage_get(int stage)
{
    return stage >= 1 && stage <= REALIZAR_STAGE_COUNT ? &STAGES[stage - 1] : 0;
}
