"""Reward models beside TRL's RewardTrainer and transformers: curves of losses, and what is written."""

import json

import pytest
import torch
from datasets import Dataset
from peft import AutoPeftModelForSequenceClassification, PeftModel
from program import settings
from texts import prose
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer

# All pairs are in each step, so that their order does not matter.
PAIRS, STEPS, LR = 16, 50, 1e-3


@pytest.fixture(scope="module")
def base(quern, tmp_path_factory):
    """A tiny LLaMA that writes, whose padding is no end token."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "text.txt").write_text(prose())
    quern("tokenizer", "train", "--input", folder / "text.txt", "--vocab-size", 400, "--out", folder / "tokenizer")
    quern("train", *settings({"out": folder / "run", "tokenizer": folder / "tokenizer", "data.inputs": folder / "text.txt",
                              "train.steps": 10, "train.batch": 4, "train.sequence": 128, "train.lr": 1e-2,
                              "model.family": "llama", "model.layers": 2, "model.hidden": 64, "model.heads": 4,
                              "model.kv_heads": 2, "model.intermediate": 96, "model.tied_embeddings": False}))
    return folder / "run" / "model"


@pytest.fixture(scope="module")
def scorer(base, tmp_path_factory):
    """The same with a random score, as transformers saves it: what both train from."""
    folder = tmp_path_factory.mktemp("scorer")
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, pad_token_id=tokenizer.eos_token_id,
                                                              dtype=torch.float32)
    with torch.no_grad():
        model.score.weight.copy_(0.1 * torch.randn(1, 64, generator=torch.Generator().manual_seed(4)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pairs(quern, base, tmp_path_factory):
    """Preferences with margins, as rows and as quern reads them."""
    folder = tmp_path_factory.mktemp("pairs")
    words = prose().split()
    rows = [{"prompt": " ".join(words[9 * i : 9 * i + 4]), "chosen": " " + " ".join(words[9 * i + 4 : 9 * i + 9 - i % 4]),
             "rejected": " " + " ".join(words[5 * i + 900 : 5 * i + 903 + i % 5]), "margin": 0.25 * (i % 3)}
            for i in range(PAIRS)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    quern("data", "prepare", *settings({"inputs": folder / "rows.jsonl", "tokenizer": base, "out": folder / "prepared"}))
    return rows, folder / "prepared"


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "train"]


class Recorder(RewardTrainer):
    """Notes the losses of its steps, which logs round."""

    def compute_loss(self, *arguments, **keywords):
        self.losses = getattr(self, "losses", [])
        result = super().compute_loss(*arguments, **keywords)
        self.losses.append((result[0] if isinstance(result, tuple) else result).item())
        return result


def tokens_of(prepared):
    """The documents of a token file, in pairs (data/token_dataset.h)."""
    data = (prepared / "train.tokens").read_bytes()
    width, count, documents = (int.from_bytes(data[a:b], "little") for a, b in ((12, 14), (-48, -40), (-40, -32)))
    at = len(data) - 48 - 8 * (documents + 1)
    ends = [int.from_bytes(data[at + 8 * i : at + 8 * i + 8], "little") for i in range(documents + 1)]
    tokens = [int.from_bytes(data[16 + width * i : 16 + width * (i + 1)], "little") for i in range(count)]
    values_at = at - (4 * documents + 7) // 8 * 8
    values = torch.frombuffer(bytearray(data[values_at : values_at + 4 * documents]), dtype=torch.float32).tolist()
    texts = [tokens[a:b] for a, b in zip(ends, ends[1:])]
    return [dict(chosen_ids=texts[i], rejected_ids=texts[i + 1], margin=values[i]) for i in range(0, documents, 2)]


@pytest.mark.parametrize("method", ["none", "lora"])
def test_losses_are_those_of_trl(quern, scorer, pairs, tmp_path, measured, method):
    def train(name, **others):
        quern("train", *settings({"task": "reward", "from": scorer, "examples": pairs[1], "out": tmp_path / name,
                                  "reward.center": 0.01, "adapter.method": method, "adapter.rank": 4,
                                  "adapter.alpha": 8, "adapter.targets": ["q_proj", "v_proj", "down_proj"],
                                  "train.batch": PAIRS, "train.micro_batch": 3, "train.sequence": 64, "train.steps": STEPS,
                                  "train.lr": LR, "train.schedule": "constant", "train.warmup": 0, "train.dtype": "f32",
                                  "train.clip": 1.0, "train.log_every": 1, "train.eval_every": 0} | others))
        return tmp_path / name

    ours = losses(train("run"))
    model = AutoModelForSequenceClassification.from_pretrained(scorer, num_labels=1, dtype=torch.float32)
    if method == "lora":  # begins where ours began
        model = PeftModel.from_pretrained(model, train("begin", **{"train.steps": 1, "train.lr": 0}) / "adapter",
                                          is_trainable=True)
    arguments = RewardConfig(output_dir=str(tmp_path / "trl"), per_device_train_batch_size=PAIRS, max_steps=STEPS,
                             learning_rate=LR, lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0,
                             max_grad_norm=1.0, bf16=False, fp16=False, use_cpu=True, gradient_checkpointing=False,
                             center_rewards_coefficient=0.01, report_to=[], save_strategy="no", max_length=None,
                             disable_tqdm=True)
    trainer = Recorder(model=model, args=arguments, train_dataset=Dataset.from_list(tokens_of(pairs[1])),
                       processing_class=AutoTokenizer.from_pretrained(scorer))
    trainer.train()
    assert len(ours) == len(trainer.losses) == STEPS
    difference = max(abs(a - b) for a, b in zip(ours, trainer.losses))
    measured("largest difference", difference)
    assert difference < 1e-4
    assert ours[-1] < 0.8 * ours[0], "nothing was learnt, so nothing was compared"


@pytest.mark.parametrize("method", ["none", "lora"])
def test_what_is_written_opens_there(quern, base, pairs, tmp_path, measured, method):
    quern("train", *settings({"task": "reward", "from": base, "examples": pairs[1], "out": tmp_path, "adapter.method": method,
                              "train.batch": 8, "train.sequence": 64, "train.steps": 10, "train.lr": 3e-3,
                              "train.dtype": "f32", "train.eval_every": 0}))
    tokenizer = AutoTokenizer.from_pretrained(base)
    if method == "none":
        made, model = tmp_path / "model", AutoModelForSequenceClassification.from_pretrained(tmp_path / "model", dtype=torch.float32)
    else:
        made = tmp_path / "adapter"
        model = AutoPeftModelForSequenceClassification.from_pretrained(made, num_labels=1, pad_token_id=tokenizer.eos_token_id,
                                                                      dtype=torch.float32)
    model.eval()
    for row in pairs[0][:8]:
        text = row["prompt"] + row["chosen"]
        with torch.no_grad():
            theirs = model(torch.tensor([tokenizer(text)["input_ids"]])).logits.item()
        difference = abs(quern.json("predict", made, text)["reward"] - theirs)
        measured("largest difference", difference)
        assert difference < 1e-4
