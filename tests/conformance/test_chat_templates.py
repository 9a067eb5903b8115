"""Chat templates of published models, as a package carries them: the same prompts as transformers, to the byte."""

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conversations import requests
from transformers.utils.chat_template_utils import render_jinja_template

# Its Python source holds the templates of some 25 families as text; nothing of it is installed or run.
PACKAGE = "unsloth==2026.10.9"
PACKAGES = Path("build/conformance/packages").resolve()
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def published():
    """{name: template} of every string that the package's chat_templates.py names *_template."""
    wheels = lambda: sorted(PACKAGES.glob(f"unsloth-{PACKAGE.split('==')[1]}-*.whl"))
    if not wheels():
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", PACKAGES, PACKAGE], check=True)
    with zipfile.ZipFile(wheels()[0]) as wheel:
        source = wheel.read("unsloth/chat_templates.py").decode()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, text_of(node.value)
            if name.endswith("_template") and "ollama" not in name and value is not None:
                found[name.removesuffix("_template")] = value
    return found


def text_of(node):
    """The text of a literal, or of literals added up; None for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        return None if left is None or right is None else left + right
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def expected(template, request):
    """What transformers makes of the request, or None when the template or Jinja refuses it."""
    messages = [{k: v for k, v in m.items() if v is not None} for m in request["messages"]]
    try:
        return render_jinja_template([messages], tools=request.get("tools"), chat_template=template,
                                     add_generation_prompt=request["add_generation_prompt"],
                                     **TOKENS, **request.get("chat_template_kwargs", {}))[0][0]
    except Exception:
        return None


def test_renders_the_same(quern, measured, tmp_path):
    templates = published()
    assert len(templates) > 20
    different = []
    for name, template in templates.items():
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, **TOKENS}))
        rows = requests()
        prompts = quern.json_lines("tokenizer", "chat", tmp_path, "--jsonl", "-", rows=rows)
        different += [(name, row) for row, prompt in zip(rows, prompts, strict=True)
                      if prompt.get("text") != expected(template, row)]
    measured("templates", len(templates))
    measured("prompts", len(templates) * len(requests()))
    assert not different, f"{len(different)} prompts differ, the first: {different[0]}"
