"""A real model, SmolLM2-135M-Instruct as a GGUF file of Q4_1, in Quern and in llama.cpp (xllamacpp), and what Quern makes
of it, in llama.cpp and transformers.

With the weights in f32 both compute the same; from blocks both round activations to 8 bits, each in its way, so that
log-probabilities differ in the second digit. Texts are compared up to the first place where two tokens are about as likely.
"""

import json
import math

import pytest
import torch
import transformers
from llama_cpp_peer import EXACT, NEW_TOKENS, Peer, agree

PROMPTS = ["The capital of France is", "Water boils at a temperature of", "def fibonacci(n):\n", "Once upon a time, there was a"]
QUESTIONS = ["Name three colours.", "What is two plus two?"]
ROUNDED = 0.4  # nats of difference that rounded activations may make
PASSAGE = """The history of the town begins with a mill on the river. Farmers brought their grain in carts, waited for the
stones to turn, and carried the flour home before the evening. In the year 1872 the railway came, and with it larger mills in
the city, which were faster and never waited for rain. The old wheel stood still for forty years. Today it turns again, for
visitors, on every first Sunday of the month, and the bread that is baked from its flour is sold before noon."""


@pytest.fixture(scope="module")
def peer(smollm2_file):
    return Peer(smollm2_file)


@pytest.fixture(scope="module")
def f32(quern, smollm2, tmp_path_factory):
    """The same weights decoded."""
    path = tmp_path_factory.mktemp("f32") / "smollm2-f32.gguf"
    quern("convert", smollm2, "--to", "gguf", "--dtype", "f32", "-o", path)
    return path


@pytest.fixture(scope="module")
def f32_peer(f32):
    return Peer(f32)


def greedy(quern, model, prompt):
    return quern.json("generate", model, "-p", prompt, "-t", 0, "-n", NEW_TOKENS, "--ignore-eos", "--cache-dtype", "f32")["tokens"]


@pytest.mark.parametrize("prompt", PROMPTS, ids=range(len(PROMPTS)))
def test_greedy_text_in_f32(quern, f32, f32_peer, measured, prompt):
    agree(greedy(quern, f32, prompt), f32_peer.complete(prompt), EXACT, measured)


@pytest.mark.parametrize("prompt", PROMPTS, ids=range(len(PROMPTS)))
def test_greedy_text_of_blocks(quern, smollm2, peer, measured, prompt):
    agree(greedy(quern, smollm2, prompt), peer.complete(prompt), ROUNDED, measured)


@pytest.mark.parametrize("question", QUESTIONS, ids=range(len(QUESTIONS)))
def test_chat_in_f32(quern, f32, f32_peer, measured, question):
    ours = quern.json("chat", f32, "-m", question, "-t", 0, "-n", NEW_TOKENS, "--cache-dtype", "f32")
    assert agree(ours["tokens"], f32_peer.chat(question), EXACT, measured) > 0


def test_perplexity_of_a_passage(quern, f32, f32_peer, measured, figures, tmp_path):
    """Every token of the passage given those before it, in f32."""
    (tmp_path / "passage.txt").write_text(PASSAGE)
    ids = quern.json_lines("tokenizer", "encode", f32, "--jsonl", "-", rows=[{"text": PASSAGE}])[0]["ids"]
    ours = quern.json("eval", "perplexity", f32, "--data", tmp_path / "passage.txt", "--method", "sliding", "--context", len(ids),
                      "--stride", len(ids))["figures"]
    theirs = f32_peer.loss(ids)
    assert ours["tokens"] == len(ids) - 1
    measured("difference of mean log-probability", abs(ours["loss"]["value"] - theirs))
    figures.near(f"SmolLM2-135M in f32, perplexity of {len(ids) - 1} tokens", ours["perplexity"]["value"], math.exp(theirs), 0.001)
    assert ours["loss"]["value"] == pytest.approx(theirs, abs=1e-3)  # 0.1 % of perplexity


@pytest.mark.parametrize("kind", ["q8_0", "q4_k_m", "q4_0", "q6_k"])
def test_quantized_files_open_in_llama_cpp(quern, smollm2, measured, tmp_path, kind):
    path = tmp_path / f"{kind}.gguf"
    quern("quantize", smollm2, "--type", kind, "-o", path)
    agree(greedy(quern, path, PROMPTS[0]), Peer(path).complete(PROMPTS[0]), ROUNDED, measured)


def test_converted_folder_opens_in_transformers(quern, smollm2_folder, measured):
    tokenizer = transformers.AutoTokenizer.from_pretrained(smollm2_folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(smollm2_folder, dtype=torch.float32)
    for prompt in PROMPTS[:2]:
        ours = quern.json("generate", smollm2_folder, "-p", prompt, "-t", 0, "-n", NEW_TOKENS, "--cache-dtype", "f32")["tokens"]
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        with torch.no_grad():
            theirs = model.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False)[0, ids.shape[1]:].tolist()
        if theirs[-1] == tokenizer.eos_token_id:
            theirs.pop()
        assert [token["id"] for token in ours] == theirs
        measured("equal tokens", len(theirs))
    chat = [{"role": "user", "content": QUESTIONS[0]}]
    rendered = quern("tokenizer", "chat", smollm2_folder, "-f", "-", stdin=json.dumps({"messages": chat, "add_generation_prompt": True}))
    assert rendered.rstrip("\n") == tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True).rstrip("\n")
