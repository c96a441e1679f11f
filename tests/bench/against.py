#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Speed beside a peer: the same file, the same run, in turn (A B A B ...).

  against.py --apr build/apr-cli/apr --peer NAME=PATH/llama-bench [--peer ...] [-n 5] [-t 2] [--pp 512] [--tg 64] MODEL.gguf...

A model that apr is to read from another place, as a Hugging Face folder of the same weights, is FOLDER=MODEL.gguf.
Each round runs `apr bench` and then every peer's llama-bench once a test. Prints for each model and test the median, the least
and the largest of each program, and the ratio of medians to the faster peer. A peer is called with its default options.
"""
import argparse
import json
import statistics
import subprocess


def run_apr(apr, model, threads, pp, tg):
    out = subprocess.run([apr, "bench", model, "-p", str(pp), "-n", str(tg), "-r", "1", "--warmup", "1", "-t", str(threads),
                          "--no-gpu", "--json"], capture_output=True, text=True, check=True).stdout
    document = json.loads(out)
    return {row["test"]: row["median"] for row in document["rows"]}, document["bandwidth_gb_s"]


def run_peer(bench, model, threads, pp, tg):
    out = subprocess.run([bench, "-m", model, "-t", str(threads), "-p", str(pp), "-n", str(tg), "-r", "1", "-o", "json"],
                         capture_output=True, text=True, check=True).stdout
    result = {}
    for row in json.loads(out[out.index("["):]):
        name = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
        result[name] = row["avg_ts"]
    return result


def spread(samples):
    return "%9.2f (%.2f..%.2f)" % (statistics.median(samples), min(samples), max(samples))


def measure(args, model):
    peers = dict(p.split("=", 1) for p in args.peer)
    ours, _, model = model.rpartition("=")
    samples = {}
    bandwidth = []
    for _ in range(args.n):
        rows, gb_s = run_apr(args.apr, ours or model, args.t, args.pp, args.tg)
        bandwidth.append(gb_s)
        results = {"apr": rows}
        results.update({name: run_peer(path, model, args.t, args.pp, args.tg) for name, path in peers.items()})
        for program, tests in results.items():
            for test, value in tests.items():
                samples.setdefault(test, {}).setdefault(program, []).append(value)
    print(f"{ours or model}: n = {args.n}, {args.t} threads, memory read {spread(bandwidth).strip()} GB/s")
    for test, programs in samples.items():
        best = max((statistics.median(v), k) for k, v in programs.items() if k != "apr")
        ratio = statistics.median(programs["apr"]) / best[0]
        print(f"  {test:7s} " + "  ".join(f"{k} {spread(v).strip()}" for k, v in programs.items()) + f"  {ratio:.2f}x {best[1]}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--apr", required=True)
    p.add_argument("--peer", action="append", required=True)
    p.add_argument("-n", type=int, default=5)
    p.add_argument("-t", type=int, default=2)
    p.add_argument("--pp", type=int, default=512)
    p.add_argument("--tg", type=int, default=64)
    p.add_argument("models", nargs="+")
    args = p.parse_args()
    for model in args.models:
        measure(args, model)


main()
