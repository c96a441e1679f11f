#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""killed.py APR TRIES: commands that write models or records, killed or interrupted at random moments, leave their whole output
or none of it; the same again removes what they left under temporary names."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

# what is called, NAME standing for an input; the output; further names of the output's files
COMMANDS = [
    (["convert", "demo", "--quantize", "F32"], "x.apr"),
    (["convert", "demo", "--quantize", "F32"], "x.gguf"),
    (["convert", "demo", "--quantize", "F32"], "x-safetensors"),
    (["convert", "demo", "--quantize", "F32"], "x.safetensors"),
    (["split", "f.gguf", "--max-tensors", "9"], "x.gguf"),
    (["split", "f.apr", "--max-shard-size", "2MB"], "x.apr"),
    (["split", "f-safetensors", "--max-tensors", "9"], "x-split"),
    (["join", "set-00001-of-00005.gguf"], "x.gguf"),
    (["join", "set-split"], "x-joined"),
    (["merge", "f.gguf", "f.apr"], "x.gguf"),
    (["canary", "create", "f.gguf"], "x.json"),
]


def call(apr, *words):
    return subprocess.run([apr, *words], capture_output=True, text=True, check=False)


def must(apr, *words):
    done = call(apr, *words)
    assert done.returncode == 0, f"apr {' '.join(words)}: {done.stderr}"


def make_inputs(apr, folder):
    os.chdir(folder)
    for name in ("f.gguf", "f.apr", "f-safetensors"):
        must(apr, "-q", "convert", "demo", "--quantize", "F32", "-o", name)
    must(apr, "-q", "split", "f.gguf", "--max-tensors", "9", "-o", "set.gguf")
    must(apr, "-q", "split", "f-safetensors", "--max-tensors", "9", "-o", "set-split")
    return folder


def is_whole(apr, path):
    """True when it is a model with the source's weights, or a record of them; False when it is refused."""
    if path.endswith(".json") and "index" not in path:
        done = call(apr, "canary", "check", "f.gguf", "--canary", path)
        assert done.returncode == 0, f"{path}: {done.stderr}"
        return True
    done = call(apr, "diff", "f.gguf", path, "--values")
    assert done.returncode in (0, 3, 4, 6), f"{path}: {done.stdout}{done.stderr}"
    return done.returncode == 0


def is_temporary(name):
    return name.endswith(".part") or ".part-" in name


def outputs(folder, target):
    """What has the names of the output: the target, or the files of a set."""
    stem, dot, end = target.partition(".")
    return [name for name in os.listdir(folder)
            if name == target or (dot and name.startswith(stem + "-0") and name.endswith(dot + end))]


def attempt(apr, words, target, number, delay):
    """One command stopped after `delay` seconds: what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*words, "-q", "-o", os.path.join(folder, target)]
        process = subprocess.Popen([apr, *command], stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(number)
        process.wait()
        left = sorted(os.listdir(folder))
        found = [is_whole(apr, os.path.join(folder, name)) for name in outputs(folder, target)]
        # a set whose files were getting their names is refused whole
        assert all(found) or not any(found), (command, left, found)
        if not found and target != "x.safetensors":  # whose companions come before it
            assert all(is_temporary(name) or name.endswith("index.json") for name in left), (command, left)
        if number == signal.SIGINT and not found and process.returncode == 130:
            assert left == [], left
        must(apr, *command, "--force")
        assert not any(map(is_temporary, os.listdir(folder))), f"{command}: what was left is still there"
        assert all(is_whole(apr, os.path.join(folder, name)) for name in outputs(folder, target))
        return bool(found) and all(found)


def duration(apr, words, target):
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        must(apr, *words, "-q", "-o", os.path.join(folder, target))
        return time.monotonic() - began


def main():
    apr = os.path.abspath(sys.argv[1])
    seed = random.randrange(1 << 32)
    print("seed", seed)
    tries = int(sys.argv[2])
    random.seed(seed)
    stopped = 0
    with tempfile.TemporaryDirectory() as folder:
        make_inputs(apr, folder)
        for words, target in COMMANDS:
            whole = duration(apr, words, target)
            results = [attempt(apr, words, target, number, random.uniform(0, whole))
                       for number in (signal.SIGKILL, signal.SIGINT) for _ in range(tries)]
            print(f"{' '.join(words)} -o {target}: {results.count(False)} without output, {results.count(True)} whole")
            stopped += results.count(False)
    assert stopped > 0, "nothing was stopped in time"


main()
