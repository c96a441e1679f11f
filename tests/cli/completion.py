#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""completion.py APR SHELL: what Tab offers in bash, zsh or fish. Skipped (77) where the shell is not installed."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

# the line before the cursor; what is offered (all of it, or words among others); what is not
CASES = [
    ("apr ", ["run", "chat", "rosetta", "completion"], ["--json", "model.gguf"]),
    ("apr tok", ["tokenize"], []),
    ("apr run --max", ["--max-tokens"], ["--messages"]),
    ("apr run --color ", ["auto", "always", "never"], ["model.gguf"]),
    ("apr run --kv-type f", ["f16", "f32"], ["q8_0"]),
    ("apr run ", ["demo", "model.gguf", "sum"], ["run"]),
    ("apr run -t 4 s", ["sum"], ["run"]),
    ("apr chat mo", ["model.gguf"], ["demo"]),
    ("apr run demo --file mod", ["model.gguf"], []),
    ("apr rosetta ", ["inspect", "verify"], ["run", "model.gguf"]),
    ("apr rosetta verify --inter", ["--intermediate"], []),
    ("apr rosetta verify mo", ["model.gguf"], []),
    ("apr canary ", ["create", "check"], ["run"]),
    ("apr rosetta validate-stats x.gguf --reference mo", ["model.gguf"], []),
    ("apr convert model.gguf --format g", ["gguf"], ["apr"]),
    ("apr completion ", ["bash", "zsh", "fish"], []),
    ("apr help re", ["render"], ["run"]),
]


def bash(line, script):
    words = line.split(" ")
    program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; _apr; '
               'printf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "--norc", "-c", program, "bash", script, *words], capture_output=True, text=True,
                          check=True).stdout.split()


def fish(line, script):
    done = subprocess.run(["fish", "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]', script, line],
                          capture_output=True, text=True, check=True)
    return [row.split("\t")[0] for row in done.stdout.splitlines()]


class Zsh:
    """An interactive zsh on a terminal: zsh completes only there."""

    def __init__(self, script):
        os.makedirs("functions")
        shutil.copy(script, "functions/_apr")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PS1="", ZDOTDIR=os.getcwd())
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.run("unsetopt prompt_sp prompt_cr zle_bracketed_paste; PROMPT= RPROMPT= LISTMAX=1000")
        self.run("fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -D -u; compdef _apr apr; bindkey -e")
        self.run("setopt no_list_beep no_beep no_list_types no_auto_menu no_always_last_prompt")

    def read(self, until):
        text, end = "", time.monotonic() + 30
        while not re.search(until, text):
            if time.monotonic() > end or not select.select([self.fd], [], [], 30)[0]:
                raise AssertionError("no %r in %r" % (until, text))
            text += os.read(self.fd, 65536).decode("utf-8", "replace")
        return text

    def settle(self, quiet):
        """What is written until nothing comes for so many seconds."""
        text = ""
        while select.select([self.fd], [], [], quiet)[0]:
            text += os.read(self.fd, 65536).decode("utf-8", "replace")
        return text

    def send(self, text):
        os.write(self.fd, text.encode())

    def run(self, command):
        self.send(command + "; print -r -- do''ne\n")
        self.read("done")

    def offers(self, line):
        """What Tab inserts or lists. The line is on the screen too: its words do not count."""
        for quiet in (0.1, 0.3, 1, 3):  # zsh lists nothing while keys wait that were typed ahead
            text = ""
            for keys in (line + "\t", "\t"):
                self.send(keys)
                text += self.settle(quiet)
            self.send("\x15print -r -- do''ne\n")
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
            self.read(r"done\r?\n")
            offered = [word for word in re.findall(r"[A-Za-z0-9_.-]+", text) if word not in line.split()]
            if offered:
                break
        return offered


def check(line, offered, wanted, unwanted):
    missing = [word for word in wanted if word not in offered]
    extra = [word for word in unwanted if word in offered]
    if missing or extra:
        print("%r: missing %s, too much %s, offered %s" % (line, missing, extra, offered))
    return not missing and not extra


def main():
    apr, shell = os.path.abspath(sys.argv[1]), sys.argv[2]
    if shutil.which(shell) is None:
        print(shell, "is not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.update(HOME=folder, XDG_CONFIG_HOME=folder + "/config", LC_ALL="C.UTF-8")
        os.makedirs("config/apr/recipes")
        for name in ["config/apr/recipes/sum.yaml", "model.gguf"]:
            with open(name, "w", encoding="utf-8") as f:
                f.write("model: demo\n")
        script = os.path.join(folder, "script")
        with open(script, "wb") as f:
            f.write(subprocess.run([apr, "completion", shell], capture_output=True, check=True).stdout)
        offers = {"bash": lambda line: bash(line, script), "fish": lambda line: fish(line, script)}.get(shell)
        offers = offers or Zsh(script).offers
        results = [check(line, offers(line), wanted, unwanted) for line, wanted, unwanted in CASES]
        print(results.count(True), "of", len(results))
        os.chdir("/")
        return 0 if all(results) else 1


sys.exit(main())
