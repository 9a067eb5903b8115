#!/usr/bin/env python3
"""Records what TRL's PPOTrainer makes of answers: tests/golden/align/ppo.json.

    python tools/goldens/ppo.py        # needs: pip install torch transformers trl==0.24.0

PPOTrainer.train runs on tensors that are given, in double, in place of models: the log-probabilities, values and scores of
answers as they were drawn, and those that an update sees. Recorded are advantages, returns, the loss, and its gradient by
log-probabilities and values. All answers of a case are of one length: behind shorter ones TRL has one more place, with a
value and the score, which nobody said.
"""
import json
import pathlib
import types
from contextlib import contextmanager, nullcontext
from unittest import mock

import torch
from trl.trainer import ppo_trainer

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden/align/ppo.json"
ANSWERS, PAD, END = 4, 0, 7
CASES = [dict(length=5, kl_coef=0.05, gamma=1.0, lam=0.95, cliprange=0.2, cliprange_value=0.2, vf_coef=0.1, penalty=None),
         dict(length=3, kl_coef=0.2, gamma=0.9, lam=0.8, cliprange=0.1, cliprange_value=0.05, vf_coef=0.5, penalty=1.5),
         dict(length=1, kl_coef=0.0, gamma=1.0, lam=1.0, cliprange=0.2, cliprange_value=0.2, vf_coef=1.0, penalty=0.5)]


class Done(Exception):
    pass


def record(case, seed):
    generator = torch.Generator().manual_seed(seed)
    length = case["length"]
    draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)
    before = -draw(ANSWERS, length).abs() - 0.1
    reference = (before + 0.5 * draw(ANSWERS, length)).clamp(max=-1e-3)
    now = (before + 0.3 * draw(ANSWERS, length)).clamp(max=-1e-3).requires_grad_()
    values = draw(ANSWERS, length)
    values_now = (values + 0.3 * draw(ANSWERS, length)).requires_grad_()
    scores = draw(ANSWERS)
    given = scores.tolist()
    answers = torch.full((ANSWERS, length), 3)
    answers[::2, -1] = END  # the others are cut off
    texts = torch.cat([torch.full((ANSWERS, 1), 5), answers], dim=1)
    whole = lambda v: torch.cat([v, torch.zeros(ANSWERS, 1, dtype=torch.float64)], dim=1).unsqueeze(-1)
    logits = torch.zeros(ANSWERS, length + 1, 8, dtype=torch.float64)
    found = {}

    def backward(loss):
        loss.backward()
        found["loss"] = loss.item()

    def whiten(x, mask, shift_mean=True):
        found["returns"] = (x + values).tolist()
        white = real_whiten(x, mask, shift_mean)
        found["advantages"] = white.tolist()
        return white

    def done(_):
        raise Done

    real_whiten = ppo_trainer.masked_whiten
    model = types.SimpleNamespace(policy=None, value_model=None, train=lambda: None)
    args = types.SimpleNamespace(
        response_length=length, temperature=1.0, num_ppo_epochs=1, num_mini_batches=1, gradient_accumulation_steps=1,
        num_total_batches=1, total_episodes=ANSWERS, logging_steps=None, eval_steps=None, save_steps=None,
        batch_size=ANSWERS, ds3_gather_for_generation=False, local_rollout_forward_batch_size=ANSWERS,
        missing_eos_penalty=case["penalty"], kl_estimator="k1", whiten_rewards=False, local_batch_size=ANSWERS,
        local_mini_batch_size=ANSWERS, per_device_train_batch_size=ANSWERS,
        **{key: case[key] for key in ("kl_coef", "gamma", "lam", "cliprange", "cliprange_value", "vf_coef")})
    trainer = types.SimpleNamespace(
        args=args, optimizer=mock.Mock(), model=model, ref_model=object(), reward_model=object(),
        processing_class=types.SimpleNamespace(pad_token_id=PAD, eos_token_id=END),
        dataloader=[{"input_ids": texts[:, :1]}], state=types.SimpleNamespace(), control=None, train_dataset_len=ANSWERS,
        callback_handler=mock.Mock(), is_deepspeed_enabled=False, stop_token_id=None,
        accelerator=types.SimpleNamespace(device="cpu", print=lambda *_: None, unwrap_model=lambda m: m, backward=backward,
                                          accumulate=lambda _: nullcontext(), gather_for_metrics=done))

    @contextmanager
    def unwrap(*_, **__):
        yield model

    log_probs = iter([before, reference, now])
    rewards = iter([(whole(values), None, None), (None, scores, None)])
    forwards = iter([types.SimpleNamespace(logits=logits), (types.SimpleNamespace(logits=logits), whole(values_now))])
    with mock.patch.multiple(
            ppo_trainer, batch_generation=lambda *_: (texts, logits[:, :-1]), unwrap_model_for_generation=unwrap,
            selective_log_softmax=lambda *_: next(log_probs), get_reward=lambda *_: next(rewards),
            forward=lambda *_: next(forwards), masked_whiten=whiten), \
         mock.patch("numpy.random.permutation", range):
        try:
            ppo_trainer.PPOTrainer.train(trainer)
        except Done:
            pass
    return {**case, "penalty": case["penalty"] or 0.0, "ended": (answers[:, -1] == END).tolist(), "scores": given,
            "before": before.tolist(), "reference": reference.tolist(), "now": now.tolist(), "values": values.tolist(),
            "values_now": values_now.tolist(), **found, "d_now": now.grad.tolist(), "d_values": values_now.grad.tolist()}


GOLDEN.parent.mkdir(parents=True, exist_ok=True)
GOLDEN.write_text(json.dumps({"cases": [record(case, seed) for seed, case in enumerate(CASES)]}, indent=1) + "\n")
