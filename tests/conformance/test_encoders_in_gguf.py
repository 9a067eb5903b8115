"""Encoders and encoder-decoders with random weights as GGUF: llama.cpp reads the texts that transformers reads, and computes the
same of them; and Quern does from both formats."""

import numpy
import pytest
import torch
import xllamacpp
from llama_cpp_peer import EncoderDecoderPeer
from test_encoders import FAMILIES, SIZES, TEXTS
from test_models_written_by_transformers import randomize
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

CLOSE = 2e-3  # llama.cpp approximates GELU, by a table of f16
SENTENCES = [*TEXTS, "the miller said: \"wind turns the wheel\", and water turns another.", "3 stones, 14 sacks; one river"] * 4


def word_piece():
    words = sorted({word for text in TEXTS for word in text.split()})
    letters = [prefix + chr(c) for c in range(97, 123) for prefix in ("", "##")]
    pieces = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words])
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                   sep_token="[SEP]", mask_token="[MASK]")


def byte_level():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False,
                                                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
                                   cls_token="<s>", sep_token="</s>", mask_token="<mask>")


def unigram(special, around):
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made.decoder = decoders.Metaspace()
    made.train_from_iterator(SENTENCES, trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>",
                                                                show_progress=False))
    made.post_processor = processors.TemplateProcessing(
        single=around, special_tokens=[(token, special.index(token)) for token in ("<s>", "</s>") if token in special])
    roles = dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    if "<s>" in special:
        roles |= dict(bos_token="<s>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")
    return PreTrainedTokenizerFast(tokenizer_object=made, **roles)


ENCODERS = {
    "roberta": (byte_level, {}),
    "xlm-roberta": (lambda: unigram(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<s> $A </s>"), {}),
    "distilbert": (word_piece, dict(dim=48, n_layers=3, n_heads=4, hidden_dim=72)),
}


@pytest.mark.parametrize("family", ENCODERS)
def test_encoders_in_llama_cpp(quern, tmp_path, measured, family):
    make_tokenizer, settings = ENCODERS[family]
    tokenizer = make_tokenizer()
    config = AutoConfig.for_model(family, **SIZES | settings, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    model = AutoModel.from_config(config).eval()
    randomize(model)
    folder, path, again = tmp_path / "model", tmp_path / "model.gguf", tmp_path / "again"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    quern("convert", folder, "--to", "gguf", "--dtype", "f32", "-o", path)
    quern("convert", path, "--to", "hf", "-o", again)
    back = AutoModel.from_pretrained(again).eval()
    assert back.config.model_type == family

    params = xllamacpp.CommonParams()
    params.model.path, params.embedding, params.warmup = str(path), True, False
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.embd_normalize = -1
    peer = xllamacpp.Server(params)
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            states = model(input_ids=ids).last_hidden_state[0]
            assert torch.equal(back(input_ids=ids).last_hidden_state[0], states), "the weights came back with every bit"
        wanted = states.mean(0).numpy()
        ours = numpy.array(quern.json("embed", path, text, "--pooling", "mean")["embedding"])
        measured("difference from transformers", float(abs(ours - wanted).max()))
        assert abs(ours - wanted).max() < 1e-4
        theirs = peer.handle_embeddings({"input": text})["data"][0]["embedding"]
        wanted, theirs = wanted / numpy.linalg.norm(wanted), theirs / numpy.linalg.norm(theirs)
        measured("difference of llama.cpp", float(abs(theirs - wanted).max()))
        assert abs(theirs - wanted).max() < CLOSE


T5 = dict(d_model=48, d_kv=16, d_ff=72, num_layers=3, num_decoder_layers=2, num_heads=4, decoder_start_token_id=0,
          eos_token_id=1, pad_token_id=0)
ENCODER_DECODERS = {
    "t5": ("t5", dict()),
    "flan-t5": ("t5", dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
    "mt5": ("mt5", dict(tie_word_embeddings=False)),
}


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_encoder_decoders_in_llama_cpp(quern, tmp_path, measured, name):
    family, settings = ENCODER_DECODERS[name]
    tokenizer = unigram(["<pad>", "</s>", "<unk>"], "$A </s>")
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(family, **T5 | settings, vocab_size=len(tokenizer))).eval()
    randomize(model)
    folder, path, again = tmp_path / "model", tmp_path / "model.gguf", tmp_path / "again"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    quern("convert", folder, "--to", "gguf", "--dtype", "f32", "-o", path)
    quern("convert", path, "--to", "hf", "-o", again)
    prompt = "the old mill by the river turns two stones"
    ids = tokenizer(prompt)["input_ids"]
    wanted = model.generate(torch.tensor([ids]), max_new_tokens=16, min_new_tokens=16, do_sample=False)[0].tolist()
    arguments = ("-p", prompt, "-n", 16, "--min-tokens", 16, "--cache-dtype", "f32")
    for place in path, again:
        assert [token["id"] for token in quern.json("generate", place, *arguments)["tokens"]] == wanted[1:], place
    back = AutoModelForSeq2SeqLM.from_pretrained(again).eval()
    peer = EncoderDecoderPeer(path)
    logits = numpy.array(peer.logits(ids, wanted[:6]))
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([wanted[:6]])).logits[0, -1]
        repeated = back(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([wanted[:6]])).logits[0, -1]
    measured("difference of logits after both conversions", (repeated - expected).abs().max().item())
    assert torch.allclose(repeated, expected, atol=1e-5)
    if name == "t5":
        logits *= T5["d_model"] ** -0.5  # which llama.cpp leaves out, and no order depends on
    measured("difference of llama.cpp's logits", float(abs(logits - expected.numpy()).max()))
    assert abs(logits - expected.numpy()).max() < 0.02 * expected.abs().max().item()
    assert int(logits.argmax()) == int(expected.argmax())


@pytest.mark.parametrize("family", ["bart", "opt", "albert", "electra", "mpnet", "deberta-v2"])
def test_says_what_gguf_has_no_architecture_for(quern, tmp_path, family):
    """llama.cpp's list of architectures has none of these."""
    from gguf.constants import MODEL_ARCH_NAMES

    assert family not in MODEL_ARCH_NAMES.values()
    sizes = dict(d_model=48, num_hidden_layers=1) if family in ("bart", "opt") else SIZES | FAMILIES[family][1]
    kind = AutoModelForSeq2SeqLM if family == "bart" else AutoModel
    kind.from_config(AutoConfig.for_model(family, **sizes, vocab_size=80)).save_pretrained(tmp_path / "model")
    word_piece().save_pretrained(tmp_path / "model")
    with pytest.raises(AssertionError, match=f"status 5\n.*no architecture for models of family '{family}'\n.*--to hf"):
        quern("convert", tmp_path / "model", "--to", "gguf", "-o", tmp_path / "model.gguf")
