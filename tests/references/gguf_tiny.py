#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write small GGUF files with the gguf package, and what its own reader finds in them: gguf_tiny.py FOLDER

tiny.gguf           a qwen2 model of one layer with every metadata type
tiny-0000?-of-00003.gguf  the same tensors as a split set
tiny.txt, tiny-split.txt  one line a key and a tensor, made by the package's reader, which the unit test compares with
"""
import pathlib
import sys
import zlib

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

HIDDEN, FFN, HEADS, KV_HEADS, VOCAB = 64, 96, 4, 2, 12


def add_keys(w):
    w.add_name("tiny é")
    w.add_block_count(1)
    w.add_context_length(128)
    w.add_embedding_length(HIDDEN)
    w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1e6)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list([b"a", b"b", b"ab", "\u0120".encode(), b"<|im_end|>", b"<|endoftext|>", b"<tool>", b"c", b"d", b"e",
                      b"f", b"unused"])
    w.add_token_types([1, 1, 1, 1, 3, 3, 4, 1, 1, 1, 1, 5])
    w.add_token_merges(["a b"])
    w.add_bos_token_id(5)
    w.add_eos_token_id(4)
    w.add_add_bos_token(False)
    w.add_chat_template("{{ messages }}")
    w.add_key_value("general.sampling.temp", 0.5, GGUFValueType.FLOAT32)
    w.add_key_value("general.sampling.top_k", 7, GGUFValueType.INT32)
    for name, value in [("UINT8", 200), ("INT8", -100), ("UINT16", 60000), ("INT16", -30000), ("UINT32", 4000000000),
                        ("INT32", -2000000000), ("FLOAT32", 0.1), ("BOOL", True), ("UINT64", 2**63 + 5),
                        ("INT64", -2**62), ("FLOAT64", 0.1), ("STRING", "text")]:
        w.add_key_value("test.scalar." + name.lower(), value, GGUFValueType[name])
        if name != "STRING":
            w.add_key_value("test.array." + name.lower(), [value, type(value)(1)], GGUFValueType.ARRAY,
                            GGUFValueType[name])


def tensors():
    random = numpy.random.default_rng(7)
    kv = HIDDEN // HEADS * KV_HEADS
    shapes = [("token_embd.weight", (VOCAB, HIDDEN)), ("output_norm.weight", (HIDDEN,)),
              ("blk.0.attn_norm.weight", (HIDDEN,)), ("blk.0.attn_q.weight", (HIDDEN, HIDDEN)),
              ("blk.0.attn_q.bias", (HIDDEN,)), ("blk.0.attn_k.weight", (kv, HIDDEN)), ("blk.0.attn_k.bias", (kv,)),
              ("blk.0.attn_v.weight", (kv, HIDDEN)), ("blk.0.attn_v.bias", (kv,)),
              ("blk.0.attn_output.weight", (HIDDEN, HIDDEN)), ("blk.0.ffn_norm.weight", (HIDDEN,)),
              ("blk.0.ffn_gate.weight", (FFN, HIDDEN)), ("blk.0.ffn_up.weight", (FFN, HIDDEN)),
              ("blk.0.ffn_down.weight", (HIDDEN, FFN)), ("extra.weight", (2, 3, 32))]
    for name, shape in shapes:
        data = random.standard_normal(shape, dtype=numpy.float32)
        if len(shape) == 1:
            yield name, data, None
        elif name == "extra.weight":
            yield name, data.astype(numpy.float16), None
        else:
            yield name, quants.quantize(data, GGMLQuantizationType.Q8_0), GGMLQuantizationType.Q8_0


def write(path, **split):
    w = GGUFWriter(path, "qwen2", **split)
    add_keys(w)
    for name, data, kind in tensors():
        w.add_tensor(name, data, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def describe(paths):
    for number, path in enumerate(paths):
        reader = GGUFReader(path)
        if number == 0:
            for key, field in reader.fields.items():
                if not key.startswith("GGUF."):
                    count = len(field.data) if field.types[0] == GGUFValueType.ARRAY else 1
                    yield f"key {key} {'/'.join(t.name for t in field.types)} {count}"
        for t in reader.tensors:
            dims = " ".join(str(d) for d in reversed(t.shape.tolist()))
            yield f"tensor {t.name} {t.tensor_type.name} {number} {t.data_offset} {t.n_bytes} {zlib.crc32(t.data.tobytes()):08x} {dims}"


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "tiny.gguf")
    write(folder / "tiny", split_max_tensors=6)
    parts = sorted(folder.glob("tiny-0000?-of-00003.gguf"))
    for name, paths in [("tiny.txt", [folder / "tiny.gguf"]), ("tiny-split.txt", parts)]:
        (folder / name).write_text("\n".join(describe(paths)) + "\n")


main()
