#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Distance from exact arithmetic beside a peer: mean KL divergence from the backend `reference` on one text.

  divergence.py --apr build/apr-cli/apr [--peer NAME=PATH/llama-perplexity] [-t 2] [--ctx 512] [--tokens 4096] [--bases FOLDER] MODEL.gguf...

The reference's distributions are saved by `apr eval --save-logits`, in the form that llama-perplexity reads as its own base; then
`apr eval --kl-against` and llama-perplexity --kl-divergence score the same tokens of the same chunks against them. Keys and
values are F16 everywhere. The text is --text FILE, by default the GNU GPL version 3 and Python's heapq.py, cut to the chunks
that hold --tokens scored tokens. With --bases the saved distributions stay in FOLDER (65 to 310 KB for a token) and are used
again. Prints mean, spread of the mean where the program tells it, and how often the most likely token is the same.
"""
import argparse
import heapq
import json
import math
import os
import re
import subprocess
import tempfile

TEXTS = ["/usr/share/common-licenses/GPL-3", heapq.__file__]


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def cut(args, model, text, path):
    """Write as much of TEXT as fills the chunks; half of each chunk, less one token, is scored."""
    chunks = math.ceil(args.tokens / (args.ctx - args.ctx // 2 - 1))
    low, high = 0, len(text)
    while low < high:  # least length with enough tokens
        middle = (low + high) // 2
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:middle])
        count = len(json.loads(run([args.apr, "tokenize", model, "--json", "--file", path]))["ids"])
        low, high = (low, middle) if count >= chunks * args.ctx + 1 else (middle + 1, high)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:low])


def evaluate(args, model, *options):
    return json.loads(run([args.apr, "eval", model, "--json", "-t", str(args.t), *options]))


def peer_result(program, args, model, base):
    out = run([program, "-m", model, "--kl-divergence", "--kl-divergence-base", base, "-t", str(args.t), "-c", str(args.ctx),
               "-b", str(args.ctx), "-ngl", "0"])
    mean = re.search(r"Mean +KLD: +([\d.e-]+) ± +([\d.e-]+)", out)
    top = re.search(r"Same top p: +([\d.]+)", out)
    return f"{1000 * float(mean[1]):.2f} +- {1000 * float(mean[2]):.2f}, the same token {float(top[1]) / 100:.4f}"


def measure(args, model, text, folder):
    base = os.path.join(folder, os.path.basename(model) + f".{args.ctx}.logits")
    if not os.path.exists(base):
        cut(args, model, text, base + ".txt")
        evaluate(args, model, "--backend", "reference", "--text", base + ".txt", "--ctx", str(args.ctx), "--save-logits", base)
    ours = evaluate(args, model, "--backend", "cpu", "--kl-against", base)
    print(f"{os.path.basename(model)}, {ours['scored_tokens']} tokens, KL divergence from the reference times 1000:")
    print(f"  apr: {1000 * ours['kl_divergence']['mean']:.2f}, the same token {ours['top1_agreement']:.4f}", flush=True)
    for name, program in (peer.split("=", 1) for peer in args.peer):
        print(f"  {name}: {peer_result(program, args, model, base)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apr", required=True)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("-t", type=int, default=2, help="threads")
    parser.add_argument("--ctx", type=int, default=512, help="tokens of a chunk")
    parser.add_argument("--tokens", type=int, default=4096, help="least number of scored tokens")
    parser.add_argument("--text", action="append", help="files, joined")
    parser.add_argument("--bases", help="keep the saved distributions in this folder")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    text = "".join(open(path, encoding="utf-8").read() for path in args.text or TEXTS)
    with tempfile.TemporaryDirectory() as temporary:
        for model in args.models:
            measure(args, model, text, args.bases or temporary)


if __name__ == "__main__":
    main()
