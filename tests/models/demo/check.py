#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ask the demo model the questions of corpus.ANSWERS through transformers in F32: check.py HF-FOLDER

Prints each wrong answer and the count; the exit status is 1 unless all are right.
"""
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import corpus


@torch.no_grad()
def ask(model, tokenizer, question, system=None):
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False).input_ids])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=120, do_sample=False,
                         repetition_penalty=1.0)[0, ids.shape[1]:].tolist()
    stopped = out[-1] in model.generation_config.eos_token_id
    return tokenizer.decode(out, skip_special_tokens=True) + ("" if stopped else " [did not stop]")


def report(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    wrong = asked = 0
    for question, right in corpus.ANSWERS:
        for system in (None, corpus.SYSTEMS[0]):
            answer = ask(model, tokenizer, question, system)
            asked += 1
            if answer != right:
                wrong += 1
                print(f"{question!r} (system {system!r}): {answer!r}, expected {right!r}")
    for question in ("Tell me a story about a fox.", "How do I cook rice?", "What is 17 + 25?"):
        print(f"{question} -> {ask(model, tokenizer, question)}")
    print(f"{asked - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(report(sys.argv[1]))
