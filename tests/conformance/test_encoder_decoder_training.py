"""Encoder-decoders trained beside torch: corruptions of T5 and BART drawn from the same numbers, losses under AdamW, and what is
written, opened there."""

import json
import math

import pytest
import torch
from draws import Rng
from program import settings
from test_models_written_by_transformers import randomize
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

STEPS, LR, SEED = 50, 1e-3, 1
WORDS = "the old mill by river turns two stones and wind drives a new wheel .".split()
SENTINELS = [f"<extra_id_{i}>" for i in range(12)]
NOISE = 0x4E4F495345  # src/encoding/denoised_texts.cpp
T5 = dict(d_model=48, d_kv=12, d_ff=72, num_layers=3, num_decoder_layers=2, num_heads=4, relative_attention_num_buckets=8,
          relative_attention_max_distance=20, n_positions=64, dropout_rate=0.0, decoder_start_token_id=0)
BART = dict(d_model=48, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=2,
            encoder_ffn_dim=64, decoder_ffn_dim=72, max_position_embeddings=64, dropout=0.0, attention_dropout=0.0,
            activation_dropout=0.0, decoder_start_token_id=2, forced_eos_token_id=None)
MODELS = {
    "t5": ("t5", T5),
    "t5, gated": ("t5", T5 | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
    "mt5": ("mt5", T5),
    "bart": ("bart", BART),
}


@pytest.fixture(scope="module")
def tokenizer():
    special = ["<pad>", "<s>", "</s>", "<unk>", "<mask>", *SENTINELS]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(special + WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                                   mask_token="<mask>", additional_special_tokens=SENTINELS)


def texts(count, longest):
    return [" ".join(WORDS[(3 * i + 5 * j * j + j) % len(WORDS)] for j in range(2 + 7 * i % (longest - 1))) for i in range(count)]


def model_of(name, tokenizer, folder):
    family, sizes = MODELS[name]
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(family, **sizes, vocab_size=len(tokenizer), pad_token_id=0,
                                                                   eos_token_id=2, bos_token_id=1))
    randomize(model)
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() > 1:
                value.mul_(0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def train(quern, folder, out, **others):
    quern("train", *settings({"from": folder, "out": out / "run", "train.steps": STEPS, "train.lr": LR, "train.schedule": "constant",
                              "train.warmup": 0, "train.clip": 1.0, "train.log_every": 1, "train.eval_every": 0,
                              "train.weight_decay": 0.0, "train.beta2": 0.999, "train.seed": SEED} | others))
    lines = [json.loads(line) for line in (out / "run" / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "train"]


def learn(model, pairs_of):
    """`pairs_of(step)`: lists of ids that are read, and to be written."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.999), weight_decay=0.0)
    losses = []
    for step in range(STEPS):
        loss = model(**batch(pairs_of(step))).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def batch(pairs):
    read = [torch.tensor(a) for a, _ in pairs]
    pad = torch.nn.utils.rnn.pad_sequence
    return dict(input_ids=pad(read, True), attention_mask=pad([torch.ones_like(a) for a in read], True),
                labels=pad([torch.tensor(b) for _, b in pairs], True, -100))


def compare(ours, theirs, measured):
    assert len(ours) == len(theirs) == STEPS
    difference = max(abs(a - b) for a, b in zip(ours, theirs))
    measured("largest difference", difference)
    assert difference < 1e-4
    assert ours[-1] < 0.9 * ours[0], "nothing was learnt, so nothing was compared"


def span_mask(length, density, mean, rng):
    """run_t5_mlm_flax.py's random_spans_noise_mask."""
    noise = min(max(round(length * density), 1), length - 1)
    spans = max(round(min(noise, length - noise) / mean), 1)

    def segments(items):
        begins = rng.shuffled([1] * (spans - 1) + [0] * (items - spans))
        lengths = [1]
        for begin in begins:
            lengths = lengths + [1] if begin else lengths[:-1] + [lengths[-1] + 1]
        return lengths

    hidden, kept = segments(noise), segments(length - noise)
    return [bit for pair in zip(kept, hidden) for bit in [0] * pair[0] + [1] * pair[1]]


def spans_pair(ids, example, step, density, mean, sentinels):
    mask = span_mask(len(ids), density, mean, Rng(SEED ^ NOISE ^ step << 24, example))
    read, written, span = [], [], -1
    for i, (token, hidden) in enumerate(zip(ids, mask)):
        if not hidden:
            read.append(token)
            continue
        if not mask[i - 1]:
            span += 1
            read.append(sentinels[span])
            written.append(sentinels[span])
        written.append(token)
    return [1, *read, 2], [1, *written, 2]


def infilled_pair(ids, example, step, share, mean, mask, stop):
    """BART's: lengths of spans from Poisson's distribution, one mask for each, sentences shuffled."""
    rng = Rng(SEED ^ NOISE ^ step << 24, example)
    hidden = min(max(math.floor(share * len(ids) + 0.5), 1), len(ids))
    gaps = len(ids) - hidden + 1
    lengths = []
    while sum(lengths) < hidden:
        u, k, term = rng.uniform(), 0, math.exp(-mean)
        total = term
        while total <= u:
            k += 1
            term *= mean / k
            total += term
        left = hidden - sum(lengths)
        lengths.append(left if len(lengths) + 1 == min(gaps, hidden) else min(k, left))
    places = sorted(rng.shuffled(range(gaps))[:len(lengths)])
    sentences, sentence = [], []
    for i, token in enumerate(ids):
        sentence.append(token)
        if i + 1 == len(ids) or (token == stop and ids[i + 1] != stop):
            sentences.append(sentence)
            sentence = []
    order = rng.shuffled(range(len(sentences)))
    mixed = [token for i in order for token in sentences[i]]
    read, at = [], 0
    for shown, (place, length) in enumerate(zip(places, lengths)):
        begin = place + sum(lengths[:shown])
        read += mixed[at:begin] + [mask]
        at = begin + length
    return [1, *read, *mixed[at:], 2], [1, *ids, 2]


def greedy_agrees(quern, run, tokenizer, prompt):
    """transformers opens what was written, and answers as quern does."""
    model = AutoModelForSeq2SeqLM.from_pretrained(run / "model").eval()
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    theirs = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, num_beams=1)
    ours = quern.json("generate", run / "model", "-p", prompt, "-n", 12, "--cache-dtype", "f32", "-t", 0)
    wanted = theirs[0, 1:].tolist()
    assert [token["id"] for token in ours["tokens"]] == [token for token in wanted if token != tokenizer.eos_token_id]


@pytest.mark.parametrize("name", MODELS)
def test_denoising(quern, tokenizer, tmp_path, measured, name):
    """All texts are in each step, so that their order does not matter."""
    rows = texts(10, 24)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(dict(text=row)) + "\n" for row in rows))
    model = model_of(name, tokenizer, tmp_path / "base")
    share, mean = (0.3, 3.0) if name == "bart" else (0.25, 2.0)
    ours = train(quern, tmp_path / "base", tmp_path, task="denoise",
                 **{"data.inputs": tmp_path / "texts.jsonl", "data.validation": 0, "denoise.share": share, "denoise.mean_span": mean,
                    "train.batch": len(rows), "train.micro_batch": 4, "train.sequence": 40})
    ids = [tokenizer(row, add_special_tokens=False)["input_ids"] for row in rows]
    word = tokenizer.convert_tokens_to_ids

    def pairs_of(step):
        if name == "bart":
            return [infilled_pair(row, i, step, share, mean, word("<mask>"), word(".")) for i, row in enumerate(ids)]
        return [spans_pair(row, i, step, share, mean, word(SENTINELS)) for i, row in enumerate(ids)]

    compare(ours, learn(model, pairs_of), measured)
    greedy_agrees(quern, tmp_path / "run", tokenizer, "the old mill <extra_id_0> river" if name != "bart" else "the <mask> mill")


@pytest.mark.parametrize("name", MODELS)
def test_answers(quern, tokenizer, tmp_path, measured, name):
    """sft: rows of questions and answers, padded to the longest; exact matches are those of transformers' greedy answers."""
    asked, answers = texts(9, 12), texts(11, 6)[2:]
    rows = [dict(input=a, target=b) for a, b in zip(asked, answers)]
    (tmp_path / "rows").mkdir()
    for side in ("train", "validation"):
        (tmp_path / "rows" / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = model_of(name, tokenizer, tmp_path / "base")
    ours = train(quern, tmp_path / "base", tmp_path, task="sft", examples=tmp_path / "rows",
                 **{"train.batch": len(rows), "train.micro_batch": 4, "train.sequence": 40})
    pairs = [(tokenizer(a)["input_ids"], tokenizer(b)["input_ids"]) for a, b in zip(asked, answers)]
    compare(ours, learn(model, lambda step: pairs), measured)
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "run" / "model").eval()
    exact = 0
    for source, target in pairs:
        ids = torch.tensor([source])
        answer = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=len(target), do_sample=False, num_beams=1)
        exact += answer[0, 1:].tolist() == target
    last = json.loads((tmp_path / "run" / "run.json").read_text())["result"]
    measured("exact matches", exact)
    assert last["exact_match"] == pytest.approx(exact / len(pairs))
    assert exact > 0, "nothing was answered, so nothing was compared"
