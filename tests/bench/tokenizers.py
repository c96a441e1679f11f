#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Speed of every vocabulary's tokenizer, as the table of docs/tokenizers.md: tokenizers.py BENCH_TOKENIZER CODE_FILE [NAME...]

BENCH_TOKENIZER is the program tests/bench/tokenizer.c; CODE_FILE some megabytes of source text, for example what
tests/bench/tokenizers.py --code FOLDER > FILE makes: the first 5.5 MB of all C++ and Python files below FOLDER, in order. Each
row: MB/s on that file, then milliseconds for 0.5, 1 and 2 MB of one letter, of letters without a space, of spaces and of line
ends. Vocabularies are those of tests/models/fetch_vocabularies, and the two of whole models.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = {"qwen2.5-coder": "0.5b", "smollm2": "smollm2"}
CODE_BYTES = 5_500_000
TEXTS = ("one letter", "one word", "one space", "line ends")


def source_text(folder):
    text = b""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".cpp", ".h", ".py")) and len(text) < CODE_BYTES:
                with open(os.path.join(place, name), "rb") as f:
                    text += f.read()
    return text[:CODE_BYTES]


def vocabularies():
    recorded = os.path.join(ROOT, "tests/data/tokenizer")
    return sorted(name.removesuffix(".json").removeprefix("ggml-vocab-") for name in os.listdir(recorded) if name != "small.json")


def path_of(name):
    program = "fetch" if name in MODELS else "fetch_vocabularies"
    return subprocess.run([os.path.join(ROOT, "tests/models", program), MODELS.get(name, name)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def measured(bench, path, what):
    """(name, MB/s, ms) of each line."""
    out = subprocess.run([bench, path, what], check=True, text=True, stdout=subprocess.PIPE).stdout
    return [(name, float(speed), float(time))
            for name, speed, time in re.findall(r"^(.+?) +\d+ bytes +\d+ ids +encode +([\d.]+) MB/s +([\d.]+) ms", out, re.M)]


def row(bench, code, name):
    path = path_of(name)
    speed = measured(bench, path, code)[0][1]
    hostile = measured(bench, path, "--hostile")
    times = [", ".join("%.0f" % time for text, _, time in hostile if text == wanted) for wanted in TEXTS]
    return [name, "%.0f" % speed] + times


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--code":
        sys.stdout.buffer.write(source_text(sys.argv[2]))
        return
    bench, code = sys.argv[1:3]
    print("| vocabulary | code, MB/s | " + " | ".join(TEXTS) + " |\n|" + "---|" * (2 + len(TEXTS)))
    for name in sys.argv[3:] or vocabularies():
        print("| " + " | ".join(row(bench, code, name)) + " |", flush=True)


main()
