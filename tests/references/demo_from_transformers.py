#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what transformers computes for the demo model in F32: demo_from_transformers.py HF-FOLDER GOLDEN.json LOGITS.bin

GOLDEN.json: greedy ids with margins, as golden_from_llama_server.py writes them (rows of tests/data/golden).
LOGITS.bin: little-endian; "LOGITS1\\0", u32 vocabulary, u32 cases; each case u32 tokens, u32 rows, i32 ids[tokens],
f32 logits[rows][vocabulary] of the last `rows` positions. Needs: torch, transformers.
"""
import os
import struct
import sys

import torch
import transformers

import golden_from_llama_server as golden

TOKENS = 96  # at most so many after each prompt
RAW = ["Once upon a time, a", "The capital of France is", "2 + 3 =", "```python\n", "Monday, Tuesday,", "水 and ¡Hola! — déjà vu"]
CHAT = [[{"role": "user", "content": text}] for text in (
    "What is 2+2?", "hi", "What is the capital of Japan?", "Write hello world in C.", "Who are you?",
    "Tell me a story about a fox.", "Say hello in Chinese.", "Count to 12.")] + [
    [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "Give me JSON for Uma, age 41."}],
    [{"role": "user", "content": "I have a cat called Tom."}, {"role": "assistant", "content": "Nice!"},
     {"role": "user", "content": "What is my cat called?"}]]
# (prompt, positions whose logits are kept): all of a short raw one and of one chat, the last of the others
KEPT = [(RAW[0], 64), (RAW[5], 64), (CHAT[0], 64), (CHAT[3], 1), (CHAT[5], 1), (CHAT[9], 1)]


def encode(tokenizer, prompt):
    if isinstance(prompt, str):
        return None, tokenizer(prompt, add_special_tokens=False).input_ids
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return text, tokenizer(text, add_special_tokens=False).input_ids


@torch.no_grad()
def logits(model, ids):
    return model(input_ids=torch.tensor([ids])).logits[0]


def greedy(model, tokenizer, ids):
    """Argmax one token at a time, without a cache: the plainest form of the computation."""
    out, margins, stops = [], [], model.generation_config.eos_token_id
    while len(out) < TOKENS and not (out and out[-1] in stops):
        best, second = torch.log_softmax(logits(model, ids + out)[-1].double(), 0).topk(2).values.tolist()
        margins.append(round(best - second, 5))
        out.append(int(logits(model, ids + out)[-1].argmax()))
    stopped = out[-1] in stops
    return {"prompt_ids": ids, "ids": out, "margins": margins, "text": tokenizer.decode(out[:-1] if stopped else out),
            "stop": "eos" if stopped else "limit"}


def main():
    folder, golden_path, logits_path = sys.argv[1:]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                              attn_implementation="eager").eval()
    cases = []
    for prompt in RAW + CHAT:
        text, ids = encode(tokenizer, prompt)
        head = {"prompt": prompt} if text is None else {"messages": prompt, "rendered": text}
        cases.append({**head, **greedy(model, tokenizer, ids)})
    golden.write(golden_path, {
        "model": "demo", "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, CPU, F32",
        "tokens": TOKENS, "tolerance": 0.1}, cases)
    with open(logits_path + ".tmp", "wb") as f:
        f.write(struct.pack("<8sII", b"LOGITS1", model.config.vocab_size, len(KEPT)))
        for prompt, rows in KEPT:
            ids = encode(tokenizer, prompt)[1]
            kept = logits(model, ids)[-rows:].contiguous()
            f.write(struct.pack(f"<II{len(ids)}i", len(ids), len(kept), *ids))
            f.write(kept.numpy().astype("<f4").tobytes())
    os.replace(logits_path + ".tmp", logits_path)
    print([(len(c["ids"]), min(c["margins"]), c["text"]) for c in cases])


if __name__ == "__main__":
    main()
