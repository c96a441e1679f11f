#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Convert a real model from format to format, and compare what each answers: formats.py APR MODEL.gguf... [-- OPTION...]

The options (--gpu, say) go to every apr run.
Every file that comes out must validate and give the greedy tokens of the GGUF file it came from: as .apr, as GGUF again,
and of the smallest model as a SafeTensors folder (weights as F32) too.
"""
import json
import os
import subprocess
import sys
import tempfile

PROMPTS = ["Write a function that adds two numbers in C.", "Name three colours."]
SMALL = 200 << 20
SPLIT = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
MODELS, OPTIONS = sys.argv[2:SPLIT], sys.argv[SPLIT + 1:]


def call(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def answers(apr, model):
    words = ["--temperature", "0", "-n", "24", "--json", *OPTIONS]
    return [json.loads(call(apr, "run", model, prompt, *words))["ids"] for prompt in PROMPTS]


def check(apr, folder, model):
    expected = answers(apr, model)
    out = [os.path.join(folder, name) for name in ("m.apr", "m.gguf", "m-safetensors")]
    steps = [(model, out[0]), (out[0], out[1])]
    if os.path.getsize(model) < SMALL:
        steps.append((out[0], out[2]))
    for source, target in steps:
        call(apr, "convert", source, "-o", target, "--force")
        call(apr, "validate", target)
        if answers(apr, target) != expected:
            sys.exit(f"{target}, from {model}: {answers(apr, target)}, expected {expected}")
        print(f"{os.path.basename(target)} of {os.path.basename(model)}: the same {len(PROMPTS)} answers")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            check(sys.argv[1], folder, model)


main()
