#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tiny random models of every architecture row, made and run by transformers.

  tiny_models.py OUT_FOLDER [NAME...]

For each: OUT/NAME/ as transformers saves it (F32; the values are exact in F16), OUT/NAME.gguf with the same values in F16
written by the gguf package, and OUT/NAME.logits: int32 n, int32 vocab, n int32 ids, then n x vocab float32 of transformers
in F32 (eager attention). Needs torch, transformers, safetensors and gguf.
"""
import os
import sys

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import load_file

PROMPT = 200
BASE = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=0,
            initializer_range=0.2, tie_word_embeddings=False)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
LINEAR = dict(rope_type="linear", factor=2.0)


def longrope(pairs):
    return dict(rope_type="longrope", short_factor=[1.0 + 0.05 * i for i in range(pairs)],
                long_factor=[1.5 + 0.25 * i for i in range(pairs)])


# name: (config class, changes, GGUF architecture)
MODELS = {
    "qwen2": ("Qwen2Config", dict(num_attention_heads=7, num_key_value_heads=1, hidden_size=112, intermediate_size=64), "qwen2"),
    "qwen2-tied": ("Qwen2Config", dict(tie_word_embeddings=True, rope_theta=1e6), "qwen2"),
    "qwen2-yarn": ("Qwen2Config", dict(rope_scaling=YARN), "qwen2"),
    "qwen3": ("Qwen3Config", dict(head_dim=128, num_attention_heads=4, num_key_value_heads=1), "qwen3"),
    "qwen3-3to1": ("Qwen3Config", dict(head_dim=64, num_attention_heads=6, num_key_value_heads=2), "qwen3"),
    "llama": ("LlamaConfig", dict(num_attention_heads=8, num_key_value_heads=8, hidden_size=64), "llama"),
    "llama-bias": ("LlamaConfig", dict(attention_bias=True, mlp_bias=True), "llama"),
    "llama3-rope": ("LlamaConfig", dict(rope_scaling=LLAMA3, head_dim=64), "llama"),
    "llama-linear": ("LlamaConfig", dict(rope_scaling=LINEAR, head_dim=80), "llama"),
    "llama-8to1": ("LlamaConfig", dict(num_attention_heads=8, num_key_value_heads=1, head_dim=128, rope_theta=5e5), "llama"),
    "mistral-yarn": ("MistralConfig", dict(num_attention_heads=5, num_key_value_heads=1, head_dim=80, sliding_window=None,
                                           rope_scaling=YARN), "llama"),
    "mistral": ("MistralConfig", dict(sliding_window=50, head_dim=96), "llama"),
    "phi3": ("Phi3Config", dict(partial_rotary_factor=0.5, head_dim=None, hidden_size=128, sliding_window=None), "phi3"),
    "phi3-6to1": ("Phi3Config", dict(num_attention_heads=6, num_key_value_heads=1, hidden_size=96, sliding_window=64), "phi3"),
    "phi3-long": ("Phi3Config", dict(hidden_size=128, sliding_window=80, original_max_position_embeddings=64,
                                     rope_scaling=longrope(16)), "phi3"),
    "gemma": ("GemmaConfig", dict(tie_word_embeddings=True, head_dim=256, num_attention_heads=2, num_key_value_heads=1,
                                  hidden_activation="gelu_pytorch_tanh"), "gemma"),
    "gemma2": ("Gemma2Config", dict(tie_word_embeddings=True, head_dim=64, num_hidden_layers=4, sliding_window=40, query_pre_attn_scalar=64,
                                    attn_logit_softcapping=20.0, final_logit_softcapping=15.0), "gemma2"),
    "gemma3": ("Gemma3TextConfig", dict(tie_word_embeddings=True, head_dim=64, num_hidden_layers=7, sliding_window=40, query_pre_attn_scalar=64), "gemma3"),
    "gemma3-linear": ("Gemma3TextConfig", dict(
        tie_word_embeddings=True, head_dim=32, num_attention_heads=4, num_key_value_heads=1, num_hidden_layers=7, sliding_window=40,
        query_pre_attn_scalar=32, rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6),
            sliding_attention=dict(rope_type="default", rope_theta=1e4))), "gemma3"),
    "starcoder2": ("Starcoder2Config", dict(sliding_window=60), "starcoder2"),
    "qwen2moe": ("Qwen2MoeConfig", dict(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=32,
                                        shared_expert_intermediate_size=96, norm_topk_prob=False), "qwen2moe"),
    "qwen3moe": ("Qwen3MoeConfig", dict(num_experts=6, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=32,
                                        norm_topk_prob=True), "qwen3moe"),
}

MIXTURES = ("qwen2moe", "qwen3moe")


def make_config(name):
    cls, changes, _ = MODELS[name]
    values = dict(BASE)
    values.update(changes)
    return getattr(transformers, cls)(**{k: v for k, v in values.items() if v is not None})


def make_model(config):
    torch.manual_seed(7)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.ndim == 1:  # norms and biases: away from their trivial start
                p.add_(torch.randn_like(p) * 0.1)
            p.copy_(p.half().float())
    return model.eval()


def permute(w, heads):
    """GGUF's llama files hold each head's rotary halves interleaved."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def write_metadata(w, config, arch, vocab):
    theta = getattr(config, "rope_theta", None)
    rope = dict(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {})
    if "full_attention" in rope:
        theta = rope["full_attention"].get("rope_theta", theta)
        local = rope["sliding_attention"].get("rope_theta")
        w.add_float32(f"{arch}.rope.freq_base_swa", local)
        rope = dict(rope["full_attention"])
    theta = rope.get("rope_theta", theta)
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_key_length(head_dim)
    w.add_value_length(head_dim)
    w.add_rope_freq_base(theta)
    w.add_rope_dimension_count(int(head_dim * getattr(config, "partial_rotary_factor", rope.get("partial_rotary_factor", 1.0))))
    eps = getattr(config, "rms_norm_eps", None)
    (w.add_layer_norm_rms_eps if eps is not None else w.add_layer_norm_eps)(eps or config.norm_epsilon)
    w.add_vocab_size(vocab)
    if getattr(config, "sliding_window", None):
        w.add_sliding_window(config.sliding_window)
    if getattr(config, "attn_logit_softcapping", None):
        w.add_attn_logit_softcapping(config.attn_logit_softcapping)
        w.add_final_logit_softcapping(config.final_logit_softcapping)
    if arch in MIXTURES:
        w.add_expert_count(config.num_experts)
        w.add_expert_used_count(config.num_experts_per_tok)
        w.add_expert_feed_forward_length(config.moe_intermediate_size)
    if arch == "qwen2moe":
        w.add_expert_shared_feed_forward_length(config.shared_expert_intermediate_size)
    kind = rope.get("rope_type", "default")
    if kind == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(rope["factor"])
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if kind == "llama3":  # the divisors ready-made, as llama.cpp's converter writes them
        base = theta ** (np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
        wavelength = 2 * np.pi * base
        low, high = (rope["original_max_position_embeddings"] / rope[k] for k in ("low_freq_factor", "high_freq_factor"))
        smooth = (rope["original_max_position_embeddings"] / wavelength - rope["low_freq_factor"]) / (
            rope["high_freq_factor"] - rope["low_freq_factor"])
        middle = 1 / ((1 - smooth) / rope["factor"] + smooth)
        divisors = np.where(wavelength < high, 1.0, np.where(wavelength > low, rope["factor"], middle))
        w.add_tensor("rope_freqs.weight", divisors.astype(np.float32))
    if kind == "longrope":
        original = rope.get("original_max_position_embeddings") or config.original_max_position_embeddings
        w.add_rope_scaling_orig_ctx_len(original)
        scale = config.max_position_embeddings / original
        w.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(original))))
        for which in ("long", "short"):
            w.add_tensor(f"rope_factors_{which}.weight", np.array(rope[f"{which}_factor"], dtype=np.float32))


def stack_experts(tensors, config):
    """model.layers.N.mlp.experts.E.X_proj.weight -> one tensor a layer and projection."""
    for layer in range(config.num_hidden_layers):
        for proj in ("gate_proj", "up_proj", "down_proj"):
            keys = [f"model.layers.{layer}.mlp.experts.{e}.{proj}.weight" for e in range(config.num_experts)]
            tensors[f"model.layers.{layer}.mlp.experts.{proj}.weight"] = np.stack([tensors.pop(k) for k in keys])


def write_gguf(path, folder, config, arch):
    tensors = {k: v.numpy() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()}
    names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch], config.num_hidden_layers)
    w = gguf.GGUFWriter(path, arch)
    write_metadata(w, config, arch, tensors["model.embed_tokens.weight"].shape[0])
    if arch in MIXTURES:
        stack_experts(tensors, config)
    for key, value in sorted(tensors.items()):
        base, suffix = key.rsplit(".", 1)
        name = names.get_name(base)
        if arch == "llama" and base.endswith(("q_proj", "k_proj")):
            value = permute(value, config.num_attention_heads if base.endswith("q_proj") else config.num_key_value_heads)
        if arch.startswith("gemma") and "norm" in base:
            value = value + 1
        if base.endswith("shared_expert_gate"):
            value = value[0]  # a vector in GGUF files
        w.add_tensor(f"{name}.{suffix}", value.astype(np.float32 if value.ndim == 1 else np.float16))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    out, wanted = sys.argv[1], sys.argv[2:] or list(MODELS)
    for name in wanted:
        config = make_config(name)
        model = make_model(config)
        folder = os.path.join(out, name)
        model.save_pretrained(folder)
        generation = os.path.join(folder, "generation_config.json")
        if os.path.exists(generation):
            os.remove(generation)
        ids = torch.tensor([[(7 + 31 * i + i * i // 3) % config.vocab_size for i in range(PROMPT)]])
        with torch.no_grad():
            logits = model(ids).logits[0].float().numpy()
        with open(os.path.join(out, name + ".logits"), "wb") as f:
            np.array([PROMPT, logits.shape[1]], dtype=np.int32).tofile(f)
            ids.numpy().astype(np.int32).tofile(f)
            logits.astype(np.float32).tofile(f)
        write_gguf(os.path.join(out, name + ".gguf"), folder, config, MODELS[name][2])
        print(name, "logits std %.3f" % logits.std())


main()
