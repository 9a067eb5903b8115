"""Records tests/golden/encoder_losses/electra.safetensors from transformers: `python tools/goldens/replaced_tokens.py`.

Replaced-token detection over the tiny checkpoint of encoders.py, in double, dropout off: words are hidden and replaced by the
numbers that quern draws (tests/conformance/draws.py); the losses of ElectraForMaskedLM and ElectraForPreTraining, and the
gradients of their sum with a weight of 50: of both models by themselves, and of models with shared embeddings.
"""

import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from recording import GOLDEN

sys.path.insert(0, str(GOLDEN.parent / "conformance"))
from draws import Rng  # noqa: E402

MASKS, REPLACEMENTS = 0x4D4C4D, 0x52544F  # src/encoding/masked_words.cpp, replaced_tokens.cpp
SEED, STEP, SHARE, WEIGHT, MASK, LENGTHS, VOCAB = 3, 2, 0.4, 50.0, 4, (11, 6, 9), 61


def model_of(head):
    folder = GOLDEN / "encoders" / "electra"
    config = AutoConfig.from_pretrained(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    config._attn_implementation = "eager"
    model = getattr(transformers, "Electra" + head)(config)
    weights = load_file(folder / "model.safetensors")
    own = model.state_dict()
    missing = [key for key in own if key not in weights]
    assert all("position_ids" in key or "generator_lm_head.weight" in key for key in missing), missing
    model.load_state_dict({key: weights.get(key, value) for key, value in own.items()})
    model.tie_weights()
    return model.double().eval()


def hidden_words(example, ids, length):
    """MaskedWords::masked with all that is asked for hidden; no token is special."""
    rng, masked, labels = Rng(SEED ^ MASKS ^ STEP << 24, example), ids.clone(), torch.full_like(ids, -100)
    for t in range(length):
        chance, _, _ = rng.uniform(), rng.uniform(), rng.below(VOCAB)
        if chance < SHARE:
            labels[t] = ids[t]
            masked[t] = MASK
    return masked, labels


def run(shared):
    generator, discriminator = model_of("ForMaskedLM"), model_of("ForPreTraining")
    if shared:
        generator.electra.embeddings = discriminator.electra.embeddings
        generator.tie_weights()
        assert generator.generator_lm_head.weight is discriminator.electra.embeddings.word_embeddings.weight
    numbers = torch.Generator().manual_seed(11)
    ids = torch.randint(5, VOCAB, (3, max(LENGTHS)), generator=numbers)
    attention = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    masked, labels = map(torch.stack, zip(*(hidden_words(i, ids[i], n) for i, n in enumerate(LENGTHS))))
    told = generator(input_ids=masked, attention_mask=attention, labels=labels)
    replaced = ids.clone()
    for i in range(3):
        rng = Rng(SEED ^ REPLACEMENTS ^ STEP << 24, i)
        for t in (labels[i] >= 0).nonzero().flatten().tolist():
            shares = told.logits[i, t].softmax(-1).cumsum(-1)
            replaced[i, t] = int((shares <= rng.uniform()).sum())
    wrong = (replaced != ids).long()
    judged = discriminator(input_ids=replaced, attention_mask=attention, labels=wrong)
    (told.loss + WEIGHT * judged.loss).backward()
    print("shared" if shared else "apart", told.loss.item(), judged.loss.item(), int(wrong.sum()), "of", int((labels >= 0).sum()))
    kind = "shared." if shared else "apart."
    given = {kind + "generator.loss": told.loss.detach().reshape(1), kind + "discriminator.loss": judged.loss.detach().reshape(1)}
    for name, model in (("generator", generator), ("discriminator", discriminator)):
        for key, parameter in model.named_parameters():
            if parameter.grad is not None:
                given[f"{kind}{name}.grad.{key}"] = parameter.grad.float().clone()
    if shared:
        return given
    return given | dict(ids=ids.int(), lengths=torch.tensor(LENGTHS).int(), replaced=replaced.int())


def main():
    torch.set_num_threads(1)
    save_file(run(False) | run(True), GOLDEN / "encoder_losses" / "electra.safetensors")


if __name__ == "__main__":
    main()
