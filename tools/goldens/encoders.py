"""Records tests/golden/encoders/* from transformers: `python tools/goldens/encoders.py [NAME...]`.

One tiny checkpoint per family that holds the weights of all its heads beside each other, and what the class of each
head computes with them from two texts of which the second is padded. Needs torch, transformers and safetensors.
"""

import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig

from recording import GOLDEN, randomize

VOCAB, LABELS, LENGTHS = 61, 3, (11, 6)
SIZES = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=4,
             max_position_embeddings=24, num_labels=LABELS)
HEADS = ["Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
         "ForPreTraining"]

# name: what classes begin with, settings, seed
FAMILIES = {
    "bert": ("Bert", dict(num_hidden_layers=2), 201),
    "roberta": ("Roberta", dict(max_position_embeddings=26), 202),
    "distilbert": ("DistilBert", dict(dim=16, n_layers=1, n_heads=4, hidden_dim=24), 203),
    "albert": ("Albert", dict(embedding_size=8, num_hidden_layers=4, num_hidden_groups=2), 204),
    "electra": ("Electra", dict(embedding_size=8), 205),
    "mpnet": ("MPNet", dict(max_position_embeddings=26), 206),
    "deberta-v2": ("DebertaV2", dict(relative_attention=True, position_buckets=8, max_relative_positions=-1, share_att_key=True,
                                     pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", position_biased_input=False), 207),
}


def inputs(config, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = len(LENGTHS), max(LENGTHS)
    ids = torch.randint(3, VOCAB, shape, generator=generator)  # beyond the padding tokens, which move positions
    mask = torch.arange(shape[1])[None] < torch.tensor(LENGTHS)[:, None]
    result = dict(input_ids=torch.where(mask, ids, config.pad_token_id or 0), attention_mask=mask.long())
    if getattr(config, "type_vocab_size", 0) > 1:
        result["token_type_ids"] = torch.randint(2, shape, generator=generator) * mask
    return result


def outputs(result):
    names = ["last_hidden_state", "pooler_output", "logits", "prediction_logits", "start_logits", "end_logits"]
    return {name: result[name] for name in names if result.get(name) is not None}


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FAMILIES:
        stem, settings, seed = FAMILIES[name]
        config = AutoConfig.for_model(**dict(model_type=name) | SIZES | settings)
        config._attn_implementation = "eager"
        given = inputs(config, seed)
        weights, expected = {}, dict(given)
        for head in HEADS:
            kind = getattr(transformers, stem + head, None)
            if kind is None or (head == "ForPreTraining" and name != "electra"):
                continue
            config.num_labels = 2 if head == "ForQuestionAnswering" else LABELS
            model = kind(config).eval()
            randomize(model, seed)
            prefix = kind.base_model_prefix + "." if head == "Model" else ""
            with torch.no_grad():
                for key, parameter in model.named_parameters():
                    parameter.copy_(weights.setdefault(prefix + key, parameter.clone()))
                expected |= {f"{head}.{key}": value for key, value in outputs(model(**given)).items()}
        folder = GOLDEN / "encoders" / name
        config.num_labels = LABELS
        config.architectures = [stem + "Model"]
        config.save_pretrained(folder)
        save_file(weights,
                  folder / "model.safetensors", metadata={"format": "pt"})
        save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")
        print(name, *expected)


if __name__ == "__main__":
    main()
