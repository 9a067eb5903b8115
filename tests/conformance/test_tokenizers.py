"""tokenizer.json both ways: trained by quern and read by tokenizers, trained by tokenizers and read by quern."""

import pytest
from agreement import tokenizers_agree
from program import settings
from texts import hostile, in_unicode_14, ordinary, write_corpus
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["<|endoftext|>", "<s>", "aa"]  # the last one occurs inside words
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "texts")


@pytest.fixture(scope="module")
def texts():
    return ["", *hostile(), *ordinary()]


@pytest.mark.parametrize("pattern, values", [
    ("gpt2", {}), ("llama3", {"bos_token": "<s>"}), ("qwen2", {"nfc": True}), ("gpt4o", {}),
    (r"\w+|[^\w\s]+|\s+", {})], ids=["gpt2", "llama3, bos", "qwen2, nfc", "gpt4o", "own pattern"])
def test_trained_by_quern(quern, corpus, texts, tmp_path, measured, pattern, values):
    quern("tokenizer", "train", "--input", corpus, "--vocab-size", 1500, "--pattern", pattern, "--out", tmp_path,
          *settings({"special_tokens": SPECIAL, **values}))
    has_lexer = pattern.isalnum()
    tokenizers_agree(quern, tmp_path / "tokenizer.json", texts if has_lexer else in_unicode_14(texts), measured)


def byte_level(pattern, normalizer=None, **options):
    """A tokenizer to train, as the models of these patterns have it."""
    made = Tokenizer(models.BPE(ignore_merges=pattern == LLAMA3))
    split = [] if pattern is None else [pre_tokenizers.Split(Regex(pattern), "isolated")]
    byte_level = pre_tokenizers.ByteLevel(use_regex=pattern is None, **{"add_prefix_space": False} | options)
    made.pre_tokenizer = pre_tokenizers.Sequence([*split, byte_level]) if split else byte_level
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    if normalizer:
        made.normalizer = normalizer
    return made


@pytest.mark.parametrize("made", [
    byte_level(None), byte_level(None, add_prefix_space=True), byte_level(LLAMA3), byte_level(QWEN2, normalizers.NFC()),
    byte_level(GPT4O)], ids=["gpt2", "gpt2, prefix space", "llama3", "qwen2, nfc", "gpt4o"])
def test_trained_by_tokenizers(quern, texts, tmp_path, measured, made):
    made.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=1500, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    # Added after training: special tokens that eat spaces, and an ordinary one that only stands alone.
    made.add_special_tokens([AddedToken("<|im_start|>", special=True, rstrip=True), AddedToken("<|im_end|>", lstrip=True)])
    made.add_tokens([AddedToken("don", single_word=True)])
    bos = made.token_to_id("<s>")
    made.post_processor = processors.Sequence([made.post_processor, processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", bos)])])
    made.save(str(tmp_path / "tokenizer.json"))
    marked = ["<|im_start|>user\n don't  <|im_end|>  \n", " <|im_end|><|im_start|>  donor don. <s>aa<|endoftext|>"]
    tokenizers_agree(quern, tmp_path / "tokenizer.json", texts + marked, measured)


TRAINED = {"wordpiece": {"limit_alphabet": 200}, "wordpiece, cased": {"limit_alphabet": 200, "lowercase": False},
           "unigram": {}, "unigram, bytes": {"byte_fallback": True, "character_coverage": 0.995}}


def train(quern, corpus, folder, name, vocab_size=1500):
    quern("tokenizer", "train", "--input", corpus, "--model", name.split(",")[0], "--vocab-size", vocab_size, "--out", folder,
          *settings(TRAINED[name]))
    return folder / "tokenizer.json"


@pytest.mark.parametrize("name", TRAINED)
def test_words_and_pieces_trained_by_quern(quern, corpus, texts, tmp_path, measured, name):
    tokenizers_agree(quern, train(quern, corpus, tmp_path, name), texts, measured)


@pytest.mark.parametrize("name, trainer, model, least", [
    ("wordpiece", trainers.WordPieceTrainer(vocab_size=1500, min_frequency=2, limit_alphabet=200, show_progress=False,
                                            special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]),
     models.WordPiece(unk_token="[UNK]"), 0.97),
    ("unigram", trainers.UnigramTrainer(vocab_size=1500, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False),
     models.Unigram(), 0.94)], ids=["wordpiece", "unigram"])
def test_trains_as_tokenizers_does(quern, corpus, tmp_path, measured, name, trainer, model, least):
    """From the same texts, through the same rules: nearly the same tokens, and texts of nearly the same length."""
    documents = [path.read_text() for path in sorted(corpus.iterdir())]
    ours = Tokenizer.from_file(str(train(quern, corpus, tmp_path, name)))
    theirs = Tokenizer(model)
    theirs.normalizer, theirs.pre_tokenizer = ours.normalizer, ours.pre_tokenizer
    theirs.train_from_iterator(documents, trainer)
    shared = len(set(ours.get_vocab()) & set(theirs.get_vocab())) / theirs.get_vocab_size()
    lengths = [sum(len(made.encode(text, add_special_tokens=False).ids) for text in documents) for made in (ours, theirs)]
    measured("share of tokens in common", shared)
    measured("tokens of the corpus, over theirs", lengths[0] / lengths[1])
    assert ours.get_vocab_size() == theirs.get_vocab_size()
    assert shared >= least
    assert lengths[0] <= lengths[1] * 1.01
