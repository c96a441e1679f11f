# SPDX-License-Identifier: MIT
"""Opening, generating and closing over and over takes no more and more memory.

As a program with a number of rounds: `test_memory.py 100000 [FILE.csv]` runs so many and writes the memory as it goes.
"""
from __future__ import annotations

import ctypes
import gc
import sys
import unittest

import realizar
import support


def resident_kib() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4


def round_trip(i: int) -> None:
    """A life of a model, ended in one of the ways that there are."""
    model = realizar.Model.demo(ctx=256, threads=1)
    generation = model.chat("What is 2+2?", stop=["xyz"], logit_bias={5: -1.0}, top_logprobs=2)
    next(generation)
    other = model.generate([5] * 100)
    next(other)
    if i % 4 == 0:
        assert generation.text == "2 + 2 = 4"
    elif i % 4 == 1:
        other.cancel()
        try:
            next(other)
        except realizar.CancelledError:
            pass
    elif i % 4 == 2:
        model.embed("x")
        model.logits("x")
        model.info.metadata.get("x")
        try:
            model.generate([1] * 300)
        except realizar.ContextLengthError:
            pass
    if i % 3 != 0:
        model.close()


class MallInfo(ctypes.Structure):
    """What glibc's mallinfo2() returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks".split()] + [
        (name, ctypes.c_size_t) for name in "uordblks fordblks keepcost".split()
    ]


def in_use() -> tuple[int, int, int]:
    """Bytes taken from malloc, mappings, Python's own blocks: what is kept, not what the heap has grown to."""
    gc.collect()
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = MallInfo
    info = mallinfo2()
    with open("/proc/self/maps", encoding="ascii") as file:
        return info.uordblks + info.hblkhd, len(file.readlines()), sys.getallocatedblocks()


class Memory(unittest.TestCase):
    @unittest.skipUnless(hasattr(ctypes.CDLL(None), "mallinfo2"), "the C library does not tell what is in use")
    def test_flat(self) -> None:
        for i in range(24):
            round_trip(i)
        before = in_use()
        for i in range(72):
            round_trip(i)
        grown = [now - then for now, then in zip(in_use(), before)]
        # a model left over in one round would be 2.2 MB, a session in each of them 1 MB and a mapping
        self.assertLess(grown[0], 200_000)
        self.assertLess(grown[1], 24)
        self.assertLess(grown[2], 1000)


def run_long(rounds: int, path: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        for i in range(rounds):
            if i % max(1, rounds // 200) == 0:
                file.write(f"{i},{resident_kib()}\n")
                file.flush()
            round_trip(i)
        file.write(f"{rounds},{resident_kib()}\n")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdecimal():
        run_long(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "/dev/stdout")
    else:
        support.main()
