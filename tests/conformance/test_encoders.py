"""Encoders with random weights that transformers wrote, opened by quern, and written by quern, opened by transformers."""

import pytest
import torch
import transformers
from test_models_written_by_transformers import randomize
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, PreTrainedTokenizerFast

SIZES = dict(hidden_size=48, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=130,
             num_labels=4)
TOLERANCE = 1e-4
TEXTS = ["a mill", "the old mill by the river turns two stones", "flour " * 20]

# family: what classes begin with, settings
FAMILIES = {
    "bert": ("Bert", {}),
    "roberta": ("Roberta", {}),
    "xlm-roberta": ("XLMRoberta", {}),
    "distilbert": ("DistilBert", dict(dim=48, n_layers=3, n_heads=4, hidden_dim=72)),
    "albert": ("Albert", dict(embedding_size=16, num_hidden_groups=1)),
    "electra": ("Electra", dict(embedding_size=16)),
    "mpnet": ("MPNet", {}),
    "deberta-v2": ("DebertaV2", dict(relative_attention=True, position_buckets=32, share_att_key=True, norm_rel_ebd="layer_norm",
                                     pos_att_type=["p2c", "c2p"], position_biased_input=False)),
}
CLASSES = [(family, head) for family in FAMILIES
           for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification")]


@pytest.fixture(scope="module")
def tokenizer():
    letters = [prefix + chr(c) for c in range(97, 123) for prefix in ("", "##")]
    vocab = {word: i for i, word in enumerate(["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", *letters])}
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                   sep_token="[SEP]", mask_token="[MASK]")


def outputs_of(model, ids):
    with torch.no_grad():
        result = model(input_ids=torch.tensor([ids]))
    return result.logits[0] if "logits" in result else result.last_hidden_state[0]


@pytest.mark.parametrize("family, head", CLASSES, ids=lambda value: value)
def test_says_the_same(quern, tokenizer, tmp_path, measured, family, head):
    stem, settings = FAMILIES[family]
    kind = getattr(transformers, stem + head)
    model = kind(AutoConfig.for_model(family, **SIZES | settings, vocab_size=len(tokenizer), pad_token_id=1)).eval()
    randomize(model)
    ours, again = tmp_path / "theirs", tmp_path / "again"
    model.save_pretrained(ours)
    tokenizer.save_pretrained(ours)
    quern("convert", ours, "--to", "hf", "-o", again)
    back = kind.from_pretrained(again).eval()
    weights, returned = model.state_dict(), back.state_dict()
    assert weights.keys() == returned.keys()
    assert all(torch.equal(weights[name], returned[name]) for name in weights), "the weights came back with every bit"
    difference = 0.0
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        wanted = outputs_of(model, ids)
        # Not to the bit: torch's products depend on where weights lie in memory.
        torch.testing.assert_close(outputs_of(back, ids), wanted, rtol=1e-5, atol=1e-6)
        if head == "Model":
            got = torch.tensor(quern.json("embed", ours, text, "--pooling", "mean")["embedding"])
            difference = max(difference, (got - wanted.mean(0)).abs().max().item())
        elif head == "ForSequenceClassification":
            got = {row["label"]: row["score"] for row in quern.json("predict", ours, text)["labels"]}
            for i, score in enumerate(wanted.softmax(-1).tolist()):
                difference = max(difference, abs(got[model.config.id2label[i]] - score))
    if head == "ForMaskedLM":
        text = "the [MASK] mill"
        ids = tokenizer(text)["input_ids"]
        wanted = outputs_of(model, ids)[ids.index(tokenizer.mask_token_id)].softmax(-1)
        for row in quern.json("predict", ours, text, "--top", 10)["masks"][0]:
            difference = max(difference, abs(row["probability"] - wanted[row["token"]].item()))
    measured("difference", difference)
    assert difference < TOLERANCE
