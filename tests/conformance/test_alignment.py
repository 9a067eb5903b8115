"""Fifty steps of tuning and of learning from preferences, beside TRL and PEFT: the same examples, in f32.

All examples are in each step, so that their order does not matter; Quern cuts a step into passes and packs rows, TRL
pads."""

import json
from types import SimpleNamespace

import pytest
import torch
from agreement import generation_agrees
from datasets import Dataset
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from program import settings
from safetensors.torch import load_file
from texts import prose
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

STEPS = 50
COUNT = 12  # examples
# Of the loss of any step.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def model(quern, tmp_path_factory):
    """The folder of a tiny model with a tokenizer of its own."""
    folder = tmp_path_factory.mktemp("alignment")
    (folder / "text.txt").write_text(prose())
    quern("tokenizer", "train", "--input", folder / "text.txt", "--vocab-size", 400, "--out", folder / "tokenizer")
    quern("train", *settings({"out": folder / "run", "tokenizer": folder / "tokenizer", "data.inputs": folder / "text.txt",
                              "train.steps": 10, "train.batch": 4, "train.sequence": 128, "train.lr": 1e-2,
                              "model.family": "llama", "model.layers": 2, "model.hidden": 64, "model.heads": 4,
                              "model.kv_heads": 2, "model.intermediate": 96}))
    return folder / "run" / "model"


def rows(form):
    """Prompts with answers of unequal lengths, apart by a space that begins the answer: where a token reaches over the
    end of a prompt, TRL's pairs begin at the earlier one of both answers, and Quern's each at its own."""
    words = prose().split()
    text = lambda begin, count: " ".join(words[begin % 200:begin % 200 + count])  # noqa: E731
    made = []
    for i in range(COUNT):
        prompt = text(17 * i, 2 + i % 5)
        chosen, rejected = " " + text(31 * i + 7, 1 + i % 7), " " + text(23 * i + 90, 2 + i % 4)
        made.append({"completion": {"prompt": prompt, "completion": chosen},
                     "preference": {"prompt": prompt, "chosen": chosen, "rejected": rejected},
                     "unpaired": {"prompt": prompt, "completion": chosen, "label": i % 3 != 0}}[form])
    return made


@pytest.fixture(scope="module")
def examples(quern, model, tmp_path_factory):
    """examples(form): a folder of prepared examples."""
    made = {}

    def prepare(form):
        if form not in made:
            folder = made[form] = tmp_path_factory.mktemp(form)
            (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(form)))
            quern("data", "prepare", *settings({"inputs": folder / "rows.jsonl", "tokenizer": model, "out": folder / "made"}))
        return made[form] / "made"
    return prepare


def ours(quern, model, examples, out, **more):
    """The losses of a run of `quern train`."""
    more = {key.replace("__", "."): value for key, value in more.items()}
    quern("train", *settings({"from": model, "examples": examples, "out": out, "adapter.method": "none",
                              "train.steps": STEPS, "train.batch": COUNT, "train.micro_batch": 2, "train.sequence": 64,
                              "train.schedule": "constant", "train.warmup": 0, "train.eps": 1e-8, "train.beta2": 0.999,
                              "train.clip": 0, "train.log_every": 1, "train.eval_every": 0, "train.dtype": "f32", **more}))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line.get("kind") == "train"]


def opened(model):
    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)


def tokenizer_of(model):
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def theirs(trainer_type, config_type, model, tokenizer, form, out, lr, **more):
    """The losses of a run of a trainer of TRL."""
    config = config_type(output_dir=str(out), per_device_train_batch_size=COUNT, max_steps=STEPS, learning_rate=lr,
                         lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, max_grad_norm=0.0, report_to=[],
                         save_strategy="no", use_cpu=True, bf16=False, gradient_checkpointing=False, max_length=64,
                         disable_tqdm=True, **more)
    trainer = trainer_type(model=model, args=config, processing_class=tokenizer, train_dataset=Dataset.from_list(rows(form)))
    losses, compute = [], trainer.compute_loss

    def noted(*arguments, **named):
        result = compute(*arguments, **named)
        losses.append((result[0] if isinstance(result, tuple) else result).item())
        return result

    trainer.compute_loss = noted
    trainer.train()
    return losses


def agree(a, b, measured):
    assert len(a) == len(b) == STEPS
    measured("largest difference", max(abs(x - y) for x, y in zip(a, b)))
    measured("first loss", a[0])
    measured("last loss", a[-1])
    assert abs(a[-1] - a[0]) > 100 * TOLERANCE, "nothing was learnt, so nothing was compared"
    assert max(abs(x - y) for x, y in zip(a, b)) <= TOLERANCE


def test_supervised_tuning_is_that_of_trl(quern, model, examples, tmp_path, measured):
    a = ours(quern, model, examples("completion"), tmp_path / "run", task="sft", train__lr=3e-4)
    b = theirs(SFTTrainer, SFTConfig, opened(model), tokenizer_of(model), "completion", tmp_path / "trl", 3e-4)
    agree(a, b, measured)


def test_adapters_are_tuned_as_by_peft(quern, model, examples, tmp_path, measured):
    how = {"task": "sft", "adapter__method": "lora", "adapter__rank": 4, "adapter__alpha": 8}
    ours(quern, model, examples("completion"), tmp_path / "first", **how, train__lr=0, train__steps=1)
    a = ours(quern, model, examples("completion"), tmp_path / "run", **how, train__lr=2e-3)
    begun = PeftModel.from_pretrained(opened(model), tmp_path / "first" / "adapter", is_trainable=True)
    b = theirs(SFTTrainer, SFTConfig, begun, tokenizer_of(model), "completion", tmp_path / "trl", 2e-3)
    agree(a, b, measured)


def test_rows_of_tokens_are_tuned_as_by_peft(quern, model, examples, tmp_path, measured):
    tokenizer = tokenizer_of(model)
    ids = sorted(set(tokenizer("The mill stands")["input_ids"]))[:4]
    how = {"task": "sft", "adapter__method": "lora", "adapter__rank": 4, "adapter__alpha": 8,
           "adapter__tokens": json.dumps(tokenizer.convert_ids_to_tokens(ids), ensure_ascii=False)}
    ours(quern, model, examples("completion"), tmp_path / "first", **how, train__lr=0, train__steps=1)
    a = ours(quern, model, examples("completion"), tmp_path / "run", **how, train__lr=2e-3)
    begun = PeftModel.from_pretrained(opened(model), tmp_path / "first" / "adapter", is_trainable=True)
    # What TRL computes logits and loss with in one asks PEFT's wrapper of the head for its bias.
    begun.get_output_embeddings().bias = None
    b = theirs(SFTTrainer, SFTConfig, begun, tokenizer, "completion", tmp_path / "trl", 2e-3)
    agree(a, b, measured)
    learnt_here = PeftModel.from_pretrained(opened(model), tmp_path / "run" / "adapter").eval()
    generation_agrees(quern, model, learnt_here, tokenizer, "The mill stands", measured, "--adapter",
                      tmp_path / "run" / "adapter")


# With a learning rate of the size of what is learnt: embeddings, keys and values, weights. A larger one saturates what
# follows, norms or tanh, whose gradients are then no more than rounding.
VIRTUAL_TOKENS = {
    "prompt": (PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5), {"adapter__method": "prompt"}, 3e-4),
    "prefix": (PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5), {"adapter__method": "prefix"}, 5e-2),
    "projected prefix": (PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5, prefix_projection=True,
                                            encoder_hidden_size=24),
                         {"adapter__method": "prefix", "adapter__projection": 24}, 3e-3),
}


def parameters_of(checkpoint):
    """What PEFT's encoder begins with, of the adapter in a checkpoint."""
    saved = load_file(checkpoint / "adapter_model.safetensors")
    if "prompt_encoder.embedding" not in saved:
        return {"embedding.weight": saved["prompt_embeddings"]}
    part = {name.removeprefix("prompt_encoder."): value for name, value in saved.items()}
    layers = [f"layers.{i}.{kind}" for i in range(2) for kind in ("keys", "values")]
    return {"embedding.weight": part["embedding"], "transform.0.weight": part["inner.weight"],
            "transform.0.bias": part["inner.bias"],
            "transform.2.weight": torch.cat([part[f"{layer}.weight"] for layer in layers]),
            "transform.2.bias": torch.cat([part[f"{layer}.bias"] for layer in layers])}


@pytest.mark.parametrize("method", VIRTUAL_TOKENS)
def test_virtual_tokens_are_tuned_as_by_peft(quern, model, examples, tmp_path, measured, method):
    config, how, lr = VIRTUAL_TOKENS[method]
    how = {"task": "sft", "adapter__virtual_tokens": 5, **how}
    ours(quern, model, examples("completion"), tmp_path / "first", **how, train__lr=0, train__steps=1)
    a = ours(quern, model, examples("completion"), tmp_path / "run", **how, train__lr=lr)
    begun = get_peft_model(opened(model), config)
    begun.prompt_encoder["default"].load_state_dict(parameters_of(tmp_path / "first" / "checkpoints" / "step-00000001"))
    b = theirs(SFTTrainer, SFTConfig, begun, tokenizer_of(model), "completion", tmp_path / "trl", lr)
    agree(a, b, measured)
    learnt_here = PeftModel.from_pretrained(opened(model), tmp_path / "run" / "adapter").eval()
    generation_agrees(quern, model, learnt_here, tokenizer_of(model), "The mill stands", measured, "--adapter",
                      tmp_path / "run" / "adapter")


class Bottlenecks(torch.nn.Module):
    """The bottlenecks of a folder (AdapterHub's form) behind the branches of a Llama."""

    def __init__(self, folder, model):
        super().__init__()
        how = json.loads((folder / "adapter_config.json").read_text())["config"]
        self.activation, self.stream = getattr(torch.nn.functional, how["non_linearity"]), how["original_ln_before"]
        self.values = torch.nn.ParameterDict({name.replace(".", "/"): value for name, value
                                              in load_file(folder / "adapter.safetensors").items()})
        for i, layer in enumerate(model.model.layers):
            # What is about to be added to, of both branches, is what enters the norm before them.
            for module, norm, branch in ((layer.self_attn.o_proj, layer.input_layernorm, "attention_adapters"),
                                         (layer.mlp.down_proj, layer.post_attention_layernorm, "output_adapters")):
                path = f"model/layers/{i}/{branch}/adapters/quern/"
                if path + "adapter_up/bias" in self.values:
                    norm.register_forward_pre_hook(lambda _, entering, path=path: setattr(self, path, entering[0]))
                    module.register_forward_hook(lambda _, __, y, path=path: self.behind(path, y))

    def behind(self, path, y):
        value = lambda name: self.values[path + name]  # noqa: E731
        entering = y + getattr(self, path) if self.stream else y
        inner = self.activation(torch.nn.functional.linear(entering, value("adapter_down/0/weight"),
                                                           value("adapter_down/0/bias")))
        return y + torch.nn.functional.linear(inner, value("adapter_up/weight"), value("adapter_up/bias"))


# Houlsby's and Pfeiffer's.
@pytest.mark.parametrize("how", [{"adapter__activation": "silu"},
                                 {"adapter__places": "mlp", "adapter__reads_stream": "true"}])
def test_bottlenecks_are_tuned_as_in_torch(quern, model, examples, tmp_path, measured, how):
    how = {"task": "sft", "adapter__method": "bottleneck", "adapter__width": 8, **how}
    ours(quern, model, examples("completion"), tmp_path / "first", **how, train__lr=0, train__steps=1)
    a = ours(quern, model, examples("completion"), tmp_path / "run", **how, train__lr=5e-3)
    base = opened(model).requires_grad_(False)
    base.bottlenecks = Bottlenecks(tmp_path / "first" / "adapter", base)
    b = theirs(SFTTrainer, SFTConfig, base, tokenizer_of(model), "completion", tmp_path / "trl", 5e-3)
    agree(a, b, measured)
    learnt_here = opened(model)
    learnt_here.bottlenecks = Bottlenecks(tmp_path / "run" / "adapter", learnt_here)
    generation_agrees(quern, model, learnt_here.eval(), tokenizer_of(model), "The mill stands", measured, "--adapter",
                      tmp_path / "run" / "adapter")


# TRL smooths no labels of the loss it calls sigmoid.
@pytest.mark.parametrize("loss, smoothing", [("sigmoid", 0.0), ("robust", 0.2), ("hinge", 0.0), ("ipo", 0.0)])
def test_dpo_is_that_of_trl(quern, model, examples, tmp_path, measured, loss, smoothing):
    a = ours(quern, model, examples("preference"), tmp_path / "run", task="dpo", train__lr=1e-4, preference__loss=loss,
             preference__label_smoothing=smoothing)
    b = theirs(DPOTrainer, DPOConfig, opened(model), tokenizer_of(model), "preference", tmp_path / "trl", 1e-4, beta=0.1,
               loss_type=loss, label_smoothing=smoothing)
    agree(a, b, measured)


def test_kto_is_that_of_trl(quern, model, examples, tmp_path, measured):
    a = ours(quern, model, examples("unpaired"), tmp_path / "run", task="kto", train__lr=3e-4, kto__unwanted_weight=1.5)
    b = theirs(KTOTrainer, KTOConfig, opened(model), tokenizer_of(model), "unpaired", tmp_path / "trl", 3e-4, beta=0.1,
               undesirable_weight=1.5, train_sampling_strategy="sequential")
    agree(a, b, measured)


def answers(model, tokenizer):
    """answers(): the mean log-probabilities of preferred and of other answers, and the mean loss of the preferred ones'
    tokens, with gradients."""
    def encoded(row, key):
        prompt = tokenizer(row["prompt"], add_special_tokens=False)["input_ids"]
        answer = tokenizer(row[key] + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
        return torch.tensor([prompt + answer]), len(prompt)

    batch = {key: [encoded(row, key) for row in rows("preference")] for key in ("chosen", "rejected")}

    def of_tokens(key):
        for ids, begin in batch[key]:
            log_probs = model(ids).logits[0, :-1].log_softmax(-1)
            yield log_probs.gather(1, ids[0, 1:, None])[begin - 1:, 0]

    def compute():
        chosen, rejected = list(of_tokens("chosen")), list(of_tokens("rejected"))
        return torch.stack([x.mean() for x in chosen]), torch.stack([x.mean() for x in rejected]), -torch.cat(chosen).mean()
    return compute


def learnt(model, compute_loss, lr):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    losses = []
    for _ in range(STEPS):
        loss = compute_loss()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def test_orpo_is_that_of_trl(quern, model, examples, tmp_path, measured):
    """But that TRL's loss of preferred answers counts prompts, too."""
    a = ours(quern, model, examples("preference"), tmp_path / "run", task="orpo", train__lr=1e-4)
    network = opened(model)
    compute = answers(network, tokenizer_of(model))
    trainer = SimpleNamespace(beta=0.1, accelerator=SimpleNamespace(device="cpu"))

    def loss():
        chosen, rejected, nll = compute()
        return nll - ORPOTrainer.odds_ratio_loss(trainer, chosen, rejected)[0].mean()
    agree(a, learnt(network, loss, 1e-4), measured)


def test_simpo_is_that_of_trl(quern, model, examples, tmp_path, measured):
    a = ours(quern, model, examples("preference"), tmp_path / "run", task="simpo", train__lr=1e-4)
    network = opened(model)
    compute = answers(network, tokenizer_of(model))
    trainer = SimpleNamespace(loss_type="simpo", beta=2.0, simpo_gamma=1.0, label_smoothing=0.0, alpha=0.0,
                              accelerator=SimpleNamespace(device="cpu"))
    agree(a, learnt(network, lambda: CPOTrainer.cpo_loss(trainer, *compute()[:2])[0].mean(), 1e-4), measured)
