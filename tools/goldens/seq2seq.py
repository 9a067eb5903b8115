"""Records tests/golden/seq2seq/* from transformers: `python tools/goldens/seq2seq.py [NAME...]`.

One tiny encoder-decoder per form: what its logits and gradients are, and what it generates.
"""

import json
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from recording import GOLDEN, randomize

VOCAB, SOURCE, TARGET, LENGTHS = 61, 9, 7, (9, 6)
T5 = dict(vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=1, num_heads=4,
          relative_attention_num_buckets=8, relative_attention_max_distance=12, n_positions=64, decoder_start_token_id=0)
BART = dict(vocab_size=VOCAB, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=4, encoder_ffn_dim=20, decoder_ffn_dim=24, max_position_embeddings=64,
            scale_embedding=True)

# name: settings, seed, whether the file has an output projection of its own
MODELS = {
    "t5": (T5, 201, False),
    "t5_gated": (T5 | dict(model_type="t5", feed_forward_proj="gated-gelu", tie_word_embeddings=False), 202, True),
    "mt5": (T5, 203, False),
    "bart": (BART, 204, False),
}
GENERATIONS = [
    dict(max_new_tokens=12),
    dict(max_new_tokens=12, num_beams=3, num_return_sequences=3),
    dict(max_new_tokens=12, num_beams=4, no_repeat_ngram_size=2, length_penalty=2.0, early_stopping=True),
    dict(max_length=9, min_length=6, num_beams=2, forced_bos_token_id=5, forced_eos_token_id=1),
]


def save(model, folder, own_head, seed):
    """Writes the checkpoint; `own_head` puts an output projection into it that is not the table of embeddings."""
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    if own_head:
        generator = torch.Generator().manual_seed(seed + 1)
        tensors["lm_head.weight"] = 0.3 * torch.randn(tensors["shared.weight"].shape, generator=generator)
    save_file(tensors, path, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    if own_head:  # as transformers 4 wrote it
        config["tie_word_embeddings"] = False
        config.pop("scale_decoder_outputs", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def answers(model, source):
    results = []
    for settings in GENERATIONS:
        out = model.generate(source, do_sample=False, return_dict_in_generate=True, output_scores=True, **settings)
        scores = out.sequences_scores.tolist() if settings.get("num_beams", 1) > 1 else []
        results.append(dict(settings, answers=out.sequences[:, 1:].tolist(), scores=[round(s, 6) for s in scores]))
    return results


def main():
    for name in sys.argv[1:] or MODELS:
        settings, seed, own_head = MODELS[name]
        folder = GOLDEN / "seq2seq" / name
        folder.mkdir(parents=True, exist_ok=True)
        config = AutoConfig.for_model(**dict(model_type=name) | settings)
        config._attn_implementation = "eager"
        model = AutoModelForSeq2SeqLM.from_config(config).eval()
        randomize(model, seed)
        if name == "bart":
            model.final_logits_bias.copy_(0.5 * torch.randn(1, VOCAB, generator=torch.Generator().manual_seed(seed)))
        save(model, folder, own_head, seed)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
        if own_head:
            assert not torch.equal(model.lm_head.weight, model.shared.weight)
        generator = torch.Generator().manual_seed(seed + 2)
        source = torch.randint(4, VOCAB, (2, SOURCE), generator=generator)
        target = torch.randint(4, VOCAB, (2, TARGET), generator=generator)
        labels = torch.randint(4, VOCAB, (2, TARGET), generator=generator)
        mask = (torch.arange(SOURCE)[None] < torch.tensor(LENGTHS)[:, None]).long()
        logits = model(input_ids=source, attention_mask=mask, decoder_input_ids=target).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        loss.backward()
        expected = dict(source=source.int(), lengths=torch.tensor(LENGTHS).int(), target=target.int(), labels=labels.int(),
                        logits=logits.detach(), loss=loss.detach())
        if name in ("t5", "bart"):
            expected |= {"grad." + n: p.grad for n, p in model.named_parameters()}
        save_file(expected, folder / "expected.safetensors")
        with torch.no_grad():
            generated = dict(source=source[0].tolist(), cases=answers(model, source[:1]))
        (folder / "generated.json").write_text(json.dumps(generated) + "\n")
        print(name, [c["answers"][0] for c in generated["cases"]])


if __name__ == "__main__":
    main()
