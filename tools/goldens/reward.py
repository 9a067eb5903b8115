"""Records tests/golden/reward/* from transformers and PEFT: `python tools/goldens/reward.py`.

Tiny reward models (sequence classification with one label) with random weights, and what texts of several lengths are worth
to them, padded to one; and adapters of reward models as PEFT saves them, over bases that other scripts recorded.
"""

import json

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from recording import GOLDEN, randomize

VOCAB, PAD, TIME, LENGTHS = 61, 3, 12, [12, 5, 1, 9]
SIZES = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=32)
# name: settings, seed
MODELS = {
    "llama": (SIZES, 301),
    "qwen2": (SIZES | dict(tie_word_embeddings=True), 302),
    "gpt2": (dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=4, n_positions=32), 303),
    "gemma3_text": (SIZES | dict(head_dim=4, sliding_window=5, layer_types=["sliding_attention", "full_attention"]), 304),
}
ADAPTERS = {
    "llama": ("llama/untied", dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"])),
    "gpt2": ("gpt2", dict(r=2, lora_alpha=4, target_modules=["c_attn"], fan_in_fan_out=True)),
}


def texts(vocab, seed, pad):
    """Random texts, padded with `pad`, which stands inside of them, too; one ends in it, so that another token is read."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(vocab, (len(LENGTHS), TIME), generator=generator)
    ids[0, 4], ids[3, 8] = pad, pad
    for row, length in enumerate(LENGTHS):
        ids[row, length:] = pad
    return ids


def expected(model, folder, seed):
    ids = texts(model.config.vocab_size, seed, model.config.pad_token_id)
    with torch.no_grad():
        rewards = model(input_ids=ids).logits[:, 0]
    save_file(dict(input_ids=ids, rewards=rewards.contiguous()), folder / "expected.safetensors")
    print(folder.name, rewards.tolist())


def record_model(name, settings, seed):
    config = AutoConfig.for_model(name, **settings, num_labels=1, bos_token_id=0, eos_token_id=1, pad_token_id=PAD)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    randomize(model, seed)
    folder = GOLDEN / "reward" / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    expected(model, folder, seed)


def record_adapter(name, base, settings):
    folder = GOLDEN / "reward" / f"{name}_adapter"
    pad = AutoConfig.from_pretrained(GOLDEN / base).eos_token_id  # the base names none
    model = AutoModelForSequenceClassification.from_pretrained(GOLDEN / base, num_labels=1, pad_token_id=pad,
                                                              attn_implementation="eager")
    model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **settings)).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"tests/golden/{base}"
    config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    expected(model, folder, 305)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, (settings, seed) in MODELS.items():
        record_model(name, settings, seed)
    for name, (base, settings) in ADAPTERS.items():
        record_adapter(name, base, settings)


if __name__ == "__main__":
    main()
