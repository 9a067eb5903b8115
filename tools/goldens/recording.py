"""What every model golden records: a tiny checkpoint with random weights, and what transformers computes with it.

Shared by gpt2.py, llama.py and families.py; needs torch, transformers and safetensors.
"""

import pathlib

import torch
from safetensors.torch import save_file

BATCH, TIME, UPDATES, PROMPT, NEW_TOKENS = 2, 12, 10, 4, 20
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"


def randomize(model, seed):
    """Weights far from their usual start: norm weights are not 1, biases not 0, attention is not uniform."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() >= 2:
                parameter.copy_(0.3 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            else:
                parameter.copy_(1.0 + 0.2 * noise)


def loss_of(model, input_ids, targets):
    """Mean cross-entropy over every position; the targets are given, not shifted from the input."""
    logits = model(input_ids).logits
    return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def greedy(model, prompt):
    """The greedy continuation, and by how much its closest choice was decided (in logits)."""
    ids, margin = prompt.clone(), float("inf")
    with torch.no_grad():
        for _ in range(NEW_TOKENS):
            best = model(ids).logits[:, -1].topk(2)
            margin = min(margin, (best.values[:, 0] - best.values[:, 1]).min().item())
            ids = torch.cat([ids, best.indices[:, :1]], dim=1)
    return ids[:, prompt.shape[1]:], margin


def adamw_losses(model, input_ids, targets):
    """The loss before, and after each of, UPDATES steps of AdamW on one batch; matrices decay, vectors do not."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95), eps=1e-8, foreach=False, fused=False)
    losses = []
    for step in range(UPDATES + 1):
        optimizer.zero_grad()
        loss = loss_of(model, input_ids, targets)[1]
        losses.append(loss.item())
        if step < UPDATES:
            loss.backward()
            optimizer.step()
    return losses


def record(model, folder, seed, vocab_size, training=True):
    """Saves the checkpoint `model` and `expected.safetensors` in `folder` (below tests/golden); gradients and the losses
    of a few updates with `training` only."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    randomize(model, seed)
    model.eval()
    target = GOLDEN / folder
    model.save_pretrained(target)
    (target / "generation_config.json").unlink(missing_ok=True)

    generator = torch.Generator().manual_seed(seed + 1)
    input_ids = torch.randint(vocab_size, (BATCH, TIME), generator=generator)
    targets = torch.randint(vocab_size, (BATCH, TIME), generator=generator)
    prompt = torch.randint(vocab_size, (1, PROMPT), generator=generator)
    generated, margin = greedy(model, prompt)
    assert margin > 0.003, f"greedy choice decided by {margin} only: take another seed"

    logits, loss = loss_of(model, input_ids, targets)
    tensors = dict(input_ids=input_ids, targets=targets, logits=logits.detach(), loss=loss.detach(), prompt=prompt[0],
                   generated=generated[0])
    if training:
        loss.backward()
        tensors |= {"grad." + name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        tensors["losses"] = torch.tensor(adamw_losses(model, input_ids, targets), dtype=torch.float32)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, target / "expected.safetensors")
    print(folder, "loss", loss.item(), "margin %.4f" % margin)
