#!/usr/bin/env python3
"""Records the divergences of TRL's GKDTrainer and torch's smoothed cross-entropy: tests/golden/losses/distill.json.

    python tools/goldens/distill.py        # needs: pip install torch transformers trl

GKDTrainer.generalized_jsd_loss and torch.nn.functional.cross_entropy run on given logits, in double; recorded are the mean
over targets of (1 - weight) * cross-entropy + weight * T^2 * divergence, its parts, and the gradient by the student's
logits. Smoothed losses are also those of transformers' LabelSmoother.
"""
import json
import pathlib

import torch
import torch.nn.functional as F
from transformers.trainer_pt_utils import LabelSmoother
from trl.experimental.gkd import GKDTrainer

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden/losses/distill.json"
ROWS, VOCABULARY = 6, 9
TARGETS = torch.tensor([3, -100, 0, 8, 3, -100])
# weight, temperature, GKD's beta
CASES = [(0.5, 1.0, 0.0), (0.3, 2.0, 0.0), (1.0, 4.0, 0.0), (0.5, 1.0, 1.0), (0.7, 0.5, 1.0), (0.5, 1.0, 0.5),
         (0.9, 2.0, 0.1), (1.0, 1.0, 0.75), (0.0, 2.0, 0.0)]


def draw(generator, scale):
    return scale * torch.randn((ROWS, VOCABULARY), generator=generator, dtype=torch.float64)


def distilled(weight, temperature, beta, generator):
    teacher = draw(generator, 2.0)
    student = (teacher + draw(generator, 1.5)).requires_grad_()
    learnt = TARGETS != -100
    hard = F.cross_entropy(student, TARGETS)
    divergence = GKDTrainer.generalized_jsd_loss(student[None], teacher[None], labels=TARGETS[None], beta=beta,
                                                 temperature=temperature, num_items_in_batch=int(learnt.sum()))
    loss = (1 - weight) * hard + weight * temperature**2 * divergence
    loss.backward()
    agreement = (student.argmax(-1) == teacher.argmax(-1))[learnt].double().mean()
    return {"weight": weight, "temperature": temperature, "beta": beta, "teacher": teacher.tolist(),
            "student": student.detach().tolist(), "loss": loss.item(), "hard": hard.item(),
            "divergence": divergence.item(), "agreement": agreement.item(), "gradient": student.grad.tolist()}


def smoothed(smoothing, generator):
    logits = draw(generator, 2.0).requires_grad_()
    loss = F.cross_entropy(logits, TARGETS, label_smoothing=smoothing)
    loss.backward()
    other = LabelSmoother(epsilon=smoothing)({"logits": logits.detach()[None]}, TARGETS[None])
    assert torch.allclose(loss.detach(), other, atol=1e-12), (loss, other)
    return {"smoothing": smoothing, "logits": logits.detach().tolist(), "loss": loss.item(),
            "gradient": logits.grad.tolist()}


def main():
    generator = torch.Generator().manual_seed(11)
    golden = {"targets": TARGETS.tolist(), "distilled": [distilled(*case, generator) for case in CASES],
              "smoothed": [smoothed(smoothing, generator) for smoothing in (0.1, 0.4)]}
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(golden) + "\n")


main()
