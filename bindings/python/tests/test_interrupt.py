# SPDX-License-Identifier: MIT
"""Ctrl-C and the end of the process, in programs of their own."""
from __future__ import annotations

import signal
import subprocess
import sys
import time
import unittest

import support

# a shell's background jobs ignore SIGINT, and Python then leaves it so
BEGINNING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


class Program:
    """A Python program that says "ready" before what is to be interrupted."""

    def __init__(self, text: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", BEGINNING + text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, how: signal.Signals = signal.SIGINT) -> None:
        assert self.process.stdout is not None
        while self.process.stdout.readline() not in ("ready\n", ""):
            pass
        time.sleep(0.1)
        self.process.send_signal(how)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


class Interrupt(unittest.TestCase):
    def interrupted(self, text: str) -> str:
        """Run it, interrupt it, and see that it died of KeyboardInterrupt soon; what it printed after "ready"."""
        program = Program("import realizar\n" + text)
        program.interrupt()
        began = time.monotonic()
        status, out, err = program.end()
        self.assertIn("KeyboardInterrupt", err)
        self.assertEqual(status, -signal.SIGINT, err)
        self.assertLess(time.monotonic() - began, 20)
        return out

    def test_while_generating(self) -> None:
        self.interrupted(
            "m = realizar.Model.demo(ctx=100000)\n"
            "for i, p in enumerate(m.generate('a', ignore_eos=True)):\n"
            "    if i == 5: print('ready', flush=True)\n"
        )

    def test_in_a_long_prompt(self) -> None:
        self.interrupted(
            "m = realizar.Model.demo(ctx=400000)\n"
            "g = m.generate(list(range(1000)) * 400)\n"
            "print('ready', flush=True)\n"
            "next(g)\n"
        )

    def test_in_an_evaluation(self) -> None:
        self.interrupted(
            "m = realizar.Model.demo(ctx=400000)\n"
            "ids = list(range(1000)) * 400\n"
            "print('ready', flush=True)\n"
            "m.logits(ids)\n"
        )

    def test_model_lives_on(self) -> None:
        out = self.interrupted(
            "m = realizar.Model.demo(ctx=400000)\n"
            "g = m.generate(list(range(1000)) * 400)\n"
            "print('ready', flush=True)\n"
            "try:\n"
            "    next(g)\n"
            "finally:\n"
            "    print(g.finish_reason, m.chat('What is 2+2?').text)\n"
        )
        self.assertEqual(out, "cancelled 2 + 2 = 4\n")

    def test_close_from_a_signal_handler(self) -> None:
        for what in ("m.close()", "g.close()", "g.cancel()"):
            program = Program(
                "import realizar, signal\n"
                "m = realizar.Model.demo(ctx=400000)\n"
                "g = m.generate(list(range(1000)) * 400)\n"
                f"signal.signal(signal.SIGTERM, lambda *_: {what})\n"
                "print('ready', flush=True)\n"
                "try:\n"
                "    next(g)\n"
                "except realizar.CancelledError:\n"
                "    print('cancelled')\n"
            )
            program.interrupt(signal.SIGTERM)
            self.assertEqual(program.end(), (0, "cancelled\n", ""), what)

    def test_asyncio(self) -> None:
        self.interrupted(
            "import asyncio\n"
            "async def main():\n"
            "    m = realizar.Model.demo(ctx=400000)\n"
            "    print('ready', flush=True)\n"
            "    async for p in m.agenerate(list(range(1000)) * 400): pass\n"
            "asyncio.run(main())\n"
        )


class End(unittest.TestCase):
    def ends_quietly(self, text: str) -> None:
        program = Program("import realizar, threading\n" + text)
        status, out, err = program.end()
        self.assertEqual((status, err), (0, ""))

    def test_with_open_models(self) -> None:
        self.ends_quietly("m = realizar.Model.demo()\ng = m.generate('a')\nnext(g)\n")
        self.ends_quietly("m = realizar.Model.demo()\ng = m.generate('a')\nnext(g)\nm.me = [m, g]\ng.me = g\n")
        self.ends_quietly("import builtins\nbuiltins.m = realizar.Model.demo()\nbuiltins.g = m.generate('a')\nnext(g)\n")

    def test_with_computing_threads(self) -> None:
        self.ends_quietly(
            "import time\n"
            "m = realizar.Model.demo(ctx=400000)\n"
            "def run():\n"
            "    m.logits(list(range(1000)) * 400)\n"
            "threading.excepthook = lambda *_: None\n"
            "for _ in range(3): threading.Thread(target=run, daemon=True).start()\n"
            "time.sleep(0.2)\n"
        )

    def test_in_a_pool_of_processes(self) -> None:
        self.ends_quietly(
            "import multiprocessing, os\n"
            "m = realizar.Model.demo()\n"
            "def answer(question):\n"
            "    with realizar.Model.demo() as own: return own.chat(question).text\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
            "    assert pool.map(answer, ['What is 2+2?'] * 4) == ['2 + 2 = 4'] * 4\n"
        )


if __name__ == "__main__":
    support.main()
