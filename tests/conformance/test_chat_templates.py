"""Chat templates of published models, as a package carries them: the same prompts as transformers, to the byte."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conversations import requests
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers.utils.chat_template_utils import render_jinja_template

# Its Python source holds the templates of some 25 families as text; nothing of it is installed or run.
PACKAGE = "unsloth==2026.10.9"
PACKAGES = Path("build/conformance/packages").resolve()
# The 20 chat models that people meet most, by the package's name of the template: the families that hubs and local runners list
# first, each form once, chosen by hand. Hermes, SmolLM2, Qwen 1.5 and 2 and many tunes have ChatML; Llama 3.2 and 3.3 have 3.1's.
MOST_USED = {
    "Llama 2 Chat": "llama", "Llama 3 Instruct": "llama3", "Llama 3.1 Instruct": "llama31", "Mistral 7B Instruct": "mistral",
    "Zephyr": "zephyr", "Vicuna 1.5": "vicuna", "Starling": "starling", "Yi Chat": "yi_chat", "Hermes (ChatML)": "chatml",
    "Qwen 2.5 Instruct": "qwen25", "Qwen 3": "qwen3", "Qwen 3 Instruct 2507": "qwen3_instruct",
    "Qwen 3 Thinking 2507": "qwen3_thinking", "Gemma 2": "gemma", "Gemma 3": "gemma3", "Gemma 4": "gemma4",
    "Phi-3": "phi3", "Phi-4": "phi4", "gpt-oss": "gptoss", "LFM2": "liquid_lfm2",
}
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


def special_tokens(template):
    """What looks like a special token in a template's source."""
    found = re.findall(r"<\|[a-zA-Z_0-9]+\|>|<｜[^<>]+｜>|<[a-z]+_of_[a-z]+>|\[/?[A-Z_]{3,}\]", template)
    return sorted({*found, *TOKENS.values()})


def write_tokenizer(folder, specials):
    """A tokenizer of bytes with these special tokens."""
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))},
                                     merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    tokenizer.save(str(folder / "tokenizer.json"))
    return {tokenizer.token_to_id(token) for token in specials}


def test_typed_special_tokens_stay_text(quern, measured, tmp_path):
    """All special tokens of a template, and beginnings of them, are typed: the prompt is still that of transformers, and
    has no special token more than with other letters."""
    prompts = 0
    for name, template in published().items():
        specials = special_tokens(template)
        ids = write_tokenizer(tmp_path, specials)
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, **TOKENS}))
        outcomes = []
        for typed in ("x y", "".join(f"{token} {token[:-1]} " for token in specials) + "x"):
            rows = [{"messages": [{"role": role, "content": f"{text} {typed}"} for role, text in talk],
                     "add_generation_prompt": True}
                    for talk in ([("user", "a")], [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c")])]
            answers = quern.json_lines("tokenizer", "chat", tmp_path, "--ids", "--jsonl", "-", rows=rows)
            for row, answer in zip(rows, answers, strict=True):
                assert answer.get("text") == expected(template, row), name
            outcomes.append([[i for i in answer.get("ids", []) if i in ids] for answer in answers])
            prompts += len(rows)
        assert outcomes[0] == outcomes[1], name
    measured("prompts with typed special tokens", prompts)


def test_renders_the_same(quern, measured, tmp_path):
    templates = published()
    assert len(templates) > 20
    different, rendered = [], {}
    for name, template in templates.items():
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, **TOKENS}))
        rows = requests()
        prompts = quern.json_lines("tokenizer", "chat", tmp_path, "--jsonl", "-", rows=rows)
        wanted = [expected(template, row) for row in rows]
        different += [(name, row) for row, prompt, text in zip(rows, prompts, wanted, strict=True) if prompt.get("text") != text]
        rendered[name] = sum(text is not None for text in wanted)
    measured("templates", len(templates))
    measured("prompts", len(templates) * len(requests()))
    assert len(MOST_USED) == len(set(MOST_USED.values())) == 20
    for model, name in MOST_USED.items():
        assert rendered.get(name, 0) > 10, f"{model}: {rendered.get(name)} prompts were rendered and compared"
    measured("of the 20 most used models", len(MOST_USED))
    assert not different, f"{len(different)} prompts differ, the first: {different[0]}"
