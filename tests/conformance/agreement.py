"""What it means that Quern and a Hugging Face library agree about one file or folder."""

import random

import tokenizers
import torch

NEW_TOKENS = 100
LOGPROB_TOLERANCE = 1e-4


def tokenizers_agree(quern, path, texts, measured):
    """The file at `path`, in both: the same ids for every text, and the same text for every list of ids."""
    theirs = tokenizers.Tokenizer.from_file(str(path))
    for flags, special in ([], True), (["--no-special"], False):
        rows = quern.json_lines("tokenizer", "encode", path, "--jsonl", "-", *flags, rows=[{"text": text} for text in texts])
        for text, row in zip(texts, rows, strict=True):
            assert row["ids"] == theirs.encode(text, add_special_tokens=special).ids, f"{text!r} {flags}"
    # What texts give, and ids that no text would: characters cut in two, special tokens anywhere.
    rng = random.Random(1)
    ids = [row["ids"] for row in rows]
    ids += [rng.choices(range(theirs.get_vocab_size()), k=rng.randint(1, 30)) for _ in range(200)]
    for flags, skip in ([], False), (["--skip-special"], True):
        decoded = quern.json_lines("tokenizer", "decode", path, "--jsonl", "-", *flags, rows=[{"ids": row} for row in ids])
        for row, text in zip(ids, decoded, strict=True):
            assert text["text"] == theirs.decode(row, skip_special_tokens=skip), f"{row} {flags}"
    measured("texts", len(texts))
    measured("tokens", sum(map(len, ids)))


def logprobs(model, ids, first):
    """Of each token of `ids` from index `first` on, given those before it, virtual ones of an adapter among them."""
    with torch.no_grad():
        table = model(torch.tensor([ids])).logits[0, -len(ids):].float().log_softmax(-1)
    return [table[i - 1, ids[i]].item() for i in range(first, len(ids))]


def generation_agrees(quern, folder, model, tokenizer, prompt, measured, *options):
    """The folder in both (theirs is opened already, in f32): the same prompt ids, the same greedy text, and the same
    log-probabilities of sampled tokens, which reach beyond the likeliest. `options` are ours."""
    prompt_ids = tokenizer(prompt)["input_ids"]
    # Keys and values in f32, as theirs are.
    arguments = ("generate", folder, "-p", prompt, "-n", NEW_TOKENS, "--ignore-eos", "--cache-dtype", "f32", *options)
    greedy = quern.json(*arguments, "-t", 0)
    assert greedy["prompt_tokens"] == len(prompt_ids)

    model.generation_config.eos_token_id = None
    expected = model.generate(torch.tensor([prompt_ids]), attention_mask=torch.ones(1, len(prompt_ids), dtype=torch.long),
                              max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)[0, len(prompt_ids):].tolist()
    assert [token["id"] for token in greedy["tokens"]] == expected
    assert greedy["text"] == tokenizer.decode(expected, skip_special_tokens=False)
    measured("greedy tokens", len(expected))

    sampled = quern.json(*arguments, "-t", 1.5, "--seed", 7)
    for answer in (greedy, sampled):
        ids = [token["id"] for token in answer["tokens"]]
        theirs = logprobs(model, prompt_ids + ids, len(prompt_ids))
        difference = max(abs(a["logprob"] - b) for a, b in zip(answer["tokens"], theirs, strict=True))
        measured("logprob difference", difference)
        assert difference < LOGPROB_TOLERANCE
