"""Records tests/golden/encoder_texts from transformers: what a tiny BERT with a tokenizer says about texts through
transformers' pipelines, one for each head, and its sentence embeddings. `python tools/goldens/encoder_texts.py`."""

import json
import pathlib
import tempfile

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast, pipeline

from recording import GOLDEN, randomize

FOLDER = GOLDEN / "encoder_texts"
WORDS = ("the a miller stone wheel water wind grain flour bread river turns grinds old new two stones in of and by on "
         "anna peter york lives works mill where who does what ?  . , ' -").split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = ["The miller grinds grain.", "An old stone, by the river.", "Wind turns the wheel; water turns the wheel, too!",
         "Anna lives in York and Peter works on the mill."]
MASKED = ["The [MASK] grinds grain.", "[MASK] turns the [MASK]."]
PAIRS = [("The miller grinds.", "Where?"), ("Wind", "The old mill by the river turns two stones.")]
QUESTION = "Who lives by the river?"
CONTEXT = "Wind turns the old wheel and two new stones grind grain. " * 4 + "Anna lives by the river, and Peter works."
WINDOW, STRIDE = 32, 8
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def make_tokenizer():
    letters = [prefix + chr(c) for c in range(97, 123) for prefix in ("", "##")]
    vocab = {word: i for i, word in enumerate(dict.fromkeys(SPECIAL + WORDS + letters))}
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                   sep_token="[SEP]", mask_token="[MASK]",
                                   model_input_names=["input_ids", "token_type_ids", "attention_mask"])


def answers(model, tokenizer):
    """The best span of each window by the product of its probabilities, as transformers 4's pipeline had it."""
    windows = tokenizer(QUESTION, CONTEXT, max_length=WINDOW, stride=STRIDE, truncation="only_second",
                        return_overflowing_tokens=True, return_offsets_mapping=True)
    found = {}
    for i, ids in enumerate(windows["input_ids"]):
        types, spans = windows["token_type_ids"][i], windows["offset_mapping"][i]
        with torch.no_grad():
            result = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))
        of_context = torch.tensor([part == 1 for part in windows.sequence_ids(i)])
        seen = of_context.clone()
        seen[0] = True
        begin, end = (logits[0].masked_fill(~seen, -1e4).softmax(-1) for logits in (result.start_logits, result.end_logits))
        for b in range(len(ids)):
            for e in range(b, min(len(ids), b + 15)):
                if of_context[b] and of_context[e]:
                    span = (spans[b][0], spans[e][1])
                    found[span] = max(found.get(span, 0.0), (begin[b] * end[e]).item())
    best = sorted(found.items(), key=lambda row: -row[1])[:3]
    return [dict(begin=b, end=e, score=score, text=CONTEXT[b:e]) for (b, e), score in best]


def embeddings(model, tokenizer):
    """Means over the text, of length 1."""
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        rows.append(torch.nn.functional.normalize(states.mean(0), dim=0).tolist())
    return rows


def main():
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=1,
                        num_attention_heads=4, max_position_embeddings=40, num_labels=len(LABELS),
                        id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)})
    weights, heads = {}, {}
    for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"):
        own = BertConfig(**config.to_dict() | dict(num_labels=2)) if head == "ForQuestionAnswering" else config
        model = getattr(transformers, "Bert" + head)(own).eval()
        randomize(model, 301)
        prefix = "bert." if head == "Model" else ""
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(weights.setdefault(prefix + key, parameter.clone()))
        heads[head] = model
    FOLDER.mkdir(parents=True, exist_ok=True)
    config.architectures = ["BertModel"]
    config.save_pretrained(FOLDER)
    tokenizer.save_pretrained(FOLDER)
    save_file(weights, FOLDER / "model.safetensors", metadata={"format": "pt"})
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [dict(idx=i, name=str(i), path=path, type="sentence_transformers.models." + kind) for i, (path, kind) in enumerate(kinds)]
    (FOLDER / "1_Pooling").mkdir(exist_ok=True)
    for name, contents in {"modules.json": modules, "sentence_bert_config.json": dict(max_seq_length=24, do_lower_case=False),
                           "1_Pooling/config.json": dict(word_embedding_dimension=16, pooling_mode_cls_token=False,
                                                         pooling_mode_mean_tokens=True)}.items():
        (FOLDER / name).write_text(json.dumps(contents, indent=2) + "\n")

    def pipe(task, head, **settings):
        return pipeline(task, model=heads[head], tokenizer=tokenizer, device="cpu", **settings)

    fill, classify = pipe("fill-mask", "ForMaskedLM"), pipe("text-classification", "ForSequenceClassification")
    tag = pipe("token-classification", "ForTokenClassification", aggregation_strategy="simple")
    expected = dict(
        texts=TEXTS, embeddings=embeddings(heads["Model"], tokenizer), masked=MASKED,
        filled=[row if isinstance(row[0], list) else [row] for row in (fill(text, top_k=3) for text in MASKED)],
        labels=[classify(text, top_k=None) for text in TEXTS], pairs=PAIRS,
        pair_labels=[classify(dict(text=a, text_pair=b), top_k=None) for a, b in PAIRS],
        spans=[[dict(span, score=float(span["score"])) for span in tag(text)] for text in TEXTS],
        question=QUESTION, context=CONTEXT, window=WINDOW, stride=STRIDE,
        answers=answers(heads["ForQuestionAnswering"], tokenizer))
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1, default=float) + "\n")
    print(json.dumps(expected, indent=1, default=float)[:3000])


if __name__ == "__main__":
    main()
