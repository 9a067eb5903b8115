#!/usr/bin/env python3
"""Records the loss of TRL's GRPOTrainer: tests/golden/align/grpo.json.

    python tools/goldens/grpo.py        # needs: pip install torch transformers trl

GRPOTrainer._compute_loss runs on log-probabilities that are given, in double, for answers of unequal lengths to two
prompts; recorded are its loss and the gradient by these log-probabilities. Advantages are made as the trainer makes them.
"""
import collections
import json
import pathlib
import types

import torch
from trl import GRPOTrainer

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden/align/grpo.json"
LENGTHS, GROUP, MAX_TOKENS = [5, 2, 7, 1, 4, 6], 3, 7
CASES = [(kind, scaled, beta, low, high)
         for kind, scaled in (("grpo", True), ("dapo", True), ("dr_grpo", False))
         for beta, low, high in ((0.0, 0.2, 0.2), (0.04, 0.2, 0.28))]


def accelerator():
    return types.SimpleNamespace(num_processes=1, sync_gradients=True, gather=lambda x: x,
                                 reduce=lambda x, reduction=None: x, gather_for_metrics=lambda x: x)


def trainer(kind, beta, low, high, log_probs):
    metrics = {"train": collections.defaultdict(list), "eval": collections.defaultdict(list)}
    return types.SimpleNamespace(
        loss_type=kind, beta=beta, epsilon_low=low, epsilon_high=high, max_completion_length=MAX_TOKENS,
        accelerator=accelerator(), _metrics=metrics, model=types.SimpleNamespace(training=True),
        args=types.SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        importance_sampling_level="token", top_entropy_quantile=1.0, off_policy_mask_threshold=None, use_vllm=False,
        vllm_importance_sampling_correction=False, current_gradient_accumulation_steps=1, aux_loss_enabled=False,
        _entropy_bonus_enabled=False,
        _get_per_token_logps_and_entropies=lambda *a, **k: (log_probs, torch.zeros_like(log_probs), None))


def record(kind, scaled, beta, low, high, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (len(LENGTHS), max(LENGTHS))
    draw = lambda scale: scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[1.0] * n + [0.0] * (shape[1] - n) for n in LENGTHS], dtype=torch.float64)
    before = -draw(1.0).abs() - 0.1
    now = (before + draw(0.3)).clamp(max=-1e-3).requires_grad_()
    reference = (before + draw(0.5)).clamp(max=-1e-3)
    rewards = torch.tensor([1.0, 0.0, 0.25, 0.0, 0.0, 1.0], dtype=torch.float64)
    groups = rewards.view(-1, GROUP)
    advantages = groups - groups.mean(dim=1, keepdim=True)
    if scaled:
        advantages = advantages / (groups.std(dim=1, keepdim=True) + 1e-4)
    advantages = advantages.flatten()
    inputs = {"prompt_ids": torch.zeros(shape[0], 1), "prompt_mask": torch.ones(shape[0], 1),
              "completion_ids": torch.zeros(shape), "completion_mask": mask, "advantages": advantages,
              "old_per_token_logps": before, "ref_per_token_logps": reference, "num_items_in_batch": mask.sum()}
    loss = GRPOTrainer._compute_loss(trainer(kind, beta, low, high, now), None, inputs)
    loss.backward()
    rows = lambda x: [row[:n] for row, n in zip(x.tolist(), LENGTHS)]
    return {"name": f"{kind} beta {beta} clip {low} {high}", "loss_type": kind, "scaled": scaled, "beta": beta,
            "clip_low": low, "clip_high": high, "group": GROUP, "max_tokens": MAX_TOKENS, "rewards": rewards.tolist(),
            "advantages": advantages.tolist(), "now": rows(now.detach()), "before": rows(before),
            "reference": rows(reference), "loss": loss.item(), "gradient": rows(now.grad)}


GOLDEN.parent.mkdir(parents=True, exist_ok=True)
GOLDEN.write_text(json.dumps({"cases": [record(*case, seed) for seed, case in enumerate(CASES)]}, indent=1) + "\n")
