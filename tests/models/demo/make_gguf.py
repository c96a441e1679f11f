#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the demo model's Hugging Face folder as a GGUF v3 file: make_gguf.py FOLDER OUT [--type q8_0|bf16|f16|f32]

Every type holds the same numbers exactly: train.py rounded the matrices to int8 times a power of two per 32 values, and
this program fails where a value cannot be kept. Vectors (norms, biases) are F32 in every type, as readers expect.
Only the standard library is used, so that the build can make the other types from the committed folder.
"""
import argparse
import json
import math
import os
import struct
import sys

ALIGNMENT = 32
BLOCK = 32  # values of a Q8_0 block
# name: (tensor type, general.file_type)
TYPES = {"f32": (0, 0), "f16": (1, 1), "q8_0": (8, 7), "bf16": (30, 32)}
NORMAL, CONTROL, UNUSED = 1, 3, 5
LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight", "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.weight": "attn_k.weight", "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.weight": "attn_v.weight", "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.o_proj.weight": "attn_output.weight", "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight"}
OUTER_NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


def gguf_name(name):
    if name in OUTER_NAMES:
        return OUTER_NAMES[name]
    layer, rest = name.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{LAYER_NAMES[rest]}"


def read_tensors(path):
    """name -> (shape, values as a list of floats) of a BF16 SafeTensors file."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "BF16":
            raise SystemExit(f"{path}: {name} is {entry['dtype']}, expected BF16")
        begin, end = entry["data_offsets"]
        half = struct.unpack(f"<{(end - begin) // 2}H", data[begin:end])
        bits = struct.pack(f"<{len(half)}I", *(h << 16 for h in half))
        tensors[name] = entry["shape"], struct.unpack(f"<{len(half)}f", bits)
    return tensors


def to_f32(values):
    return struct.pack(f"<{len(values)}f", *values)


def to_f16(values):
    packed = struct.pack(f"<{len(values)}e", *values)
    if struct.unpack(f"<{len(values)}e", packed) != tuple(values):
        raise SystemExit("a weight is not exact as F16")
    return packed


def to_bf16(values):
    bits = struct.unpack(f"<{len(values)}I", to_f32(values))
    if any(b & 0xFFFF for b in bits):
        raise SystemExit("a weight is not exact as BF16")
    return struct.pack(f"<{len(bits)}H", *(b >> 16 for b in bits))


def to_q8_0(values):
    out = bytearray()
    for i in range(0, len(values), BLOCK):
        block = values[i:i + BLOCK]
        largest = max(map(abs, block))
        scale = 2.0 ** math.ceil(math.log2(largest / 127)) if largest else 0.0
        steps = [v / scale if scale else 0.0 for v in block]
        if any(s != int(s) for s in steps) or struct.unpack("<e", struct.pack("<e", scale))[0] != scale:
            raise SystemExit("a block of weights is not exact as Q8_0")
        out += struct.pack("<e32b", scale, *map(int, steps))
    return bytes(out)


PACK = {"f32": to_f32, "f16": to_f16, "bf16": to_bf16, "q8_0": to_q8_0}


def text(value):
    raw = value.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def entry(key, value, kind):
    """One metadata entry; kind is u32, f32, bool, str, or a list of one of them for an array."""
    codes = {"u32": (4, lambda v: struct.pack("<I", v)), "i32": (5, lambda v: struct.pack("<i", v)),
             "f32": (6, lambda v: struct.pack("<f", v)), "bool": (7, lambda v: struct.pack("<?", v)), "str": (8, text)}
    if isinstance(kind, list):
        code, pack = codes[kind[0]]
        return text(key) + struct.pack("<IIQ", 9, code, len(value)) + b"".join(map(pack, value))
    code, pack = codes[kind]
    return text(key) + struct.pack("<I", code) + pack(value)


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return json.load(f)


def vocabulary(folder, size):
    """(tokens by id, their types, merges): ids without a token become unused padding."""
    tokenizer = load(folder, "tokenizer.json")
    tokens, types = [f"[PAD{i}]" for i in range(size)], [UNUSED] * size
    for token, i in tokenizer["model"]["vocab"].items():
        tokens[i], types[i] = token, NORMAL
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]], types[added["id"]] = added["content"], CONTROL
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    return tokens, types, merges


def metadata(folder, kind):
    config, tokenizer = load(folder, "config.json"), load(folder, "tokenizer_config.json")
    tokens, types, merges = vocabulary(folder, config["vocab_size"])
    template_path = os.path.join(folder, "chat_template.jinja")
    template = tokenizer.get("chat_template")
    if template is None:
        with open(template_path, encoding="utf-8") as f:
            template = f.read()
    theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
    return [
        entry("general.architecture", "qwen2", "str"),
        entry("general.type", "model", "str"),
        entry("general.name", "Tiny demo model", "str"),
        entry("general.description", "A demo that knows a few sums, capitals and stories; not a real assistant", "str"),
        entry("general.license", "mit", "str"),
        entry("general.size_label", "2.1M", "str"),
        entry("general.file_type", TYPES[kind][1], "u32"),
        entry("general.quantization_version", 2, "u32"),
        entry("general.sampling.temp", 0.0, "f32"),
        entry("qwen2.block_count", config["num_hidden_layers"], "u32"),
        entry("qwen2.context_length", config["max_position_embeddings"], "u32"),
        entry("qwen2.embedding_length", config["hidden_size"], "u32"),
        entry("qwen2.feed_forward_length", config["intermediate_size"], "u32"),
        entry("qwen2.attention.head_count", config["num_attention_heads"], "u32"),
        entry("qwen2.attention.head_count_kv", config["num_key_value_heads"], "u32"),
        entry("qwen2.attention.layer_norm_rms_epsilon", config["rms_norm_eps"], "f32"),
        entry("qwen2.rope.freq_base", theta, "f32"),
        entry("tokenizer.ggml.model", "gpt2", "str"),
        entry("tokenizer.ggml.pre", "qwen2", "str"),
        entry("tokenizer.ggml.tokens", tokens, ["str"]),
        entry("tokenizer.ggml.token_type", types, ["i32"]),
        entry("tokenizer.ggml.merges", merges, ["str"]),
        entry("tokenizer.ggml.bos_token_id", tokens.index("<|endoftext|>"), "u32"),
        entry("tokenizer.ggml.eos_token_id", tokens.index("<|im_end|>"), "u32"),
        entry("tokenizer.ggml.padding_token_id", tokens.index("<|endoftext|>"), "u32"),
        entry("tokenizer.ggml.add_bos_token", False, "bool"),
        entry("tokenizer.chat_template", template, "str"),
    ]


def build(folder, kind):
    """The whole file as bytes."""
    entries = metadata(folder, kind)
    infos, body = [], bytearray()
    tensors = read_tensors(os.path.join(folder, "model.safetensors"))
    for name, (shape, values) in sorted(tensors.items(), key=lambda item: gguf_name(item[0])):
        stored = "f32" if len(shape) == 1 else kind
        infos.append(text(gguf_name(name)) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape),
                                                         TYPES[stored][0], len(body)))
        body += PACK[stored](values)
        body += bytes(-len(body) % ALIGNMENT)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(infos), len(entries)) + b"".join(entries) + b"".join(infos)
    return head + bytes(-len(head) % ALIGNMENT) + bytes(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--type", choices=TYPES, default="q8_0")
    args = parser.parse_args()
    whole = build(args.folder, args.type)
    with open(args.out + ".tmp", "wb") as f:
        f.write(whole)
    os.replace(args.out + ".tmp", args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
