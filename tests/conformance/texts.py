"""Texts that more than one suite needs."""

import json
import random
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


def prose():
    """Plain sentences for tiny models to learn, which no change of the project changes: a model, and with it every
    figure of what is tuned from it, stays as it is."""
    draw = random.Random(1)
    who = "the miller,a farmer,her brother,the old ferryman,nobody,his apprentice,the widow,a stranger,the judge".split(",")
    did = "carried,ground,sold,weighed,forgot,counted,hid,mended,bought back,measured".split(",")
    what = "the grain,two sacks of flour,a wheel,the stones,some rope,her oldest coin,the ledger,a lantern,bread".split(",")
    where = "at the river,before noon,in winter,under the bridge,without a word,for a third of its price".split(",")
    how = "slowly,gladly,twice,again,in vain,as always,by mistake".split(",")
    made = []
    for _ in range(800):
        parts = [draw.choice(words) for words in (who, did, what, where)]
        if draw.random() < 0.4:
            parts.append(draw.choice(how))
        if draw.random() < 0.2:
            parts.append(f"and paid {draw.randrange(2, 400)}")
        made.append(" ".join(parts).capitalize() + draw.choice([".", ".", ".", "!", "; so they say."]))
    return "\n".join(" ".join(made[begin:begin + 5]) for begin in range(0, len(made), 5)) + "\n"


def write_corpus(folder):
    """A folder of text files to train a tokenizer on."""
    folder.mkdir()
    for number, text in enumerate([*ordinary(), "\n".join(hostile())]):
        (folder / f"{number}.txt").write_text(text)
    return folder
