#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The six conversions as a user types them, each result run: conversions.py APR RUN_GOLDEN SHORT GOLDEN.json MODEL.gguf

Between GGUF, .apr and SafeTensors, in folders of their own beside MODEL, where three times the model's F32 weights must fit.
What has the model's blocks must be the same tensor by tensor and give every recorded greedy token of GOLDEN. The SafeTensors
forms hold the same weights in F32, slow to run: their first SHORT cases (0: all) are asked with 16 tokens. The two SafeTensors
files must be the same bytes. Prints time and peak memory of each conversion. MODEL "demo" is the model inside the program.
"""
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time

SHORT_TOKENS = 16


class Check:
    def __init__(self, apr, run_golden, short, golden):
        self.apr, self.run_golden, self.short, self.golden = os.path.abspath(apr), run_golden, short, golden
        self.failed = []

    def command(self, folder, words):
        """One command line of a user in a folder; its time and peak memory."""
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as errors:
            started = subprocess.Popen([self.apr, *words.split(), "-q"], cwd=folder, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, used = os.wait4(started.pid, 0)
            started.returncode = os.waitstatus_to_exitcode(status)
            if started.returncode != 0:
                errors.seek(0)
                sys.exit(f"apr {words}: exit {started.returncode}: {errors.read()}")
        print(f"apr {words}: {time.monotonic() - began:.1f} s, at most {used.ru_maxrss / 1024:.0f} MiB resident, mapped pages included",
              flush=True)

    def run(self, path, whole):
        """The recorded tokens from this file or folder."""
        words = [sys.executable, self.run_golden, "--apr", self.apr, "--model", path]
        if not whole:
            words += ["--first", str(self.short), "--tokens", str(SHORT_TOKENS)]
        done = subprocess.run([*words, self.golden, "--", "-c", "2048"], capture_output=True, text=True, check=False)
        print("  " + (done.stdout.strip() or done.stderr.strip()[-300:]), flush=True)
        if done.returncode != 0:
            self.failed.append(os.path.basename(path))

    def same(self, a, b):
        """No tensor differs, in bytes where the types are the same."""
        done = subprocess.run([self.apr, "rosetta", "diff-tensors", a, b, "--mismatches-only"], capture_output=True, text=True, check=False)
        print("  " + done.stdout.strip().splitlines()[-1], flush=True)
        if done.returncode != 0 or " 0 with other values" not in done.stdout:
            self.failed.append(f"{a} and {b}")


def folder_with(root, name, **links):
    """A new folder with links to files under the names that the commands have for them."""
    folder = os.path.join(root, name)
    os.mkdir(folder)
    for link, target in links.items():
        os.symlink(target, os.path.join(folder, link.replace("_", ".")))
    return folder


def key_value_heads(apr, path):
    """What `jq -e .metadata.num_kv_heads` finds."""
    text = subprocess.run([apr, "inspect", path, "--json"], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(text)["metadata"]["num_kv_heads"]


def convert_all(check, root, model):
    first = folder_with(root, "1", model_gguf=model)
    check.command(first, "convert model.gguf -o model.apr")
    native = os.path.join(first, "model.apr")
    if not key_value_heads(check.apr, native):
        sys.exit("model.apr has no num_kv_heads")
    check.same(model, native)
    check.run(native, True)

    second = folder_with(root, "2", model_apr=native)
    check.command(second, "export model.apr --format gguf")
    check.same(model, os.path.join(second, "model.gguf"))
    check.run(os.path.join(second, "model.gguf"), True)
    os.unlink(os.path.join(second, "model.gguf"))

    fifth = folder_with(root, "5", model_gguf=model)
    check.command(fifth, "convert model.gguf --format safetensors")
    exported = os.path.join(fifth, "model-safetensors")
    check.same(model, exported)
    check.run(exported, False)

    fourth = folder_with(root, "4", model_apr=native)
    check.command(fourth, "export model.apr --format safetensors")
    other = os.path.join(fourth, "model-safetensors", "model.safetensors")
    if not filecmp.cmp(os.path.join(exported, "model.safetensors"), other, shallow=False):
        check.failed.append("model.safetensors by way of .apr")
    os.unlink(other)

    check.command(exported, "import model.safetensors -o model.apr")
    check.run(os.path.join(exported, "model.apr"), False)
    os.unlink(os.path.join(exported, "model.apr"))
    check.command(exported, "convert model.safetensors --format gguf")
    check.run(os.path.join(exported, "model.gguf"), False)


def main():
    apr, run_golden, short, golden, model = sys.argv[1:]
    check = Check(apr, run_golden, int(short), golden)
    with tempfile.TemporaryDirectory(dir=None if model == "demo" else os.path.dirname(model), prefix=".conversions-") as root:
        if model == "demo":
            model = os.path.join(root, "demo.gguf")
            subprocess.run([apr, "-q", "convert", "demo", "-o", os.path.join(root, "demo.apr")], check=True)
            subprocess.run([apr, "-q", "export", os.path.join(root, "demo.apr"), "-o", model], check=True)
        convert_all(check, root, model)
    print("failed: " + ", ".join(check.failed) if check.failed else "all the same")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
