#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what transformers computes in F32 for the weights of a GGUF file: logits_from_transformers.py MODEL.gguf OUT.json

transformers reads and dequantises the file itself, so nothing of it comes from this project. The text below is run once;
for every position the file gets the log of the sum of exponentials and the KEEP largest logits with their ids, for some
positions also logits at a fixed stride over the vocabulary. Needs: torch, transformers, accelerate, gguf.
"""
import json
import os
import sys

import torch
import transformers

KEEP = 8
STRIDE = 997         # vocabulary entries between the logits of a sampled position
SAMPLED_EVERY = 16   # positions
TEXT = """The harbour lay still that morning. A grey cat sat on the wall and watched the boats come home, one after another,
low in the water with their catch. "Good day?" asked the old woman who sold bread by the steps.

int gcd(int a, int b)
{
    while (b != 0) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

Die Straße führt über den Fluss; 水是生命之源。 In 1969, 3 of 4 sensors read 17.25 °C, the last one read nothing at all.
"""


@torch.no_grad()
def main():
    path, out = sys.argv[1:]
    folder, name = os.path.split(os.path.abspath(path))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32,
                                                              attn_implementation="eager").eval()
    ids = tokenizer(TEXT, add_special_tokens=False).input_ids
    logits = model(input_ids=torch.tensor([ids])).logits[0].double()
    rows = []
    for position, row in enumerate(logits):
        best = row.topk(KEEP)
        rows.append({"log_sum_exp": round(torch.logsumexp(row, 0).item(), 5), "ids": best.indices.tolist(),
                     "logits": [round(v, 5) for v in best.values.tolist()]})
        if position % SAMPLED_EVERY == 0:
            rows[-1]["sampled"] = [round(v, 5) for v in row[::STRIDE].tolist()]
    with open(out, "w", encoding="utf-8") as f:
        f.write("{\n")
        for key, value in (("model", name), ("reference", f"transformers {transformers.__version__}, CPU, F32"),
                           ("rms", round(logits.square().mean().sqrt().item(), 5)), ("stride", STRIDE), ("text", TEXT),
                           ("ids", ids)):
            f.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        f.write('"rows": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n}\n")
    print(name, len(ids), "positions", model.dtype)


if __name__ == "__main__":
    main()
