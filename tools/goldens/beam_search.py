"""Records tests/golden/beam_search.json from transformers: `python tools/goldens/beam_search.py`.

Answers of generate(num_beams, do_sample=False) on the tiny models of other goldens, under every setting that quern has.
"""

import json

import torch
from transformers import AutoModelForCausalLM

from recording import GOLDEN

PROMPT = [3, 17, 5, 44]
CASES = [
    dict(model="gpt2", num_beams=2),
    dict(model="gpt2", num_beams=4, num_return_sequences=4),
    dict(model="gpt2", num_beams=1, no_repeat_ngram_size=2),
    dict(model="gpt2", num_beams=3, length_penalty=2.0, num_return_sequences=3),
    dict(model="gpt2", num_beams=3, length_penalty=-1.0, num_return_sequences=2),
    dict(model="gpt2", num_beams=3, length_penalty=0.0, early_stopping=True, num_return_sequences=3),
    dict(model="gpt2", num_beams=3, early_stopping="never", num_return_sequences=3),
    dict(model="gpt2", num_beams=5, early_stopping="never", length_penalty=0.3, num_return_sequences=5),
    dict(model="gpt2", num_beams=4, no_repeat_ngram_size=3, num_return_sequences=2),
    dict(model="gpt2", num_beams=4, no_repeat_ngram_size=1, min_new_tokens=6),
    dict(model="gpt2", num_beams=4, min_new_tokens=9, early_stopping=True, num_return_sequences=4),
    dict(model="gpt2", num_beams=4, repetition_penalty=1.5, num_return_sequences=2),
    dict(model="gpt2", num_beams=4, max_new_tokens=1, num_return_sequences=4),
    dict(model="families/gemma3_text", num_beams=4, num_return_sequences=4),
    dict(model="families/mistral", num_beams=4, early_stopping=True, num_return_sequences=2),
    dict(model="families/qwen2_moe", num_beams=3, num_return_sequences=3),
]


def main():
    results = []
    for case in CASES:
        settings = dict(max_new_tokens=16) | {k: v for k, v in case.items() if k != "model"}
        model = AutoModelForCausalLM.from_pretrained(GOLDEN / case["model"]).eval()
        for ends in ([], [7], [2, 30, 11, 45]):
            model.generation_config.eos_token_id = ends or None
            model.generation_config.pad_token_id = 0
            torch.manual_seed(0)
            out = model.generate(torch.tensor([PROMPT]), do_sample=False, return_dict_in_generate=True, output_scores=True,
                                 **settings)
            answers = []
            for sequence in out.sequences[:, len(PROMPT):].tolist():
                stop = next((i + 1 for i, token in enumerate(sequence) if token in ends), len(sequence))
                answers.append(sequence[:stop])
            scores = out.sequences_scores.tolist() if settings["num_beams"] > 1 else []
            results.append(dict(case, max_new_tokens=settings["max_new_tokens"], ends=ends, answers=answers,
                                scores=[round(score, 6) for score in scores]))
    lines = ",\n".join(json.dumps(result) for result in results)
    (GOLDEN / "beam_search.json").write_text(f'{{"prompt": {PROMPT}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
