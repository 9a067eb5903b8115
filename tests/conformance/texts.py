"""Texts that more than one suite needs."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def hostile():
    """Short texts of what tokenizers get wrong: scripts, marks, joiners, spaces, contractions, special tokens."""
    return json.loads((ROOT / "tests/golden/tokenizer/texts.json").read_text())


def in_unicode_14(texts):
    """Those without newer characters, which split patterns that Quern has no lexer for (src/text/lexer.h) do not know:
    PCRE2 stopped at Unicode 14."""
    newer = {0x897, 0x1C89, 0x1C8A, *range(0x10D40, 0x10D90)}  # of Unicode 16: Arabic, Cyrillic, Garay
    return [text for text in texts if not any(ord(c) in newer for c in text)]


def ordinary():
    """Longer texts: prose, markup and programs of this project."""
    names = ["README.md", "CONTRIBUTING.md", "Makefile", "src/text/unicode.cpp", "tools/goldens/tokenizer.py"]
    return [(ROOT / name).read_text() for name in names]


def write_corpus(folder):
    """A folder of text files to train a tokenizer on."""
    folder.mkdir()
    for number, text in enumerate([*ordinary(), "\n".join(hostile())]):
        (folder / f"{number}.txt").write_text(text)
    return folder
