#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_case.py APR CASE: run one case of the command line and compare what the user sees.

A case is a file of sections, each begun by a line "--- NAME":
  --- command   shell lines; $APR is the program, the folder is a fresh, empty one; settings are
                looked for in its config/apr and etc
  --- stdout    the exact output       (or "--- stdout glob": lines with * and ?)
  --- stderr    glob lines             (left out: must be empty)
  --- exit      the exit code          (left out: 0)
  --- stdin     what is piped in       (left out: nothing)
With --write the stdout, stderr and exit sections are replaced by what came.
"""
import fnmatch
import os
import subprocess
import sys
import tempfile


def read_case(path):
    sections, name = {}, None
    for line in open(path, encoding="utf-8"):
        if line.startswith("--- "):
            name = line[4:].strip()
            sections[name] = ""
        elif name is not None:
            sections[name] += line
    return sections


def same_lines(pattern, text):
    patterns, lines = pattern.splitlines(), text.splitlines()
    # [ is common in messages and must not begin a character class
    return len(patterns) == len(lines) and all(
        fnmatch.fnmatchcase(line, want.replace("[", "[[]")) for want, line in zip(patterns, lines))


def run(apr, case):
    env = {k: v for k, v in os.environ.items() if not k.startswith("APR_")}
    env.update(APR=os.path.abspath(apr), LC_ALL="C.UTF-8", CASES=os.path.dirname(os.path.abspath(case)))
    sections = read_case(case)
    with tempfile.TemporaryDirectory() as folder:
        env.update(HOME=folder, XDG_CONFIG_HOME=folder + "/config", APR_CONFIG_SYSTEM=folder + "/etc")
        done = subprocess.run(["sh", "-c", sections["command"]], cwd=folder, env=env,
                              input=sections.get("stdin", "").encode(), capture_output=True)
    return sections, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), done.returncode


def write(case, sections, out, err, code):
    with open(case, "w", encoding="utf-8") as f:
        f.write("--- command\n" + sections["command"])
        if "stdin" in sections:
            f.write("--- stdin\n" + sections["stdin"])
        if out:
            f.write("--- stdout\n" + out)
        if err:
            f.write("--- stderr\n" + err)
        if code:
            f.write("--- exit\n%d\n" % code)


def main():
    apr, case = sys.argv[1:3]
    sections, out, err, code = run(apr, case)
    if sys.argv[3:] == ["--write"]:
        write(case, sections, out, err, code)
        return 0
    problems = []
    if "stdout glob" in sections:
        if not same_lines(sections["stdout glob"], out):
            problems.append("stdout, wanted:\n%s\ngot:\n%s" % (sections["stdout glob"], out))
    elif out != sections.get("stdout", ""):
        problems.append("stdout, wanted:\n%s\ngot:\n%s" % (sections.get("stdout", ""), out))
    if not same_lines(sections.get("stderr", ""), err):
        problems.append("stderr, wanted:\n%s\ngot:\n%s" % (sections.get("stderr", ""), err))
    if code != int(sections.get("exit", "0")):
        problems.append("exit %d, wanted %s" % (code, sections.get("exit", "0").strip()))
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
