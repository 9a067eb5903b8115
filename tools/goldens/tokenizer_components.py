#!/usr/bin/env python3
"""Records what Hugging Face tokenizers makes of hostile texts with every component: tests/golden/tokenizer_components/.

    python tools/goldens/tokenizer_components.py        # after tokenizer.py; needs: pip install tokenizers (0.23) sentencepiece

Four small vocabularies are trained here (WordPiece, Unigram with and without bytes, WordLevel). Each case replaces
components of one of them or of the byte-level BPE of tokenizer.py. What is kept is what tokenizer.py keeps, in four
digits a hash, and the type ids of pairs.
"""
import base64
import json
import pathlib
import tempfile

import sentencepiece
from tokenizer import added, block_texts, byte_level, corpus, fnv, hostile_texts, of_ids, patched, sequence, split, template
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden"
OUT = GOLDEN / "tokenizer_components"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def word_piece_base():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=500, special_tokens=SPECIALS, limit_alphabet=150, show_progress=False))
    return tokenizer


def unigram_base(specials):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=450, special_tokens=specials, unk_token="<unk>", show_progress=False))
    return tokenizer


def word_level_base():
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(corpus(), trainers.WordLevelTrainer(vocab_size=400, special_tokens=SPECIALS, show_progress=False))
    return tokenizer


def charsmap():
    """A small map in SentencePiece's format; the rules are chosen for their conflicts."""
    rules = {"ﬁ": "fi", "½": "1⁄2", "\u212b": "\u00c5", "e\u0301": "é", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": "", "Ａ": "A", "ａ": "a", "１": "1", "\u0301": "",
             "ab": "AB", "\r\n": "|", "ｶﾞ": "ガ", "ｶ": "カ", "ß": "ss", "\u200b": "", "𝒳": "X", "ǅ": "Dž", "\ufeff": ""}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        rows = ["{}\t{}".format(" ".join(f"{ord(c):X}" for c in a), " ".join(f"{ord(c):X}" for c in b)) for a, b in sorted(rules.items())]
        (path / "rules.tsv").write_text("\n".join(rows) + "\n")
        (path / "text.txt").write_text("\n".join(corpus()[:200]) + "\n")
        sentencepiece.SentencePieceTrainer.train(input=str(path / "text.txt"), model_prefix=str(path / "m"), vocab_size=200, hard_vocab_limit=False,
                                                 normalization_rule_tsv=str(path / "rules.tsv"), minloglevel=2)
        return normalizer_spec((path / "m.model").read_bytes())


def normalizer_spec(data):
    """precompiled_charsmap (field 2 of field 3) of a model, by hand."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value, at
    at, stop, inside = 0, len(data), False
    while at < stop:
        key, at = varint(at)
        if key & 7 == 2:
            size, at = varint(at)
            if not inside and key >> 3 == 3:
                stop, inside = at + size, True
                continue
            if inside and key >> 3 == 2:
                return data[at:at + size]
            at += size
        elif key & 7 == 0:
            _, at = varint(at)
        else:
            at += {1: 8, 5: 4}[key & 7]
    raise ValueError("no character map")


def metaspace(scheme="always", do_split=True, mark="▁"):
    return {"type": "Metaspace", "replacement": mark, "prepend_scheme": scheme, "split": do_split}


def bert(clean=True, chinese=True, accents=None, lower=True):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": accents, "lowercase": lower}


def cases(char_map):
    rich = [added("<|endoftext|>", special=True), added("[MASK]", special=True, lstrip=True), added("[STRIP]", lstrip=True, rstrip=True), added("word", single_word=True),
            added("CAFÉ", normalized=True), added("norm", normalized=True, single_word=True, rstrip=True), added("<tool>"), added("<tool_call>"), added("<tool_calls>", special=True)]
    normalizer = lambda *steps: {"type": "Sequence", "normalizers": list(steps)}
    bert_post = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    roberta = {"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": True, "add_prefix_space": False}
    nmt = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(char_map).decode()}
    wordpiece, unigram, bytes_unigram, level, bpe = "word_piece", "unigram", "unigram_bytes", "word_level", "byte_level"
    yield "bert", wordpiece, {"post_processor": bert_post}
    yield "bert_cased", wordpiece, {"normalizer": bert(lower=False), "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}}
    yield "bert_accents", wordpiece, {"normalizer": bert(accents=False)}
    yield "bert_bare", wordpiece, {"normalizer": bert(False, False, True, False), "added_tokens": rich}
    yield "bert_added", wordpiece, {"added_tokens": rich, "post_processor": roberta}
    yield "word_piece_spaces", wordpiece, {"normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"max_input_chars_per_word": 5}}
    yield "word_piece_prefix", wordpiece, {"model": {"continuing_subword_prefix": ""}, "pre_tokenizer": {"type": "Whitespace"}, "decoder": {"type": "WordPiece", "prefix": "", "cleanup": True}}
    yield "word_piece_bytes", wordpiece, {"pre_tokenizer": byte_level(False, True), "normalizer": None}
    for name, step in (("nmt", {"type": "Nmt"}), ("accents", {"type": "StripAccents"}), ("lower", {"type": "Lowercase"}), ("byte_level", {"type": "ByteLevel"})):
        yield f"normalizer_{name}", level, {"normalizer": step, "pre_tokenizer": {"type": "FixedLength", "length": 1}}
        yield f"normalizer_{name}_bpe", bpe, {"normalizer": normalizer({"type": "NFD"}, step), "added_tokens": rich}
    yield "bytes_normalizer", bpe, {"normalizer": {"type": "ByteLevel"}, "pre_tokenizer": None, "added_tokens": rich}
    yield "precompiled", unigram, {"normalizer": nmt}
    yield "precompiled_bytes", bytes_unigram, {"normalizer": normalizer(nmt, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}), "added_tokens": rich}
    yield "precompiled_bpe", bpe, {"normalizer": nmt}
    yield "unigram", unigram, {"post_processor": template([], ["</s>"], {"</s>": 1}), "added_tokens": rich}
    yield "unigram_whole", unigram, {"pre_tokenizer": None, "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}}
    yield "unigram_bytes", bytes_unigram, {"model": {"byte_fallback": True}, "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, metaspace()]}}
    yield "unigram_no_bytes", bytes_unigram, {}
    for scheme in ("first", "never", "always"):
        for splits in (True, False):
            pre = metaspace(scheme, splits)
            steps = {"first": {"type": "Digits", "individual_digits": True}, "never": {"type": "UnicodeScripts"}, "always": {"type": "Punctuation", "behavior": "MergedWithNext"}}[scheme]
            decoder = {"decoder": pre}
            yield f"metaspace_{scheme}_{splits}".lower(), unigram, {"pre_tokenizer": pre} | decoder
            yield f"metaspace_{scheme}_{splits}_after".lower(), bytes_unigram, {"pre_tokenizer": sequence(steps, pre), "added_tokens": rich, "normalizer": normalizer({"type": "NFKC"}, {"type": "Strip", "strip_left": True, "strip_right": False})} | decoder
    yield "metaspace_a", unigram, {"pre_tokenizer": metaspace("first", True, "a"), "decoder": metaspace("always", True, "a")}
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield f"punctuation_{behavior}".lower(), level, {"pre_tokenizer": {"type": "Punctuation", "behavior": behavior}}
    for name, step in (("bert", {"type": "BertPreTokenizer"}), ("words", {"type": "Whitespace"}), ("spaces", {"type": "WhitespaceSplit"}), ("scripts", {"type": "UnicodeScripts"}),
                       ("digits", {"type": "Digits", "individual_digits": False}), ("delimiter", {"type": "CharDelimiterSplit", "delimiter": "a"}),
                       ("length", {"type": "FixedLength", "length": 3}), ("split", split({"String": "é"}, "MergedWithPrevious", True))):
        yield f"pre_{name}", unigram, {"pre_tokenizer": step}
        yield f"pre_{name}_bpe", bpe, {"pre_tokenizer": sequence(step, byte_level(True, False))}
    yield "post_both", wordpiece, {"post_processor": {"type": "Sequence", "processors": [bert_post, roberta, byte_level()]}}
    yield "post_template", wordpiece, {"post_processor": {"type": "Sequence", "processors": [byte_level(), roberta, template(["[CLS]"], ["[SEP]", "[MASK]"], {"[CLS]": 2, "[SEP]": 3, "[MASK]": 4})]}}
    lengths = {"truncation": None, "padding": None}
    yield "decode_bpe", wordpiece, lengths | {"decoder": {"type": "BPEDecoder", "suffix": "e"}}
    yield "decode_ctc", wordpiece, {"decoder": {"type": "CTC", "pad_token": "##", "word_delimiter_token": "a", "cleanup": True}}
    yield "decode_ctc_raw", unigram, {"decoder": {"type": "Sequence", "decoders": [{"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "▁", "cleanup": False}, metaspace()]}}
    yield "decode_metaspace", wordpiece, {"decoder": metaspace("never", True, "#")}
    yield "decode_mixed", unigram, {"decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": "_"}, {"type": "Strip", "content": "▁", "start": 1, "stop": 0}, {"type": "Fuse"}, {"type": "WordPiece", "prefix": "x", "cleanup": True}]}}
    yield "decode_bytes", level, {"decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, "pre_tokenizer": {"type": "FixedLength", "length": 2}}


def shorts(hashes):
    return "".join(h[:4] for h in hashes)


def load(document):
    return Tokenizer.from_str(json.dumps(document))


def record(tokenizer, texts, blocks):
    plain = [tokenizer.encode(t).ids for t in texts]
    pairs = [tokenizer.encode(a, b) for a, b in zip(texts[:20], texts[20:40])]
    others = [[fnv(tokenizer.decode(ids, skip_special_tokens=skip).encode()) for skip in (False, True)] for ids in plain]
    tokenizer.encode_special_tokens = True
    for text, hashes in zip(texts, others):
        hashes.append(of_ids(tokenizer.encode(text).ids))
    tokenizer.encode_special_tokens = False
    return {
        "ids": shorts(of_ids(ids) for ids in plain),
        "bare": shorts(of_ids(tokenizer.encode(t, add_special_tokens=False).ids) for t in texts[:40]),
        "pair": shorts(of_ids(p.ids) for p in pairs),
        "types": shorts(of_ids(p.type_ids) for p in pairs),
        "blocks": shorts(of_ids(tokenizer.encode(b).ids) for b in blocks),
        "other": shorts(fnv("".join(hashes).encode()) for hashes in others),
    }


WITH_BLOCKS = ("bert", "pre_words_bpe", "pre_scripts_bpe", "punctuation_isolated", "normalizer_accents", "normalizer_nmt")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    bytes_specials = ["<unk>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    bases = {"word_piece": word_piece_base(), "unigram": unigram_base(["<unk>", "</s>", "<pad>"]), "unigram_bytes": unigram_base(bytes_specials), "word_level": word_level_base()}
    for name, base in bases.items():
        document = json.loads(base.to_str())
        document["added_tokens"] = [t for t in document["added_tokens"] if not t["content"].startswith("<0x")]
        (OUT / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    texts, blocks = hostile_texts(), list(block_texts())
    rows = []
    for name, base, patch in cases(charsmap()):
        path = (GOLDEN / "tokenizer" if base == "byte_level" else OUT) / f"{base}.json"
        document = patched(json.loads(path.read_text()), patch)
        expected = record(load(document), texts, blocks if name in WITH_BLOCKS else [])
        rows.append({"name": name, "base": base, "patch": patch, "expected": expected})
    (OUT / "cases.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "\n")


if __name__ == "__main__":
    main()
