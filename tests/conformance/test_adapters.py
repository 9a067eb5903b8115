"""Adapters that PEFT wrote, used and merged here, beside PEFT itself."""

import pytest
import torch
from agreement import generation_agrees
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from program import settings
from texts import prose
from transformers import AutoModelForCausalLM, AutoTokenizer

# family: how PEFT adapts it
ADAPTERS = {
    "gpt2": dict(r=4, lora_alpha=16, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True),
    "llama": dict(r=8, lora_alpha=16, target_modules="all-linear", use_rslora=True, rank_pattern={"q_proj": 2},
                  alpha_pattern={"layers.1.mlp.down_proj": 3}),
    "qwen3": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], use_dora=True),
    "phi3": dict(r=4, lora_alpha=8, target_modules=["qkv_proj", "gate_up_proj"]),
    "falcon": dict(r=4, lora_alpha=8, target_modules=["query_key_value"], use_dora=True),
}
# Of gpt2 (learned positions) and llama (rotary ones, fewer kv-heads than heads).
VIRTUAL_TOKENS = {"prompt": PromptTuningConfig, "prefix": PrefixTuningConfig}
PROMPT = "The mill stands"


@pytest.fixture(scope="module", params=ADAPTERS)
def base(request, quern, tmp_path_factory):
    """A tiny model of a family."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text.txt").write_text(prose())
    quern("tokenizer", "train", "--input", folder / "text.txt", "--vocab-size", 400, "--out", folder / "tokenizer")
    heads = {} if request.param == "gpt2" else {"model.kv_heads": 2, "model.intermediate": 96}
    quern("train", *settings({"out": folder / "run", "tokenizer": folder / "tokenizer", "data.inputs": folder / "text.txt",
                              "train.steps": 10, "train.batch": 4, "train.sequence": 128, "train.lr": 1e-2,
                              "model.family": request.param, "model.layers": 2, "model.hidden": 64, "model.heads": 4, **heads}))
    return request.param, folder / "run" / "model"


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """A folder as PEFT saves it, of random values."""
    family, folder = base
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
                           LoraConfig(task_type="CAUSAL_LM", **ADAPTERS[family]))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:
                value.copy_(0.1 * torch.randn(value.shape, generator=generator))
            elif "magnitude" in name:
                value.mul_(1.0 + 0.1 * torch.randn(value.shape, generator=generator))
    target = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def theirs(base, adapter):
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base[1], dtype=torch.float32), adapter).eval()


def test_adapter_is_used_as_by_peft(quern, base, adapter, theirs, measured):
    tokenizer = AutoTokenizer.from_pretrained(base[1])
    generation_agrees(quern, base[1], theirs, tokenizer, PROMPT, measured, "--adapter", adapter)
    arguments = (base[1], "-p", PROMPT, "-t", 0, "-n", 5)
    assert quern.json("generate", *arguments)["tokens"] != quern.json("generate", *arguments, "--adapter", adapter)["tokens"]


def test_adapter_is_merged_as_by_peft(quern, base, adapter, theirs, measured, tmp_path):
    quern("merge", base[1], "--adapter", adapter, "-o", tmp_path / "merged", "--dtype", "f32")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    ids = torch.tensor([AutoTokenizer.from_pretrained(base[1])(PROMPT)["input_ids"]])
    with torch.no_grad():
        difference = (merged(ids).logits - theirs(ids).logits).abs().max().item()
    measured("logit difference", difference)
    assert difference < 1e-4
    quern("merge", base[1], "--adapter", adapter, "--to", "gguf", "--dtype", "f32", "-o", tmp_path / "merged.gguf")
    said = [quern("generate", path, "-p", PROMPT, "-t", 0, "-n", 40, "-q") for path in (tmp_path / "merged", tmp_path / "merged.gguf")]
    assert said[0] == said[1]


def test_rows_of_tokens_are_used_and_merged_as_by_peft(quern, base, measured, tmp_path):
    family, folder = base
    if family not in ("gpt2", "llama"):
        pytest.skip("tied and untied heads show it")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = sorted(set(tokenizer(PROMPT)["input_ids"]))[:3]
    rows = ids if family == "gpt2" else {"embed_tokens": ids, "lm_head": ids}
    open_base = lambda: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)  # noqa: E731
    model = get_peft_model(open_base(), LoraConfig(task_type="CAUSAL_LM", trainable_token_indices=rows,
                                                   **(ADAPTERS[family] | {"r": 2})))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name or "trainable_tokens" in name:
                value.add_(0.1 * torch.randn(value.shape, generator=generator))
    model.save_pretrained(tmp_path / "adapter")
    theirs = PeftModel.from_pretrained(open_base(), tmp_path / "adapter").eval()
    generation_agrees(quern, folder, theirs, tokenizer, PROMPT, measured, "--adapter", tmp_path / "adapter")
    quern("merge", folder, "--adapter", tmp_path / "adapter", "-o", tmp_path / "merged", "--dtype", "f32")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    prompt = torch.tensor([tokenizer(PROMPT)["input_ids"]])
    with torch.no_grad():
        difference = (merged(prompt).logits - theirs(prompt).logits).abs().max().item()
    measured("logit difference", difference)
    assert difference < 1e-4


@pytest.mark.parametrize("method", VIRTUAL_TOKENS)
def test_virtual_tokens_are_used_as_by_peft(quern, base, method, measured, tmp_path):
    family, folder = base
    if family not in ("gpt2", "llama"):
        pytest.skip("two families show it")
    config = VIRTUAL_TOKENS[method](task_type="CAUSAL_LM", num_virtual_tokens=7)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), config)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    model.save_pretrained(tmp_path)
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), tmp_path).eval()
    generation_agrees(quern, folder, theirs, AutoTokenizer.from_pretrained(folder), PROMPT, measured, "--adapter", tmp_path)
