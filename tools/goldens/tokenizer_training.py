#!/usr/bin/env python3
"""Records what Hugging Face's trainers learn from the hostile texts: tests/golden/tokenizer_training/*.json.

    python tools/goldens/tokenizer_training.py        # after tokenizer.py; needs: pip install tokenizers (0.23)

In WordPiece the ids of "##a", and with them ties between merges, follow the order of a hash table there: each run gives another one. In unigram
models it decides the scores of characters that are nearly never pieces.
"""
import json

from tokenizer import OUT as TEXTS
from tokenizers import BertWordPieceTokenizer, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

OUT = TEXTS.parent / "tokenizer_training"


def word_piece(texts, lowercase, vocab_size, min_frequency, limit_alphabet):
    made = BertWordPieceTokenizer(lowercase=lowercase)
    made.train_from_iterator(texts, vocab_size=vocab_size, min_frequency=min_frequency, limit_alphabet=limit_alphabet, show_progress=False)
    vocabulary = [token for token, _ in sorted(made.get_vocab().items(), key=lambda entry: entry[1])]
    return {"lowercase": lowercase, "vocab_size": vocab_size, "min_frequency": min_frequency, "limit_alphabet": limit_alphabet,
            "vocabulary": vocabulary}


def unigram(texts, vocab_size):
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip(left=False, right=True),
                                            normalizers.Replace(Regex(" {2,}"), "\u2581")])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(texts, trainers.UnigramTrainer(vocab_size=vocab_size, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
                                                            show_progress=False))
    pieces = json.loads(made.to_str())["model"]["vocab"]
    return {"vocab_size": vocab_size, "pieces": [[piece, round(score, 9)] for piece, score in pieces]}


def main():
    texts = json.loads((TEXTS / "texts.json").read_text())
    corpus = [t for i, t in enumerate(texts) for _ in range(1 + i % 7)]
    OUT.mkdir(exist_ok=True)
    (OUT / "unigram.json").write_text(json.dumps([unigram(corpus, 3000), unigram(corpus, 600)], ensure_ascii=False) + "\n")
    runs = [(True, 2000, 3, 1000), (False, 1100, 2, 1000), (True, 600, 2, 200)]
    (OUT / "word_piece.json").write_text(json.dumps([word_piece(corpus, *run) for run in runs], ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
