#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kept.py APR MODEL...: nothing of a model is lost on the way through the other formats and back.

Each MODEL (a GGUF file, or "demo") goes to a Hugging Face folder, to .apr, and from each of these to all others. Of every
file on the way are compared with the source, field by field: name, config, chat template, generation defaults, tokens with
their types, merges, special tokens, the ids of a text of many scripts, shape and checksum of the values of every tensor; and
every entry of the source's own metadata, wherever a GGUF file came out.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

WAYS = ["s", "a", "sg", "sa", "as", "ag", "sag", "asg", "sas"]
TARGETS = {"s": "-safetensors", "a": ".apr", "g": ".gguf"}
# how a format stores rows and norms
CONVENTIONS = ["rope_type", "norm_weight_offset"]
# of the file and its weights, not of the model
OF_THE_FILE = ["general.file_type", "general.quantization_version", "general.alignment", "tokenizer.ggml.scores"]
# what must never be lost, and has to be there at all in these models
NEVER_LOST = ["architecture", "num_kv_heads", "rope_type", "rope_theta", "rms_norm_eps", "head_dim", "bos_token_id",
              "eos_token_id", "chat_template", "tied_embeddings"]


def run(apr, *words):
    done = subprocess.run([apr, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"apr {' '.join(words)}: {done.stderr}")
    return done.stdout


def facts_of(apr, path):
    """Everything that two files of one model have to agree on, and the whole metadata."""
    canary = json.loads(run(apr, "canary", "create", path))
    metadata = json.loads(run(apr, "inspect", path, "--json", "--vocab"))["metadata"]
    facts = {"name": canary["model_name"], "text": canary["input"], "template": metadata["chat_template"]}
    facts.update({"config." + k: v for k, v in canary["config"].items() if k not in CONVENTIONS})
    facts.update({"tokenizer." + k: v for k, v in canary["tokenizer"].items()})
    for name, tensor in canary["tensors"].items():
        facts["tensor." + name] = [tensor["shape"], tensor["crc32"]]
    for key in NEVER_LOST:
        assert metadata.get(key) is not None, f"{path}: no {key}"
    return facts, metadata


def compare(what, source, now):
    lost = [key for key in source if key not in now]
    changed = [key for key in source if key in now and now[key] != source[key]]
    if lost or changed:
        detail = [f"{key}: {str(source[key])[:80]} became {str(now[key])[:80]}" for key in changed[:5]]
        sys.exit(f"{what}: lost {lost[:5]}, changed {detail}")


def own_entries(metadata):
    """The file's own keys, those with a dot in GGUF files."""
    return {k: v for k, v in metadata.items() if "." in k and k not in OF_THE_FILE}


def check_tokenizer(path):
    """The tokenizers library takes the id of an added token from the vocabulary, else it makes up one."""
    with open(os.path.join(path, "tokenizer.json"), encoding="utf-8") as file:
        tokenizer = json.load(file)
    for token in tokenizer["added_tokens"]:
        assert tokenizer["model"]["vocab"].get(token["content"]) == token["id"], token


def walk(apr, folder, model, way, source, path):
    """Convert `path`, which came by `way`, to what follows it on the ways; no file stays longer than it is needed."""
    facts, metadata = source
    for following in (w for w in WAYS if len(w) == len(way) + 1 and w.startswith(way)):
        target = os.path.join(folder, following + TARGETS[following[-1]])
        run(apr, "-q", "convert", path, "-o", target)
        found, entries = facts_of(apr, target)
        compare(f"{model}, by way of {following}", facts, found)
        if following[-1] == "s":
            check_tokenizer(target)
        if following[-1] == "g":
            compare(f"{model}, by way of {following}, metadata", own_entries(metadata), own_entries(entries))
        walk(apr, folder, model, following, source, target)
        if os.path.isdir(target):
            shutil.rmtree(target)
        else:
            os.remove(target)


def check(apr, model):
    source = facts_of(apr, model)
    with tempfile.TemporaryDirectory() as folder:
        walk(apr, folder, model, "", source, model)
    print(f"{model}: {len(source[0])} facts, {len(own_entries(source[1]))} entries, {len(WAYS)} ways")


for argument in sys.argv[2:]:
    check(os.path.abspath(sys.argv[1]), argument)
