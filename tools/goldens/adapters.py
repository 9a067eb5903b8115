"""Records tests/golden/peft/* with PEFT, over bases that other scripts recorded: `python tools/goldens/adapters.py`.

Needs torch, transformers, peft and safetensors. Each folder is an adapter as PEFT saves it, with the logits and gradients
that belong to its base's input_ids and targets.
"""

import json

import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from recording import GOLDEN, loss_of

ADAPTERS = {
    # Joined and transposed in its files.
    "gpt2": ("gpt2", dict(r=2, lora_alpha=6, target_modules=["c_attn", "attn.c_proj", "c_fc"], fan_in_fan_out=True)),
    "llama": ("llama/untied", dict(r=4, lora_alpha=8, use_rslora=True, target_modules="all-linear",
                                   rank_pattern={"q_proj": 2, "layers.1.mlp.down_proj": 1},
                                   alpha_pattern={"model.layers.0.self_attn.v_proj": 20})),
    "llama_dora": ("llama/untied", dict(r=2, lora_alpha=4, use_dora=True, target_modules=["q_proj", "o_proj", "up_proj"])),
    "gpt2_dora": ("gpt2", dict(r=2, lora_alpha=4, use_dora=True, target_modules=["c_attn"], fan_in_fan_out=True)),
    # Queries, keys and values take turns in what is joined.
    "falcon_groups": ("families/falcon_groups", dict(r=2, lora_alpha=4, use_dora=True, target_modules=["query_key_value"])),
    "phi3": ("families/phi3", dict(r=2, lora_alpha=4, target_modules=["qkv_proj", "gate_up_proj"])),
}


# Virtual tokens before a text, of learned positions and of rotary ones with fewer kv-heads than heads.
VIRTUAL = {
    "gpt2_prompt": ("gpt2", PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)),
    "llama_prompt": ("llama/untied", PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)),
    "gpt2_prefix": ("gpt2", PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)),
    "llama_prefix": ("llama/untied", PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)),
    "llama_prefix_projected": ("llama/untied", PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3,
                                                                  prefix_projection=True, encoder_hidden_size=5)),
}


def record_virtual(name, base, config):
    """The same of virtual tokens, whose logits are those of the text behind them."""
    folder, known = GOLDEN / "peft" / name, load_file(GOLDEN / base / "expected.safetensors")
    model = AutoModelForCausalLM.from_pretrained(GOLDEN / base, attn_implementation="eager")
    model = get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(6)
    trained = [value for value in model.parameters() if value.requires_grad]
    with torch.no_grad():
        for value in trained:
            value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    logits = model(known["input_ids"]).logits[:, -known["input_ids"].shape[1]:]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), known["targets"].flatten())
    loss.backward()
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    saved = json.loads((folder / "adapter_config.json").read_text())
    saved["base_model_name_or_path"] = f"tests/golden/{base}"
    (folder / "adapter_config.json").write_text(json.dumps(saved, indent=2) + "\n")
    tensors = dict(logits=logits.detach().contiguous(), loss=loss.detach())
    if len(trained) == 1:
        tensors["grad.prompt_embeddings"] = trained[0].grad
    save_file(tensors, folder / "expected.safetensors")


def record(name, base, settings):
    folder, known = GOLDEN / "peft" / name, load_file(GOLDEN / base / "expected.safetensors")
    model = AutoModelForCausalLM.from_pretrained(GOLDEN / base, attn_implementation="eager")
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    generator = torch.Generator().manual_seed(5)
    trained = {key: value for key, value in model.named_parameters() if value.requires_grad}
    with torch.no_grad():
        for value in trained.values():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(0.3 * noise if value.dim() > 1 else value * (1.0 + 0.2 * noise))
    logits, loss = loss_of(model, known["input_ids"], known["targets"])
    loss.backward()
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"tests/golden/{base}"
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = {"grad." + key.replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector"): value.grad
               for key, value in trained.items()}
    save_file(tensors | dict(logits=logits.detach(), loss=loss.detach()), folder / "expected.safetensors")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, (base, settings) in ADAPTERS.items():
        record(name, base, settings)
    for name, (base, config) in VIRTUAL.items():
        record_virtual(name, base, config)


if __name__ == "__main__":
    main()
