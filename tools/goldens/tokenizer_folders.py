#!/usr/bin/env python3
"""Records what transformers makes of folders without tokenizer.json: tests/golden/tokenizer_folders/.

    python tools/goldens/tokenizer_folders.py     # needs: pip install transformers (5.23) tokenizers (0.23) sentencepiece (0.2) protobuf

Tiny vocabularies are trained here. folders.json holds the small files of every folder, as text, and the ids of some
texts; vocab.json, merges.txt and the SentencePiece model are shared by several, so they stand beside it.
"""
import json
import pathlib
import tempfile

import sentencepiece
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizer import corpus

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/tokenizer_folders"
TEXTS = ["Hello world", " The mill's stones, 2 of 100!", "a<mask> b <mask>", "x </s>y <|endoftext|>z", "naïve Straße 世界",
         "tool <tool> call", "it is 1,000 miles", "[CLS] so [MASK] it `` is ''"]
PAIR = ("The mill", "and the river")


def token(text, **rules):
    return {"content": text, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "__type": "AddedToken"} | rules


MASK = token("<mask>", lstrip=True)
MERGES = {
    "gpt2": ("GPT2Tokenizer", {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}, "added_tokens.json": {"<tool>": 400}}),
    "gpt2_spaced": ("GPT2Tokenizer", {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "pad_token": "<pad>"}}),
    "opt": ("GPT2Tokenizer", {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "unk_token": "</s>"},
                              "special_tokens_map.json": {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}}),
    "roberta": ("RobertaTokenizer", {"tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer", "mask_token": MASK}}),
    "bart_by_type": ("BartTokenizer", {"config.json": {"model_type": "bart"}, "tokenizer_config.json": {"mask_token": MASK}}),
    "qwen2": ("Qwen2Tokenizer", {"tokenizer_config.json": {
        "tokenizer_class": "Qwen2Tokenizer", "pad_token": "<|endoftext|>", "added_tokens_decoder": {
            "4": token("<|endoftext|>", special=True), "400": token("<tool>", special=False), "401": token("<|im_end|>", special=True)}}}),
}
PIECES = {
    "t5": ("T5Tokenizer", "spiece.model", {"tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_ids": 100}}),
    "albert": ("AlbertTokenizer", "spiece.model", {"config.json": {"model_type": "albert"}, "tokenizer_config.json": {"mask_token": token("[MASK]", lstrip=True)}}),
    "deberta": ("DebertaV2Tokenizer", "spm.model", {"tokenizer_config.json": {"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": True},
                                                    "added_tokens.json": {"[MASK]": 0}}),
    "xlmr": ("XLMRobertaTokenizer", "sentencepiece.bpe.model", {"tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizer", "mask_token": MASK}}),
    "llama": ("LlamaTokenizer", "tokenizer.model", {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False,
                                                                               "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}}),
}
# What each family's own models begin with.
SYMBOLS = {
    "t5": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "albert": {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]},
    "deberta": {"pad_id": 0, "unk_id": 3, "bos_id": 1, "eos_id": 2, "pad_piece": "[PAD]", "unk_piece": "[UNK]", "bos_piece": "[CLS]", "eos_piece": "[SEP]"},
    "xlmr": {}, "llama": {"model_type": "bpe", "byte_fallback": True, "remove_extra_whitespaces": False},
}

# Texts with white space that transformers 5 treats otherwise than the sentencepiece library, and than transformers 4 did.
OTHERWISE = {"llama": [1, 3], "deberta": [7]}


def train_merges():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<|endoftext|>", "<mask>"]
    made.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False,
                                                           initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(made.to_str())["model"]
    (OUT / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    (OUT / "merges.txt").write_text("\n".join(["#version: 0.2"] + merges) + "\n")


def train_pieces(name):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "text.txt").write_text("\n".join(t.replace("\n", " ").replace("\r", " ") for t in corpus()) + "\n")
        options = {"model_type": "unigram", "normalization_rule_name": "identity", "character_coverage": 0.98} | SYMBOLS[name]
        sentencepiece.SentencePieceTrainer.train(input=str(path / "text.txt"), model_prefix=str(path / "m"), vocab_size=500 if name == "llama" else 300,
                                                 hard_vocab_limit=False, self_test_sample_size=0, minloglevel=2, num_threads=1, **options)
        data = (path / "m.model").read_bytes()
    (OUT / f"{name}.model").write_bytes(data)
    return data


def record(folder, cls):
    made = getattr(transformers, cls).from_pretrained(folder)
    roles = {k: getattr(made, k + "_token_id") for k in ("bos", "eos", "unk", "pad")}
    return {"ids": [made(t)["input_ids"] for t in TEXTS], "pair": made(*PAIR)["input_ids"], "roles": roles, "size": len(made)}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    train_merges()
    rows = {}
    for name, row in (MERGES | PIECES).items():
        cls, files = row[0], row[-1]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            if name in PIECES:
                data = train_pieces(name)
                (path / row[1]).write_bytes(data)
                if name == "deberta":
                    files["added_tokens.json"]["[MASK]"] = sentencepiece.SentencePieceProcessor(model_proto=data).get_piece_size()
                copies = {row[1]: f"{name}.model"}
            else:
                copies = {file: file for file in ("vocab.json", "merges.txt")}
                for file in copies:
                    (path / file).write_text((OUT / file).read_text())
            for file, content in files.items():
                (path / file).write_text(json.dumps(content))
            rows[name] = {"files": files, "copies": copies} | record(folder, cls)
            for i in OTHERWISE.get(name, []):
                rows[name]["ids"][i] = None
    (OUT / "folders.json").write_text(json.dumps({"texts": TEXTS, "pair": PAIR, "folders": rows}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
