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

# cased letters as DeepSeek lists them
DEEPSEEK_LETTERS = (
    "[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293"
    "\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c"
    "\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5"
    "\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59"
    "\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc"
    "\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107"
    "\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139"
    "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee"
    "\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"
    "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
    "\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]")
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED = (r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+",
         r"[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*")
CONTRACTED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


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
                              split(CJK), digits(), byte_level(False)], False),
    "deepseek-llm": (None, [split("[\r\n]"), split(r"\s?" + DEEPSEEK_LETTERS + "+"),
                            split("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"),
                            split(r"\s+$"), split(CJK), digits(), byte_level(False)], False),
    "deepseek-v3": (None, [split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
                           split(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
                                 r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
                                 r"|\s*[\r\n]+|\s+(?!\S)|\s+"), byte_level(False)], False),
    "gpt-4o": (None, [split(CASED[0] + CONTRACTED + "|" + CASED[1] + CONTRACTED + r"|\p{N}{1,3}" + TAIL),
                      byte_level(False)], False),
    "tekken": (None, [split(CASED[0] + "|" + CASED[1] + r"|\p{N}" + TAIL), byte_level(False)], True),
    "dbrx": (None, [split(LLAMA3), byte_level(False)], False),
}


def field(reader, key, default=None):
    key = "tokenizer.ggml." + key
    return reader.fields[key].contents() if key in reader.fields else default


def sentencepiece_model(tokens, scores, types):
    """As Hugging Face's converter writes it: every split of a piece in two pieces is a merge."""
    score = {t: s for t, s, k in zip(tokens, scores, types) if k in (1, 4)}
    merges = sorted(((t[:i], t[i:]) for t in score for i in range(1, len(t))
                     if t[:i] in score and t[i:] in score), key=lambda m: -score[m[0] + m[1]])
    return BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, byte_fallback=True,
               unk_token=tokens[types.index(2)], fuse_unk=True)


SENTENCEPIECE = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
# Phi-3's tokenizer_config.json: all its added tokens but these swallow the white space behind them
PHI3_PLAIN = ("<unk>", "<s>", "<|endoftext|>")


def add_tokens(tokenizer, tokens, types, phi3):
    def added(kinds):
        return [AddedToken(t, normalized=False, rstrip=phi3 and t not in PHI3_PLAIN)
                for t, k in zip(tokens, types) if k in kinds]
    tokenizer.add_special_tokens(added((2, 3)))
    tokenizer.add_tokens(added((4,)))


def byte_level_model(reader, tokens, ignore_merges):
    merges = []
    for merge in field(reader, "merges"):
        space = merge.index(" ", 1)
        merges.append((merge[:space], merge[space + 1:]))
    return BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=ignore_merges)


def from_gguf(path):
    """(name of the pre-tokeniser, Tokenizer), or None when its kind has no pipeline here."""
    reader = gguf.GGUFReader(path)
    pre, kind = field(reader, "pre", ""), field(reader, "model")
    tokens, types = field(reader, "tokens"), field(reader, "token_type")
    phi3 = reader.fields["general.architecture"].contents() == "phi3"
    if kind == "llama":
        tokenizer = Tokenizer(sentencepiece_model(tokens, field(reader, "scores"), types))
        tokenizer.normalizer = SENTENCEPIECE
        pre = "phi-3" if phi3 else "llama"
    elif kind == "gpt2" and pre in FAMILIES:
        normalizer, steps, ignore_merges = FAMILIES[pre]
        tokenizer = Tokenizer(byte_level_model(reader, tokens, ignore_merges))
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    else:
        return None
    add_tokens(tokenizer, tokens, types, phi3)
    return pre, tokenizer
