#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print where exact arithmetic chooses another token than a golden file: exact_choices.py MODEL.gguf GOLDEN.json [CASE...]

The recorded tokens come from a program that rounds activations. Here transformers computes every step again in F32, with
the recorded tokens as the past, over weights that it dequantises itself. A line for each step at which its best token is
not the recorded one: case, position, both tokens, the recorded margin, and by how much F32 prefers its own. A reader that
chooses that token is nearer to the truth than the recording: evidence for a row of exceptions.json, never a rule of its own.
Needs: torch, transformers, accelerate, gguf.
"""
import json
import os
import sys

import torch
import transformers


@torch.no_grad()
def other_choices(model, case):
    """(position, F32's token, its log-probability less the recorded token's) wherever the two tokens differ."""
    first = len(case["prompt_ids"]) - 1
    rows = model(input_ids=torch.tensor([case["prompt_ids"] + case["ids"]])).logits[0, first:-1]
    for position, (token, row) in enumerate(zip(case["ids"], rows)):
        best = int(row.argmax())
        if best != token:
            yield position, best, round(float(row[best] - row[token]), 5)


def main():
    path, golden_path, *chosen = sys.argv[1:]
    folder, name = os.path.split(os.path.abspath(path))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    with open(golden_path, encoding="utf-8") as f:
        cases = json.load(f)["cases"]
    for number, case in enumerate(cases):
        if chosen and str(number) not in chosen:
            continue
        for position, token, lead in other_choices(model, case):
            print(f"case {number}, token {position}: recorded {case['ids'][position]} by {case['margins'][position]}, "
                  f"F32 has {token} by {lead}")


if __name__ == "__main__":
    main()
