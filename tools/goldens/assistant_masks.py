#!/usr/bin/env python3
"""Records what transformers and TRL learn of conversations: tests/golden/examples/masks.json.

    python tools/goldens/assistant_masks.py        # needs: pip install transformers (5.x) jinja2 trl datasets

"assistant": return_assistant_tokens_mask of transformers over the template with {% generation %} marks, which are also the
labels of TRL's SFTTrainer with assistant_only_loss (checked here). "completion": the labels of SFTTrainer over rows of prompt
and completion, with the template without marks. The tokenizer is that of tests/golden/tokenizer/byte_level.json with the
special tokens below.
"""
import json
import pathlib
import tempfile

from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden"

CHATML = ("{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
CHATML_MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ '<|im_start|>assistant\\n' }}{% generation %}"
    "{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}{% else %}"
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
INSTRUCT = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
            "{% else %}{{ ' ' + (m.content | trim) + eos_token }}{% endif %}{% endfor %}")
INSTRUCT_MARKED = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{% generation %}{{ ' ' + (m.content | trim) + eos_token }}{% endgeneration %}{% endif %}{% endfor %}")
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]

CHATS = [
    [("user", "Describe a process of making crepes."), ("assistant", "Making crepes is easy!\n\n1. Mix flour and eggs.")],
    [("user", "Transform the sentence.\nShe played the piano."), ("assistant", "The piano was played by her.")],
    [("user", "Hi"), ("assistant", "Ho"), ("user", "And now?"), ("assistant", "  Nothing; ça va. 日本 👍\n")],
    [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"), ("user", "5"), ("assistant", "6")],
    [("user", "two lines\n"), ("assistant", "\nleading line, trailing space ")],
]


def messages(chat):
    return [{"role": role, "content": content} for role, content in chat]


def labels(tokenizer, template, rows, **options):
    """What SFTTrainer learns of the rows: token ids and whether each is learnt."""
    tokenizer.chat_template = template
    model = LlamaForCausalLM(LlamaConfig(vocab_size=1000, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                                         num_attention_heads=2))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(output_dir=folder, report_to=[], max_length=None, use_cpu=True, bf16=False, **options)
        trainer = SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
        return [(row["input_ids"], [int(label != -100) for label in row["labels"]]) for row in trainer.train_dataset]


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(GOLDEN / "tokenizer/byte_level.json"), bos_token="<s>",
                                        eos_token="</s>", pad_token="</s>", additional_special_tokens=SPECIAL[2:])
    rows = []
    for name, plain, marked in (("chatml", CHATML, CHATML_MARKED), ("instruct", INSTRUCT, INSTRUCT_MARKED)):
        chats = [messages(chat) for chat in CHATS]
        assistant = labels(tokenizer, marked, [{"messages": chat} for chat in chats], assistant_only_loss=True)
        completion = labels(tokenizer, plain, [{"prompt": chat[:-1], "completion": chat[-1:]} for chat in chats])
        for chat, learnt, completed in zip(chats, assistant, completion):
            out = tokenizer.apply_chat_template(chat, chat_template=marked, tokenize=True, return_dict=True,
                                                return_assistant_tokens_mask=True)
            assert (out["input_ids"], out["assistant_masks"]) == learnt
            assert out["input_ids"] == completed[0]
            rows.append({"template": name, "messages": chat, "ids": completed[0], "assistant": learnt[1],
                         "completion": completed[1]})
    out = GOLDEN / "examples"
    out.mkdir(exist_ok=True)
    (out / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(pretty=True))
    (out / "masks.json").write_text("{\"templates\": " + json.dumps(
        {"chatml": [CHATML, CHATML_MARKED], "instruct": [INSTRUCT, INSTRUCT_MARKED]}, indent=1) + ",\n\"rows\": [\n" + ",\n".join(
            json.dumps(row, ensure_ascii=False) for row in rows) + "\n]}\n")


main()
