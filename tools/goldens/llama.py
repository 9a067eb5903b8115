"""Records tests/golden/llama/* from transformers: `python tools/goldens/llama.py`."""

import json

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from recording import GOLDEN, record

VOCAB = 61
SIZES = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_attention_heads=4, num_key_value_heads=2,
             head_dim=8, max_position_embeddings=128, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=0)
# With these, one rotary frequency stays, two lie in the band that is interpolated, one is divided by the factor.
LLAMA3_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)


def write_as_version_4(folder):
    """Rewrites config.json as transformers 4 did: rope_theta and rope_scaling instead of rope_parameters."""
    path = GOLDEN / folder / "config.json"
    before = LlamaForCausalLM.from_pretrained(path.parent)
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.57.0"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    after = LlamaForCausalLM.from_pretrained(path.parent)
    ids = torch.arange(24)[None]
    assert torch.equal(before(ids).logits, after(ids).logits)


def main():
    untied = LlamaConfig(**SIZES, num_hidden_layers=2, tie_word_embeddings=False,
                         rope_parameters=dict(rope_type="default", rope_theta=10000.0))
    record(LlamaForCausalLM(untied), "llama/untied", seed=13, vocab_size=VOCAB)
    tied = LlamaConfig(**SIZES, num_hidden_layers=1, tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
                       rope_parameters=dict(rope_type="default", rope_theta=10000.0))
    record(LlamaForCausalLM(tied), "llama/tied", seed=24, vocab_size=VOCAB)
    scaled = LlamaConfig(**SIZES, num_hidden_layers=1, tie_word_embeddings=True,
                         rope_parameters=dict(rope_theta=100.0, **LLAMA3_ROPE))
    record(LlamaForCausalLM(scaled), "llama/llama3_rope", seed=33, vocab_size=VOCAB)
    write_as_version_4("llama/llama3_rope")


if __name__ == "__main__":
    main()
