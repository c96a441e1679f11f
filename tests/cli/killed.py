#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""killed.py APR: conversions killed or interrupted at random moments leave their whole output or none of it; the next one
to the same target removes what they left under temporary names."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

TARGETS = ["x.apr", "x.gguf", "x-safetensors", "x.safetensors"]


def attempt(apr, target, number, delay):
    """One conversion stopped after `delay` seconds: what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, target)
        process = subprocess.Popen([apr, "convert", "demo", "--quantize", "F32", "-q", "-o", path],
                                   stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(number)
        process.wait()
        left = sorted(os.listdir(folder))
        whole = os.path.exists(path)
        if whole:
            done = subprocess.run([apr, "validate", path], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{target}: {done.stderr}"
        elif target != "x.safetensors":  # whose companions come before it
            assert all(".part-" in name for name in left), left
        if number == signal.SIGINT and not whole and process.returncode == 130:
            assert left == [], left
        again = subprocess.run([apr, "convert", "demo", "--quantize", "F32", "-q", "--force", "-o", path], capture_output=True, text=True, check=False)
        assert again.returncode == 0, f"{target}: {again.stderr}"
        assert not any(".part-" in name for name in os.listdir(folder)), "what a killed conversion left is still there"
        return "whole" if whole else "none"


def main():
    apr = os.path.abspath(sys.argv[1])
    seed = random.randrange(1 << 32)
    print("seed", seed)
    random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        subprocess.run([apr, "convert", "demo", "--quantize", "F32", "-q", "-o", folder + "/x.apr"], check=True)
        whole = time.monotonic() - began
    results = [attempt(apr, target, number, random.uniform(0, whole))
               for target in TARGETS for number in (signal.SIGKILL, signal.SIGINT) for _ in range(12)]
    print(results.count("none"), "without output,", results.count("whole"), "whole")
    assert "none" in results, "no conversion was stopped in time"


main()
