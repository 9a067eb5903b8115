#!/usr/bin/env python3
"""Records ROUGE-L of pairs of texts as rouge_score computes it: tests/golden/writing/rouge.json.

    python tools/goldens/rouge.py        # needs: pip install rouge_score
"""
import json
import pathlib

from rouge_score import rouge_scorer
from rouge_score.tokenize import tokenize

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/golden/writing/rouge.json"
PAIRS = [("Write a poem about the sea.", "Write a short poem about the deep sea."),
         ("Write a poem about the sea.", "write a POEM, about: the sea"),
         ("Name three rivers in Europe.", "List five cities of Asia."),
         ("one two three four", "four three two one"),
         ("a b a b a b", "b a b a"),
         ("It's 3.5 o'clock, isn't it?", "it s 3 5 oclock isnt it"),
         ("snake_case and kebab-case", "snake case and kebab case"),
         ("", "something"), ("!!!", "???"), ("same", "same"),
         ("Translate the following sentence into French and explain each choice of words.",
          "Explain each choice of words and translate the following sentence into French."),
         ("the cat sat on the mat", "the cat was sitting on the mat while the dog sat on the rug"),
         ("What is the capital of France?", "What is the capital of Spain?")]

scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
rows = [dict(a=a, b=b, words=len(tokenize(a, None)), rouge_l=scorer.score(a, b)["rougeL"].fmeasure) for a, b in PAIRS]
GOLDEN.parent.mkdir(parents=True, exist_ok=True)
GOLDEN.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
