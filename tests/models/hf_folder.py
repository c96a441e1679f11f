#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a real model as a Hugging Face folder: hf_folder.py APR RUN_GOLDEN DATA_FOLDER TYPE MODEL.gguf

DATA_FOLDER holds what transformers 5 had for a folder that it made itself from the same GGUF file with weights of TYPE
(bf16, f16, f32): TYPE.tensors, the CRC-32 of every tensor, TYPE.json, its greedy tokens in F32, and its config files
(tests/references/golden_from_transformers.py). The folder is made here without it: `apr convert`, vectors in TYPE too, in
five shards. Every tensor must have the recorded bytes. Then the recorded tokens must come out, by the folder, the index, a
shard, and the folder as the snapshot of a Hugging Face cache, whose files are links; and memory must stay within the
weights, the keys and values, a tenth and 32 MiB.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

SHARDS = 5
FORMATS = {"bf16": "BF16", "f16": "F16", "f32": "F32"}


def rounded(data, kind):
    """F32 numbers in another type, to nearest, ties to even."""
    count = len(data) // 4
    if kind == "F16":
        return struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", data))
    bits = struct.unpack(f"<{count}I", data)
    return struct.pack(f"<{count}H", *((b + 0x7fff + (b >> 16 & 1)) >> 16 for b in bits))


def read_tensors(path, kind):
    """(name, entry, bytes) of each tensor, F32 vectors rounded to the type."""
    with open(path, "rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items()):
            begin, end = entry["data_offsets"]
            f.seek(8 + length + begin)
            data = f.read(end - begin)
            if entry["dtype"] != kind:
                data, entry["dtype"] = rounded(data, kind), kind
            yield name, entry, data


def write_shards(single, folder, kind, expected):
    """Five files and their index; returns the bytes of all tensors."""
    tensors = dict(line.split(" ", 1) for line in open(expected, encoding="utf-8").read().splitlines())
    names = [f"model-{i + 1:05}-of-{SHARDS:05}.safetensors" for i in range(SHARDS)]
    size = os.path.getsize(single) / SHARDS
    parts, headers, places, written = [open(os.path.join(folder, n + ".data"), "wb") for n in names], [{} for _ in names], {}, 0
    for name, entry, data in read_tensors(single, kind):
        found = f"{kind} {zlib.crc32(data):08x}"
        if tensors.pop(name, None) != found:
            sys.exit(f"{name} is {found}, which is not what transformers has")
        shard = min(int(written / size), SHARDS - 1)
        entry["data_offsets"] = [parts[shard].tell(), parts[shard].tell() + len(data)]
        headers[shard][name], places[name] = entry, names[shard]
        parts[shard].write(data)
        written += len(data)
    if tensors:
        sys.exit(f"missing: {sorted(tensors)[:3]}")
    for name, header, part in zip(names, headers, parts):
        part.close()
        text = json.dumps(header).encode()
        with open(os.path.join(folder, name), "wb") as out, open(part.name, "rb") as data:
            out.write(struct.pack("<Q", len(text)) + text)
            shutil.copyfileobj(data, out)
        os.remove(part.name)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as f:
        json.dump({"metadata": {"total_size": written}, "weight_map": places}, f)
    return written


def as_cache(folder, root):
    """A Hugging Face cache's entry: blobs, and a snapshot of links to them."""
    entry = os.path.join(root, "models--test--coder")
    snapshot, blobs = os.path.join(entry, "snapshots", "0123456789abcdef"), os.path.join(entry, "blobs")
    os.makedirs(snapshot)
    os.makedirs(blobs)
    for number, name in enumerate(sorted(os.listdir(folder))):
        os.link(os.path.join(folder, name), os.path.join(blobs, str(number)))
        os.symlink(os.path.join("..", "..", "blobs", str(number)), os.path.join(snapshot, name))
    return entry


def answer(apr, path, prompt):
    words = [apr, "run", path, prompt, "--chat", "--temperature", "0", "-n", "16", "--no-gpu", "-c", "4096", "--json"]
    # MALLOC_PERTURB_, which meson sets, writes all that is allocated: memory that no run of a user has resident
    variables = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
    return json.loads(subprocess.run(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True, env=variables).stdout)


def check_ways(apr, folder, root, weights, golden):
    with open(golden, encoding="utf-8") as f:
        prompt = json.load(f)["cases"][5]["messages"][0]["content"]
    first = answer(apr, folder, prompt)
    memory, allowed = first["memory"], weights + first["memory"]["kv_bytes"]
    allowed += allowed // 10 + (32 << 20)
    print(f"memory {memory['peak_rss_bytes']} bytes, weights {weights}, allowed {allowed}")
    if memory["peak_rss_bytes"] > allowed:
        sys.exit("too much memory")
    for path in (f"{folder}/model.safetensors.index.json", f"{folder}/model-00003-of-00005.safetensors", as_cache(folder, root)):
        if answer(apr, path, prompt)["ids"] != first["ids"]:
            sys.exit(f"{path}: not the tokens of the folder")


def main():
    apr, run_golden, data, kind, gguf = sys.argv[1:]
    golden = os.path.join(data, f"{kind}.json")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(gguf), prefix=".hf-") as root:
        made, folder = os.path.join(root, "made"), os.path.join(root, "folder")
        subprocess.run([apr, "-q", "convert", gguf, "-o", made, "--format", "safetensors", "--quantize", kind], check=True)
        os.mkdir(folder)
        weights = write_shards(os.path.join(made, "model.safetensors"), folder, FORMATS[kind], os.path.join(data, f"{kind}.tensors"))
        os.rename(os.path.join(made, "tokenizer.json"), os.path.join(folder, "tokenizer.json"))
        shutil.rmtree(made)
        for name in ("config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(os.path.join(data, name), folder)
        check_ways(apr, folder, root, weights, golden)
        sys.exit(subprocess.run([sys.executable, run_golden, "--apr", apr, "--model", folder, golden, "--", "--no-gpu"],
                                check=False).returncode)


if __name__ == "__main__":
    main()
