"""Records tests/golden/rope/{longrope,dynamic} from transformers: `python tools/goldens/rope_length.py`.

Rotary positions that follow the length of the text: tiny models with an original context of 16 tokens, the logits of a
text within it and of one past it, and greedy generation with the cache across the boundary.
"""

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, set_seed

from recording import GOLDEN, randomize

VOCAB, ORIGINAL, SHORT, LONG, PROMPT, END = 61, 16, 16, 29, 11, 40
SIZES = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
             num_key_value_heads=1, bos_token_id=None, eos_token_id=None, pad_token_id=None)
MODELS = {
    "longrope": dict(model_type="phi3", max_position_embeddings=64, original_max_position_embeddings=ORIGINAL,
                     rope_parameters=dict(rope_type="longrope", rope_theta=100.0, short_factor=[1.0, 1.1, 1.3, 1.5],
                                          long_factor=[1.0, 1.7, 2.9, 4.0], original_max_position_embeddings=ORIGINAL)),
    "dynamic": dict(model_type="llama", max_position_embeddings=ORIGINAL,
                    rope_parameters=dict(rope_type="dynamic", rope_theta=100.0, factor=4.0)),
}


def record(name, settings, seed):
    config = AutoConfig.for_model(**SIZES | settings)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval()
    randomize(model, seed)
    target = GOLDEN / "rope" / name
    model.save_pretrained(target)
    (target / "generation_config.json").unlink(missing_ok=True)
    set_seed(seed)
    ids = torch.randint(VOCAB, (1, LONG))
    with torch.no_grad():
        short = model(ids[:, :SHORT]).logits  # first: transformers goes back for texts below SHORT only
        long = model(ids).logits
        made = model.generate(ids[:, :PROMPT], max_length=END, do_sample=False, output_logits=True, use_cache=True,
                              return_dict_in_generate=True)
    best = torch.cat(made.logits).topk(2).values
    margin = (best[:, 0] - best[:, 1]).min().item()
    assert margin > 0.003, f"greedy choice decided by {margin} only: take another seed"
    save_file(dict(ids=ids, short=short, long=long, generated=made.sequences[0, PROMPT:].contiguous()),
              target / "expected.safetensors")
    print(name, "margin %.4f" % margin)


def main():
    torch.set_num_threads(1)
    for seed, (name, settings) in enumerate(MODELS.items()):
        record(name, settings, 31 + seed)


if __name__ == "__main__":
    main()
