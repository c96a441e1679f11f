#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Add to a golden file where exact arithmetic chooses another token: exact_choices.py MODEL.gguf GOLDEN.json

The recorded tokens come from a program that rounds activations. Here transformers computes every step again in F32, with
the recorded tokens as the past, over weights that it dequantises itself. Where its best token is not the recorded one, the
case gets an entry in "exact": position -> [token, margin over the recorded one]. A reader that chooses that token is
nearer to the truth than the recording. Needs: torch, transformers, accelerate, gguf.
"""
import json
import os
import sys

import torch
import transformers

import golden_from_llama_server as golden


@torch.no_grad()
def other_choices(model, case):
    first = len(case["prompt_ids"]) - 1
    rows = model(input_ids=torch.tensor([case["prompt_ids"] + case["ids"]])).logits[0, first:-1]
    others = {}
    for position, (token, row) in enumerate(zip(case["ids"], rows)):
        best = int(row.argmax())
        if best != token:
            others[str(position)] = [best, round(float(row[best] - row[token]), 5)]
    return others


def main():
    path, golden_path = sys.argv[1:]
    folder, name = os.path.split(os.path.abspath(path))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    with open(golden_path, encoding="utf-8") as f:
        head = json.load(f)
    cases = head.pop("cases")
    for case in cases:
        case["exact"] = other_choices(model, case)
    golden.write(golden_path, head, cases)
    print(name, [case["exact"] for case in cases])


if __name__ == "__main__":
    main()
