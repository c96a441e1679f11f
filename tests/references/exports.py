#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check exported Hugging Face folders with transformers: exports.py ORIGINAL EXPORTED [ORIGINAL EXPORTED ...]

Both folders of a pair are loaded by transformers in F32; their logits for 100 random ids must be equal, and their
tokenizers must give the same ids and texts. Exit status 1 at the first difference.
"""
import os
import sys

import tokenizers
import torch
import transformers

TEXTS = ["Hello wörld 123 x<|im_start|>user\n  foo", "你好 def f(x):\n\treturn 1", "", "   "]


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def check(original, exported):
    torch.manual_seed(0)
    models = load(original), load(exported)
    ids = torch.randint(0, min(300, models[0].config.vocab_size), (1, 100))
    with torch.no_grad():
        a, b = (model(ids).logits for model in models)
    worst = (a - b).abs().max().item()
    print(f"{exported}: largest difference {worst} of {a.abs().max().item():.3f}")
    if worst > 0:
        sys.exit(1)
    if os.path.exists(os.path.join(original, "tokenizer.json")):
        t, u = (tokenizers.Tokenizer.from_file(os.path.join(f, "tokenizer.json")) for f in (original, exported))
        for text in TEXTS:
            left, right = t.encode(text).ids, u.encode(text).ids
            if left != right or t.decode(left) != u.decode(right):
                sys.exit(f"{exported}: {text!r}: {left} became {right}")
        transformers.AutoTokenizer.from_pretrained(exported)


def main():
    for i in range(1, len(sys.argv), 2):
        check(sys.argv[i], sys.argv[i + 1])


main()
