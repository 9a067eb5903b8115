"""Records tests/golden/denoising/* : `python tools/goldens/denoising.py`.

spans.json: lengths and masks of span corruption in numpy, with the draws of the shuffles they were made with: the definitions of
transformers' run_t5_mlm_flax.py, whose shuffles numpy.random would draw.

t5.safetensors, bart.safetensors: what transformers computes of the tiny checkpoints of seq2seq.py, in double and without dropout,
where labels of several lengths are padded: losses and gradients, and what the decoder reads.
"""

import json

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForSeq2SeqLM

from recording import GOLDEN

FOLDER = GOLDEN / "denoising"
CASES = [(2, 0.15, 3), (3, 0.15, 3), (7, 0.15, 3), (10, 0.5, 2), (33, 0.15, 3), (64, 0.3, 2), (100, 0.15, 3), (113, 0.7, 4),
         (568, 0.15, 3)]
LENGTHS = [(length, density, mean) for length in (16, 33, 64, 128, 256, 512, 1024)
           for density, mean in ((0.15, 3), (0.3, 2), (0.25, 4.5))]


class Draws:
    """A shuffle from the end, as numpy's, of recorded numbers below each bound."""

    def __init__(self, seed):
        self.random, self.drawn = np.random.RandomState(seed), []

    def shuffle(self, items):
        for i in reversed(range(1, len(items))):
            j = int(self.random.randint(i + 1))
            self.drawn.append(j)
            items[i], items[j] = items[j], items[i]


def segment_lengths(items, segments, draws):
    begins = np.arange(items - 1) < (segments - 1)
    draws.shuffle(begins)
    return np.unique(np.cumsum(np.pad(begins, [[1, 0]])), return_counts=True)[1]


def noise_mask(length, density, mean, draws):
    noise = min(max(int(np.round(length * density)), 1), length - 1)
    kept = length - noise
    spans = max(int(np.round(min(noise, kept) / mean)), 1)
    noise_lengths, kept_lengths = segment_lengths(noise, spans, draws), segment_lengths(kept, spans, draws)
    starts = np.cumsum(np.stack([kept_lengths, noise_lengths], axis=1).reshape(-1))[:-1]
    indicator = np.zeros(length, dtype=np.int8)
    indicator[starts] = 1
    return np.cumsum(indicator) % 2 == 1


def input_and_target_lengths(inputs, density, mean):
    def of(tokens):
        noise = int(round(tokens * density))
        spans = int(round(noise / mean))
        return tokens - noise + spans + 1, noise + spans + 1

    tokens = inputs
    while of(tokens + 1)[0] <= inputs:
        tokens += 1
    return tokens, of(tokens)[1]


def spans():
    masks = []
    for seed, (length, density, mean) in enumerate(CASES):
        draws = Draws(seed)
        mask = noise_mask(length, density, mean, draws)
        masks.append(dict(length=length, density=density, mean_span=mean, draws=draws.drawn, mask="".join("01"[int(m)] for m in mask)))
    lengths = []
    for inputs, density, mean in LENGTHS:
        tokens, target = input_and_target_lengths(inputs, density, mean)
        lengths.append(dict(inputs=inputs, density=density, mean_span=mean, tokens=tokens, targets=target))
    (FOLDER / "spans.json").write_text(json.dumps(dict(masks=masks, lengths=lengths)) + "\n")


def losses(name):
    model = AutoModelForSeq2SeqLM.from_pretrained(GOLDEN / "seq2seq" / name, attn_implementation="eager").double().eval()
    generator = torch.Generator().manual_seed(len(name))
    lengths, targets = (9, 4, 1), (5, 7, 2)
    ids = torch.randint(4, 61, (3, 9), generator=generator)
    labels = torch.randint(4, 61, (3, 7), generator=generator)
    mask = (torch.arange(9)[None] < torch.tensor(lengths)[:, None]).long()
    labels[torch.arange(7)[None] >= torch.tensor(targets)[:, None]] = -100
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    print(name, loss.item())
    save_file(dict(ids=ids.int(), lengths=torch.tensor(lengths).int(), labels=labels.int(), loss=loss.detach().reshape(1)) |
              {"grad." + key: p.grad.float().contiguous() for key, p in model.named_parameters() if p.grad is not None},
              FOLDER / f"{name}.safetensors")


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    spans()
    for name in ("t5", "bart"):
        losses(name)


if __name__ == "__main__":
    main()
