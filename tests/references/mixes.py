#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record which types llama.cpp's quantiser gives the tensors of made-up models: mixes.py LLAMA_QUANTIZE OUT.txt

Models of every shape that the rules look at are written as GGUF files of a few rows a tensor, and each mix is asked for
with --dry-run. Output, one line a model, a mix, and a kind of tensor:
    model NAME n_layers n_heads n_kv_heads n_experts tied
    mix NAME
    KIND cols type*count...         count layers in a row of that type; kinds outside the layers have count 1
Made with gguf 0.19 and the llama.cpp that llama-cpp-python 0.3.36 vendors.
"""
import itertools
import os
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np

MIXES = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M",
         "Q5_K_S", "Q5_K_M", "Q6_K", "IQ4_XS", "IQ4_NL"]
# name: architecture, layers, width, feed-forward width, heads, value heads, experts, tied
MODELS = {
    "narrow-tied": ("llama", 30, 576, 1536, 9, 3, 0, True),
    "wide": ("qwen2", 28, 1536, 8960, 12, 2, 0, False),
    "mixed": ("qwen2", 24, 896, 4864, 14, 2, 0, True),
    "eighty": ("llama", 80, 512, 1024, 16, 2, 0, False),
    "few-heads": ("llama", 17, 256, 512, 4, 2, 0, False),
    "eight-experts": ("llama", 32, 256, 512, 8, 2, 8, False),
    "four-experts": ("llama", 8, 256, 512, 8, 2, 4, False),
    "fused": ("phi3", 32, 256, 512, 8, 8, 0, False),
    "odd-width": ("llama", 4, 80, 48, 4, 4, 0, False),
}


def tensors_of(arch, layers, width, ff, experts, tied):
    yield "token_embd.weight", (4, width)
    yield "output_norm.weight", (width,)
    if not tied:
        yield "output.weight", (4, width)
    attention = ["attn_qkv"] if arch == "phi3" else ["attn_q", "attn_k", "attn_v"]
    for i in range(layers):
        for kind in attention + ["attn_output"]:
            yield f"blk.{i}.{kind}.weight", (4, width)
        yield f"blk.{i}.attn_norm.weight", (width,)
        yield f"blk.{i}.ffn_norm.weight", (width,)
        if experts:
            yield f"blk.{i}.ffn_gate_inp.weight", (experts, width)
            for kind, cols in (("gate", width), ("up", width), ("down", ff)):
                yield f"blk.{i}.ffn_{kind}_exps.weight", (experts, 4, cols)
            continue
        for kind, cols in (("gate", width), ("up", width), ("down", ff)):
            if arch != "phi3" or kind != "gate":
                yield f"blk.{i}.ffn_{kind}.weight", (4, cols)


def write_model(path, name):
    arch, layers, width, ff, heads, kv_heads, experts, tied = MODELS[name]
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(128)
    w.add_embedding_length(width)
    w.add_feed_forward_length(ff)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(width // heads)
    w.add_vocab_size(4)
    w.add_file_type(0)
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(2)
    for tensor, shape in tensors_of(arch, layers, width, ff, experts, tied):
        w.add_tensor(tensor, np.zeros(shape, np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def types_of(quantize, path, mix):
    """{kind: (cols, [type of each layer])} as the dry run prints them."""
    run = subprocess.run([quantize, "--dry-run", path, mix], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    kinds = {}
    line = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[ *(\d+),.*?type = +(\S+), size.*?(?:\((\w+)\))?$")
    rows = [line.match(text) for text in (run.stdout + run.stderr).splitlines()]
    for name, cols, old, new in (row.groups() for row in rows if row):
        kind = re.sub(r"^blk\.\d+\.", "", name)
        if "norm" not in kind:
            kinds.setdefault(kind, (cols, []))[1].append((new or old).upper())
    return kinds


def main():
    quantize, out = sys.argv[1], open(sys.argv[2], "w")
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, layers, _, _, heads, kv_heads, experts, tied) in MODELS.items():
            path = os.path.join(folder, name + ".gguf")
            write_model(path, name)
            out.write(f"model {name} {layers} {heads} {kv_heads} {experts} {int(tied)}\n")
            for mix in MIXES:
                out.write(f"mix {mix}\n")
                for kind, (cols, types) in types_of(quantize, path, mix).items():
                    runs = [f"{key}*{len(list(group))}" for key, group in itertools.groupby(types)]
                    out.write(" ".join([kind, cols] + runs) + "\n")
    out.close()


if __name__ == "__main__":
    main()
