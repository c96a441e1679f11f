#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train the demo model and write its Hugging Face folder: train.py OUTDIR [--steps N] [--from FOLDER --rate R]

Qwen2 architecture with grouped-query attention, Q/K/V bias and tied embeddings; every weight matrix is rounded at the end to
int8 times a power of two per 32 values, so that one and the same model is exact as BF16, F16, F32 and Q8_0.
Seeds are fixed; the result still depends on the processor and the library versions, which is why the folder is committed.
Needs: torch, transformers, tokenizers (versions used: docs/demo-model.md). Takes about 15 minutes on two cores.
"""
import argparse
import json
import math
import os
import random
import time

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM

import check
import corpus

SEED = 20250131
VOCAB = 1280  # rows of the embedding; the last few are padding that no token uses, as in the large Qwen2 models
BASE = 1264   # bytes and merges
ROW = 256     # tokens of a training row
BATCH = 16
PEAK_RATE = 4e-3
WARM_UP = 100
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN2_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
               r"\s+(?!\S)|\s+")
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
            "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def make_tokenizer(r):
    """Byte-level BPE with the Qwen2 pre-tokenizer, trained on the contents of messages (special tokens never enter)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    texts = [corpus.plain(r) for _ in range(2000)]
    texts += [part for _ in range(6000) for m in corpus.conversation(r) for part in (m["role"] + "\n", m["content"], "\n")]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=BASE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    return tokenizer


def document(r, tokenizer):
    """Ids of one document, and for each whether it is learnt: questions are random and would teach nothing."""
    if r.random() < 0.15:
        ids = tokenizer.encode(corpus.plain(r)).ids + [tokenizer.token_to_id("<|endoftext|>")]
        return ids, [True] * len(ids)
    ids, learnt = [], []
    for m in corpus.conversation(r):
        head = tokenizer.encode(f"<|im_start|>{m['role']}\n").ids
        body = tokenizer.encode(f"{m['content']}<|im_end|>").ids
        tail = tokenizer.encode("\n").ids
        ids += head + body + tail
        learnt += [False] * len(head) + [m["role"] == "assistant"] * len(body) + [False] * len(tail)
    return ids, learnt


def batch(r, tokenizer):
    """BATCH rows that begin with a document and hold as many as fit; labels of -100 are not learnt."""
    rows, labels = [], []
    for _ in range(BATCH):
        ids, learnt = [], []
        while len(ids) < ROW:
            more, flags = document(r, tokenizer)
            ids, learnt = ids + more, learnt + flags
        rows.append(ids[:ROW])
        labels.append([t if flag else -100 for t, flag in zip(ids[:ROW], learnt)])
    return torch.tensor(rows), torch.tensor(labels)


def make_model(tokenizer):
    end = tokenizer.token_to_id("<|im_end|>")
    start = tokenizer.token_to_id("<|endoftext|>")
    config = Qwen2Config(
        vocab_size=VOCAB, hidden_size=256, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, rope_theta=10000.0, rms_norm_eps=1e-6,
        tie_word_embeddings=True, bos_token_id=start, eos_token_id=end, initializer_range=0.02)
    model = Qwen2ForCausalLM(config)
    model.generation_config.update(do_sample=False, eos_token_id=[end, start], pad_token_id=start, bos_token_id=start)
    return model


def rate(peak, step, steps):
    """Linear warm-up, then a cosine down to a fiftieth of the peak."""
    return peak * min(1, (step + 1) / WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def train(model, tokenizer, r, steps, peak):
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.95), weight_decay=0.01)
    began = time.time()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(peak, step, steps)
        ids, labels = batch(r, tokenizer)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step} loss {loss.item():.4f} {time.time() - began:.0f} s", flush=True)


@torch.no_grad()
def round_weights(model):
    """Matrices to q * 2^k, |q| <= 127, per 32 values of a row; vectors (norms, biases) to BF16. In place."""
    for tensor in model.parameters():
        if tensor.dim() == 1:
            tensor.copy_(tensor.bfloat16().float())
            continue
        blocks = tensor.view(-1, 32)
        largest = blocks.abs().amax(1, keepdim=True).clamp_min(127 * 2.0 ** -20)
        scale = torch.exp2(torch.ceil(torch.log2(largest / 127)))
        blocks.copy_((blocks / scale).round().clamp(-127, 127) * scale)


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write("\n")


def save(model, tokenizer, folder):
    model.bfloat16().save_pretrained(folder)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    # names that readers of this architecture have always looked for; newer transformers writes other ones
    config.update(rope_theta=model.config.rope_parameters["rope_theta"], torch_dtype="bfloat16")
    write_json(folder, "config.json", config)
    write_json(folder, "generation_config.json", {
        "bos_token_id": model.config.bos_token_id, "do_sample": False,
        "eos_token_id": model.generation_config.eos_token_id, "pad_token_id": model.generation_config.pad_token_id})
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    decoder = {str(tokenizer.token_to_id(s)): {"content": s, "lstrip": False, "normalized": False, "rstrip": False,
                                               "single_word": False, "special": True} for s in SPECIAL}
    write_json(folder, "tokenizer_config.json", {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": decoder,
        "additional_special_tokens": SPECIAL[1:], "bos_token": None, "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 2048,
        "pad_token": "<|endoftext|>", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--from", dest="start", help="go on from this folder's model, with its tokenizer and fresh text")
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="highest learning rate")
    args = parser.parse_args()
    seed = SEED + (args.start is not None)
    random_state = random.Random(seed)
    torch.manual_seed(seed)
    if args.start:
        tokenizer = Tokenizer.from_file(os.path.join(args.start, "tokenizer.json"))
        model = make_model(tokenizer)
        model.load_state_dict(Qwen2ForCausalLM.from_pretrained(args.start, dtype=torch.float32).state_dict())
    else:
        tokenizer = make_tokenizer(random_state)
        model = make_model(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {tokenizer.get_vocab_size()} tokens", flush=True)
    train(model, tokenizer, random_state, args.steps, args.rate)
    model.eval()
    round_weights(model)
    os.makedirs(args.outdir, exist_ok=True)
    save(model, tokenizer, args.outdir)
    raise SystemExit(check.report(args.outdir))


if __name__ == "__main__":
    main()
