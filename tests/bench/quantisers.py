#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files quantised by apr beside llama-quantize's of the same mix and source: errors of tensors, KL divergence, time.

  quantisers.py --apr build/apr-cli/apr --bench build/tests/bench/bench_quantize --peer llama-quantize --folder FOLDER F16.gguf MIX...
  quantisers.py ... --rounds 5 F16.gguf Q4_K_M

For each mix both programs make a file of F16.gguf, unless FOLDER has it (MIX-apr.gguf, MIX-peer.gguf). Prints a row of a table:
over all tensors that the mix rounds the worst and the (geometric) mean ratio of the root mean square errors, apr's to the peer's,
and the worst tensor; then the mean KL divergence of either file from F16.gguf, on the text of divergence.py cut to --tokens scored
tokens (0: none), computed by `apr eval` for both. The text, the distributions of F16.gguf (310 KB a token) and with --keep the
quantised files stay in FOLDER. With --rounds only times are taken: apr, peer, apr, peer ..., file to file.
"""
import argparse
import os
import re
import statistics
import subprocess
import time

import divergence

TENSOR = re.compile(r"^(\S+) +\S+ +error \S+ other (\S+) ratio (\S+)$", re.MULTILINE)
SUMMARY = re.compile(r"^(\d+) tensors: .* worst (\S+), mean (\S+)$", re.MULTILINE)


def quantise(args, mix, program, path):
    """Make a file, whole or not at all; returns seconds."""
    part = path + ".part.gguf"
    commands = {"apr": [args.apr, "-q", "convert", args.source, "-o", part, "--force", "--quantize", mix, "-t", str(args.t)],
                "peer": [args.peer, args.source, part, mix, str(args.t)]}
    began = time.monotonic()
    divergence.run(commands[program])
    seconds = time.monotonic() - began
    os.rename(part, path)
    return seconds


def errors(args, mix, peer_file):
    """(tensors, worst ratio, mean ratio, name of the worst tensor)"""
    out = divergence.run([args.bench, str(args.t), mix, args.source, peer_file])
    if re.search("the other file has", out):
        raise SystemExit(f"{mix}: the files have other types: {out}")
    count, worst, mean = SUMMARY.search(out).groups()
    name = max((float(ratio), tensor) for tensor, other, ratio in TENSOR.findall(out) if float(other) > 0)[1]
    return int(count), float(worst), float(mean), name


def base_of(args):
    """The text and the source's distributions, made once."""
    base = os.path.join(args.folder, os.path.basename(args.source) + f".{args.ctx}.{args.tokens}.logits")
    if not os.path.exists(base):
        text = "".join(open(path, encoding="utf-8").read() for path in divergence.TEXTS)
        divergence.cut(args, args.source, text, base + ".txt")
        divergence.evaluate(args, args.source, "--backend", "cpu", "--text", base + ".txt", "--ctx", str(args.ctx),
                            "--save-logits", base + ".part")
        os.rename(base + ".part", base)
    return base


def divergence_of(args, path, base):
    result = divergence.evaluate(args, path, "--backend", "cpu", "--kl-against", base)
    return f"{1000 * result['kl_divergence']['mean']:.3f}, {result['top1_agreement']:.4f}"


def row(args, mix, base):
    paths = [os.path.join(args.folder, f"{mix}-{program}.gguf") for program in ("apr", "peer")]
    if not os.path.exists(paths[1]):
        quantise(args, mix, "peer", paths[1])
    count, worst, mean, name = errors(args, mix, paths[1])
    print(f"| {mix} | {count} | {worst:.4f} ({name}) | {mean:.4f} |", end="" if base else "\n", flush=True)
    if base:
        if not os.path.exists(paths[0]):
            quantise(args, mix, "apr", paths[0])
        print(" " + " | ".join(divergence_of(args, path, base) for path in paths) + " |", flush=True)
    for path in paths:
        if not args.keep and os.path.exists(path):
            os.unlink(path)


def times(args, mix):
    samples = {"apr": [], "peer": []}
    for _ in range(args.rounds):
        for program, seconds in samples.items():
            path = os.path.join(args.folder, f"{mix}-{program}.gguf")
            seconds.append(quantise(args, mix, program, path))
            if not args.keep:
                os.unlink(path)
    for program, seconds in samples.items():
        print(f"{mix} {program}: {statistics.median(seconds):.1f} s ({min(seconds):.1f}..{max(seconds):.1f}), n = {args.rounds}")
    print(f"{mix}: ratio of medians {statistics.median(samples['apr']) / statistics.median(samples['peer']):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apr", required=True)
    parser.add_argument("--bench", help="bench_quantize of the build")
    parser.add_argument("--peer", required=True, help="llama-quantize")
    parser.add_argument("--folder", required=True, help="for the files that are made")
    parser.add_argument("-t", type=int, default=2, help="threads")
    parser.add_argument("--ctx", type=int, default=512, help="tokens of a chunk")
    parser.add_argument("--tokens", type=int, default=4096, help="least number of scored tokens; 0: errors alone")
    parser.add_argument("--keep", action="store_true", help="keep the quantised files")
    parser.add_argument("--rounds", type=int, default=0, help="take times only, so often")
    parser.add_argument("source")
    parser.add_argument("mixes", nargs="+")
    args = parser.parse_args()
    if args.rounds:
        for mix in args.mixes:
            times(args, mix)
        return
    base = base_of(args) if args.tokens else None
    print("| mix | tensors | worst ratio | mean ratio |" + (" KL times 1000, same token: apr | peer |" if base else ""), flush=True)
    for mix in args.mixes:
        row(args, mix, base)


if __name__ == "__main__":
    main()
