#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record the ids that other tokenizers give to generated texts, as SHA-256 sums.

    tokenizer_ids.py small GENERATOR OUT.json
        trains two small vocabularies, and records Hugging Face's ids for every family over them
    tokenizer_ids.py model GENERATOR MODEL.gguf OUT.json [--json TOKENIZER.json] [--chunks N]
                     [--strings N] [--llama-cpp LLAMA_CPP_IDS | --tiktoken NAME | --mistral-common TEKKEN.json]
        records the ids for the vocabulary of a real file: Hugging Face's over its published pipeline
        (tokenizer_families.py), or over TOKENIZER.json, or llama.cpp's (llama_cpp_ids.c), or those of
        tiktoken for one of its encodings, or of mistral-common for a file of its own

GENERATOR is the program tests/support/tokenizer_text of a build. tests/unit/realizar/tokenizer_ids.c
reads what this writes.
"""
import argparse
import hashlib
import importlib.metadata
import json
import re
import struct
import subprocess

import tokenizer_families
import tokenizer_pipelines
import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, trainers

KINDS = ["code", "prose", "chinese", "emoji", "control", "runs", "unicode", "strings"]
CHUNK_BYTES = 65536
SEED = 20


def generate(generator, kind, first, count, size):
    out = subprocess.run([generator, kind, str(first), str(count), str(size)], check=True,
                         stdout=subprocess.PIPE).stdout
    records, at = [], 0
    while at < len(out):
        length, = struct.unpack_from("<I", out, at)
        records.append(out[at + 4:at + 4 + length])
        at += 4 + length
    return records


def with_tokenizers(tokenizer):
    def encode(records):
        texts = [record.decode() for record in records]
        return [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return encode


def with_llama_cpp(program, model):
    def encode(records):
        data = b"".join(struct.pack("<I", len(r)) + r for r in records)
        out = subprocess.run([program, model], input=data, check=True, stdout=subprocess.PIPE).stdout
        ids, at = [], 0
        for _ in records:
            n, = struct.unpack_from("<I", out, at)
            ids.append(struct.unpack_from(f"<{n}i", out, at + 4))
            at += 4 + 4 * n
        return ids
    return encode


def with_tiktoken(name):
    import tiktoken
    encoding = tiktoken.get_encoding(name)
    return lambda records: [encoding.encode(record.decode(), allowed_special="all") for record in records]


def with_tekken(path):
    """mistral-common leaves special tokens to its caller: they are cut out here."""
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    tokenizer = Tekkenizer.from_file(path)
    special = {tokenizer.id_to_piece(i): i for i in range(tokenizer.num_special_tokens)}
    cut = re.compile("(" + "|".join(re.escape(s) for s in sorted(special, key=len, reverse=True)) + ")")

    def encode(record):
        ids = []
        for piece in cut.split(record.decode()):
            ids += [special[piece]] if piece in special else tokenizer.encode(piece, bos=False, eos=False)
        return ids
    return lambda records: [encode(record) for record in records]


def packed(ids):
    return struct.pack(f"<{len(ids)}i", *ids)


def record(generator, encode, name, chunks, strings, kinds=KINDS):
    texts = {}
    for kind in kinds:
        ids = encode(generate(generator, kind, 0, chunks, CHUNK_BYTES))
        texts[kind] = [hashlib.sha256(packed(i)).hexdigest() for i in ids]
    sums = []
    all_strings = generate(generator, "string", SEED, strings, CHUNK_BYTES)
    for first in range(0, strings, 1000):
        ids = encode(all_strings[first:first + 1000])
        sums.append(hashlib.sha256(b"".join(struct.pack("<I", len(i)) + packed(i) for i in ids)).hexdigest())
    return {"name": name, "chunk_bytes": CHUNK_BYTES, "texts": texts,
            "strings": {"seed": SEED, "sha256": sums}}


# ---- small vocabularies ------------------------------------------------------------------------

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>"]
ADDED = ["<tool_call>"]


def training_texts(generator):
    return [r.decode() for kind in ("code", "prose", "chinese", "unicode", "emoji")
            for r in generate(generator, kind, 1000, 2, CHUNK_BYTES)]


def train_byte_level(generator):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = tokenizer_families.byte_level(True)
    tokenizer.train_from_iterator(training_texts(generator), trainers.BpeTrainer(
        vocab_size=1200, show_progress=False, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    return {"tokens": tokens + SPECIAL + ADDED, "merges": merges,
            "types": [1] * len(tokens) + [3] * len(SPECIAL) + [4] * len(ADDED)}


def train_sentencepiece(generator):
    """Pieces with scores, trained as BPE over text whose spaces are U+2581."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.train_from_iterator(training_texts(generator), trainers.BpeTrainer(
        vocab_size=1500, show_progress=False, limit_alphabet=400, initial_alphabet=["\u2581"]))
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    pieces = [p for p in sorted(vocab, key=vocab.get) if p not in SPECIAL]
    pieces.sort(key=len)  # characters come last in a real file; here first, all at one score
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)] + pieces
    types = [2, 3, 3] + [6] * 256 + [1] * len(pieces)
    rank = {p: i for i, p in enumerate(sorted(vocab, key=vocab.get))}
    scores = [0.0] * 259 + [-float(rank[p]) for p in pieces]
    return {"tokens": tokens, "types": types, "scores": scores}


def sentencepiece_model(vocabulary):
    return tokenizer_families.sentencepiece_model(vocabulary["tokens"], vocabulary["scores"], vocabulary["types"])


def byte_level_model(vocabulary, ignore_merges=False):
    return models.BPE(vocab={t: i for i, t in enumerate(vocabulary["tokens"])},
                      merges=[tuple(m.split(" ")) for m in vocabulary["merges"]], ignore_merges=ignore_merges)


def assemble(model_, vocabulary, normalizer, steps):
    tokenizer = Tokenizer(model_)
    if normalizer:
        tokenizer.normalizer = normalizers.Sequence(normalizer)
    if steps:
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(steps)
    of_type = {k: [AddedToken(t, normalized=False) for t, k_ in zip(vocabulary["tokens"], vocabulary["types"])
                   if k_ == k] for k in (2, 3, 4)}
    tokenizer.add_special_tokens(of_type[2] + of_type[3])
    tokenizer.add_tokens(of_type[4])
    return tokenizer


def small(arguments):
    byte = train_byte_level(arguments.generator)
    sentencepiece = train_sentencepiece(arguments.generator)
    made = {"byte": (byte, byte_level_model), "sentencepiece": (sentencepiece, sentencepiece_model)}
    families = []

    def add(name, vocabulary, tokenizer, strings=2000, **more):
        families.append(record(arguments.generator, with_tokenizers(tokenizer), name, 1, strings) |
                        {"vocabulary": vocabulary} | more)
    for pre, (normalizer, steps, ignore_merges) in tokenizer_families.FAMILIES.items():
        add(pre, "byte", assemble(byte_level_model(byte, ignore_merges), byte, [normalizer] if normalizer else [], steps))
    add("default", "sentencepiece", assemble(sentencepiece_model(sentencepiece), sentencepiece, [
        normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")], []))
    for name, vocabulary, normalizer, pre_tokenizer, steps in tokenizer_pipelines.PIPELINES:
        data, model_of = made[vocabulary]
        add(name, vocabulary, assemble(model_of(data), data, normalizer, pre_tokenizer), strings=1000, steps=steps)
    return {"vocabularies": {"byte": byte, "sentencepiece": sentencepiece}}, families


# ---- real files --------------------------------------------------------------------------------

def model(arguments):
    if arguments.llama_cpp:
        encode, name = with_llama_cpp(arguments.llama_cpp, arguments.model), "llama.cpp"
    elif arguments.tiktoken:
        encode, name = with_tiktoken(arguments.tiktoken), "tiktoken " + arguments.tiktoken
    elif arguments.mistral_common:
        encode, name = with_tekken(arguments.mistral_common), "mistral-common"
    elif arguments.json:
        encode, name = with_tokenizers(Tokenizer.from_file(arguments.json)), "tokenizer.json"
    else:
        name, tokenizer = tokenizer_families.from_gguf(arguments.model)
        encode = with_tokenizers(tokenizer)
    return {}, [record(arguments.generator, encode, name, arguments.chunks, arguments.strings)]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("small")
    one.set_defaults(run=small)
    two = commands.add_parser("model")
    two.set_defaults(run=model)
    for command in (one, two):
        command.add_argument("generator")
    two.add_argument("model")
    for command in (one, two):
        command.add_argument("out")
    two.add_argument("--json")
    two.add_argument("--llama-cpp")
    two.add_argument("--tiktoken")
    two.add_argument("--mistral-common")
    two.add_argument("--chunks", type=int, default=10)
    two.add_argument("--strings", type=int, default=100000)
    arguments = parser.parse_args()
    data, families = arguments.run(arguments)
    package = next((p for p in ("tiktoken", "mistral_common") if getattr(arguments, p, None)), "tokenizers")
    data["made_by"] = f"tests/references/tokenizer_ids.py, {package} {importlib.metadata.version(package)}"
    data["families"] = families
    with open(arguments.out, "w", encoding="utf-8") as out:
        json.dump(data, out, ensure_ascii=False, indent=0)
        out.write("\n")


if __name__ == "__main__":
    main()
