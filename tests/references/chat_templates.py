#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What transformers and Jinja2 make of chat templates, recorded for the tests of the template engine.

    chat_templates.py corpus OUT.json TEMPLATES-FOLDER MODEL.gguf...
        a row for each case of cases.json and each template in the folder (tests/models/fetch_templates) and the models
    chat_templates.py own OUT.json
        a row for each of our own small templates (own_templates.py)

The corpus' templates are other people's: OUT.json holds for each only a hash of its text and, for each case, the
length and hash of the rendered text, or the error. Rendering goes through transformers' own functions, so that messages are
prepared and templates compiled as there. One thing is added: the filter from_json (json.loads), which three templates
of the corpus use and transformers lacks. Made with transformers 5.24 and jinja2 3.1.6, python 3.11.
"""
import datetime
import hashlib
import json
import os
import sys

import jinja2
import transformers.utils.chat_template_utils as hf

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data", "templates")
NOW = 1770000000  # 2026-02-02 02:40 UTC
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def strftime_now(form):
    return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None).strftime(form)


def compile_template(source):
    template = hf._compile_jinja_template("")
    environment = template.environment
    environment.globals["strftime_now"] = strftime_now
    environment.filters["from_json"] = json.loads
    return environment.from_string(source)


def variables_of(job):
    """What transformers' render_jinja_template passes to a template."""
    out = {"tools": None, "documents": None, "add_generation_prompt": job.get("add_generation_prompt", False)}
    out.update({k: v for k, v in job.items() if k in TOKENS})
    if "messages" in job:
        messages = hf._plain_template_data(hf._normalize_chat_messages(job["messages"]))
        out["messages"] = hf._alias_reasoning_fields(messages)
    if "tools" in job:
        out["tools"] = hf._plain_template_data(job["tools"])
    out.update(hf._plain_template_data(job.get("variables", {})))
    return out


def error_kind(error):
    """'refused' for raise_exception, 'syntax', or 'runtime'."""
    if isinstance(error, (jinja2.TemplateSyntaxError, SyntaxError)):
        return "syntax"
    return "refused" if type(error) is jinja2.TemplateError else "runtime"


def render(source, job):
    try:
        return {"text": compile_template(source).render(**variables_of(job))}
    except Exception as error:  # whatever a template can raise is an expected error
        return {"error": error_kind(error), "message": str(error)}


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def row(result):
    if "text" in result:
        return [len(result["text"].encode()), sha256(result["text"])[:32]]
    return [result["error"], result["message"] if result["error"] == "refused" else ""]


def cases():
    with open(os.path.join(DATA, "cases.json"), encoding="utf-8") as file:
        return [{**case, **TOKENS, "now": NOW} for case in json.load(file)]


def templates_in(folder, models):
    """(name, source) of every template."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jinja"):
            with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
                yield name, file.read()
    for model in models:
        import gguf
        field = gguf.GGUFReader(model).fields["tokenizer.chat_template"]
        yield os.path.basename(model), bytes(field.parts[field.data[0]]).decode()


def corpus(out, folder, *models):
    with open(out, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(
            f'{json.dumps(name)}: {{"sha256": "{sha256(source)}", "cases": {{\n' + ",\n".join(
                f" {json.dumps(case['name'])}: {json.dumps(row(render(source, case)), ensure_ascii=False)}"
                for case in cases()) + "}}" for name, source in templates_in(folder, models)) + "\n}\n")


def own(out):
    sys.path.insert(0, DATA)
    import own_templates
    rows = []
    for source in own_templates.sources():
        result = render(source, {"variables": own_templates.DATA})
        rows.append({"source": source, **{k: v for k, v in result.items() if k != "message" or result["error"] == "refused"}})
    with open(out, "w", encoding="utf-8") as file:
        file.write(f'{{"variables": {json.dumps(own_templates.DATA, ensure_ascii=False)},\n"now": {NOW},\n"rows": [\n'
                   + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]}\n")


def main(arguments):
    if len(arguments) >= 3 and arguments[0] == "corpus":
        corpus(*arguments[1:])
    elif len(arguments) == 2 and arguments[0] == "own":
        own(arguments[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
