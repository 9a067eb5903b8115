"""Records tests/golden/eval/perplexity.json: losses of random tokens by transformers, window by window, and statistics of
two models by numpy: `python tools/goldens/perplexity.py`. The models are those of llama.py."""

import json

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from recording import GOLDEN

TOKENS, CONTEXT, STRIDE, BOS, VOCAB = 150, 32, 12, 7, 61


def log_probabilities(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double().log_softmax(-1).numpy()


def chunks(model, ids):
    """The tables of the scored places, and the tokens there: second halves of chunks that begin with BOS."""
    tables, tokens = [], []
    for begin in range(0, len(ids) - CONTEXT + 1, CONTEXT):
        shown = [BOS, *ids[begin + 1:begin + CONTEXT]]
        tables.append(log_probabilities(model, shown)[CONTEXT // 2:-1])
        tokens += shown[CONTEXT // 2 + 1:]
    return np.concatenate(tables), np.array(tokens)


def sliding(model, ids):
    """The loss of every token but the first, as https://huggingface.co/docs/transformers/perplexity windows them."""
    losses, before = [], 0
    for begin in range(0, len(ids), STRIDE):
        end = min(begin + CONTEXT, len(ids))
        labels = torch.tensor([ids[begin:end]])
        labels[:, :before - end] = -100
        with torch.no_grad():
            count = int((labels[:, 1:] != -100).sum())
            losses.append((model(torch.tensor([ids[begin:end]]), labels=labels).loss.item() * count, count))
        before = end
        if end == len(ids):
            break
    return sum(loss for loss, _ in losses) / sum(count for _, count in losses), sum(count for _, count in losses)


def main():
    torch.set_num_threads(1)
    ids = torch.randint(VOCAB, (TOKENS,), generator=torch.Generator().manual_seed(1)).tolist()
    model, base = (AutoModelForCausalLM.from_pretrained(GOLDEN / "llama" / name).eval() for name in ("tied", "untied"))
    (q, tokens), (p, _) = chunks(model, ids), chunks(base, ids)
    at = np.arange(len(tokens)), tokens
    nll, base_nll = -q[at], -p[at]
    kl = (np.exp(p) * (p - q)).sum(-1)
    delta = np.exp(q[at]) - np.exp(p[at])
    error = lambda values: values.std() / np.sqrt(len(values) - 1)
    loss, count = sliding(model, ids)
    expected = {
        "tokens": ids, "context": CONTEXT, "stride": STRIDE, "bos": BOS,
        "chunks": {"tokens": len(tokens), "loss": nll.mean(), "loss_error": error(nll)},
        "sliding": {"tokens": count, "loss": loss},
        "comparison": {
            "base_perplexity": np.exp(base_nll.mean()), "correlation": np.corrcoef(nll, base_nll)[0, 1],
            "log_ratio_error": error(nll - base_nll),
            "kl": kl.mean(), "kl_error": error(kl), "kl_quantiles": np.quantile(kl, [1, 0.99, 0.5, 0.05, 0]).tolist(),
            "delta_p": delta.mean(), "delta_p_rms": np.sqrt((delta ** 2).mean()),
            "delta_p_quantiles": np.quantile(delta, [1, 0.99, 0.5, 0.05, 0]).tolist(),
            "same_top": (q.argmax(-1) == p.argmax(-1)).mean()},
    }
    target = GOLDEN / "eval" / "perplexity.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(expected, indent=1) + "\n")
    print(expected["chunks"], expected["sliding"], expected["comparison"])


if __name__ == "__main__":
    main()
