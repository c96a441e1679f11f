#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""chat_terminal.py APR [TEST...]: apr chat with the demo model on a pseudo-terminal, as a person uses it; Ctrl-C in a pipe."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

APR = ""
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z~]|[=>])")
PATIENCE = 30  # seconds; only a hang is that slow


# an answer that goes on for seconds, so that there is time to act on it
ENDLESS = ["--ignore-eos", "--max-tokens", "4000", "--color", "never", "--backend", "reference"]


class Terminal:
    """The program on a terminal of 80 x 24, its screen output, its exit code."""

    def __init__(self, folder, *options, env=(), redirect=None):
        variables = {k: v for k, v in os.environ.items()
                     if not k.startswith("APR_") and k not in ("VISUAL", "EDITOR", "NO_COLOR")}
        variables.update(TERM="xterm", LC_ALL="C.UTF-8", HOME=folder, XDG_STATE_HOME=folder + "/state",
                         XDG_CONFIG_HOME=folder + "/config", APR_CONFIG_SYSTEM=folder + "/etc")
        variables.update(env)
        self.text, self.modes = "", None  # the modes that are left at the end
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            if redirect:
                os.dup2(os.open(redirect, os.O_WRONLY | os.O_CREAT, 0o600), 1)
            backend = [] if "--backend" in options else ["--no-gpu"]
            os.execve(APR, [APR, "chat", "demo", "--temperature", "0", *backend, *options], variables)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            data = b""
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, text):
        """Wait until `text` is shown, and return what came before it."""
        until = time.monotonic() + PATIENCE
        while text not in self.plain():
            if not self.read(max(0.0, until - time.monotonic())):
                raise AssertionError("no %r in %r" % (text, self.plain()))
        end = self.plain().index(text) + len(text)  # of the shortest beginning that shows it
        shown, last = 0, 0
        for escape in [*ESCAPE.finditer(self.text), None]:
            begin = escape.start() if escape else len(self.text)
            if shown + begin - last >= end:
                break
            shown += begin - last
            last = escape.end()
        before, self.text = self.plain()[:end], self.text[last + end - shown:]
        return before

    def plain(self):
        return without_escapes(self.text)

    def send(self, text):
        os.write(self.fd, text.encode())

    def prompt(self):
        """Wait for the prompt: from then on every key counts, however soon it comes."""
        self.expect(">>> ")

    def say(self, text):
        self.prompt()
        self.send(text + "\r")

    def leave_soon(self):
        self.prompt()
        self.send("\x04")

    def leave(self):
        self.leave_soon()
        return self.wait()

    def wait(self):
        until = time.monotonic() + PATIENCE
        while self.read(max(0.0, until - time.monotonic())):
            pass
        self.modes = termios.tcgetattr(self.fd)[:4]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def without_escapes(text):
    return ESCAPE.sub("", text)


class Chat(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name

    def tearDown(self):
        self.temporary.cleanup()

    def open(self, *options, **more):
        return Terminal(self.folder, *options, **more)

    def messages(self, terminal, name="saved.json"):
        """The conversation so far, through /save."""
        terminal.say("/save " + name)
        terminal.expect("written to " + name)
        return json.loads(read(os.path.join(self.folder, name)))

    def test_two_turns_and_ctrl_d(self):
        t = self.open()
        t.say("What is 2+2?")
        t.expect("2 + 2 = 4")
        t.say("What is 3+4?")
        t.expect("3 + 4 = 7")
        self.assertEqual(t.leave(), 0)

    def stats(self, t):
        """Numbers of /stats: tokens of the prompt, kept, computed, of the answer."""
        t.say("/stats")
        t.expect("prompt ")
        prompt = re.findall(r"\d+", t.expect("computed"))
        t.expect("answer ")
        return [int(n) for n in prompt + re.findall(r"\d+", t.expect("tokens"))]

    def test_only_the_new_turn_is_computed(self):
        t = self.open()
        t.say("What is 2+2?")
        prompt, kept, computed, answer = self.stats(t)
        self.assertEqual((kept, computed), (0, prompt))
        t.say("What is 3+4?")
        again, kept, computed, _ = self.stats(t)
        # the first prompt and its answer, whose end-of-turn token was sampled but never computed
        self.assertEqual(kept, prompt + answer - 1)
        self.assertEqual(kept + computed, again)
        t.say("/undo")
        t.say("What is 3+4?")
        self.assertEqual(self.stats(t)[1], again - 1)  # all but the last token, whose logits are needed
        self.assertEqual(t.leave(), 0)

    def test_paste_is_one_message(self):
        t = self.open()
        t.prompt()
        t.send("\x1b[200~first line\r\nsecond line\rthird\x1b[201~")
        t.send("\r")
        got = self.messages(t)
        self.assertEqual(got[0], {"role": "user", "content": "first line\nsecond line\nthird"})
        self.assertEqual([m["role"] for m in got], ["user", "assistant"])
        self.assertEqual(t.leave(), 0)

    def test_block_and_alt_enter(self):
        t = self.open()
        t.say('"""one')
        t.expect("... ")
        t.send('two"""\r')
        t.say("three\x1b\rfour")
        got = self.messages(t)
        self.assertEqual([m["content"] for m in got if m["role"] == "user"], ["one\ntwo", "three\nfour"])
        self.assertEqual(t.leave(), 0)

    def test_wide_characters_and_backspace(self):
        t = self.open()
        t.say("日本語\x7f👍🏽é\x7f!")
        self.assertEqual(self.messages(t)[0]["content"], "日本👍🏽!")
        self.assertEqual(t.leave(), 0)

    def test_ctrl_c_stops_the_answer_and_keeps_it(self):
        t = self.open(*ENDLESS)
        t.say("Tell me a story.")
        t.expect("Tell me a story.")
        while not re.search(r"[a-z]{3}", t.plain()):
            self.assertTrue(t.read(PATIENCE))
        t.send("\x03")
        t.expect("(stopped; what was said is kept)")
        time.sleep(1.1)  # a second Ctrl-C within a second would leave
        got = self.messages(t)
        self.assertEqual([m["role"] for m in got], ["user", "assistant"])
        self.assertTrue(got[1]["content"])
        self.assertEqual(t.leave(), 0)

    def test_ctrl_c_twice_leaves(self):
        t = self.open()
        t.say("What is 2+2?")
        t.prompt()
        t.send("half a li\x03")
        t.prompt()
        t.send("\x03")
        self.assertEqual(t.wait(), 130)

    def test_ctrl_c_takes_a_line_back(self):
        t = self.open()
        t.prompt()
        t.send("half a li\x03")
        t.say("What is 2+2?")
        t.expect("2 + 2 = 4")
        self.assertEqual(self.messages(t)[0]["content"], "What is 2+2?")
        self.assertEqual(t.leave(), 0)

    def test_keys_wait_while_an_answer_comes(self):
        for _ in range(5):
            t = self.open()
            t.say("What is 2+2?")
            while "\x1b[?2004l" not in t.text:  # the line is taken
                self.assertTrue(t.read(PATIENCE))
            t.send("What is 3+4?\r\x04")
            self.assertEqual(t.wait(), 0)
            self.assertRegex(t.plain(), r"2 \+ 2 = 4\r\n>>> What is 3\+4\?\r\n.*3 \+ 4 = 7\r\n>>> ")

    def test_the_terminal_is_left_as_it_was(self):
        ends = pty.openpty()
        fresh = termios.tcgetattr(ends[1])[:4]
        for fd in ends:
            os.close(fd)

        def ends_by(act, code):
            t = self.open(*ENDLESS)
            t.say("Tell me a story.")
            t.expect("Tell me a story.")
            while not re.search(r"[a-z]{3}", t.plain()):
                self.assertTrue(t.read(PATIENCE))
            self.assertFalse(termios.tcgetattr(t.fd)[3] & termios.ECHO)
            act(t)
            self.assertEqual(t.wait(), code)
            self.assertEqual(t.modes, fresh)

        def stop_and_leave(t):
            t.send("\x03")
            t.leave_soon()

        ends_by(stop_and_leave, 0)
        ends_by(lambda t: (t.send("\x03"), t.expect("is kept)"), t.send("\x03")), 130)
        ends_by(lambda t: os.kill(t.pid, signal.SIGTERM), -signal.SIGTERM)

    def test_completion(self):
        t = self.open()
        t.prompt()
        t.send("/sho\tpara\t\r")
        t.expect("max-tokens         512")
        t.prompt()
        t.send("/s\t")
        t.expect("/system  /save  /stats  /set  /show")
        t.send("\x15/set p\ttop-\t")
        t.expect("top-k  top-p")
        t.prompt()  # the line again, below the list
        t.send("k 7\r")
        t.say("/show parameters")
        t.expect("top-k              7")
        self.assertEqual(t.leave(), 0)

    def test_editor(self):
        script = os.path.join(self.folder, "an editor")
        with open(script, "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\nprintf "%s or 3+4?\\n" "$(cat "$1")" > "$1.new" && mv "$1.new" "$1"\n')
        os.chmod(script, 0o700)
        t = self.open(env={"EDITOR": "'%s'" % script})
        t.prompt()
        t.send("What is 2+2?\x07")
        t.expect("or 3+4?")
        t.send("\r")
        self.assertEqual(self.messages(t)[0]["content"], "What is 2+2? or 3+4?")
        self.assertEqual(t.leave(), 0)

    def test_history(self):
        path = os.path.join(self.folder, "state/apr/chat_history")
        t = self.open()
        t.say("What is 2+2?")
        self.assertEqual(t.leave(), 0)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        t = self.open()
        t.say("\x1b[A")  # the arrow up
        self.assertEqual(self.messages(t)[0]["content"], "What is 2+2?")
        t.prompt()
        t.send("\x1b[200~a \\n\rb\x1b[201~\r")
        self.assertEqual(t.leave(), 0)
        self.assertEqual(read(path), "What is 2+2?\nWhat is 2+2?\n/save saved.json\na \\\\n\\nb\n")
        t = self.open()
        t.say("\x1b[A")
        self.assertEqual(self.messages(t, "again.json")[0]["content"], "a \\n\nb")
        t.say("\x1b[A\x1b[A\x1b[A\x1b[A")  # of two equal ones only one is there
        self.assertEqual(self.messages(t, "third.json")[-2]["content"], "What is 2+2?")
        self.assertEqual(t.leave(), 0)
        before = read(path)
        t = self.open(env={"APR_NOHISTORY": "1"})
        t.say("What is 3+4?")
        self.assertEqual(t.leave(), 0)
        self.assertEqual(read(path), before)

    def test_context_is_full(self):
        t = self.open("--ctx", "96")
        for _ in range(8):
            t.say("What is 2+2?")
            shown = self.until_prompt_or_question(t)
            if "Forget the oldest" in shown:
                break
        else:
            self.fail("never asked")
        t.expect("? [y/N] ")
        t.send("n\r")
        t.expect("make room")
        t.say("What is 2+2?")
        t.expect("? [y/N] ")
        t.send("y\r")
        t.expect("2 + 2 = 4")
        t.say("/stats")
        t.expect("of 96 tokens")
        self.assertEqual(t.leave(), 0)

    def until_prompt_or_question(self, t):
        """Read until the answer is over or the question is asked; a prompt is left to be read."""
        until = time.monotonic() + PATIENCE
        while ">>> " not in t.plain() and "? [y/N] " not in t.plain():
            if not t.read(max(0.0, until - time.monotonic())):
                raise AssertionError("nothing more came after %r" % t.plain())
        return t.plain()

    def test_answers_alone_on_standard_output(self):
        name = os.path.join(self.folder, "answers")
        t = self.open(redirect=name)
        t.say("What is 2+2?")
        self.assertEqual(t.leave(), 0)
        self.assertEqual(read(name), "2 + 2 = 4\n")


class Piped(unittest.TestCase):
    def test_ctrl_c_between_turns_leaves(self):
        with tempfile.TemporaryDirectory() as folder:
            with subprocess.Popen([APR, "chat", "demo", "--temperature", "0"], cwd=folder, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as chat:
                chat.stdin.write(b"What is 2+2?\n")
                chat.stdin.flush()
                self.assertEqual(chat.stdout.readline(), b"2 + 2 = 4\n")
                until = time.monotonic() + PATIENCE
                while sleeping_in(chat.pid) != "pipe_read" and time.monotonic() < until:
                    time.sleep(0.01)
                chat.send_signal(signal.SIGINT)
                self.assertEqual(chat.wait(PATIENCE), 130)
                self.assertEqual(chat.stderr.read(), b"apr: interrupted\n")


def sleeping_in(pid):
    """Where in the kernel a process waits; where that is not told, a moment passes instead."""
    name = read("/proc/%d/wchan" % pid)
    if name in ("", "0"):
        time.sleep(0.5)
        return "pipe_read"
    return "pipe_read" if "pipe" in name else name


if __name__ == "__main__":
    APR = os.path.abspath(sys.argv.pop(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unittest.main(verbosity=2)
