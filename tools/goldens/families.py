"""Records tests/golden/families/* from transformers: `python tools/goldens/families.py [NAME...]`.

One tiny checkpoint per family, with what is its own switched on: windows shorter than the text, layers of both kinds.
"""

import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from recording import GOLDEN, record

VOCAB = 61
SIZES = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=0, pad_token_id=None)
WIDE = dict(head_dim=8)
WINDOW = dict(sliding_window=5)
MIXED = WINDOW | dict(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"])

# name: settings, seed, whether gradients are recorded (families that bring mathematics of their own)
FAMILIES = {
    "mistral": (WIDE | WINDOW, 101, False),
    "qwen2": (WINDOW | dict(num_hidden_layers=2, use_sliding_window=True, max_window_layers=1, tie_word_embeddings=True), 102, False),
    "qwen3": (WIDE, 103, False),
    "gemma": (WIDE, 104, False),
    "gemma2": (dict(head_dim=4) | MIXED | dict(query_pre_attn_scalar=6, attn_logit_softcapping=2.0, final_logit_softcapping=3.0), 105, True),
    "gemma3_text": (WIDE | MIXED | dict(query_pre_attn_scalar=8), 106, True),
    "phi3": (WINDOW, 107, False),
    "olmo2": ({}, 118, True),
    "starcoder2": (WINDOW, 109, False),
    "opt": (dict(ffn_dim=24, word_embed_proj_dim=16), 111, False),
    "opt_narrow": (dict(model_type="opt", ffn_dim=24, word_embed_proj_dim=8, do_layer_norm_before=False), 141, True),
    "mpt": (dict(d_model=16, n_heads=4, n_layers=1, max_seq_len=64, attn_config=dict(softmax_scale=0.4)), 112, False),
    "mpt_clip": (dict(model_type="mpt", d_model=16, n_heads=4, n_layers=1, max_seq_len=64, attn_config=dict(clip_qkv=0.5, alibi_bias_max=8)), 142, True),
    "falcon": (dict(alibi=False), 113, False),
    "falcon_groups": (dict(model_type="falcon", num_attention_heads=8, new_decoder_architecture=True, num_kv_heads=2, bias=True), 114, False),
    "falcon_alibi": (dict(model_type="falcon", alibi=True, multi_query=False, parallel_attn=False, bias=True), 135, False),
    "phi": (dict(num_key_value_heads=4), 116, True),
    "phi_norms": (dict(model_type="phi", num_key_value_heads=4, qk_layernorm=True), 143, True),
    "gpt_neox": (dict(rotary_pct=0.5), 117, False),
    "mixtral": (dict(num_local_experts=3, num_experts_per_tok=2), 121, False),
    "qwen2_moe": (dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=12,
                       num_hidden_layers=2, mlp_only_layers=[0]), 132, False),
    "qwen2_moe_windows": (WINDOW | dict(model_type="qwen2_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8,
                       shared_expert_intermediate_size=12, num_hidden_layers=3, use_sliding_window=True, max_window_layers=2), 144, False),
    "qwen3_moe_window": (WIDE | WINDOW | dict(model_type="qwen3_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8,
                       use_sliding_window=True), 145, False),
    "qwen3_moe": (WIDE | dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, norm_topk_prob=True), 123, False),
    "smollm3": (dict(num_hidden_layers=2, no_rope_layers=[1, 0]), 110, False),
}


def write_gemma3_as_version_4(folder):
    """Rewrites config.json as transformers 4 did: rope_local_base_freq and sliding_window_pattern."""
    path = GOLDEN / folder / "config.json"
    before = AutoModelForCausalLM.from_pretrained(path.parent)
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    del config["layer_types"]
    config |= dict(rope_theta=rope["full_attention"]["rope_theta"], rope_scaling=None, sliding_window_pattern=2,
                   rope_local_base_freq=rope["sliding_attention"]["rope_theta"], torch_dtype=config.pop("dtype"),
                   transformers_version="4.57.0")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    after = AutoModelForCausalLM.from_pretrained(path.parent)
    ids = torch.arange(24)[None]
    assert torch.equal(before(ids).logits, after(ids).logits)


def main():
    for name in sys.argv[1:] or FAMILIES:
        settings, seed, training = FAMILIES[name]
        config = AutoConfig.for_model(**dict(model_type=name) | SIZES | settings)
        # Attention in plain loops, which alone has soft limits; that of Falcon would add its ALiBi twice.
        config._attn_implementation = "sdpa" if name.startswith("falcon") else "eager"
        record(AutoModelForCausalLM.from_config(config), f"families/{name}", seed, VOCAB, training)
        if name == "gemma3_text":
            write_gemma3_as_version_4(f"families/{name}")


if __name__ == "__main__":
    main()
