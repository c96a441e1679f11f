#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cut seeds for the fuzz targets from the small models in tests/data: seeds.py (from anywhere)"""
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"


def save(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def whole_gguf(vocabulary, version=3):
    """A model of one tensor that opens, with or without a vocabulary."""
    keys = [text("general.architecture") + struct.pack("<I", 8) + text("qwen2")]
    for name, value in [("block_count", 1), ("context_length", 8), ("embedding_length", 8), ("feed_forward_length", 8),
                        ("attention.head_count", 2)]:
        keys.append(text("qwen2." + name) + struct.pack("<II", 4, value))
    keys.append(text("qwen2.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-6))
    if vocabulary:
        keys.append(text("tokenizer.ggml.model") + struct.pack("<I", 8) + text("llama"))
        keys.append(text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("</s>"))
        keys.append(text("tokenizer.ggml.scores") + struct.pack("<IIQff", 9, 6, 2, 0, -1))
        keys.append(text("tokenizer.ggml.token_type") + struct.pack("<IIQii", 9, 5, 2, 1, 3))
        keys.append(text("tokenizer.ggml.eos_token_id") + struct.pack("<II", 4, 1))
    table = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 8, 2, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(keys)) + b"".join(keys) + table
    return head + bytes(-len(head) % 32) + bytes(64)


def chat_templates():
    """The small templates that render, in files of 30, and one with messages of its own."""
    rows = json.loads((ROOT / "data" / "templates" / "own.json").read_text())["rows"]
    good = [row["source"] for row in rows if "text" in row]
    for first in range(0, len(good), 30):
        save("chat_template", f"own{first // 30}", "\n".join(good[first:first + 30]).encode())
    save("chat_template", "messages", b"{% for m in messages %}{{ m|tojson }}{% endfor %}\0" b'[{"role": "user", "content": "x"}]')


def apr_file(vocabulary):
    """A .apr model of one tensor; the target makes its checksums."""
    metadata = {"apr_dtype_table": "ggml", "architecture": "qwen2", "num_layers": 1, "hidden_size": 4, "num_heads": 2,
                "num_kv_heads": 1, "intermediate_size": 4, "max_position_embeddings": 8, "rms_norm_eps": 1e-6,
                "vocab_size": 2, "rope_type": 2, "generation": {"top_k": 1}}
    if vocabulary:
        metadata |= {"tokenizer.kind": "bpe", "tokenizer.model_type": "gpt2", "tokenizer.token_type": [1, 3],
                     "tokenizer.token_flags": [0, 3], "tokenizer.vocabulary": ["a", {"bytes": "ff00"}],
                     "tokenizer.merge_pairs": [["a", "a"]], "tokenizer.steps": [{"kind": 8, "pattern": "a", "regex": True}]}
    body = json.dumps(metadata).encode()
    name = b"model.embed_tokens.weight"
    index = struct.pack("<H", len(name)) + name + struct.pack("<BBQQQQ", 0, 2, 2, 4, 0, 32)
    at = 64 + (len(body) + 63) // 64 * 64
    data = at + (len(index) + 63) // 64 * 64
    head = b"APR\0" + struct.pack("<BBHIQIQQ", 2, 0, 0x1400, 1, 64, len(body), at, data) + bytes(24)
    return head + body + bytes(at - 64 - len(body)) + index + bytes(data - at - len(index)) + bytes(64 + 4)


def yaml_trees():
    """Settings, a recipe, and one document of each thing that is refused."""
    save("yaml_tree", "settings", b"# mine\ntemperature: 0.5\ntop_k: 7\nstop: [a, 'b']\nstream: no\nsystem: |\n  Be\n  brief.\n")
    save("yaml_tree", "recipe", b"model: ../m.gguf\nsystem: >-\n  x\ntemplate: chatml\nparameters:\n  temperature: 0\n"
                                b"stop:\n- \"\\u00e9\\x41\\0\"\n")
    save("yaml_tree", "alias", b"a: &x {b: 1}\nc: *x\n<<: *x\n")
    save("yaml_tree", "tag", b"%YAML 1.1\n%TAG !e! tag:e.org,2000:\n---\na: !e!x 1\n")
    save("yaml_tree", "deep", b"a: " + b"[" * 10 + b"{b: ~}" + b"]" * 10)
    save("yaml_tree", "documents", b"---\na: 1\n...\n---\n? [b]\n: 2\n")
    save("yaml_tree", "wide", "a: b\n".encode("utf-16"))
    save("yaml_tree", "many", b"".join(b"k%d: 1\n" % i for i in range(4000)))


def of_type(kind, **more):
    return {"type": kind} | more


def sequence(kind, steps):
    return of_type("Sequence", **{kind: steps})


BYTE_LEVEL = of_type("ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
MARKS = [of_type("Prepend", prepend="\u2581"), of_type("Replace", pattern={"String": " "}, content="\u2581")]
# name: normaliser, pre-tokeniser, decoder, byte fallback; between them every step that a tokenizer.json may hold
PIPELINES = {
    "normalizers": (sequence("normalizers", [of_type("NFC"), of_type("NFD"), of_type("NFKC"), of_type("NFKD"), of_type("Lowercase"),
                                             of_type("Strip", strip_left=True, strip_right=True), of_type(
                                                 "Replace", pattern={"Regex": "\\s+"}, content=" ")]),
                    BYTE_LEVEL, of_type("ByteLevel"), False),
    "splits": (None, sequence("pretokenizers", [
        of_type("Split", pattern={"Regex": r"\p{N}{1,3}|'(?i:[sdmt]|ll)| ?[^\s\p{L}]+"}, behavior=b, invert=b == "Removed") for b in BEHAVIORS]
        + [BYTE_LEVEL]), of_type("ByteLevel"), False),
    "cutters": (of_type("NFC"), sequence("pretokenizers", [
        of_type("Digits", individual_digits=True), of_type("Punctuation", behavior="Contiguous"), of_type("WhitespaceSplit"),
        of_type("Whitespace"), of_type("Split", pattern={"String": "l"}, behavior="MergedWithNext", invert=False), BYTE_LEVEL]),
        of_type("ByteLevel"), False),
    "metaspace": (None, of_type("Metaspace", replacement="\u2581", prepend_scheme="first", split=True), of_type(
        "Metaspace", replacement="\u2581", prepend_scheme="first", split=True), True),
    "marks": (sequence("normalizers", MARKS), None, sequence("decoders", [
        of_type("Replace", pattern={"String": "\u2581"}, content=" "), of_type("ByteFallback"), of_type("Fuse"),
        of_type("Strip", content=" ", start=1, stop=0)]), True),
}


def tokenizer_json(normalizer, pre_tokenizer, decoder, fallback):
    """A tokenizer of few tokens."""
    letters = ["H", "e", "l", "o", "\u0120", "\u2581", "1", "2", "it", "'s", "lo", "<0x0A>", "<0xFF>", "ll"]
    vocab = {t: i for i, t in enumerate(["<unk>", "<s>", "</s>"] + letters)}
    added = [{"id": i, "content": t, "single_word": i == 1, "lstrip": i == 1, "rstrip": i == 2, "normalized": False, "special": True}
             for i, t in enumerate(["<unk>", "<s>", "</s>"])]
    model = of_type("BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=fallback,
                    byte_fallback=fallback, ignore_merges=fallback, vocab=vocab, merges=[["l", "l"], ["l", "o"]] if fallback else ["l l", "l o"])
    post = of_type("TemplateProcessing", single=[{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                   pair=[], special_tokens={"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}})
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": post, "decoder": decoder, "model": model}


def older_config(config):
    """config.json as before transformers 5: the parameters of RoPE at the top."""
    config = dict(config)
    rope = dict(config.pop("rope_parameters", None) or {})
    rope = rope.get("full_attention", rope)
    config["rope_theta"] = rope.pop("rope_theta", 10000.0)
    config["rope_scaling"] = {"type" if k == "rope_type" else k: v for k, v in rope.items()} if len(rope) > 1 else None
    config["torch_dtype"] = config.pop("dtype", None)
    return config


def configs():
    """Of every architecture, newer and older."""
    for path in sorted((ROOT / "data" / "tiny").glob("*/config.json")):
        config = json.loads(path.read_text())
        save("config_json", path.parent.name, json.dumps(config).encode())
        save("config_json", path.parent.name + "-older", json.dumps(older_config(config)).encode())


def main():
    save("apr_file", "whole", apr_file(True))
    save("apr_file", "bare", apr_file(False))
    save("gguf", "keys", (ROOT / "data" / "gguf" / "tiny.gguf").read_bytes()[:3000])
    save("gguf", "part", (ROOT / "data" / "gguf" / "tiny-00002-of-00003.gguf").read_bytes()[:700])
    save("gguf", "whole", whole_gguf(True))
    save("gguf", "bare", whole_gguf(False, 2))
    for name in ["qwen2", "llama", "phi3", "gemma3", "qwen3moe"]:
        folder = ROOT / "data" / "hf" / name
        generation = folder / "generation_config.json"
        config = json.dumps(json.loads((folder / "config.json").read_text())).encode()
        save("config_json", name + "-generation", config + b"\0" + generation.read_bytes() if generation.exists() else config)
        weights = sorted(folder.glob("*.safetensors"))[-1].read_bytes()
        length = struct.unpack("<Q", weights[:8])[0]
        save("safetensors", name, weights[8:8 + min(length, 1500)])
    save("safetensors", "one", b'{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}\n\0\0\0')
    for name in ["qwen2", "llama"]:
        t = json.loads((ROOT / "data" / "hf" / name / "tokenizer.json").read_text())
        t["model"]["vocab"] = {k: v for k, v in t["model"]["vocab"].items() if v < 40}
        vocab = t["model"]["vocab"]
        t["model"]["merges"] = [m for m in t["model"]["merges"] if m[0] in vocab and m[1] in vocab and m[0] + m[1] in vocab]
        for added in t["added_tokens"]:
            added["id"] = added["id"] if added["id"] < 40 else added["id"] - 250
        save("tokenizer_json", name, json.dumps(t, ensure_ascii=False).encode())
    for name, steps in PIPELINES.items():
        save("tokenizer_json", name, json.dumps(tokenizer_json(*steps), ensure_ascii=False).encode())
    configs()
    chat_templates()
    yaml_trees()


main()
