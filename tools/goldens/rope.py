"""Records tests/golden/rope/frequencies.json from transformers: `python tools/goldens/rope.py`.

For each way of scaling: the rotary frequencies (radians per position of each pair) and the factor on cos and sin.
"""

import json

from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from recording import GOLDEN

# name: head_dim, positions of the trained context, positions asked for, parameters
CASES = {
    "default": (64, 2048, 2048, dict(rope_type="default", rope_theta=10000.0)),
    "large theta": (128, 8192, 8192, dict(rope_type="default", rope_theta=500000.0)),
    "linear": (64, 2048, 8192, dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
    "ntk": (64, 2048, 8192, dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
    "ntk within the trained context": (64, 2048, 1024, dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
    "yarn": (64, 4096, 65536, dict(rope_type="yarn", rope_theta=10000.0, factor=16.0,
                                   original_max_position_embeddings=4096)),
    "yarn, own ramp": (128, 4096, 32768, dict(rope_type="yarn", rope_theta=1e6, factor=8.0, beta_fast=24.0, beta_slow=2.0,
                                              original_max_position_embeddings=4096)),
    "yarn, not truncated": (64, 4096, 131072, dict(rope_type="yarn", rope_theta=150000.0, factor=32.0, truncate=False,
                                                   original_max_position_embeddings=4096)),
    "yarn, mscale": (64, 4096, 163840, dict(rope_type="yarn", rope_theta=10000.0, factor=40.0, mscale=0.707,
                                            mscale_all_dim=1.0, original_max_position_embeddings=4096)),
    "yarn, attention factor": (64, 4096, 16384, dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                                     attention_factor=1.25, original_max_position_embeddings=4096)),
    "yarn, few channels": (8, 64, 256, dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                            original_max_position_embeddings=64)),
    "llama3": (128, 8192, 131072, dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                                       high_freq_factor=4.0, original_max_position_embeddings=8192)),
    "llama3, factor 32": (64, 8192, 131072, dict(rope_type="llama3", rope_theta=500000.0, factor=32.0,
                                                 low_freq_factor=1.0, high_freq_factor=4.0,
                                                 original_max_position_embeddings=8192)),
    "longrope, long": (8, 64, 512, dict(rope_type="longrope", rope_theta=10000.0, factor=8.0,
                                        short_factor=[1.0, 1.05, 1.5, 2.0], long_factor=[1.25, 2.5, 5.0, 40.0],
                                        original_max_position_embeddings=64)),
    "longrope, short": (8, 64, 64, dict(rope_type="longrope", rope_theta=10000.0, factor=1.0,
                                        short_factor=[1.0, 1.05, 1.5, 2.0], long_factor=[1.25, 2.5, 5.0, 40.0],
                                        original_max_position_embeddings=64)),
}


def record(head_dim, original, positions, parameters):
    dynamic = parameters["rope_type"] == "dynamic"
    config = LlamaConfig(hidden_size=2 * head_dim, num_attention_heads=2, head_dim=head_dim,
                         max_position_embeddings=original if dynamic else positions, rope_parameters=dict(parameters))
    if parameters["rope_type"] == "default":
        rotary = LlamaRotaryEmbedding(config)
        frequencies, attention_factor = rotary.inv_freq, rotary.attention_scaling
    else:
        compute = ROPE_INIT_FUNCTIONS[parameters["rope_type"]]
        frequencies, attention_factor = compute(config, "cpu", seq_len=positions)
    return dict(head_dim=head_dim, original_positions=original, max_positions=positions, parameters=parameters,
                frequencies=frequencies.tolist(), attention_factor=attention_factor)


def main():
    cases = {name: record(*case) for name, case in CASES.items()}
    target = GOLDEN / "rope" / "frequencies.json"
    target.parent.mkdir(exist_ok=True)
    lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
