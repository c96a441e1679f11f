#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other programs on what apr writes: exports_read.py APR LLAMA-SERVER MODEL.gguf...

Each model goes to .apr and back to GGUF: llama.cpp must give the same greedy tokens for the file that comes out as for the
one that went in. And to a SafeTensors folder: transformers must read it with its own config and tokenizer, have the logits
that it has for the GGUF file (which it dequantises itself), the ids that `apr tokenize` has, and render its chat template
as `apr render` does. Prints a line for each; the exit status is 1 when one differs.
Needs: torch, transformers, accelerate, gguf, a llama-server of llama.cpp.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

import torch
import transformers

PORT = 8397
PROMPTS = ["def fibonacci(n):\n", "Once upon a time, in a village by the sea,", "int main(void)\n{\n"]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Write strlen in C.\n\tThanks!"}]
TOKENS = 48


def call(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def post(path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def peer_tokens(server, model):
    """llama.cpp's greedy tokens for every prompt."""
    process = subprocess.Popen([server, "-m", model, "-t", "2", "-c", "2048", "--port", str(PORT), "--no-repack"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        body = {"n_predict": TOKENS, "temperature": 0, "top_k": 1, "cache_prompt": False, "return_tokens": True, "seed": 1}
        return [post("/completion", {"prompt": prompt, **body})["tokens"] for prompt in PROMPTS]
    finally:
        process.terminate()
        process.wait()


@torch.no_grad()
def logits(model, ids):
    return torch.stack([model(input_ids=torch.tensor([row])).logits[0, -1] for row in ids]).double()


def check_folder(apr, model, folder):
    """(what, whether it holds) of a SafeTensors folder beside the GGUF file."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in PROMPTS]
    ours = [json.loads(call(apr, "tokenize", model, prompt, "--json"))["ids"] for prompt in PROMPTS]
    yield "ids of its tokenizer", ids == ours
    text = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(MESSAGES, f)
        f.flush()
        yield "its chat template", text == call(apr, "render", model, "--messages", f.name)
    where, name = os.path.split(os.path.abspath(model))
    source = transformers.AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32).eval()
    want = logits(source, ids)
    del source
    got = logits(transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), ids)
    error = float((got - want).norm() / want.norm())
    yield f"its logits (relative {error:.1e})", error <= 1e-6


def check(apr, server, model, folder):
    native, back, hf = (os.path.join(folder, name) for name in ("m.apr", "m.gguf", "hf"))
    call(apr, "-q", "convert", model, "-o", native)
    call(apr, "-q", "convert", native, "-o", back)
    call(apr, "-q", "convert", native, "-o", hf, "--format", "safetensors")
    yield "llama.cpp's tokens for the GGUF export", peer_tokens(server, back) == peer_tokens(server, model)
    for what, holds in check_folder(apr, model, hf):
        yield f"transformers with the folder: {what}", holds


def main():
    apr, server, *models = sys.argv[1:]
    failed = 0
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            for what, holds in check(apr, server, model, folder):
                failed += not holds
                print(f"{'ok    ' if holds else 'FAILED'} {os.path.basename(model)}: {what}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
