"""Models that `quern train` wrote, opened by transformers."""

import json

import pytest
import torch
from agreement import LOGPROB_TOLERANCE, generation_agrees, logprobs
from program import settings
from texts import prose
from transformers import AutoModelForCausalLM, AutoTokenizer

# name: settings of `model:`
GPT2 = dict(family="gpt2", heads=4)
LLAMA = dict(family="llama", heads=4, kv_heads=2, intermediate=80)
MODELS = {
    "gpt2": GPT2,
    "gpt2, bf16": GPT2 | {"dtype": "bf16"},
    "llama": LLAMA,
    "llama, tied, wide heads": LLAMA | {"tied_embeddings": True, "head_dim": 24},
    "llama, biases": LLAMA | {"qkv_bias": True, "output_bias": True, "mlp_bias": True},
    "llama, linear rope": LLAMA | {"rope.scaling": "linear", "rope.factor": 4},
    "llama, llama3 rope": LLAMA | {"rope.scaling": "llama3", "rope.factor": 8, "rope.original_positions": 64},
    "llama, yarn rope": LLAMA | {"rope.scaling": "yarn", "rope.factor": 4, "rope.original_positions": 64},
    "llama, f16": LLAMA | {"dtype": "f16"},
    "mistral": LLAMA | {"family": "mistral", "window": 20},
    "qwen2": LLAMA | {"family": "qwen2", "window": 20, "full_layers": [0]},
    "qwen3": LLAMA | {"family": "qwen3", "head_dim": 24},
    "gemma": LLAMA | {"family": "gemma"},
    "gemma2": LLAMA | {"family": "gemma2", "window": 20, "full_layers": [1], "attention_scale": 0.2},
    "gemma3_text": LLAMA | {"family": "gemma3_text", "window": 20, "full_layers": [1], "head_dim": 24},
    "phi3": LLAMA | {"family": "phi3", "window": 20},
    "olmo2": LLAMA | {"family": "olmo2"},
    "starcoder2": LLAMA | {"family": "starcoder2", "window": 20},
    "opt": LLAMA | {"family": "opt", "kv_heads": 4},
    "mpt": LLAMA | {"family": "mpt", "kv_heads": 4, "intermediate": 256},
    "falcon": LLAMA | {"family": "falcon"},
    "falcon, one kv head": LLAMA | {"family": "falcon", "kv_heads": 1},
    "falcon, two norms": LLAMA | {"family": "falcon", "layout": "parallel_norms"},
    "phi": LLAMA | {"family": "phi", "rope.rotary": 8},
    "gpt_neox": LLAMA | {"family": "gpt_neox", "kv_heads": 4, "rope.rotary": 8},
    "mixtral": LLAMA | {"family": "mixtral", "experts": 4, "experts_per_token": 2},
    "qwen2_moe": LLAMA | {"family": "qwen2_moe", "experts": 4, "experts_per_token": 2, "expert_intermediate": 24,
                          "shared_intermediate": 40, "dense_layers": [0]},
    "smollm3": LLAMA | {"family": "smollm3", "nope_layers": [1]},
}
HELD_OUT = 300  # bytes of validation text: one row of a batch
SEQUENCE = 256


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text(prose())
    return path


@pytest.fixture(scope="module")
def tokenizers(quern, corpus, tmp_path_factory):
    """By family: GPT-2 starts its texts with nothing, LLaMA with <s>. transformers 5 splits texts for Qwen 2 as Qwen does,
    whatever tokenizer.json says."""
    folders = {}
    for family, bos, pattern in (("gpt2", "", "gpt2"), ("llama", "<s>", "gpt4o"), ("qwen2", "<s>", "qwen2")):
        folders[family] = tmp_path_factory.mktemp("tokenizer")
        quern("tokenizer", "train", "--input", corpus, "--vocab-size", 400, "--out", folders[family],
              *settings({"special_tokens": ["<|endoftext|>", "<s>"], "bos_token": bos, "pattern": pattern}))
    return folders


@pytest.fixture(scope="module", params=MODELS, ids=lambda name: name)
def run(request, quern, corpus, tokenizers, tmp_path_factory):
    """The folder of a short training run."""
    config = MODELS[request.param]
    out = tmp_path_factory.mktemp("run")
    values = {"out": out, "tokenizer": tokenizers.get(config["family"], tokenizers["llama"]), "data.inputs": corpus, "data.split": "tail",
              "data.validation": HELD_OUT / corpus.stat().st_size, "train.steps": 20, "train.batch": 4,
              "train.sequence": SEQUENCE, "train.lr": 1e-2, "train.warmup": 2, "train.log_every": 1,
              "model.layers": 2, "model.hidden": 64}
    values |= {f"model.{key}": value for key, value in config.items()}
    quern("train", *settings(values))
    return out


@pytest.fixture(scope="module")
def opened(run):
    """The model in f32, what transformers said about it, and its tokenizer."""
    model, report = AutoModelForCausalLM.from_pretrained(run / "model", dtype=torch.float32, output_loading_info=True)
    return model.eval(), report, AutoTokenizer.from_pretrained(run / "model")


def test_opens_whole(opened, measured):
    model, report, tokenizer = opened
    assert not any(report.values()), report
    assert len(tokenizer) == model.config.vocab_size
    assert tokenizer.eos_token_id == model.config.eos_token_id
    assert tokenizer.bos_token_id == model.config.bos_token_id
    measured("parameters", model.num_parameters())


def test_generates_the_same(quern, run, opened, measured):
    model, _, tokenizer = opened
    generation_agrees(quern, run / "model", model, tokenizer, "The engine builds a kernel table,", measured)


def test_has_the_validation_loss_of_its_run(run, opened, corpus, measured):
    """The loss `quern train` reported at the end is what transformers computes on the text that was held out."""
    model, _, tokenizer = opened
    text = corpus.read_bytes()[-HELD_OUT:].decode()
    ids = tokenizer(text)["input_ids"] + [tokenizer.eos_token_id]
    theirs = -sum(logprobs(model, ids, 1)) / (len(ids) - 1)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    ours = [row for row in rows if row["kind"] == "eval"][-1]
    assert ours["tokens"] == len(ids) - 1
    measured("loss", theirs)
    measured("difference", abs(ours["loss"] - theirs))
    # The run measured f32 weights, of which a 16-bit file holds rounded ones.
    rounded = json.loads((run / "model/config.json").read_text())["torch_dtype"] != "float32"
    assert ours["loss"] == pytest.approx(theirs, abs=1e-3 if rounded else LOGPROB_TOLERANCE)


def test_opens_whole_after_pruning(quern, run, tmp_path):
    """What `quern prune` leaves of it, with a config of its own sizes, is the same model to both."""
    config = json.loads((run / "model/config.json").read_text())
    options = ["--drop-layers", 0]
    if config["model_type"] not in ("mixtral", "qwen2_moe", "mpt"):  # experts are not cut; an MPT's MLP is always four times as wide
        options += ["--channels", 56]
    if config["model_type"] in ("llama", "qwen2", "qwen3", "olmo2", "mistral"):
        options += ["--heads", 2]
    quern("prune", run / "model", *options, "--out", tmp_path / "pruned")
    model, report = AutoModelForCausalLM.from_pretrained(tmp_path / "pruned", dtype=torch.float32, output_loading_info=True)
    assert not any(report.values()), report
    assert model.config.num_hidden_layers == 1
    generation_agrees(quern, tmp_path / "pruned", model.eval(), AutoTokenizer.from_pretrained(tmp_path / "pruned"),
                      "The engine builds a kernel table,", lambda *_: None)
