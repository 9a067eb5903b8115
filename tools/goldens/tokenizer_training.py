#!/usr/bin/env python3
"""Records what Hugging Face's WordPieceTrainer learns from the hostile texts: tests/golden/tokenizer_training/*.json.

    python tools/goldens/tokenizer_training.py        # after tokenizer.py; needs: pip install tokenizers (0.23)

The ids of "##a", and with them ties between merges, follow the order of a hash table there: each run gives another one.
"""
import json

from tokenizer import OUT as TEXTS
from tokenizers import BertWordPieceTokenizer

OUT = TEXTS.parent / "tokenizer_training"


def word_piece(texts, lowercase, vocab_size, min_frequency, limit_alphabet):
    made = BertWordPieceTokenizer(lowercase=lowercase)
    made.train_from_iterator(texts, vocab_size=vocab_size, min_frequency=min_frequency, limit_alphabet=limit_alphabet, show_progress=False)
    vocabulary = [token for token, _ in sorted(made.get_vocab().items(), key=lambda entry: entry[1])]
    return {"lowercase": lowercase, "vocab_size": vocab_size, "min_frequency": min_frequency, "limit_alphabet": limit_alphabet,
            "vocabulary": vocabulary}


def main():
    texts = json.loads((TEXTS / "texts.json").read_text())
    corpus = [t for i, t in enumerate(texts) for _ in range(1 + i % 7)]
    runs = [(True, 2000, 3, 1000), (False, 1100, 2, 1000), (True, 600, 2, 200)]
    OUT.mkdir(exist_ok=True)
    (OUT / "word_piece.json").write_text(json.dumps([word_piece(corpus, *run) for run in runs], ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
