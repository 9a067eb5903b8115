"""Families as GGUF: `quern convert` writes what llama.cpp's own converter writes, and llama.cpp computes the same with it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from gguf import GGUFReader
from llama_cpp_peer import EXACT, Peer
from test_models_written_by_transformers import POSITIONS, VOCAB, falcon, llama, other, randomize, tokenizer  # noqa: F401
from transformers import AutoModelForCausalLM, GPT2Config, MptConfig

EXPERTS = dict(num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24)
FAMILIES = {
    "gpt2": GPT2Config(vocab_size=VOCAB, n_embd=48, n_layer=3, n_head=4, n_positions=POSITIONS),
    "llama": llama(),
    "llama, as deepseek": llama(num_key_value_heads=4, rms_norm_eps=1e-6),
    "mistral": other("mistral", sliding_window=None),
    "mixtral": other("mixtral", num_local_experts=4),
    "qwen2": other("qwen2"),
    "qwen3": other("qwen3", head_dim=16),
    "qwen2_moe": other("qwen2_moe", **EXPERTS, shared_expert_intermediate_size=40),
    "qwen3_moe": other("qwen3_moe", **EXPERTS, head_dim=16, norm_topk_prob=True),
    "gemma": other("gemma", head_dim=16),
    "gemma2": other("gemma2", head_dim=16, query_pre_attn_scalar=16, sliding_window=POSITIONS),
    "gemma3_text": other("gemma3_text", head_dim=16, query_pre_attn_scalar=16, sliding_window=POSITIONS),
    "phi": other("phi", num_key_value_heads=4, intermediate_size=192),
    "phi3": other("phi3", sliding_window=None),
    "olmo2": other("olmo2"),
    "starcoder2": other("starcoder2", sliding_window=None),
    "smollm3": other("smollm3"),
    "mpt": MptConfig(vocab_size=VOCAB, d_model=48, n_heads=4, n_layers=3, max_seq_len=POSITIONS),
    "mpt, limited": MptConfig(vocab_size=VOCAB, d_model=48, n_heads=4, n_layers=3, max_seq_len=POSITIONS,
                              attn_config=dict(clip_qkv=0.5)),
    "falcon, one kv head": falcon(num_kv_heads=1),
    "falcon, kv groups and two norms": falcon(num_attention_heads=6, num_kv_heads=2, new_decoder_architecture=True),
    "gpt_neox": other("gpt_neox", rotary_pct=0.5),
    "gpt_neox, one after the other": other("gpt_neox", use_parallel_residual=False, rotary_pct=0.5),
}
# What the official converter reads and transformers 5 does not write, or writes otherwise than the models that are published.
READ_BY_THEM = {"gpt2": {"n_ctx": POSITIONS}, "gpt_neox": {"rotary_pct": 0.5}, "mpt": {"architectures": ["MPTForCausalLM"]}}
# Keys of the official converter that say what is so without them, or that nobody reads.
IDLE = {"attention.sliding_window", "rope.scaling.original_context_length", "tensor_data_layout"}
# Theirs says so whatever the model is.
FIXED = {"falcon.context_length"}


@pytest.fixture(scope="module", params=FAMILIES)
def converted(request, quern, tokenizer, tmp_path_factory):  # noqa: F811
    """The folder of a model that transformers wrote, and the file that Quern made of it."""
    folder = tmp_path_factory.mktemp("model")
    model = AutoModelForCausalLM.from_config(FAMILIES[request.param])
    randomize(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = tmp_path_factory.mktemp("gguf") / "ours.gguf"
    quern("convert", folder, "--to", "gguf", "-o", path)
    return folder, path


def fields(reader):
    """Of the architecture, by their names without it; empty lists and general.* are left out."""
    return {key: field.contents() for key, field in reader.fields.items()
            if not key.startswith(("general.", "tokenizer.", "GGUF."))}


def test_is_what_the_official_converter_writes(converted, tmp_path, measured):
    folder, path = converted
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | READ_BY_THEM.get(config["model_type"], {})))
    theirs_path = tmp_path / "theirs.gguf"
    script = Path(__file__).with_name("official_converter.py")
    done = subprocess.run([sys.executable, script, copy, theirs_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    ours, theirs = GGUFReader(path), GGUFReader(theirs_path)

    wanted = {tensor.name: tensor for tensor in theirs.tensors}
    got = {tensor.name: tensor for tensor in ours.tensors}
    assert sorted(got) == sorted(wanted)
    for name, tensor in wanted.items():
        assert got[name].shape.tolist() == tensor.shape.tolist(), name
        assert got[name].tensor_type == tensor.tensor_type, name
        numpy.testing.assert_array_equal(got[name].data, tensor.data, name)
    measured("tensors", len(wanted))

    said = fields(ours)
    for key, value in fields(theirs).items():
        if key.split(".", 1)[1] in IDLE and key not in said or key in FIXED:
            continue
        assert said.get(key) == pytest.approx(value), key
    assert ours.get_field("general.architecture").contents() == theirs.get_field("general.architecture").contents()


def test_llama_cpp_computes_the_same(quern, converted, tokenizer, measured):  # noqa: F811
    _, path = converted
    prompt = "A header begins with what the file is for; "
    ours = quern.json("generate", path, "-p", prompt, "-t", 0, "-n", 24, "--ignore-eos", "--cache-dtype", "f32")["tokens"]
    peer, ids, compared = Peer(path, flash_attention=False), tokenizer(prompt)["input_ids"], 0
    for token in ours:
        theirs = peer.logprobs(ids, VOCAB)
        if token["id"] in theirs:
            measured("difference of log-probability", abs(theirs[token["id"]] - token["logprob"]))
            assert abs(theirs[token["id"]] - token["logprob"]) < EXACT
            compared += 1
        ids.append(token["id"])
    assert compared > len(ours) / 3
