# SPDX-License-Identifier: MIT
"""Pipelines that exercise every step of a tokenizer.json: as Hugging Face builds them, and as apr_text_step.

Each row: name, small vocabulary, normalisers, pre-tokenisers, steps. A step's kind, behaviour and flag
bits are those of libapr/include/apr/vocab.h.
"""
from tokenizers import Regex, normalizers, pre_tokenizers

from tokenizer_families import byte_level

BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
KINDS = ["NFC", "NFD", "NFKC", "NFKD", "LOWERCASE", "STRIP", "PREPEND", "REPLACE", "SPLIT", "DIGITS",
         "PUNCTUATION", "WHITESPACE", "METASPACE", "BYTE_LEVEL"]


def step(kind, normalizer=False, regex=False, behavior="isolated", invert=False, flags=0, pattern=None, text=None):
    return {"kind": KINDS.index(kind), "normalizer": normalizer, "regex": regex,
            "behavior": BEHAVIORS.index(behavior), "invert": invert, "flags": flags, "pattern": pattern, "text": text}


def normalizing(kind, hf, **more):
    return (kind.lower(), "byte", [hf], [byte_level(True)],
            [step(kind, normalizer=True, **more), step("BYTE_LEVEL", flags=2)])


def splitting(pattern, behavior, invert, regex=True):
    name = f"split {pattern} {behavior}{' inverted' if invert else ''}{'' if regex else ' literal'}"
    hf = pre_tokenizers.Split(Regex(pattern) if regex else pattern, behavior, invert)
    return (name, "byte", [], [hf, byte_level(False)],
            [step("SPLIT", regex=regex, behavior=behavior, invert=invert, pattern=pattern), step("BYTE_LEVEL")])


def metaspace(scheme, split, flags):
    return (f"metaspace {scheme} {split}", "sentencepiece", [],
            [pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)],
            [step("METASPACE", text="\u2581", flags=flags)])


PIPELINES = [
    normalizing("NFC", normalizers.NFC()),
    normalizing("NFD", normalizers.NFD()),
    normalizing("NFKC", normalizers.NFKC()),
    normalizing("NFKD", normalizers.NFKD()),
    normalizing("LOWERCASE", normalizers.Lowercase()),
    normalizing("STRIP", normalizers.Strip(), flags=3),
    normalizing("PREPEND", normalizers.Prepend("x "), text="x "),
    normalizing("REPLACE", normalizers.Replace(Regex(r"\s+"), " "), regex=True, pattern=r"\s+", text=" "),
    ("two normalisers", "byte", [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace("the", "")],
     [byte_level(True)],
     [step("NFKC", normalizer=True), step("LOWERCASE", normalizer=True),
      step("REPLACE", normalizer=True, pattern="the", text=""), step("BYTE_LEVEL", flags=2)]),
    ("digits together", "byte", [], [pre_tokenizers.Digits(False), byte_level(False)],
     [step("DIGITS"), step("BYTE_LEVEL")]),
    ("digits apart", "byte", [], [pre_tokenizers.Digits(True), byte_level(False)],
     [step("DIGITS", flags=1), step("BYTE_LEVEL")]),
    ("whitespace", "byte", [], [pre_tokenizers.Whitespace(), byte_level(False)],
     [step("WHITESPACE"), step("BYTE_LEVEL")]),
    ("prefix space", "byte", [], [pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)],
     [step("BYTE_LEVEL", flags=3)]),
    metaspace("always", True, 5), metaspace("always", False, 1), metaspace("first", True, 6),
    metaspace("first", False, 2), metaspace("never", True, 4), metaspace("never", False, 0),
]
PIPELINES += [(f"punctuation {b}", "byte", [], [pre_tokenizers.Punctuation(b), byte_level(False)],
               [step("PUNCTUATION", behavior=b), step("BYTE_LEVEL")]) for b in BEHAVIORS]
PIPELINES += [splitting(r"\d+", b, i) for b in BEHAVIORS for i in (False, True)]
PIPELINES += [splitting(" ", b, False, regex=False) for b in BEHAVIORS]
PIPELINES += [splitting(p, "isolated", False) for p in (r"\w+", r"(?=[A-Z])", r"\p{Han}+|\p{Hiragana}+", r"[\w\s]{2,5}",
                                                        r"\s+$", r"\h{2}")]
