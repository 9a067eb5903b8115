#!/usr/bin/env python3
"""Records what Hugging Face tokenizers makes of hostile texts: tests/golden/tokenizer/.

    python tools/goldens/tokenizer.py [CASE...]        # needs: pip install tokenizers (0.23)

Two small vocabularies are trained here, on text made here: byte-level BPE and character BPE with byte fallback. Each
case replaces components of one of them. Of ids and decoded texts only six digits of their FNV-1a hash are kept, one
after the other: "ids" of every text, "bare" without special tokens, "pair" of two texts, "blocks" of all code points,
"other" for the decoded text with and without special tokens and the ids with special tokens as plain text.
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/tokenizer"

PATTERNS = {
    "gpt2": r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "llama3": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "qwen2": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "gpt4o": r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "cl100k": r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
    "qwen3.5": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "tekken": r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
}


def corpus():
    rng = random.Random(7)
    words = ("the of and a to in he that it was his I've don't we'll she's they're James O'Brien HELLO World hELLO iPhone "
             "naïve café Straße Ünïcödé привет мир как дела 你好 世界 日本語 テスト 한국어 שלום مرحبا हिन्दी ไทย 👋 👨‍👩‍👧‍👦 🇩🇪 "
             "2024 1234567 3.14 x=y+z; foo_bar() /usr/bin ... !!! ---- -------- == \t \n \r\n    ﬁ ½ ① Ǆ ǅ e\u0301 "
             "<|endoftext|> <s> </s> ½ ſ 'S 'LL ' '' \u00a0 \u3000 \u200b \u180e").split(" ")
    return [" ".join(rng.choices(words, k=rng.randint(1, 40))) for _ in range(1500)]


def hostile_texts():
    rng = random.Random(11)
    texts = ["", " ", "  ", "\n", "\r\n", "\t", "a", " a", "a ", "  a", "a  b", "a\nb", "a\r\n\r\nb", "\n\n a", "   \n   b", "a   \n", "a \n  ",
             "'s", "'S", "'ſ", "'ll", "'LL", "'lL x", "it's", "it'S", "it'ſ", "IT'Sx", "we'Ve", "''s", "'", "'r", "'rE", "'re're", " 's", " 'sa", "a'", "a'b",
             "don't can't won't I'm you'll we've he'd they're", "DON'T CAN'T", "X'S'T'RE", "\u2019s", "'d'd'D",
             "1", "12", "123", "1234", "12345", "1 2 3", "١٢٣٤", "½⅓Ⅷ①", "a1b2", "3.14e-10", "1,000,000", "x²", "１２３４",
             "ABCdef", "abcDEF", "ABC", "aBcDeF", "HTTPServer", "ǅungla", "ʰʱab", "Ab\u0301C", "\u0301abc", "\u0301ABC", " \u0301", "!\u0301A", "A\u0301\u0302B\u0303",
             "ñ n\u0303 ﬁ ㎏ Å Å Å", "\u1100\u1161\u11a8 각 \uac00\u11a8", "ｶﾞ ﾊﾟ", "İstanbul ISTANBUL ıi", "ßẞ", "ΑΒΓ αβγς ΣΑΣ",
             "привет, мир! КАК ДЕЛА?", "你好，世界！", "日本語のテスト。カタカナ", "한국어 텍스트", "שָׁלוֹם", "مَرْحَبًا", "हिन्दी क्षत्रिय", "ภาษาไทยไม่มีวรรค", "ქართული", "አማርኛ",
             "👋🏽", "👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "❤️‍🔥", "a👍b", "\u200d", "\ufe0f", "\u200b", "\u2060", "\ufeff", "\ufeffa", "\u180e", "a\u180eb", "\u0085", "a\u0085b", "\u2028\u2029",
             "\u00a0\u00a0a", " \u00a0 b", "\u3000全角", "\u1680x", "\u205f y", "\x00", "a\x00b", "\x01\x02\x1f\x7f", "\ue000", "\U000f0000", "\U0010ffff", "\ufffd", "\ufffe", "\u0378",
             "\U0001d400\U0001d7ff", "𝒳𝒴", "𐐀𐐨", "\u1c8a", "\u0897", "\U00010d40", "_a_b_", "foo_bar", "snake__case", "a/b/c", "//\n/\n", "!\n/\r\n/a", "...\n\n\nx", "#!/bin/sh\n",
             "if (x) {\n    return y;\n}\n\n\t\tz", "<div class=\"a\">b</div>", "{\"a\": [1, 2.5, null]}", "C:\\dir\\n", "a@b.co", "https://x.y/z?q=1&r=%20",
             "Ġ", "Ġthe", "Ċ", "▁", "▁▁a", "<0x0A>", "<0xE4><0xBD>", "<unk>", "½ <unk> é",
             "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext", "|>", "<|endoftext|>x<s>y</s>",
             "[MASK]", " [MASK] ", "a [MASK]b", "a\n [MASK] \n b", "\u3000[MASK]\u00a0", "[MASK][MASK]", "[MASK] [MASK]", "[mask]", "[STRIP]  a", "a  [STRIP]  [MASK]", "[STRIP] [STRIP]",
             "word", "aword", "word.", "wordy", "_word", "word\u0301", "Ⓐword", "word\u200d", "sword word words", "word word", "é-word", "CAFÉ cafe\u0301 café", "cafe\u0301s", "NoRm", "norm norm",
             "<tool>", "<tool_call>", "<tool_calls>", "<tool_call", "<to<tool>ol>", "aaaaaaaa<tool_call>>",
             "a" * 300, "ab" * 200, " " * 200, "\n" * 70, "\t\n " * 40, "-" * 129, "=" * 64 + "\n", "1" * 100, "é" * 100, "世" * 90, "'s" * 30, "a " * 50, " \n" * 20 + "x", "the" * 40]
    alphabet = list("aAzZ09 '.,-_/!\n\r\t sStTdDmMlLvVeErR") + ["'s", "'LL", "é", "e\u0301", "ſ", "ǅ", "ʰ", "中", "ก", "\u0301", "\u200d", "\u00a0", "\u2003", "\u0085", "½", "٣", "👍", "🏽", "ß", "Ω", "\u0000", "\U00010d40", "<s>", "<tool>", "word", "[MASK]"]
    texts += ["".join(rng.choices(alphabet, k=rng.randint(2, 60))) for _ in range(120)]
    return texts


def block_texts():
    """Every code point once, between letters, digits and spaces."""
    for start in range(0, 0x110000, 0x2000):
        points = [c for c in range(start, start + 0x2000) if not 0xD800 <= c < 0xE000]
        if start in (0x40000, 0x50000) or 0x60000 <= start < 0xE0000 or start >= 0xE2000:
            continue  # nothing is assigned here
        if points:
            yield "".join(f"a{chr(c)}B {chr(c)}1" for c in points)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def of_ids(ids):
    return fnv(b"".join(i.to_bytes(4, "little") for i in ids))


def shorts(hashes):
    return "".join(h[:6] for h in hashes)


def byte_level_base():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>"], show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def fallback_base():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=specials, show_progress=False, limit_alphabet=90, max_token_length=8)
    tokenizer.train_from_iterator(corpus(), trainer)
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if not t["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(document))


def split(pattern, behavior="Isolated", invert=False):
    kind = {"Regex": pattern} if isinstance(pattern, str) else pattern
    return {"type": "Split", "pattern": kind, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def added(content, **flags):
    base = dict(id=0, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return base | flags


def template(before, after, ids):
    def special(name):
        return {"SpecialToken": {"id": name, "type_id": 0}}
    a, b = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    first, last = [special(n) for n in before], [special(n) for n in after]
    return {"type": "TemplateProcessing", "single": first + [a] + last, "pair": first + [a] + last + [b] + last,
            "special_tokens": {n: {"id": n, "ids": [ids[n]], "tokens": [n]} for n in before + after}}


def cases():
    rich = [added("<|endoftext|>", special=True), added("<s>", special=True), added("[MASK]", special=True, lstrip=True), added("[STRIP]", lstrip=True, rstrip=True),
            added("word", single_word=True), added("CAFÉ", normalized=True), added("norm", normalized=True, single_word=True, rstrip=True), added("<tool>"), added("<tool_call>"), added("<tool_calls>", special=True)]
    nfc = {"type": "NFC"}
    yield "gpt2", "byte_level", {}
    yield "gpt2_prefix", "byte_level", {"pre_tokenizer": byte_level(True, True), "post_processor": template(["<|endoftext|>"], ["<|endoftext|>"], {"<|endoftext|>": 0})}
    yield "gpt2_added", "byte_level", {"added_tokens": rich, "pre_tokenizer": byte_level(True, True)}
    for name in ("llama3", "qwen2", "gpt4o", "cl100k", "qwen3.5", "tekken", "gpt2"):
        yield f"split_{name}", "byte_level", {"pre_tokenizer": sequence(split(PATTERNS[name]), byte_level())}
    yield "removed_inverted", "byte_level", {"pre_tokenizer": sequence(split(PATTERNS["gpt4o"], "Removed", True), byte_level())}
    yield "qwen2_nfc_added", "byte_level", {"normalizer": nfc, "added_tokens": rich, "pre_tokenizer": sequence(split(PATTERNS["qwen2"]), byte_level())}
    yield "lower_nfkc_added", "byte_level", {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}, "added_tokens": rich}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield form.lower(), "byte_level", {"normalizer": {"type": form}}
    yield "strip", "byte_level", {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}, "added_tokens": rich}
    yield "replace_regex", "byte_level", {"normalizer": {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}}
    yield "digits", "byte_level", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": True}, byte_level(False, True))}
    yield "digits_together", "byte_level", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": False}, byte_level(True, True))}
    yield "after_byte_level", "byte_level", {"pre_tokenizer": sequence(byte_level(False, True), {"type": "Digits", "individual_digits": True})}
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            yield f"{behavior}_{invert}".lower(), "byte_level", {"pre_tokenizer": sequence(split(r"[aeiou ]|\n", behavior, invert), byte_level())}
    yield "literal", "byte_level", {"pre_tokenizer": sequence(split({"String": "a"}, "MergedWithNext"), split(r"\s+$|[A-Z]"), byte_level())}
    yield "llama2", "fallback", {}
    yield "llama2_added", "fallback", {"added_tokens": rich + [added("<unk>", special=True), added("</s>", special=True, normalized=True)]}
    yield "no_fallback", "fallback", {"model": {"byte_fallback": False}}
    yield "no_fuse", "fallback", {"model": {"byte_fallback": False, "fuse_unk": False}}
    yield "no_unk", "fallback", {"model": {"byte_fallback": False, "unk_token": None}}
    yield "no_decoder", "fallback", {"decoder": None, "normalizer": None}
    yield "ignore_merges", "byte_level", {"model": {"ignore_merges": True}}
    yield "broken", "broken", {}
    yield "broken_ignore", "broken", {"model": {"ignore_merges": True}}
    yield "suffix", "byte_level", {"model": {"end_of_word_suffix": "e", "continuing_subword_prefix": "Ġ"}, "drop_merges": True}


def patched(base, patch):
    document = json.loads(json.dumps(base))
    for key, value in patch.items():
        if key == "model":
            document["model"].update(value)
        elif key == "drop_merges":
            document["model"]["merges"] = []
        else:
            document[key] = value
    return document


def record(tokenizer, texts, blocks):
    plain = [tokenizer.encode(t).ids for t in texts]
    result = {
        "ids": shorts(of_ids(ids) for ids in plain),
        "bare": shorts(of_ids(tokenizer.encode(t, add_special_tokens=False).ids) for t in texts[:40]),
        "pair": shorts(of_ids(tokenizer.encode(a, b).ids) for a, b in zip(texts[:20], texts[20:40])),
        "blocks": shorts(of_ids(tokenizer.encode(b).ids) for b in blocks),
    }
    others = [[fnv(tokenizer.decode(ids, skip_special_tokens=skip).encode()) for skip in (False, True)] for ids in plain]
    tokenizer.encode_special_tokens = True
    for text, hashes in zip(texts, others):
        hashes.append(of_ids(tokenizer.encode(text).ids))
    return result | {"other": shorts(fnv("".join(hashes).encode()) for hashes in others)}


def broken_vocabulary():
    """Tokens that their own merges do not rebuild, and pairs that overlap."""
    vocab = {c: i for i, c in enumerate("abcĠ")} | {"bc": 4, "ab": 5, "abc": 6, "aa": 7, "aaa": 8, "cab": 9}
    return {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": byte_level(False, True), "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "vocab": vocab, "merges": ["b c", "a b", "ab c", "a a", "aa a"]}}


WITH_BLOCKS = ("gpt2", "split_llama3", "split_gpt4o", "split_qwen3.5", "split_cl100k", "split_tekken", "digits")


def main():
    """Records everything, or only the named cases anew on the vocabularies that are there."""
    only = sys.argv[1:]
    OUT.mkdir(parents=True, exist_ok=True)
    if not only:
        bases = {"byte_level": json.loads(byte_level_base().to_str()), "fallback": json.loads(fallback_base().to_str()), "broken": broken_vocabulary()}
        for name, base in bases.items():
            (OUT / f"{name}.json").write_text(json.dumps(base, ensure_ascii=False, separators=(",", ":")) + "\n")
        (OUT / "texts.json").write_text(json.dumps(hostile_texts(), indent=0) + "\n")
    texts, blocks = hostile_texts(), list(block_texts())
    known = {} if not only else {row["name"]: row for row in map(json.loads, (OUT / "cases.jsonl").read_text().splitlines())}
    rows = []
    for name, base, patch in cases():
        if only and name not in only:
            rows.append(known[name])
            continue
        document = patched(json.loads((OUT / f"{base}.json").read_text()), patch)
        expected = record(Tokenizer.from_str(json.dumps(document)), texts, blocks if name in WITH_BLOCKS else [])
        rows.append({"name": name, "base": base, "patch": patch, "expected": expected})
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    (OUT / "cases.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
