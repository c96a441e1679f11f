#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare `apr run` with recorded greedy tokens: run_golden.py --apr APR (--model FILE | --fetch NAME | --convert FILE) GOLDEN.json [-- OPTIONS]

A case passes when its prompt gives the recorded prompt ids and every id is the recorded one, or the first other id stands
where the reference's margin is below the golden file's tolerance or null (the two best tokens were nearly equal). Such
places are listed. Any other difference fails, unless exceptions.json beside the golden sets names exactly it: set, backend,
case, position, both tokens and the margin, with the reason and its evidence. Exceptions are printed; one that a case no
longer needs, or that does not fit the recorded set, fails.
--convert makes the model: FILE with every matrix of the type that the golden file is named after. It must be the file whose
tokens were recorded, by its SHA-256; each case is asked in one form.
Conversations that one `apr run` can hold are asked through the chat template; all of them also as rendered text.
OPTIONS are passed to apr (a backend, a number of threads). The exit status is 1 when a case fails.
"""
import argparse
import collections
import hashlib
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FETCH = os.path.join(HERE, "..", "models", "fetch")
EXCEPTIONS = os.path.join(HERE, "..", "data", "golden", "exceptions.json")
FIELDS = {"set": str, "backend": str, "case": int, "position": int, "recorded": int, "token": int, "margin": float,
          "why": str, "evidence": str}


def call(command):
    """The JSON document of one apr command, or what went wrong as text."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}"
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        return f"no JSON on stdout ({error}): {done.stdout[:200]!r}"


def requests(case):
    """(what it is, options of `apr run`) for each form in which the case can be asked."""
    if "prompt" in case:
        return [("text", ["--no-chat", "-p", case["prompt"]])]
    forms = [("rendered", ["--no-chat", "-p", case["rendered"]])]
    messages = {m["role"]: m["content"] for m in case["messages"]}
    if [m["role"] for m in case["messages"]] in (["user"], ["system", "user"]):
        system = ["--system", messages["system"]] if "system" in messages else []
        forms.append(("chat", ["--chat", *system, "-p", messages["user"]]))
    return forms


def token_and_margin(golden, case, position):
    """What the golden set has at one place, or None beyond its end."""
    case = dict(enumerate(golden["cases"])).get(case, {"ids": [], "margins": []})
    return dict(enumerate(zip(case["ids"], case["margins"]))).get(position)


def read_exceptions(path, golden):
    """The exceptions of this golden set by (backend, case); a row that the set contradicts ends the run."""
    with open(path, encoding="utf-8") as f:
        rows = [row for row in json.load(f)["exceptions"] if row["set"] == golden["model"]]
    by_case = {}
    for row in rows:
        wrong = [name for name, kind in FIELDS.items() if not isinstance(row.get(name), kind) or row[name] == ""]
        if wrong or len(row) != len(FIELDS):
            raise SystemExit(f"{path}: {golden['model']}: missing or wrong: {wrong}, of {sorted(row)}")
        key = row["backend"], row["case"]
        recorded = token_and_margin(golden, row["case"], row["position"])
        if recorded != (row["recorded"], row["margin"]):
            raise SystemExit(f"{path}: {golden['model']}, case {row['case']}: token and margin recorded are {recorded}")
        if row["margin"] < golden["tolerance"] or key in by_case:
            raise SystemExit(f"{path}: {golden['model']}, case {row['case']}: a second row, or a margin that needs none")
        by_case[key] = row
    return by_case


def judge(case, answer, tolerance, exception):
    """(verdict, remark or None) for one answer; the verdict is "same", "near", "excepted" or "FAIL"."""
    if isinstance(answer, str):
        return "FAIL", answer
    if answer["prompt_ids"] != case["prompt_ids"]:
        return "FAIL", f"prompt ids {answer['prompt_ids']}, expected {case['prompt_ids']}"
    ours, theirs = answer["ids"], case["ids"]
    for i, (mine, right) in enumerate(zip(ours, theirs)):
        if mine != right:
            margin = case["margins"][i]
            remark = f"token {i} is {mine}, the reference has {right} by a margin of {margin}"
            if margin is None or margin < tolerance:
                verdict = "near"
            elif exception and (exception["position"], exception["token"]) == (i, mine):
                return "excepted", f"{remark}: {exception['why']} ({exception['evidence']})"
            else:
                return "FAIL", remark
            break
    else:
        reason = {"eos": "stop", "limit": "length"}[case["stop"]]
        if len(ours) != len(theirs):
            return "FAIL", f"{len(ours)} tokens, the reference has {len(theirs)}"
        if answer["finish_reason"] != reason:
            return "FAIL", f"finish_reason {answer['finish_reason']}, expected {reason}"
        verdict, remark = "same", None
    if exception:
        return "FAIL", f"exceptions.json has a row for token {exception['position']} that this answer does not need"
    return verdict, remark


def convert(apr, source, golden_path, golden, folder):
    """Make the file that the golden set was recorded with; None when another one comes out."""
    path = os.path.join(folder, "model.gguf")
    kind = os.path.splitext(os.path.basename(golden_path))[0]
    subprocess.run([apr, "-q", "convert", source, "-o", path, "--quantize", kind], check=True)
    with open(path, "rb") as f:
        made = hashlib.sha256(f.read()).hexdigest()
    if made != golden["sha256"]:
        print(f"{kind}: the file is {made}, the recorded one {golden['sha256']}: record again (tests/references/requantised.sh)")
        return None
    return path


def model_file(args, golden, folder):
    """The path of the model that the arguments name, or None after a message."""
    if args.convert:
        return convert(args.apr, args.convert, args.golden, golden, folder)
    if args.fetch:
        fetched = subprocess.run([sys.executable, FETCH, args.fetch], stdout=subprocess.PIPE, text=True, check=False)
        return fetched.stdout.strip() if fetched.returncode == 0 else None  # fetch said why on stderr
    return args.model


def compare(args, golden, exceptions, model):
    """Ask every case of the model and print what came of it; 1 when one fails."""
    tolerance = golden["tolerance"]
    count = collections.Counter()
    for number, case in enumerate(golden["cases"]):
        for form, options in requests(case)[:1 if args.convert else None]:
            answer = call([args.apr, "run", model, "--json", "--temperature", "0", "-n", str(golden["tokens"]), *options,
                           *args.options])
            exception = exceptions.get((answer["backend"], number)) if isinstance(answer, dict) else None
            verdict, remark = judge(case, answer, tolerance, exception)
            count[verdict] += 1
            if remark:
                what = json.dumps(case.get("prompt") or case["messages"][-1]["content"], ensure_ascii=False)
                print(f"{verdict}: case {number}, {form} {what}: {remark}")
    print(f"{golden['model']}: {count['same']} equal, {count['near']} differ first at a margin below {tolerance} or null, "
          f"{count['excepted']} as exceptions.json says")
    print(f"{sum(count.values()) - count['FAIL']} passed, {count['FAIL']} failed")
    return 1 if count["FAIL"] else 0


def shorten(golden, first, tokens):
    """Less of the set, for models that are slow to run."""
    golden["cases"] = golden["cases"][:first or None]
    golden["tokens"] = min(tokens or golden["tokens"], golden["tokens"])
    for case in golden["cases"]:
        if len(case["ids"]) > golden["tokens"]:
            case["stop"] = "limit"
        for row in ("ids", "margins"):
            case[row] = case[row][:golden["tokens"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden")
    parser.add_argument("--apr", required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model")
    source.add_argument("--fetch", help="a name that tests/models/fetch knows")
    source.add_argument("--convert", metavar="FILE", help="make the model from FILE")
    parser.add_argument("--exceptions", default=EXCEPTIONS, help="default: the file beside the golden sets")
    parser.add_argument("--first", type=int, default=0, help="only so many cases (default: all)")
    parser.add_argument("--tokens", type=int, default=0, help="only so many tokens of each (default: all)")
    words = sys.argv[1:]
    ours = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(words[:ours])
    args.options = words[ours + 1:]
    with open(args.golden, encoding="utf-8") as f:
        golden = json.load(f)
    exceptions = read_exceptions(args.exceptions, golden)
    if args.first or args.tokens:
        shorten(golden, args.first, args.tokens)
    with tempfile.TemporaryDirectory() as folder:
        model = model_file(args, golden, folder)
        return 1 if model is None else compare(args, golden, exceptions, model)


if __name__ == "__main__":
    sys.exit(main())
