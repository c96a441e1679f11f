#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare `apr run` with recorded greedy tokens: run_golden.py --apr APR (--model FILE | --fetch NAME) GOLDEN.json [-- OPTIONS]

A case passes when its prompt gives the recorded prompt ids and either every id is the recorded one, or the first other id
stands where the reference's margin was below the tolerance (the two best tokens were nearly equal), or is the one that
exact arithmetic chooses there (exact_choices.py). Such places are listed.
Conversations that one `apr run` can hold are asked through the chat template; all of them also as rendered text.
OPTIONS are passed to apr (a backend, a number of threads). The exit status is 1 when a case fails.
"""
import argparse
import json
import os
import subprocess
import sys

FETCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "fetch")


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


def judge(case, answer, tolerance):
    """(passed, remark or None) for one answer."""
    if isinstance(answer, str):
        return False, answer
    if answer["prompt_ids"] != case["prompt_ids"]:
        return False, f"prompt ids {answer['prompt_ids']}, expected {case['prompt_ids']}"
    ours, theirs = answer["ids"], case["ids"]
    for i, (mine, right) in enumerate(zip(ours, theirs)):
        if mine != right:
            margin = case["margins"][i]
            exact, lead = case.get("exact", {}).get(str(i), (right, 0.0))
            remark = f"token {i} is {mine}, the reference has {right} by a margin of {margin}"
            if mine == exact:
                remark += f"; exact arithmetic has {exact} by {lead}"
            return margin is None or margin < tolerance or mine == exact, remark
    if len(ours) != len(theirs):
        return False, f"{len(ours)} tokens, the reference has {len(theirs)}"
    reason = {"eos": "stop", "limit": "length"}[case["stop"]]
    if answer["finish_reason"] != reason:
        return False, f"finish_reason {answer['finish_reason']}, expected {reason}"
    return True, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden")
    parser.add_argument("--apr", required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model")
    source.add_argument("--fetch", help="a name that tests/models/fetch knows")
    parser.add_argument("--tolerance", type=float, help="default: the golden file's")
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()
    with open(args.golden, encoding="utf-8") as f:
        golden = json.load(f)
    tolerance = golden["tolerance"] if args.tolerance is None else args.tolerance
    model = args.model
    if args.fetch:
        fetched = subprocess.run([sys.executable, FETCH, args.fetch], stdout=subprocess.PIPE, text=True, check=False)
        if fetched.returncode != 0:
            return 1  # fetch said why on stderr
        model = fetched.stdout.strip()
    passed = failed = near = 0
    for case in golden["cases"]:
        for form, options in requests(case):
            answer = call([args.apr, "run", model, "--json", "--temperature", "0", "-n", str(golden["tokens"]), *options,
                           *args.options])
            right, remark = judge(case, answer, tolerance)
            passed, failed, near = passed + right, failed + (not right), near + (right and remark is not None)
            if remark:
                what = json.dumps(case.get("prompt") or case["messages"][-1]["content"], ensure_ascii=False)
                print(f"{'near' if right else 'FAIL'}: {form} {what}: {remark}")
    print(f"{golden['model']}: {near} differ at a margin below {tolerance}, or as exact arithmetic does")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
