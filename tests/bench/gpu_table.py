#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of GPU speeds: correctness first, then ours (and a peer's) on the machine's GPU.

gpu_table.py BUILD [--model FILE]... [--f16] [--llama-bench PROGRAM] [--llama-batched-bench PROGRAM] [--quick]

BUILD is a build folder with the CUDA module, or a folder that holds its programs. Without models, whole steps of
random weights of the real shapes are timed (gpu_step); each model file is also run through `apr bench --gpu`, its time
from the start of the program to the first token is taken with a cold and a warm file cache, and where a llama-bench is
given (of a CUDA build) it is run on the same file. Every figure is a median of at least five runs, with the least and
the largest. When a check fails no speed is printed, and the exit status is 1.

With --f16 each model is also converted to F16 as GGUF, .apr and SafeTensors (in a temporary folder, three to four times the size of a four-bit file each):
the three must give the same tokens, then each is timed. With a llama-batched-bench, sessions are timed in turn with it.
--no-gpu tries the script itself where there is no device: its figures mean nothing.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

STEPS = [  # shape, mix, parts of gpu_step
    ("1.5B", "Q4_K_M", "dplb"), ("1.5B", "Q8_0", "d"), ("1.5B", "F16", "dp"), ("7B", "Q4_K_M", "dp"),
    ("0.5B", "Q5_0", "dp"), ("32B", "Q4_K_M", "d"),
]
TO_REACH = {  # of the project's issue on the CUDA backend, on an H100
    "1.5B Q4_K_M decode, empty context": 1200, "1.5B Q4_K_M decode at 4,096": 1020,
    "1.5B Q4_K_M decode at 32,000": 750, "1.5B Q8_0 decode, empty context": 1030,
    "1.5B F16 decode, empty context": 720, "7B Q4_K_M decode, empty context": 520,
    "1.5B Q4_K_M prompt of 512": 55000, "1.5B Q4_K_M prompt of 2048": 85000, "1.5B Q4_K_M prompt of 2048 in two steps": 85000,
    "1.5B F16 prompt of 2048": 105000, "7B Q4_K_M prompt of 2048": 25000,
    "1.5B Q4_K_M 8 sessions at 1,024": 6000, "1.5B Q4_K_M 32 sessions at 1,024": 15000,
    "1.5B Q4_K_M 64 sessions at 1,024": 20000,
}
CHECKS = ["kernels_cuda", "kernels_cuda_operations", "kernels_cuda_attention", "kernels_cuda_choose", "kernels_cuda_steps",
          "kernels_cuda_limits"]
DEVICE = "--gpu"
SESSIONS = (8, 32, 64)
PROMPTS = ["Write a quicksort in C.", "Name three colours.", "Explain mmap to a beginner."]
PLACES = ["", "apr-cli", "tests/kernels", "tests/bench", "tests/golden"]
LINE = re.compile(r"^(\S+ \S+ .*?)\s+([\d.]+) tok/s\s+\[([\d.]+) \.\. ([\d.]+)\].*n=(\d+)")


def find(build, name):
    for place in PLACES:
        path = os.path.join(build, place, name)
        if os.access(path, os.X_OK):
            return path
    sys.exit(f"{build} has no {name}")


def run(*words, status=(0,)):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace")
    if done.returncode not in status:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{text[-2000:]}")
    return text


def row(name, median, least, most, n, what=""):
    target = TO_REACH.get(name)
    verdict = "" if target is None else f"{target:,} {'reached' if median >= target else f'missed by {1 - median / target:.1%}'}"
    print(f"| {name} | {median:,.0f} | {least:,.0f} .. {most:,.0f} | {n} | {verdict} | {what} |", flush=True)


def check(build, models):
    for name in CHECKS:
        text = run(find(build, name))
        print(f"{name}: {text.strip().splitlines()[-1]}", flush=True)
    for model in ["demo", *models]:
        text = run(find(build, "gpu-model"), "--kv-f32", model)
        print(f"gpu-model {model}: {text.strip().splitlines()[-1]}", flush=True)


def steps(build, quick):
    program = find(build, "gpu_step")
    for shape, mix, parts in STEPS[:1] if quick else STEPS:
        for line in run(program, shape, mix, parts).splitlines():
            found = LINE.match(line)
            if found:
                name, median, least, most, n = found.groups()
                row(name.strip(), float(median), float(least), float(most), int(n), "gpu_step")
            elif "weights of a token" in line:
                print(f"\n{line}\n", flush=True)


def bench_rows(apr, model, *words):
    result = json.loads(run(apr, "bench", model, DEVICE, "--json", *words))
    for r in result["rows"]:
        name = f"{os.path.basename(model)} {r['test']}, depth {r['depth']}, {r['batch']} sessions"
        row(name, r["median"], r["min"], r["max"], len(r["samples_tok_s"]), f"apr bench {DEVICE}")
    return result


def first_token(apr, model, cold):
    """Milliseconds from the start of the program to its end, for a prompt and one token."""
    if cold:
        fd = os.open(model, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    began = time.monotonic()
    run(apr, "run", model, "Write a function that adds two numbers.", DEVICE, "--json", "-n", "1", "--temperature", "0")
    return (time.monotonic() - began) * 1e3


def report_first_token(apr, model):
    for cold in (True, False):
        times = sorted(first_token(apr, model, cold) for _ in range(5))
        print(f"\n{os.path.basename(model)}, {'cold' if cold else 'warm'} file cache, start to first token: "
              f"{statistics.median(times):.0f} ms [{times[0]:.0f} .. {times[-1]:.0f}], n=5", flush=True)


def report_memory(result):
    memory = result["memory"]
    weights, kv, work = memory["weights_bytes"], memory["kv_bytes"], memory["activation_bytes"]
    print(f"\nmemory of the GPU: weights {weights / 1e6:.1f} MB, keys and values {kv / 1e6:.1f} MB, working arrays "
          f"{work / 1e6:.1f} MB ({work / (weights + kv):.1%} of the others)\n", flush=True)


def peer_sessions(peer, model, sessions):
    """Tokens a second of one run of llama-batched-bench, a row of whose table begins with the prompt's length."""
    text = run(peer, "-m", model, "-ngl", "99", "-fa", "1", "-c", str(1152 * sessions), "-npp", "1024", "-ntg", "64",
               "-npl", str(sessions), "-b", "2048", "-ub", "2048")
    found = [line.split("|") for line in text.splitlines() if re.match(r"\|\s*1024 \|", line)]
    if not found:
        sys.exit(f"{peer} prints no row for {sessions} sessions:\n{text[-500:]}")
    return float(found[0][8])


def report_sessions(apr, model, peer):
    speeds = {(who, n): [] for who in ("ours", "peer") for n in SESSIONS}
    for _ in range(5):
        for n in SESSIONS:
            speeds["peer", n].append(peer_sessions(peer, model, n))
            ours = json.loads(run(apr, "bench", model, DEVICE, "--json", "-p", "0", "-n", "64", "-d", "1024", "--batch", str(n), "-r", "1"))
            speeds["ours", n].append(ours["rows"][0]["median"])
    for n in SESSIONS:
        ours, its = (statistics.median(speeds[who, n]) for who in ("ours", "peer"))
        row(f"{n} sessions in turn with the peer", ours, min(speeds["ours", n]), max(speeds["ours", n]), 5,
            f"peer {its:,.0f}, {ours / its:.2f}x")


def f16_figures(apr, model):
    with tempfile.TemporaryDirectory() as folder:
        gguf, packed, hf = (os.path.join(folder, name) for name in ("f16.gguf", "f16.apr", "hf"))
        os.mkdir(hf)
        run(apr, "convert", model, "-o", gguf, "--quantize", "f16")
        run(apr, "convert", gguf, "-o", packed)
        run(apr, "convert", gguf, "-o", os.path.join(hf, "model.safetensors"))
        ids = [[json.loads(run(apr, "run", form, prompt, DEVICE, "--json", "-n", "96", "--temperature", "0"))["ids"]
                for prompt in PROMPTS] for form in (gguf, packed, hf)]
        if ids[0] != ids[1] or ids[0] != ids[2]:
            sys.exit("the F16 model gives other tokens as .apr or as SafeTensors")
        print(f"\nF16 as GGUF, .apr and SafeTensors: the same {sum(map(len, ids[0]))} tokens\n", flush=True)
        for form in (gguf, packed, hf):
            bench_rows(apr, form, "-p", "512,2048", "-n", "128", "-r", "5")


def model_figures(apr, model, peer, quick):
    report_memory(bench_rows(apr, model, "-p", "512,2048", "-n", "128", "-r", "5"))
    if not quick:
        bench_rows(apr, model, "-p", "0", "-n", "128", "-d", "4096,32000", "-r", "5")
    bench_rows(apr, model, "-p", "0", "-n", "64", "-d", "1024", "--batch", "8,32,64", "-r", "5")
    report_first_token(apr, model)
    if peer:
        depths = "0" if quick else "0,4096,32000"
        print(run(peer, "-m", model, "-p", "512,2048", "-n", "128", "-fa", "1", "-ub", "2048", "-r", "5"), flush=True)
        print(run(peer, "-m", model, "-p", "0", "-n", "128", "-d", depths, "-fa", "1", "-r", "5"), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--f16", action="store_true", help="the model as F16 in three formats too")
    parser.add_argument("--llama-bench")
    parser.add_argument("--llama-batched-bench")
    parser.add_argument("--no-gpu", action="store_true", help="try the script on the CPU, without checks and steps")
    parser.add_argument("--quick", action="store_true", help="the 1.5B and short contexts alone")
    a = parser.parse_args()
    if a.no_gpu:
        global DEVICE
        DEVICE = "--no-gpu"
    else:
        check(a.build, a.model)
    print("\n| figure | tokens a second | least .. largest | n | to reach | of |\n|---|---|---|---|---|---|")
    if not a.no_gpu:
        steps(a.build, a.quick)
    for model in a.model:
        apr = find(a.build, "apr")
        model_figures(apr, model, a.llama_bench, a.quick)
        if a.llama_batched_bench:
            report_sessions(apr, model, a.llama_batched_bench)
        if a.f16:
            f16_figures(apr, model)


main()
