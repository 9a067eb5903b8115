"""Encoders trained beside torch: losses of transformers' heads over the same examples under AdamW, and what is written, opened
there."""

import json

import pytest
import torch
import transformers
from draws import Rng
from program import settings
from test_encoders import SIZES, tokenizer  # noqa: F401
from test_models_written_by_transformers import randomize
from transformers import AutoConfig, pipeline

# All examples are in each step, so that their order does not matter.
ROWS, STEPS, LR = 12, 30, 1e-3
WORDS = "the old mill by the river turns two stones and wind drives a new wheel".split()
FAMILIES = {
    "bert": ("Bert", {}),
    "deberta-v2": ("DebertaV2", dict(relative_attention=True, position_buckets=32, share_att_key=True, norm_rel_ebd="layer_norm",
                                     pos_att_type=["p2c", "c2p"], position_biased_input=False)),
}


def text(i, length=5):
    return " ".join(WORDS[(3 * i + 5 * j) % len(WORDS)] for j in range(length + i % 3))


def model_of(family, head, tokenizer, folder, **settings):  # noqa: F811
    stem, more = FAMILIES[family]
    config = AutoConfig.for_model(family, **SIZES | more | dict(num_labels=3) | settings, vocab_size=len(tokenizer), pad_token_id=1,
                                  hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = getattr(transformers, stem + head)(config)
    randomize(model)
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() > 1:
                value.mul_(0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def train(quern, folder, rows, out, **others):
    (out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    quern("train", *settings({"from": folder, "examples": out / "rows.jsonl", "out": out / "run", "train.batch": len(rows),
                              "train.steps": STEPS, "train.lr": LR, "train.schedule": "constant", "train.warmup": 0,
                              "train.clip": 1.0, "train.log_every": 1, "train.eval_every": 0} | others))
    lines = [json.loads(line) for line in (out / "run" / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "train"]


def learn(model, loss_of):
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.999), weight_decay=0.0)
    losses = []
    for _ in range(STEPS):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def compare(ours, theirs, measured):
    assert len(ours) == len(theirs) == STEPS
    difference = max(abs(a - b) for a, b in zip(ours, theirs))
    measured("largest difference", difference)
    assert difference < 1e-4
    assert ours[-1] < 0.9 * ours[0], "nothing was learnt, so nothing was compared"


def padded(tokenizer, texts, pairs=None):  # noqa: F811
    return tokenizer(texts, pairs, padding=True, return_tensors="pt", return_token_type_ids=True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("problem", ["single_label", "multi_label", "regression"])
def test_labels_of_texts(quern, tokenizer, tmp_path, measured, family, problem):  # noqa: F811
    kind = problem if problem == "regression" else problem + "_classification"
    labels = 1 if problem == "regression" else 3
    model = model_of(family, "ForSequenceClassification", tokenizer, tmp_path / "base", num_labels=labels, problem_type=kind)
    names = [f"LABEL_{i}" for i in range(labels)]
    rows, wanted = [], []
    for i in range(ROWS):
        if problem == "single_label":
            label, target = names[i % 3], i % 3
        elif problem == "multi_label":
            label = [name for j, name in enumerate(names) if (i >> j) % 2]
            target = [float((i >> j) % 2) for j in range(3)]
        else:
            label = target = 0.25 * (i % 5) + 0.5
        rows.append(dict(sentence1=text(i), sentence2=text(i + 4), label=label))
        wanted.append(target)
    micro = {} if problem == "regression" else {"train.micro_batch": 5}
    ours = train(quern, tmp_path / "base", rows, tmp_path, task="classify", **{"classify.problem": problem}, **micro)
    batch = padded(tokenizer, [row["sentence1"] for row in rows], [row["sentence2"] for row in rows])
    compare(ours, learn(model, lambda: model(**batch, labels=torch.tensor(wanted)).loss), measured)
    if problem == "single_label":
        said = pipeline("text-classification", tmp_path / "run" / "model", device="cpu")(text(1), top_k=3)
        mine = {row["label"]: row["score"] for row in quern.json("predict", tmp_path / "run" / "model", text(1))["labels"]}
        assert max(abs(mine[row["label"]] - row["score"]) for row in said) < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_of_words(quern, tokenizer, tmp_path, measured, family):  # noqa: F811
    model = model_of(family, "ForTokenClassification", tokenizer, tmp_path / "base", id2label={0: "B-X", 1: "I-X", 2: "O"},
                     label2id={"B-X": 0, "I-X": 1, "O": 2})
    rows = [dict(words=text(i).split(), tags=[["B-X", "I-X", "O"][(i + j) % 3] for j in range(len(text(i).split()))])
            for i in range(ROWS)]
    ours = train(quern, tmp_path / "base", rows, tmp_path, task="classify", **{"classify.kind": "token", "train.micro_batch": 4})
    batch = tokenizer([row["words"] for row in rows], is_split_into_words=True, padding=True, return_tensors="pt")
    labels = torch.full(batch["input_ids"].shape, -100)
    for i, row in enumerate(rows):
        seen = set()
        for t, word in enumerate(batch.word_ids(i)):
            if word is not None and word not in seen:
                seen.add(word)
                labels[i, t] = ["B-X", "I-X", "O"].index(row["tags"][word])
    compare(ours, learn(model, lambda: model(**batch, labels=labels).loss), measured)


def test_answers(quern, tokenizer, tmp_path, measured):  # noqa: F811
    """Contexts of one length: transformers has padding among the places."""
    model = model_of("bert", "ForQuestionAnswering", tokenizer, tmp_path / "base", num_labels=2)
    context = "the old mill by the river turns"
    rows = [dict(question="where", context=context, answers=dict(text=[word], answer_start=[context.index(word)]))
            for word in ("old mill", "river", "turns", "mill")]
    ours = train(quern, tmp_path / "base", rows, tmp_path, task="classify", **{"classify.kind": "question", "train.sequence": 64})
    batch = padded(tokenizer, ["where"] * 4, [context] * 4)
    starts = torch.tensor([batch.char_to_token(i, row["answers"]["answer_start"][0], 1) for i, row in enumerate(rows)])
    ends = torch.tensor([batch.char_to_token(i, row["answers"]["answer_start"][0] + len(row["answers"]["text"][0]) - 1, 1)
                         for i, row in enumerate(rows)])
    compare(ours, learn(model, lambda: model(**batch, start_positions=starts, end_positions=ends).loss), measured)


@pytest.mark.parametrize("loss", ["ranking", "triplet", "cosine", "cosent"])
def test_sentence_vectors(quern, tokenizer, tmp_path, measured, loss):  # noqa: F811
    """The losses as sentence-transformers defines them, in a few lines of torch."""
    scale = 5 if loss == "cosent" else 20  # a curve that does not blow up what f32 rounds
    model = model_of("bert", "Model", tokenizer, tmp_path / "base")
    scored = loss in ("cosine", "cosent")
    sides = [[text(i) for i in range(ROWS)], [text(i + 1, 4) for i in range(ROWS)], [text(i + 7, 6) for i in range(ROWS)]]
    scores = [((7 * i) % 5) / 5 for i in range(ROWS)]
    if scored:
        rows = [dict(sentence1=a, sentence2=b, score=s) for a, b, s in zip(sides[0], sides[1], scores)]
    else:
        rows = [dict(anchor=a, positive=b, negative=c) for a, b, c in zip(*sides)]
    ours = train(quern, tmp_path / "base", rows, tmp_path, task="embed",
                 **{"embed.loss": loss, "embed.scale": scale, "embed.pooling": "mean", "train.micro_batch": 5})
    batches = [padded(tokenizer, side) for side in sides]

    def vectors(batch):
        states, mask = model(**batch).last_hidden_state, batch["attention_mask"][..., None].float()
        return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def loss_of():
        a, b = vectors(batches[0]), vectors(batches[1])
        wanted, near = torch.tensor(scores), (a * b).sum(-1)
        if loss == "cosine":
            return ((near - wanted) ** 2).mean()
        if loss == "cosent":
            apart = scale * (near[None, :] - near[:, None])[wanted[:, None] > wanted[None, :]]
            return torch.logsumexp(torch.cat([torch.zeros(1), apart]), 0)
        c = vectors(batches[2])
        if loss == "triplet":
            return torch.relu(0.5 + (a * c).sum(-1) - near).mean()
        return torch.nn.functional.cross_entropy(scale * a @ torch.cat([b, c]).T, torch.arange(ROWS))

    compare(ours, learn(model, loss_of), measured)


MASKS, REPLACEMENTS = 0x4D4C4D, 0x52544F  # src/encoding/masked_words.cpp, replaced_tokens.cpp


@pytest.mark.parametrize("shared", [True, False], ids=["shared embeddings", "apart"])
def test_replaced_tokens(quern, tokenizer, tmp_path, measured, shared):  # noqa: F811
    """ELECTRA: masks and replacements from the same numbers, the loss of both models."""
    sizes = SIZES | dict(embedding_size=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, vocab_size=len(tokenizer),
                         pad_token_id=1)
    models = {}
    for name, head, more in (("base", "ForPreTraining", {}),
                             ("small", "ForMaskedLM", dict(hidden_size=12, num_attention_heads=1, intermediate_size=18))):
        model = getattr(transformers, "Electra" + head)(AutoConfig.for_model("electra", **sizes | more))
        randomize(model)
        with torch.no_grad():
            for value in model.parameters():
                if value.dim() > 1:
                    value.mul_(0.3)
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        # A generator may draw the padding token, too; torch would hold its row, which the first ELECTRA learns as any other.
        model.electra.embeddings.word_embeddings.padding_idx = None
        models[name] = model
    judge, generator = models["base"], models["small"]
    if shared:
        generator.electra.embeddings = judge.electra.embeddings
        generator.tie_weights()
    texts = [text(i, 6) for i in range(ROWS)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(dict(text=row)) + "\n" for row in texts))
    quern("train", *settings({"task": "mlm", "mlm.objective": "replaced", "mlm.share": 0.3, "from": tmp_path / "base",
                              "mlm.generator": tmp_path / "small", "mlm.shared_embeddings": shared, "out": tmp_path / "run",
                              "data.inputs": tmp_path / "texts.jsonl", "data.validation": 0, "train.batch": ROWS,
                              "train.micro_batch": 5, "train.sequence": 64, "train.steps": 50, "train.lr": LR,
                              "train.schedule": "constant", "train.warmup": 0, "train.clip": 1.0, "train.log_every": 1,
                              "train.eval_every": 0, "train.weight_decay": 0.0, "train.beta2": 0.999, "train.seed": 1}))
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    ours = [line for line in lines if line["kind"] == "train"]

    batch = padded(tokenizer, texts)
    ids, attention = batch["input_ids"], batch["attention_mask"]
    special = set(tokenizer.all_special_ids)
    parameters = {id(p): p for model in (judge, generator) for p in model.parameters()}
    optimizer = torch.optim.AdamW(parameters.values(), lr=LR, betas=(0.9, 0.999), weight_decay=0.0)
    largest = 0.0
    for step, line in enumerate(ours):
        masked, labels = ids.clone(), torch.full_like(ids, -100)
        for i in range(ROWS):
            rng = Rng(1 ^ MASKS ^ step << 24, i)
            for t in range(int(attention[i].sum())):
                if int(ids[i, t]) in special:
                    continue
                chance, _, _ = rng.uniform(), rng.uniform(), rng.below(len(tokenizer))
                if chance < 0.3:
                    masked[i, t], labels[i, t] = tokenizer.mask_token_id, ids[i, t]
        told = generator(**batch | dict(input_ids=masked), labels=labels)
        replaced = ids.clone()
        for i in range(ROWS):
            rng = Rng(1 ^ REPLACEMENTS ^ step << 24, i)
            for t in (labels[i] >= 0).nonzero().flatten().tolist():
                replaced[i, t] = int((told.logits[i, t].double().softmax(-1).cumsum(-1) <= rng.uniform()).sum())
        wrong = (replaced != ids).long()
        judged = judge(**batch | dict(input_ids=replaced), labels=wrong)
        loss = told.loss + 50 * judged.loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        largest = max(largest, abs(line["generator_loss"] - told.loss.item()), abs(line["discriminator_loss"] - judged.loss.item()))
        said = judged.logits.detach() > 0
        found = int((said & (wrong == 1) & (attention == 1)).sum())
        assert line["recall"] == pytest.approx(found / max(int(wrong.sum()), 1)), step
        assert line["precision"] == pytest.approx(found / max(int((said & (attention == 1)).sum()), 1)), step
    measured("largest difference", largest)
    assert len(ours) == 50 and largest < 1e-4
    assert ours[-1]["loss"] < 0.95 * ours[0]["loss"], "nothing was learnt, so nothing was compared"
    opened = transformers.ElectraForPreTraining.from_pretrained(tmp_path / "run" / "model").eval()
    with torch.no_grad():
        theirs = opened(**padded(tokenizer, [texts[0]])).logits[0].sigmoid().tolist()
    mine = quern.json("predict", tmp_path / "run" / "model", texts[0])["replaced"]
    assert [token["probability"] for token in mine] == pytest.approx(theirs[1:-1], abs=1e-4)
    transformers.ElectraForMaskedLM.from_pretrained(tmp_path / "run" / "model" / "generator")
