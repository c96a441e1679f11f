#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record transformers' greedy tokens for a Hugging Face folder, computed in F32: golden_from_transformers.py FOLDER
PROMPTS.json OUT

OUT.json gets what golden_from_llama_server.py writes: ids of the prompt, the ids that followed, and the margin of each over
the second best. OUT.tensors gets a line a tensor as the safetensors package reads it: name, type, CRC-32 of its bytes.
Needs: torch, transformers, safetensors.
"""
import argparse
import json
import pathlib
import zlib

import torch
import transformers
from safetensors import safe_open

import golden_from_llama_server as golden

TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def list_tensors(folder, out):
    lines = []
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as f:
            for name in f.keys():
                t = f.get_tensor(name).contiguous()
                lines.append(f"{name} {TYPES[t.dtype]} {zlib.crc32(t.view(torch.uint8).numpy().tobytes()):08x}\n")
    pathlib.Path(out).write_text("".join(sorted(lines)), encoding="utf-8")


@torch.no_grad()
def generate(model, tokenizer, messages, count, ends):
    rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    prompt = tokenizer(rendered, add_special_tokens=False).input_ids
    ids, margins, past, step = [], [], None, torch.tensor([prompt])
    while len(ids) < count and not (ids and ids[-1] in ends):
        out = model(input_ids=step, past_key_values=past, use_cache=True, logits_to_keep=1)
        best = out.logits[0, -1].topk(2)
        ids.append(int(best.indices[0]))
        margins.append(round(float(best.values[0] - best.values[1]), 5))
        past, step = out.past_key_values, torch.tensor([[ids[-1]]])
    stopped = ids[-1] in ends
    return {"messages": messages, "rendered": rendered, "prompt_ids": prompt, "ids": ids, "margins": margins,
            "text": tokenizer.decode(ids[:-1] if stopped else ids), "stop": "eos" if stopped else "limit"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("prompts")
    parser.add_argument("out")
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--tolerance", type=float, default=0.15, help="the margin below which a reader may differ")
    args = parser.parse_args()
    list_tensors(args.folder, args.out + ".tensors")
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.folder, dtype=torch.float32).eval()
    ends = model.generation_config.eos_token_id
    with open(args.prompts, encoding="utf-8") as f:
        prompts = json.load(f)["chat"]
    cases = [generate(model, tokenizer, m, args.tokens, ends if isinstance(ends, list) else [ends]) for m in prompts]
    reference = f"transformers {transformers.__version__}, torch {torch.__version__}, CPU, F32"
    golden.write(args.out + ".json", {"model": pathlib.Path(args.folder).name, "reference": reference, "tokens": args.tokens,
                                      "tolerance": args.tolerance}, cases)
    print(args.out, [len(case["ids"]) for case in cases])


if __name__ == "__main__":
    main()
