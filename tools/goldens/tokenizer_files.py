#!/usr/bin/env python3
"""Records what the sentencepiece and tiktoken libraries make of hostile texts: tests/golden/tokenizer_files/.

    python tools/goldens/tokenizer_files.py        # needs: pip install sentencepiece (0.2) tiktoken (0.14) tokenizers (0.23)

Tiny models are trained here: SentencePiece models of both kinds with different normalisation, white space and symbols,
and a set of byte ranks. Of ids and decoded texts four digits of the FNV-1a hash are kept, as in tokenizer.py.
"""
import base64
import json
import pathlib
import tempfile

import sentencepiece
import tiktoken
from tokenizer import PATTERNS, byte_level_base, corpus, fnv, hostile_texts, of_ids

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/tokenizer_files"
SYMBOLS = {"user_defined_symbols": ["<tool>", "word", "世", "中中", "a b"], "control_symbols": ["<ctl>", "[MASK]"]}
BYTES = {"byte_fallback": True, "character_coverage": 0.98}
MODELS = {
    "bpe": {"model_type": "bpe", "normalization_rule_name": "identity"} | BYTES | {"remove_extra_whitespaces": False},
    "bpe_symbols": {"model_type": "bpe", "normalization_rule_name": "identity", "add_dummy_prefix": False, "split_digits": True} | SYMBOLS,
    "bpe_suffix": {"model_type": "bpe", "normalization_rule_name": "identity", "treat_whitespace_as_suffix": True, "character_coverage": 0.98},
    "unigram": {"model_type": "unigram", "normalization_rule_name": "identity"} | BYTES,
    "unigram_symbols": {"model_type": "unigram", "normalization_rule_name": "identity", "character_coverage": 0.98, "unk_surface": "?"} | SYMBOLS,
    "unigram_rules": {"model_type": "unigram", "rules": True, "add_dummy_prefix": False, "remove_extra_whitespaces": False},
}
RULES = {"ﬁ": "fi", "½": "1⁄2", "e\u0301": "é", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": "", "Ａ": "A", "ab": "AB", "\r\n": "|", "ß": "ss", "\u200b": ""}


def digits(hashes):
    return "".join(h[:4] for h in hashes)


def train_sentencepiece(name, options, folder):
    (folder / "text.txt").write_text("\n".join(t.replace("\n", " ").replace("\r", " ") for t in corpus()) + "\n")
    if options.pop("rules", False):
        code_points = lambda text: " ".join(f"{ord(c):X}" for c in text)
        (folder / "rules.tsv").write_text("".join(f"{code_points(a)}\t{code_points(b)}\n" for a, b in sorted(RULES.items())))
        options["normalization_rule_tsv"] = str(folder / "rules.tsv")
    sentencepiece.SentencePieceTrainer.train(input=str(folder / "text.txt"), model_prefix=str(folder / name), vocab_size=600 if "byte_fallback" in options else 350,
                                             hard_vocab_limit=False, self_test_sample_size=0, minloglevel=2, num_threads=1, **options)
    (OUT / f"{name}.model").write_bytes((folder / f"{name}.model").read_bytes())
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.model"))
    ids = [model.encode(t) for t in hostile_texts()]
    every = list(range(model.get_piece_size()))
    mixed = [every[i:] + every[:i:7] for i in range(0, len(every), 97)]
    return {"ids": digits(map(of_ids, ids)), "texts": digits(fnv(model.decode(i).encode()) for i in ids),
            "mixed": digits(fnv(model.decode(i).encode()) for i in mixed)}


def record_tiktoken():
    vocab = json.loads(byte_level_base().to_str())["model"]
    alphabet = {}
    from tokenizers import pre_tokenizers  # the byte alphabet, from the library
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for byte in range(128):
        alphabet[split.pre_tokenize_str(chr(byte))[0][0]] = byte
    for byte in range(128, 256):
        character = chr(0xC0 + byte % 64) if byte < 192 else (chr((byte & 31) << 6) if 0xC2 <= byte < 0xE0 else None)
        if character:
            alphabet[split.pre_tokenize_str(character)[0][0][1 if byte < 192 else 0]] = byte
    free = iter(chr(c) for c in range(0x100, 0x144))
    for byte in range(256):
        printable = 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174
        character = chr(byte) if printable else next(free)
        assert alphabet.setdefault(character, byte) == byte
    merges = [m if isinstance(m, list) else m.split(" ") for m in vocab["merges"]]
    tokens = [bytes([b]) for b in range(256)]
    for left, right in merges:
        joined = bytes(alphabet[c] for c in left + right)
        if joined not in tokens:
            tokens.append(joined)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    (OUT / "ranks.tiktoken").write_text("".join(f"{base64.b64encode(t).decode()} {r}\n" for t, r in ranks.items()))
    rows = []
    cl100k = r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
    r50k = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
    specials = {"<|endoftext|>": len(tokens) + 3, "<s>": len(tokens) + 9}
    for name, pattern in (("cl100k", cl100k), ("r50k", r50k), ("o200k", PATTERNS["gpt4o"])):
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)
        ids = [encoding.encode(t, allowed_special="all") for t in hostile_texts()]
        rows.append({"name": name, "pattern": pattern, "special_tokens": specials, "ids": digits(map(of_ids, ids)), "plain": digits(of_ids(encoding.encode_ordinary(t)) for t in hostile_texts()),
                     "texts": digits(fnv(encoding.decode(i).encode()) for i in ids)})
    return rows


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: train_sentencepiece(name, dict(options), pathlib.Path(folder)) for name, options in MODELS.items()}
    (OUT / "sentencepiece.json").write_text(json.dumps(rows, indent=0) + "\n")
    (OUT / "tiktoken.json").write_text(json.dumps(record_tiktoken(), indent=0) + "\n")


if __name__ == "__main__":
    main()
