"""Records tests/golden/encoder_losses/* from transformers: `python tools/goldens/encoder_losses.py`.

Losses and gradients of heads over the tiny checkpoints of encoders.py (bert and deberta-v2), in double, dropout off: labels of
texts in each kind of problem, labels of tokens, answers, masked words; and of bert one step of AdamW. What tokens are read
and wanted is recorded beside them.
"""

import json

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from recording import GOLDEN

STEMS = {"bert": "Bert", "deberta-v2": "DebertaV2"}
TIME = 9  # without padding: transformers has padding among the places of answers


def model_of(name, head, **settings):
    folder = GOLDEN / "encoders" / name
    config = AutoConfig.from_pretrained(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **settings)
    config._attn_implementation = "eager"
    model = getattr(transformers, STEMS[name] + head)(config)
    weights = load_file(folder / "model.safetensors")
    own = model.state_dict()
    model.load_state_dict({key: weights.get(key, value) for key, value in own.items()})
    return model.double().eval()


def main():
    torch.set_num_threads(1)
    for name in STEMS:
        generator = torch.Generator().manual_seed(len(name))
        ids = torch.randint(3, 61, (3, TIME), generator=generator)
        kinds = {
            "single_label": ("ForSequenceClassification", torch.randint(3, (3,), generator=generator)),
            "multi_label": ("ForSequenceClassification", torch.randint(2, (3, 3), generator=generator).double()),
            "tokens": ("ForTokenClassification", torch.randint(3, (3, TIME), generator=generator)),
            "words": ("ForMaskedLM", torch.randint(61, (3, TIME), generator=generator)),
            "answers": ("ForQuestionAnswering", torch.randint(TIME, (2, 3), generator=generator)),
        }
        given = dict(input_ids=ids)
        for kind, (head, labels) in kinds.items():
            if kind in ("tokens", "words"):
                labels[torch.rand(labels.shape, generator=generator) < 0.4] = -100
            problem = dict(problem_type=kind + "_classification") if kind in ("single_label", "multi_label") else {}
            model = model_of(name, head, num_labels=2 if kind == "answers" else 3, **problem)
            wanted = dict(start_positions=labels[0], end_positions=labels[1]) if kind == "answers" else dict(labels=labels)
            loss = model(input_ids=ids, **wanted).loss
            loss.backward()
            given[f"{kind}.wanted"] = labels.double()
            given[f"{kind}.loss"] = loss.detach().reshape(1)
            for key, parameter in model.named_parameters():
                if parameter.grad is not None:
                    given[f"{kind}.grad.{key}"] = parameter.grad.float().contiguous()
            print(name, kind, loss.item())
        folder = GOLDEN / "encoder_losses"
        folder.mkdir(exist_ok=True)
        save_file(given, folder / f"{name}.safetensors")


if __name__ == "__main__":
    main()
