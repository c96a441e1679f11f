#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Render other people's chat templates and compare with what transformers made of them.

    render_templates.py RENDER-JOBS APR MODEL.gguf...

The templates are those that tests/models/fetch_templates brings, and those in the models (APR inspect tells them). Prints a line for each template, and each difference; exit status 1 when there is one, or when a template is not the one that the
expected values were recorded for.
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "templates")
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
NOW = 1770000000
STATUS = {"syntax": ("invalid_format",), "refused": ("usage",), "runtime": ("invalid_content", "unsupported")}


def load(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return json.load(file)


def difference(expected, got):
    """None, or what is wrong with one result."""
    if isinstance(expected[0], int):
        if "error" in got:
            return f"error: {got['error']}"
        text = got["text"].encode()
        if [len(text), hashlib.sha256(text).hexdigest()[:32]] != expected:
            return f"other text ({len(text)} bytes, expected {expected[0]})"
        return None
    if "text" in got:
        return f"text, where transformers fails: {expected[0]} {expected[1]}"
    if got["status"] not in STATUS[expected[0]]:
        return f"{got['status']}, expected {expected[0]}: {got['error']}"
    if expected[0] == "refused" and not got["error"].endswith(" ".join(expected[1].splitlines())[:300]):
        return f"message {got['error']!r}, expected {expected[1]!r}"
    return None


def render(program, jobs):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(jobs, file)
        file.flush()
        done = subprocess.run([program, file.name], stdout=subprocess.PIPE, check=True, env={**os.environ, "TZ": "UTC"})
    return json.loads(done.stdout)


def render_cases(program, cases, source):
    return render(program, [{**case, **TOKENS, "now": NOW, "source": source.decode()} for case in cases])


def read_templates(apr, models):
    """Name and bytes of every template."""
    here = os.path.dirname(os.path.abspath(__file__))
    fetched = subprocess.run([os.path.join(here, "fetch_templates")], stdout=subprocess.PIPE, check=True)
    folder = fetched.stdout.decode().strip()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            yield name, file.read()
    for model in models:
        told = subprocess.run([apr, "inspect", model, "--json"], stdout=subprocess.PIPE, check=True)
        yield os.path.basename(model), json.loads(told.stdout)["metadata"]["chat_template"].encode()


def main(program, apr, *models):
    cases, expected = load("cases.json"), load("corpus.json")
    good = bad = 0
    for name, source in read_templates(apr, models):
        entry = expected.pop(name, None)
        if entry is None or hashlib.sha256(source).hexdigest() != entry["sha256"]:
            print(f"{name}: not a template that was recorded")
            bad += 1
            continue
        results = render_cases(program, cases, source)
        wrong = [(case["name"], difference(entry["cases"][case["name"]], got)) for case, got in zip(cases, results)]
        wrong = [(case, what) for case, what in wrong if what]
        for case, what in wrong:
            print(f"{name} {case}: {what}")
        good += len(cases) - len(wrong)
        bad += len(wrong)
        print(f"{name}: {len(cases) - len(wrong)} of {len(cases)}")
    for name in expected:
        print(f"{name}: recorded, but not found")
    print(f"{good} renderings equal, {bad} not")
    return 1 if bad or expected or not good else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
