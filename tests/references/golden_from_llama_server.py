#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record greedy tokens of a running llama.cpp server: golden_from_llama_server.py URL MODEL-NAME PROMPTS.json OUT.json
--reference TEXT

For every prompt the file gets the ids of the prompt, the ids that followed, and for each of those its margin: the
log-probability of the chosen token less that of the second best. A reader may differ from the reference only where the
margin is small, and the ids after such a place say nothing. A margin is null where the server gave no probabilities (a
token that ends inside a character); it counts as small.
"""
import argparse
import concurrent.futures
import hashlib
import json
import urllib.request

TIMEOUT = 3600  # seconds for one answer


def post(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return json.load(answer)


def margins(ids, probabilities):
    """One margin for each id; the server leaves out tokens that end inside a character, so walk both lists."""
    out, left = [], list(probabilities)
    for token in ids:
        if left and left[0]["id"] == token:
            best, second = (p["logprob"] for p in left.pop(0)["top_logprobs"][:2])
            out.append(round(best - second, 5))
        else:
            out.append(None)
    if any(p["id"] in ids for p in left):
        raise SystemExit(f"probabilities do not line up with the tokens {ids}")
    return out


def generate(url, text, count):
    ids = post(url, "/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]
    answer = post(url, "/completion", {"prompt": ids, "n_predict": count, "temperature": 0, "top_k": 1, "n_probs": 2,
                                       "cache_prompt": False, "return_tokens": True, "seed": 1, "repeat_penalty": 1.0})
    return {"prompt_ids": ids, "ids": answer["tokens"],
            "margins": margins(answer["tokens"], answer["completion_probabilities"]),
            "text": answer["content"], "stop": answer["stop_type"]}


def write(path, head, cases):
    """One case a line, so that a change of one answer shows as one line."""
    with open(path, "w", encoding="utf-8") as f:
        f.write("{\n")
        for key, value in head.items():
            f.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        f.write('"cases": [\n')
        f.write(",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases))
        f.write("\n]\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("name")
    parser.add_argument("prompts")
    parser.add_argument("out")
    parser.add_argument("--reference", required=True, help="the program, its version, and how it was started")
    parser.add_argument("--parallel", type=int, default=1, help="requests at a time; the server's --parallel")
    parser.add_argument("--tokens", type=int, default=64, help="at most so many after each prompt")
    parser.add_argument("--tolerance", type=float, default=0.15, help="the margin below which a reader may differ")
    parser.add_argument("--file", help="the model's file, whose SHA-256 is recorded")
    args = parser.parse_args()
    with open(args.prompts, encoding="utf-8") as f:
        prompts = json.load(f)
    cases = [{"prompt": text} for text in prompts["raw"]]
    for messages in prompts["chat"]:
        cases.append({"messages": messages,
                      "rendered": post(args.url, "/apply-template", {"messages": messages})["prompt"]})
    with concurrent.futures.ThreadPoolExecutor(args.parallel) as pool:
        texts = [case.get("prompt") or case["rendered"] for case in cases]
        for case, answer in zip(cases, pool.map(lambda text: generate(args.url, text, args.tokens), texts)):
            case.update(answer)
    head = {"model": args.name, "reference": args.reference, "tokens": args.tokens, "tolerance": args.tolerance}
    if args.file:
        with open(args.file, "rb") as f:
            head["sha256"] = hashlib.sha256(f.read()).hexdigest()
    write(args.out, head, cases)
    print(args.name, [len(case["ids"]) for case in cases])


if __name__ == "__main__":
    main()
