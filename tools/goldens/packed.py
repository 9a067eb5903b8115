"""Records tests/golden/packed/* : `python tools/goldens/packed.py`.

weights.safetensors: matrices as GPTQ and AWQ checkpoints pack them, by this script, and as bitsandbytes packs them,
each with what it stands for (`NAME.expected`). llama_gptq: a tiny model with such weights, and the logits of the model it
stands for. llama_nf4, gpt2_nf4: such as transformers saves them.
"""

import copy
import json

import numpy as np
import torch
from bitsandbytes.functional import QuantState, dequantize_4bit, int8_vectorwise_quant, quantize_4bit
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GPT2Config, LlamaConfig

from recording import GOLDEN, randomize

TARGET = GOLDEN / "packed"
AWQ_OUTPUTS = [0, 2, 4, 6, 1, 3, 5, 7]


def stream(codes, bits):
    """Codes of each row, as words of 32 bits that hold one stream from the lowest bit on."""
    rows, count = codes.shape
    flat = (codes[:, :, None] >> np.arange(bits)) & 1
    flat = flat.reshape(rows, count * bits // 32, 32).astype(np.uint64)
    words = (flat << np.arange(32, dtype=np.uint64)).sum(axis=2)
    return torch.from_numpy(words.astype(np.uint32).view(np.int32).copy())


def awq_words(codes):
    """Eight neighbouring codes of each row in a word, in the order of AWQ's nibbles."""
    rows, count = codes.shape
    ordered = codes.reshape(rows, count // 8, 8)[:, :, AWQ_OUTPUTS]
    return stream(ordered.reshape(rows, count), 4)


def grid(rng, out, groups, bits, symmetric):
    scales = torch.from_numpy(rng.uniform(0.01, 0.03, (groups, out)).astype(np.float16))
    zeros = np.full((groups, out), 1 << (bits - 1)) if symmetric else rng.integers(0, 1 << bits, (groups, out))
    return scales, zeros


def expected(codes, scales, zeros, group_of):
    """float16 [out, in], as the kernels of these formats compute it."""
    scale = scales.numpy().astype(np.float32)[group_of].T
    return torch.from_numpy((scale * (codes - zeros[group_of].T)).astype(np.float16))


def gptq(rng, out, size, bits, group, symmetric=False, ordered=False, version=1):
    groups = size // group if group > 0 else 1
    scales, zeros = grid(rng, out, groups, bits, symmetric)
    group_of = np.arange(size) // (size // groups)
    if ordered:
        group_of = rng.permutation(group_of)
    codes = rng.integers(0, 1 << bits, (out, size))
    stored = (zeros - 1) % (1 << bits) if version == 1 else zeros
    return dict(qweight=stream(codes, bits).T.contiguous(), qzeros=stream(stored, bits), scales=scales,
                g_idx=torch.from_numpy(group_of.astype(np.int32)), expected=expected(codes, scales, zeros, group_of))


def awq(rng, out, size, group):
    scales, zeros = grid(rng, out, size // group, 4, False)
    group_of = np.arange(size) // group
    codes = rng.integers(0, 16, (out, size))
    return dict(qweight=awq_words(codes.T), qzeros=awq_words(zeros), scales=scales,
                expected=expected(codes, scales, zeros, group_of))


def four_bit(seed, out, size, kind, twice, dtype):
    weight = torch.randn((out, size), generator=torch.Generator().manual_seed(seed)).to(dtype)
    packed, state = quantize_4bit(weight, blocksize=64, quant_type=kind, compress_statistics=twice)
    parts = {f"weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
    return dict(weight=packed, expected=dequantize_4bit(packed, state), **parts)


def made_nf4(seed, out, size):
    """Beside what it stands for, the matrix that it was made of: with blocks of zeros and of a single number."""
    weight = torch.randn((out, size), generator=torch.Generator().manual_seed(seed)) * torch.logspace(-4, 1, out)[:, None]
    weight[3, :64], weight[4, 64:128] = 0, 0
    weight[4, 70] = -2.5
    packed, state = quantize_4bit(weight.bfloat16(), blocksize=64, quant_type="nf4", compress_statistics=True)
    parts = {f"weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
    return dict(input=weight.bfloat16(), weight=packed, expected=dequantize_4bit(packed, state), **parts)


def eight_bit(seed, out, size):
    weight = torch.randn((out, size), generator=torch.Generator().manual_seed(seed)).half()
    codes, scales, _ = int8_vectorwise_quant(weight)
    return dict(weight=codes, SCB=scales, weight_format=torch.tensor(0, dtype=torch.uint8),
                expected=codes.float() * scales[:, None] / 127)


def record_weights():
    rng = np.random.default_rng(5)
    cases = {
        "gptq.symmetric": gptq(rng, 32, 64, 4, 32, symmetric=True),
        "gptq.asymmetric": gptq(rng, 32, 64, 4, 64),
        "gptq.ordered": gptq(rng, 32, 64, 4, 32, ordered=True),
        "gptq.whole_row": gptq(rng, 32, 64, 4, -1),
        "gptq.narrow_groups": gptq(rng, 8, 48, 4, 16),
        "gptq.bits2": gptq(rng, 32, 64, 2, 32),
        "gptq.bits3": gptq(rng, 32, 64, 3, 32),
        "gptq.bits8": gptq(rng, 32, 64, 8, 32),
        "gptq.bits8_symmetric": gptq(rng, 32, 64, 8, 32, symmetric=True),
        "gptq_v2.asymmetric": gptq(rng, 32, 64, 4, 32, version=2),
        "awq.plain": awq(rng, 32, 64, 32),
        "bnb.nf4": four_bit(1, 24, 40, "nf4", False, torch.float16),
        "bnb.nf4_twice": four_bit(2, 80, 256, "nf4", True, torch.bfloat16),
        "bnb.fp4": four_bit(3, 16, 64, "fp4", False, torch.float32),
        "bnb.nf4_made": made_nf4(7, 90, 192),
        "bnb.int8": eight_bit(4, 16, 64),
        "bnb.int8_narrow": eight_bit(5, 16, 24),
    }
    TARGET.mkdir(exist_ok=True)
    save_file({f"{case}.{part}": tensor.contiguous() for case, parts in cases.items() for part, tensor in parts.items()},
              TARGET / "weights.safetensors")


def tiny_llama(seed, intermediate=96):
    config = LlamaConfig(vocab_size=61, hidden_size=64, intermediate_size=intermediate, num_hidden_layers=1, num_attention_heads=2,
                         num_key_value_heads=1, max_position_embeddings=64, bos_token_id=0, eos_token_id=None)
    model = AutoModelForCausalLM.from_config(config).eval()
    randomize(model, seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5 if parameter.dim() >= 2 else 1.0)
    return model


def is_linear(name):
    return name.startswith("model.layers.") and name.endswith("_proj.weight")


def record_logits(model, folder, ids):
    with torch.no_grad():
        save_file(dict(ids=ids, logits=model(ids).logits.float().contiguous()), folder / "expected.safetensors")
    (folder / "generation_config.json").unlink(missing_ok=True)


def record_gptq_model(ids):
    """Rounded to nearest: the format is the point."""
    model, folder, group = tiny_llama(51), TARGET / "llama_gptq", 32
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not is_linear(name):
                tensors[name] = parameter.half()
                parameter.copy_(parameter.half())
                continue
            weight, module = tensors.pop(name).numpy(), name.removesuffix(".weight")
            out, size = weight.shape
            scales = (2 * np.abs(weight.reshape(out, size // group, group)).max(axis=2) / 15).T.astype(np.float16)
            zeros, group_of = np.full(scales.shape, 8), np.arange(size) // group
            codes = np.clip(np.round(weight / scales.astype(np.float32)[group_of].T) + 8, 0, 15).astype(np.int64)
            tensors |= {f"{module}.qweight": stream(codes, 4).T.contiguous(), f"{module}.qzeros": stream(zeros - 1, 4),
                        f"{module}.scales": torch.from_numpy(scales),
                        f"{module}.g_idx": torch.from_numpy(group_of.astype(np.int32)),
                        f"{module}.bias": torch.zeros(out, dtype=torch.float16)}
            parameter.copy_(torch.from_numpy(scales.astype(np.float32)[group_of].T * (codes - 8)))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors",
              metadata=dict(format="pt"))
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = dict(quant_method="gptq", bits=4, group_size=group, desc_act=False, sym=True,
                                         checkpoint_format="gptq")
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    record_logits(model, folder, ids)


def tiny_gpt2(seed):
    """Its layers are Conv1D, which keep [in, out]: packed, they are [out, in] all the same."""
    config = GPT2Config(vocab_size=61, n_embd=64, n_layer=1, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=None)
    model = AutoModelForCausalLM.from_config(config).eval()
    randomize(model, seed)
    return model


def record_nf4_model(name, model, ids):
    """As transformers saves it; the logits, in f32, are of the weights as bitsandbytes decodes them. All matrices have whole
    blocks of columns: on CPUs bitsandbytes 0.50 decodes others wrongly, and its products lay them out wrongly."""
    plain, folder = TARGET / "plain", TARGET / name
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(plain)  # a copy: the frequencies of rotation are rounded too
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                  bnb_4bit_compute_dtype=torch.float32)
    packed = AutoModelForCausalLM.from_pretrained(plain, quantization_config=settings, dtype=torch.bfloat16,
                                                  device_map="cpu")
    packed.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parts = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
            if not parts:
                parameter.copy_(tensors[name])
                continue
            decoded = dequantize_4bit(tensors[name], QuantState.from_dict(parts, device=torch.device("cpu")))
            parameter.copy_(decoded.T if "c_" in name else decoded)
    record_logits(model, folder, ids)
    for file in plain.iterdir():
        file.unlink()
    plain.rmdir()


def main():
    torch.set_num_threads(1)
    record_weights()
    ids = torch.randint(61, (1, 24), generator=torch.Generator().manual_seed(6))
    record_gptq_model(ids)
    record_nf4_model("llama_nf4", tiny_llama(52, intermediate=128), ids)
    record_nf4_model("gpt2_nf4", tiny_gpt2(53), ids)


if __name__ == "__main__":
    main()
