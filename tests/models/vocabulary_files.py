# SPDX-License-Identifier: MIT
"""Vocabulary-only GGUF files of vocabularies that are published in other forms.

The forms: lists of byte strings by rank (tiktoken's, Mistral's tekken.json) and SentencePiece models. Nothing outside
Python's own library is needed.
"""
import base64
import json
import struct

UINT32, FLOAT32, INT32, BOOL, STRING, ARRAY = 4, 6, 5, 7, 8, 9
NORMAL, CONTROL, UNUSED = 1, 3, 5
TEKKEN_SPECIAL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
                  "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
                  "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"]


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def one(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def write(path, architecture, keys):
    """keys: name, type, value; a list becomes an array of the type."""
    keys = [("general.architecture", STRING, architecture)] + keys
    with open(path, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)))
        for name, kind, value in keys:
            many = isinstance(value, list)
            out.write(text(name) + (struct.pack("<IIQ", ARRAY, kind, len(value)) if many else struct.pack("<I", kind)))
            out.write(b"".join(one(kind, v) for v in (value if many else [value])))


def byte_characters():
    """The character that stands for each byte in byte-level vocabularies: itself where it prints, else one from U+0100 on."""
    plain = [b for b in range(256) if 0x21 <= b <= 0x7e or 0xa1 <= b <= 0xac or 0xae <= b]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + n) for n, b in enumerate(others)}


def merges_of(ranks):
    """Every way to put a token together from two others, by its rank, then by theirs."""
    merges = []
    for token in ranks:
        halves = [(token[:i], token[i:]) for i in range(1, len(token))]
        merges += sorted((h for h in halves if h[0] in ranks and h[1] in ranks), key=lambda h: (ranks[h[0]], ranks[h[1]]))
    return merges


def write_ranks(path, pre, tokens, special, first, add_bos):
    """tokens: byte strings by rank, whose ids begin at first; special: id to text."""
    shown = byte_characters()

    def spell(data):
        return "".join(shown[b] for b in data)
    count = max(first + len(tokens), max(special) + 1)
    names, types = [f"<unused {i}>" for i in range(count)], [UNUSED] * count
    for i, token in enumerate(tokens):
        names[first + i], types[first + i] = spell(token), NORMAL
    for i, token in special.items():
        names[i], types[i] = token, CONTROL
    merges = [spell(a) + " " + spell(b) for a, b in merges_of({t: i for i, t in enumerate(tokens)})]
    by_name = {name: i for i, name in special.items()}
    write(path, "llama" if pre == "tekken" else "gpt2", [
        ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.pre", STRING, pre),
        ("tokenizer.ggml.tokens", STRING, names), ("tokenizer.ggml.token_type", INT32, types),
        ("tokenizer.ggml.merges", STRING, merges),
        ("tokenizer.ggml.bos_token_id", UINT32, by_name.get("<s>", by_name.get("<|endoftext|>"))),
        ("tokenizer.ggml.eos_token_id", UINT32, by_name.get("</s>", by_name.get("<|endoftext|>"))),
        ("tokenizer.ggml.add_bos_token", BOOL, add_bos)])


def write_o200k(path, data):
    """data: lines of a token in base 64 and its rank."""
    rows = [line.split() for line in data.splitlines() if line]
    tokens = [base64.b64decode(token) for token, _ in sorted(rows, key=lambda r: int(r[1]))]
    write_ranks(path, "gpt-4o", tokens, {199999: "<|endoftext|>", 200018: "<|endofprompt|>"}, 0, False)


def write_tekken(path, data):
    """data: tekken.json of version 3, which does not list its special tokens."""
    published = json.loads(data)
    config = published["config"]
    first = config["default_num_special_tokens"]
    special = dict(enumerate(TEKKEN_SPECIAL + [f"<SPECIAL_{i}>" for i in range(len(TEKKEN_SPECIAL), first)]))
    rows = sorted(published["vocab"], key=lambda row: row["rank"])[:config["default_vocab_size"] - first]
    write_ranks(path, "tekken", [base64.b64decode(row["token_bytes"]) for row in rows], special, first, True)


def fields(data):
    """(number, value) of each field of a protocol buffer message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        yield number, data[at:at + size]
        at += size


def write_sentencepiece(path, data):
    pieces = [dict(fields(value)) for number, value in fields(data) if number == 1]
    types = [piece.get(3, NORMAL) for piece in pieces]  # its numbers are GGUF's
    by_name = {piece[1]: i for i, piece in enumerate(pieces)}
    write(path, "llama", [
        ("tokenizer.ggml.model", STRING, "llama"), ("tokenizer.ggml.pre", STRING, "default"),
        ("tokenizer.ggml.tokens", STRING, [piece[1] for piece in pieces]),
        ("tokenizer.ggml.scores", FLOAT32, [struct.unpack("<f", piece.get(2, bytes(4)))[0] for piece in pieces]),
        ("tokenizer.ggml.token_type", INT32, types),
        ("tokenizer.ggml.bos_token_id", UINT32, by_name[b"<s>"]), ("tokenizer.ggml.eos_token_id", UINT32, by_name[b"</s>"]),
        ("tokenizer.ggml.unknown_token_id", UINT32, types.index(2)),
        ("tokenizer.ggml.add_bos_token", BOOL, True)])
