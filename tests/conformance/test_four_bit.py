"""NF4 with double quantisation beside bitsandbytes, and what is learnt beside it (QLoRA) beside PEFT."""

import json

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft import PeftModel
from program import settings
from safetensors.torch import load_file
from test_alignment import agree, examples, learnt, ours, rows, tokenizer_of  # noqa: F401 (a fixture)
from texts import prose
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

FOUR_BITS = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                               bnb_4bit_compute_dtype=torch.float32)


# Layers of GPT-2 are [in, out] in files, but for packed ones.
@pytest.fixture(scope="module", params=["llama", "gpt2", "phi3"])
def model(request, quern, tmp_path_factory):
    """The folder of a tiny model, whose rows are whole blocks of 64: on CPUs bitsandbytes 0.50 decodes others wrongly."""
    folder = tmp_path_factory.mktemp("four_bit")
    (folder / "text.txt").write_text(prose())
    quern("tokenizer", "train", "--input", folder / "text.txt", "--vocab-size", 400, "--out", folder / "tokenizer")
    heads = {} if request.param == "gpt2" else {"model.kv_heads": 2, "model.intermediate": 128}
    quern("train", *settings({"out": folder / "run", "tokenizer": folder / "tokenizer", "data.inputs": folder / "text.txt",
                              "train.steps": 10, "train.batch": 4, "train.sequence": 128, "train.lr": 1e-2,
                              "model.family": request.param, "model.layers": 2, "model.hidden": 64, "model.heads": 4, **heads}))
    return folder / "run" / "model"


@pytest.fixture(scope="module")
def packed(quern, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "nf4"
    quern("quantize", model, "--type", "nf4", "-o", folder)
    settings_ = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert settings_["bnb_4bit_compute_dtype"] == "float32"
    return folder


def opened(folder, **more):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, device_map="cpu", **more)


def test_folders_are_those_of_bitsandbytes(quern, model, packed, tmp_path, measured):
    opened(model, quantization_config=FOUR_BITS).save_pretrained(tmp_path / "theirs")
    made, wanted = (load_file(folder / "model.safetensors") for folder in (packed, tmp_path / "theirs"))
    assert set(made) == set(wanted)
    codes, scales, other_scales = 0, 0, 0
    for name, value in wanted.items():
        if name.endswith(".absmax"):
            # The mean that is taken off first is summed in another order: by chance a scale lies on the other side of a half.
            difference = (made[name].int() - value.int()).abs()
            assert difference.max() <= 1, name
            scales, other_scales = scales + value.numel(), other_scales + difference.sum().item()
        elif name.endswith(".weight") and value.dtype == torch.uint8:
            assert torch.equal(made[name], value), name
            codes += value.numel()
        elif value.dtype != torch.uint8:
            torch.testing.assert_close(made[name], value, rtol=1e-6, atol=1e-9)
    assert codes > 10000
    assert other_scales <= 0.005 * scales
    measured("bytes of codes", codes)
    measured("other scales", other_scales)


def test_transformers_opens_a_folder_and_decodes_the_same(quern, packed, tmp_path, measured):
    quern("convert", packed, "--to", "hf", "--dtype", "f32", "-o", tmp_path / "plain")
    decoded = opened(tmp_path / "plain")
    held = opened(packed)
    modules = dict(held.named_modules())
    count = 0
    for name, module in decoded.named_modules():
        four_bit = modules[name]
        if not isinstance(four_bit, Linear4bit):
            continue
        weight = dequantize_4bit(four_bit.weight.data, four_bit.weight.quant_state)
        wanted = module.weight if module.weight.shape == weight.shape and "c_" not in name else module.weight.T
        assert torch.equal(weight, wanted), name
        count += 1
    measured("matrices", count)
    assert count > 0


def answers_loss(model, tokenizer):
    """Of all tokens of the answers, their ends among them. Without TRL, which makes adapters bf16 beside such models."""
    def of_tokens(row):
        prompt = tokenizer(row["prompt"], add_special_tokens=False)["input_ids"]
        answer = tokenizer(row["completion"] + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([prompt + answer])
        log_probs = model(ids).logits[0, :-1].log_softmax(-1)
        return log_probs.gather(1, ids[0, 1:, None])[len(prompt) - 1:, 0]

    return lambda: -torch.cat([of_tokens(row) for row in rows("completion")]).mean()


def test_adapters_are_tuned_beside_it_as_by_peft(quern, model, packed, examples, tmp_path, measured):  # noqa: F811
    how = {"task": "sft", "adapter__method": "lora", "adapter__rank": 4, "adapter__alpha": 8}
    ours(quern, packed, examples("completion"), tmp_path / "first", **how, train__lr=0, train__steps=1)
    a = ours(quern, packed, examples("completion"), tmp_path / "run", **how, train__lr=2e-3)
    begun = PeftModel.from_pretrained(opened(packed), tmp_path / "first" / "adapter", is_trainable=True).train()
    agree(a, learnt(begun, answers_loss(begun, tokenizer_of(model)), 2e-3), measured)
    # From the model as it was, quantised as it is loaded: the parts of fused maps have scales of their own then.
    c = ours(quern, model, examples("completion"), tmp_path / "loaded", task="sft", adapter__method="lora",
             adapter__from=tmp_path / "first" / "adapter", load_in_4bit="true", train__lr=2e-3)
    measured("loaded in 4 bits", max(abs(x - y) for x, y in zip(a, c)))
    assert max(abs(x - y) for x, y in zip(a, c)) < 1e-2
