# SPDX-License-Identifier: MIT
"""Hugging Face tokenizers over the vocabulary of a GGUF file, one pipeline a pre-tokeniser name.

The pipelines are those of the models' published tokenizer.json files; the models, merges and added
tokens come from the file. `tokenizers` runs them: an implementation independent of ours.
"""
import gguf
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
          r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def byte_level(regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)


def digits():
    return pre_tokenizers.Digits(individual_digits=True)


# name in the file: normaliser, pre-tokenisers, ignore_merges
FAMILIES = {
    "gpt-2": (None, [byte_level(True)], False),
    "mpt": (normalizers.NFC(), [byte_level(True)], False),
    "qwen2": (normalizers.NFC(), [split(QWEN2), byte_level(False)], False),
    "qwen35": (normalizers.NFC(), [split(QWEN35), byte_level(False)], False),
    "llama-bpe": (None, [split(LLAMA3), byte_level(False)], True),
    "smollm": (None, [digits(), byte_level(True)], False),
    "starcoder": (None, [digits(), byte_level(True)], False),
    "refact": (None, [digits(), byte_level(True)], False),
    "command-r": (normalizers.NFC(), [digits(), byte_level(True)], False),
    "falcon": (None, [pre_tokenizers.Punctuation("contiguous"), byte_level(True),
                      split("[0-9][0-9][0-9]")], False),
    "deepseek-coder": (None, [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"),
                              split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), digits(),
                              byte_level(False)], False),
}


def field(reader, key, default=None):
    key = "tokenizer.ggml." + key
    return reader.fields[key].contents() if key in reader.fields else default


def from_gguf(path):
    """(name of the pre-tokeniser, Tokenizer), or None when its kind has no pipeline here."""
    reader = gguf.GGUFReader(path)
    pre = field(reader, "pre", "")
    if field(reader, "model") != "gpt2" or pre not in FAMILIES:
        return None
    normalizer, steps, ignore_merges = FAMILIES[pre]
    tokens, types = field(reader, "tokens"), field(reader, "token_type")
    merges = []
    for merge in field(reader, "merges"):
        space = merge.index(" ", 1)
        merges.append((merge[:space], merge[space + 1:]))
    tokenizer = Tokenizer(BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges,
                              ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    special = [AddedToken(t, normalized=False) for t, k in zip(tokens, types) if k in (2, 3)]
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t, k in zip(tokens, types) if k == 4])
    return pre, tokenizer
