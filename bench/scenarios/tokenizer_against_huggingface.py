#!/usr/bin/env python3
"""Tokenizers against Hugging Face tokenizers, in one run on the same text: training on all threads, the rest on one.

    python bench/scenarios/tokenizer_against_huggingface.py build/release TEXT_FILE [TOKENIZER_JSON ...]
                                                                                       # pip install tokenizers

BPE, WordPiece and unigram models are trained by both; further ones are opened.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ENCODED_BYTES = 16_000_000
SPECIAL = {"wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "unigram": ["<pad>", "</s>", "<unk>"]}


def report(what, wall, cpu):
    print(f"tokenizers: {what}: {time.time() - wall:.2f} s, {time.process_time() - cpu:.2f} s of CPU")


def take(lines):
    size, taken = 0, []
    for line in lines:
        if size >= ENCODED_BYTES:
            break
        taken.append(line)
        size += len(line.encode())
    return taken, size


def use(path, lines):
    """Opens, encodes and decodes as tokenizer_bench --open does."""
    from tokenizers import Tokenizer

    start = time.process_time()
    loaded = Tokenizer.from_file(str(path))
    print(f"tokenizers: open: {(time.process_time() - start) * 1e3:.0f} ms")
    taken, size = take(lines)
    rates = []
    for _ in range(2):  # the first warms caches up
        cpu = time.process_time()
        ids = [loaded.encode(line, add_special_tokens=False).ids for line in taken]
        rates.append(size / 1e6 / (time.process_time() - cpu))
    print(f"tokenizers: encode lines, 1 thread: {max(rates):.1f} MB/s ({size / sum(map(len, ids)):.2f} bytes per token)")
    cpu = time.process_time()
    for row in ids:
        loaded.decode(row, skip_special_tokens=False)
    print(f"tokenizers: decode lines, 1 thread: {size / 1e6 / (time.process_time() - cpu):.1f} MB/s")


def bpe(build, path, folder, lines):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    subprocess.run([f"{build}/bench/tokenizer_bench", path, folder], check=True)
    ours = json.loads(pathlib.Path(folder, "tokenizer.json").read_text())["model"]
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=32768, min_frequency=2, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False)
    start = time.time(), time.process_time()
    theirs.train_from_iterator(lines, trainer)
    report("train", *start)
    merges = [m if isinstance(m, list) else m.split(" ") for m in json.loads(theirs.to_str())["model"]["merges"]]
    print("tokenizers: same merges:", merges == ours["merges"])
    use(f"{folder}/tokenizer.json", lines)


def words(build, path, folder, lines, kind, vocab_size):
    """WordPiece and unigram: ours, and theirs with the same rules around the model."""
    from tokenizers import Tokenizer, models, trainers

    print(f"--- {kind}")
    start = time.time()
    subprocess.run([f"{build}/quern", "tokenizer", "train", "--model", kind, "--input", path, "--vocab-size", str(vocab_size), "--out", folder],
                   check=True, stderr=subprocess.DEVNULL)
    print(f"train, all threads: {time.time() - start:.2f} s")
    ours = Tokenizer.from_file(f"{folder}/tokenizer.json")
    theirs = Tokenizer(models.WordPiece(unk_token="[UNK]") if kind == "wordpiece" else models.Unigram())
    theirs.normalizer, theirs.pre_tokenizer = ours.normalizer, ours.pre_tokenizer
    settings = {"vocab_size": vocab_size, "special_tokens": SPECIAL[kind], "show_progress": False}
    if kind == "wordpiece":
        trainer = trainers.WordPieceTrainer(min_frequency=2, limit_alphabet=1000, **settings)
    else:
        trainer = trainers.UnigramTrainer(unk_token="<unk>", **settings)
    start = time.time(), time.process_time()
    theirs.train_from_iterator(lines, trainer)
    report("train", *start)
    common = set(ours.get_vocab()) & set(theirs.get_vocab())
    print(f"tokens in common: {len(common)} of {ours.get_vocab_size()} and {theirs.get_vocab_size()}")
    sample = take(lines)[0][:20000]
    for name, made in ("ours", ours), ("theirs", theirs):
        tokens = sum(len(made.encode(line, add_special_tokens=False).ids) for line in sample)
        print(f"bytes per token with {name}: {sum(len(line.encode()) for line in sample) / tokens:.4f}")
    subprocess.run([f"{build}/bench/tokenizer_bench", path, "--open", folder], check=True)
    use(f"{folder}/tokenizer.json", lines)


def main():
    build, path, *published = sys.argv[1:]
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with open(path, encoding="utf8", newline="\n") as file:
        lines = list(file)
    with tempfile.TemporaryDirectory() as folder:
        bpe(build, path, folder, lines)
        words(build, path, folder, lines, "wordpiece", 30000)
        words(build, path, folder, lines, "unigram", 32000)
    for file in published:
        print(f"--- {pathlib.Path(file).name}")
        subprocess.run([f"{build}/bench/tokenizer_bench", path, "--open", file], check=True)
        use(file, lines)


if __name__ == "__main__":
    main()
