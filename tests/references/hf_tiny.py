#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write tiny Hugging Face folders with transformers, and what other people's readers find in them: hf_tiny.py FOLDER

For each model of MODELS a folder NAME/ as save_pretrained() leaves it, and NAME.txt: config values of transformers,
tensors as the safetensors package reads them, tokens as the tokenizers package reads them. Weights are random, the seed
is fixed.
"""
import json
import pathlib
import shutil
import sys
import zlib

import tokenizers
import torch
import transformers
from safetensors import safe_open
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = ["def add(a, b):\n    return a + b\n", "The quick brown fox jumps over the lazy dog. " * 3,
        "héllo wörld 你好 123 4567", "int main(void) { return 0; }"]
QWEN_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
              r"\s+(?!\S)|\s+")
SMALL = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=256, vocab_size=400)
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def byte_level():
    t = tokenizers.Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(QWEN_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    t.add_tokens([AddedToken("<tool>", lstrip=True, single_word=True)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                                                chat_template=TEMPLATE)


def sentence_piece_like():
    t = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=340, special_tokens=special))
    state = json.loads(t.to_str())
    state["added_tokens"] = state["added_tokens"][:3]  # bytes are plain tokens, as in the real files
    t = tokenizers.Tokenizer.from_str(json.dumps(state))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


MODELS = {
    "qwen2": (transformers.Qwen2Config(**SMALL, rope_theta=1e6, tie_word_embeddings=False, eos_token_id=302,
                                       bos_token_id=300), torch.bfloat16, byte_level, "10KB",
              dict(eos_token_id=[302, 300], temperature=0.7, top_k=20, top_p=0.8, repetition_penalty=1.1, do_sample=True)),
    "llama": (transformers.LlamaConfig(**SMALL, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
                                       rope_parameters=dict(rope_type="llama3", rope_theta=5e5, factor=8.0, low_freq_factor=1.0,
                                                            high_freq_factor=4.0, original_max_position_embeddings=64)),
              torch.float16, sentence_piece_like, "5GB", dict(eos_token_id=2)),
    "phi3": (transformers.Phi3Config(**SMALL, original_max_position_embeddings=64, pad_token_id=0, bos_token_id=1,
                                     eos_token_id=2, rope_parameters=dict(
                                         rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.5,
                                         long_factor=[1.5, 2.5], short_factor=[1.0, 1.25])),
             torch.float32, None, "5GB", None),
    "gemma3": (transformers.Gemma3TextConfig(**{**SMALL, "num_hidden_layers": 6}, head_dim=16, sliding_window=32,
                                             query_pre_attn_scalar=16), torch.float32, None, "5GB", None),
    "qwen3moe": (transformers.Qwen3MoeConfig(**SMALL, head_dim=16, num_experts=4, num_experts_per_tok=2,
                                             moe_intermediate_size=16, norm_topk_prob=True), torch.float32, None, "5GB", None),
    "qwen2moe": (transformers.Qwen2MoeConfig(**SMALL, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
                                             shared_expert_intermediate_size=32), torch.float16, None, "5GB", None),
}


def describe(folder, config, tokenizer):
    for key in ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                "vocab_size", "max_position_embeddings", "tie_word_embeddings"]:
        yield f"config {key} {int(getattr(config, key))}"
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as f:
            for name in sorted(f.keys()):
                t = f.get_tensor(name).contiguous()
                dtype = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}[t.dtype]
                crc = zlib.crc32(t.view(torch.uint8).numpy().tobytes())
                yield f"tensor {name} {dtype} {crc:08x} {' '.join(str(d) for d in t.shape)}"
    if tokenizer is not None:
        t = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        added = t.get_added_tokens_decoder()
        for text, i in sorted(t.get_vocab(with_added_tokens=True).items(), key=lambda p: p[1]):
            a = added.get(i)
            flags = "" if a is None else "".join(
                c for c, on in zip("ASLRWN", [True, a.special, a.lstrip, a.rstrip, a.single_word, a.normalized]) if on)
            yield f"token {i} {text.encode().hex()} {flags}"


def main():
    root = pathlib.Path(sys.argv[1])
    torch.manual_seed(7)
    for name, (config, dtype, make_tokenizer, shard, generation) in MODELS.items():
        folder = root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
        if generation is not None:
            model.generation_config = transformers.GenerationConfig(**generation)
        model.save_pretrained(folder, max_shard_size=shard)
        tokenizer = make_tokenizer() if make_tokenizer else None
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
        (root / f"{name}.txt").write_text("\n".join(describe(folder, config, tokenizer)) + "\n")


main()
