#!/usr/bin/env python3
"""Records what transformers and TRL learn of conversations: tests/golden/examples/masks.json.

    python tools/goldens/assistant_masks.py        # needs: pip install transformers (5.x) jinja2 trl datasets

Templates with {% generation %} marks: return_assistant_tokens_mask. Without: prompt and completion tokenized as TRL's
SFTTrainer does it for prompt-completion rows (apply_chat_template of the prompt, then of both). The tokenizer is that of
tests/golden/tokenizer/byte_level.json with the special tokens below.
"""
import json
import pathlib

from transformers import PreTrainedTokenizerFast

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


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(GOLDEN / "tokenizer/byte_level.json"), bos_token="<s>",
                                        eos_token="</s>", additional_special_tokens=SPECIAL[2:])
    rows = []
    for name, plain, marked in (("chatml", CHATML, CHATML_MARKED), ("instruct", INSTRUCT, INSTRUCT_MARKED)):
        for chat in CHATS:
            all_messages = messages(chat)
            out = tokenizer.apply_chat_template(all_messages, chat_template=marked, tokenize=True, return_dict=True,
                                                return_assistant_tokens_mask=True)
            mask = out.get("assistant_masks")
            # TRL: SFTTrainer's tokenization of a prompt-completion row with messages.
            prompt = tokenizer.apply_chat_template(all_messages[:-1], chat_template=plain, tokenize=True,
                                                   add_generation_prompt=True, return_dict=True)["input_ids"]
            whole = tokenizer.apply_chat_template(all_messages, chat_template=plain, tokenize=True,
                                                  return_dict=True)["input_ids"]
            rows.append({"template": name, "messages": all_messages, "ids": out["input_ids"], "assistant": mask,
                         "prompt_is_prefix": whole[:len(prompt)] == prompt,
                         "completion": [0] * len(prompt) + [1] * (len(whole) - len(prompt)), "completion_ids": whole})
    out = GOLDEN / "examples"
    out.mkdir(exist_ok=True)
    tokenizer.save_pretrained(out / "tmp")
    (out / "tokenizer.json").write_text((out / "tmp/tokenizer.json").read_text())
    for file in (out / "tmp").iterdir():
        file.unlink()
    (out / "tmp").rmdir()
    (out / "masks.json").write_text(json.dumps(
        {"templates": {"chatml": [CHATML, CHATML_MARKED], "instruct": [INSTRUCT, INSTRUCT_MARKED]}, "rows": rows},
        ensure_ascii=False, indent=1) + "\n")


main()
