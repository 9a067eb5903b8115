#!/usr/bin/env python3
"""Tokenizer training and encoding against Hugging Face tokenizers, in one run on the same text and threads.

    python bench/scenarios/tokenizer_against_huggingface.py build/release TEXT_FILE      # pip install tokenizers
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time


def main():
    build, path = sys.argv[1:]
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"{build}/bench/tokenizer_bench", path, folder], check=True)
        ours = json.loads(pathlib.Path(folder, "tokenizer.json").read_text())["model"]
        with open(path, encoding="utf8", newline="\n") as file:
            lines = list(file)
        theirs = Tokenizer(models.BPE())
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=32768, min_frequency=2, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False)
        wall, cpu = time.time(), time.process_time()
        theirs.train_from_iterator(lines, trainer)
        print(f"tokenizers: train: {time.time() - wall:.2f} s, {time.process_time() - cpu:.2f} s of CPU")
        merges = [m if isinstance(m, list) else m.split(" ") for m in json.loads(theirs.to_str())["model"]["merges"]]
        print("tokenizers: same merges:", merges == ours["merges"])
        loaded = Tokenizer.from_file(f"{folder}/tokenizer.json")
        size, taken = 0, []
        for line in lines:
            if size >= 16_000_000:
                break
            taken.append(line)
            size += len(line.encode())
        cpu = time.process_time()
        tokens = sum(len(loaded.encode(line).ids) for line in taken)
        print(f"tokenizers: encode lines, 1 thread: {size / 1e6 / (time.process_time() - cpu):.1f} MB/s ({size / tokens:.2f} bytes per token)")


if __name__ == "__main__":
    main()
