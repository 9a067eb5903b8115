#!/usr/bin/env python3
"""Records the merges Hugging Face's BpeTrainer learns from the hostile texts: tests/golden/tokenizer/hf_merges.json.

    python tools/goldens/tokenizer_merges.py        # after tokenizer.py; needs: pip install tokenizers (0.23)
"""
import json

from tokenizer import OUT, PATTERNS, fnv
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers


def train(texts, pattern, nfc, vocab_size, min_frequency):
    tokenizer = Tokenizer(models.BPE())
    split = [] if pattern == "gpt2" else [pre_tokenizers.Split(Regex(PATTERNS[pattern]), "isolated")]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == "gpt2")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split + [byte_level])
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=["<|endoftext|>", "<s>", "aa"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    return {"pattern": pattern, "nfc": nfc, "vocab_size": vocab_size, "min_frequency": min_frequency, "merges": len(merges),
            "vocabulary": len(model["vocab"]), "first": merges[:10], "hash": fnv("\n".join(merges).encode())}


def main():
    texts = json.loads((OUT / "texts.json").read_text())
    corpus = [t for i, t in enumerate(texts) for _ in range(1 + i % 7)]
    runs = [("gpt2", False, 700, 2), ("gpt2", False, 5000, 1), ("llama3", True, 900, 0), ("gpt4o", False, 2000, 3), ("qwen2", False, 600, 2)]
    (OUT / "hf_merges.json").write_text(json.dumps([train(corpus, *run) for run in runs], indent=1) + "\n")


if __name__ == "__main__":
    main()
