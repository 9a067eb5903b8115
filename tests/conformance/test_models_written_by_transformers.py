"""Models with random weights that transformers wrote, opened by quern."""

import pytest
import tokenizers
import torch
from agreement import generation_agrees
from texts import ordinary
from transformers import (AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, GPT2Config, LlamaConfig, MptConfig,
                          PreTrainedTokenizerFast)

VOCAB, POSITIONS = 384, 256
GPT2 = GPT2Config(vocab_size=VOCAB, n_embd=48, n_layer=3, n_head=4, n_positions=POSITIONS)


def llama(rope=None, **settings):
    sizes = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=POSITIONS)
    return LlamaConfig(**sizes | settings, rope_parameters=dict(rope_type="default", rope_theta=10000.0) | (rope or {}))


def other(family, **settings):
    """A family with LLaMA's names of sizes. The text is longer than the window."""
    sizes = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=POSITIONS, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    config = AutoConfig.for_model(family, **sizes | settings)
    config._attn_implementation = "eager"  # the only one with soft limits
    return config


def falcon(**settings):
    """Not in plain loops, which would add ALiBi twice."""
    config = other("falcon", **settings)
    config._attn_implementation = "sdpa"
    return config


# name: config, dtype of the file, arguments of save_pretrained
MODELS = {
    "gpt2": (GPT2, torch.float32, {}),
    "gpt2, bf16": (GPT2, torch.bfloat16, {}),
    "gpt2, sharded": (GPT2, torch.float32, {"max_shard_size": "100KB"}),
    "llama": (llama(), torch.float32, {}),
    "llama, tied": (llama(tie_word_embeddings=True), torch.float32, {}),
    "llama, one kv head": (llama(num_key_value_heads=1), torch.float32, {}),
    "llama, as many kv heads": (llama(num_key_value_heads=4), torch.float32, {}),
    "llama, wide heads, biases": (llama(head_dim=16, attention_bias=True, mlp_bias=True), torch.float32, {}),
    "llama, bf16, sharded": (llama(), torch.bfloat16, {"max_shard_size": "50KB"}),
    "llama, f16": (llama(), torch.float16, {}),
    # The text is longer than the original context, so that every part of the scaling shows.
    "llama, linear rope": (llama(dict(rope_type="linear", factor=4.0)), torch.float32, {}),
    "llama, dynamic rope": (llama(dict(rope_type="dynamic", factor=2.0)), torch.float32, {}),
    "llama, yarn rope": (llama(dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)), torch.float32, {}),
    "llama, llama3 rope": (llama(dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                      original_max_position_embeddings=32)), torch.float32, {}),
    "mistral": (other("mistral", sliding_window=20), torch.float32, {}),
    "mistral, no window, wide heads": (other("mistral", sliding_window=None, head_dim=16), torch.float32, {}),
    "qwen2": (other("qwen2", tie_word_embeddings=True), torch.float32, {}),
    "qwen2, upper layers with a window": (other("qwen2", use_sliding_window=True, sliding_window=20, max_window_layers=1),
                                          torch.float32, {}),
    "qwen3": (other("qwen3", head_dim=16), torch.float32, {}),
    "gemma": (other("gemma", head_dim=16), torch.float32, {}),
    "gemma2": (other("gemma2", head_dim=16, sliding_window=20, query_pre_attn_scalar=24), torch.float32, {}),
    "gemma3_text": (other("gemma3_text", head_dim=16, sliding_window=20, sliding_window_pattern=2), torch.float32, {}),
    "phi3": (other("phi3", sliding_window=20), torch.float32, {}),
    "phi3, part of a head rotates": (other("phi3", partial_rotary_factor=0.5), torch.float32, {}),
    "olmo2": (other("olmo2"), torch.float32, {}),
    "starcoder2": (other("starcoder2", sliding_window=20), torch.float32, {}),
    "opt": (other("opt", ffn_dim=72, word_embed_proj_dim=48), torch.float32, {}),
    "opt, norms after": (other("opt", ffn_dim=72, word_embed_proj_dim=48, do_layer_norm_before=False), torch.float32, {}),
    "opt, narrow embeddings": (other("opt", ffn_dim=72, word_embed_proj_dim=20, do_layer_norm_before=False), torch.float32, {}),
    "mpt": (MptConfig(vocab_size=VOCAB, d_model=48, n_heads=6, n_layers=3, max_seq_len=POSITIONS), torch.float32, {}),
    "mpt, limited": (MptConfig(vocab_size=VOCAB, d_model=48, n_heads=8, n_layers=3, max_seq_len=POSITIONS,
                               attn_config=dict(clip_qkv=0.5)), torch.float32, {}),
    "falcon, one kv head": (falcon(), torch.float32, {}),
    "falcon, kv groups and two norms": (falcon(num_attention_heads=6, num_kv_heads=2, new_decoder_architecture=True), torch.float32, {}),
    "falcon, kv groups and one norm": (falcon(num_attention_heads=6, num_kv_heads=2, new_decoder_architecture=True,
                                              num_ln_in_parallel_attn=1), torch.float32, {}),
    "falcon, alibi and biases": (falcon(num_attention_heads=8, alibi=True, multi_query=False, parallel_attn=False, bias=True),
                                 torch.float32, {}),
    "phi": (other("phi"), torch.float32, {}),
    "phi, norms of queries and keys": (other("phi", qk_layernorm=True), torch.float32, {}),
    "gpt_neox": (other("gpt_neox", rotary_pct=0.5), torch.float32, {}),
    "gpt_neox, one after the other": (other("gpt_neox", use_parallel_residual=False, rotary_pct=0.5, rotary_emb_base=500), torch.float32, {}),
    "mixtral": (other("mixtral", num_local_experts=4), torch.float32, {}),
    "mixtral, bf16": (other("mixtral", num_local_experts=4), torch.bfloat16, {}),
    "qwen2_moe": (other("qwen2_moe", num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                        shared_expert_intermediate_size=40, decoder_sparse_step=2), torch.float32, {}),
    "qwen3_moe": (other("qwen3_moe", head_dim=16, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                        norm_topk_prob=True), torch.float32, {}),
    "qwen2_moe, windows": (other("qwen2_moe", num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24, max_window_layers=2,
                                 shared_expert_intermediate_size=40, use_sliding_window=True, sliding_window=20), torch.float32, {}),
    "qwen3_moe, a window": (other("qwen3_moe", num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                                  use_sliding_window=True, sliding_window=20), torch.float32, {}),
    # Within the original context transformers takes the short factors, whatever the context of the config.
    "phi3, longrope past its original context": (other("phi3", original_max_position_embeddings=8, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
        long_factor=[1.0, 1.5, 2.0, 4.0, 6.0, 8.0], original_max_position_embeddings=8)), torch.float32, {}),
    "smollm3": (other("smollm3", no_rope_layer_interval=2), torch.float32, {}),
}


def randomize(model):
    """Matrices that make attention far from uniform; norms and biases are no longer what they start as, which is 0 for the
    norms of Gemma: it adds 1."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() >= 2:
                parameter.copy_(0.2 * noise)
            else:
                parameter.add_(0.1 * noise)


@pytest.fixture(scope="module")
def tokenizer():
    """Byte-level BPE that names a beginning and puts it nowhere, as GPT-2's does."""
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(ordinary(), vocab_size=VOCAB, special_tokens=["<|endoftext|>"], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")


@pytest.mark.parametrize("name", MODELS)
def test_generates_the_same(quern, tokenizer, tmp_path, measured, name):
    config, dtype, saving = MODELS[name]
    model = AutoModelForCausalLM.from_config(config)
    randomize(model)
    model.to(dtype).save_pretrained(tmp_path, **saving)
    tokenizer.save_pretrained(tmp_path)
    if saving:
        measured("files", len(list(tmp_path.glob("*.safetensors"))))
        assert not (tmp_path / "model.safetensors").exists()
    opened = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    generation_agrees(quern, tmp_path, opened, tokenizer, "A header begins with what the file is for; " * 2, measured)


T5 = dict(vocab_size=VOCAB, d_model=48, d_kv=16, d_ff=72, num_layers=3, num_decoder_layers=2, num_heads=4,
          decoder_start_token_id=0, eos_token_id=0, pad_token_id=0)
ENCODER_DECODERS = {
    "t5": AutoConfig.for_model("t5", **T5),
    "t5, gated": AutoConfig.for_model("t5", **T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "mt5": AutoConfig.for_model("mt5", **T5),
    "bart": AutoConfig.for_model("bart", vocab_size=VOCAB, d_model=48, encoder_layers=2, decoder_layers=3, encoder_ffn_dim=60,
                                 decoder_ffn_dim=72, encoder_attention_heads=4, decoder_attention_heads=6, scale_embedding=True,
                                 max_position_embeddings=POSITIONS, decoder_start_token_id=0, eos_token_id=0, bos_token_id=0,
                                 pad_token_id=0, forced_eos_token_id=0),
}
# quern's arguments, and those of transformers' generate
SEARCHES = [
    ((), {}),
    (("--beams", 3, "--num-return", 3), dict(num_beams=3, num_return_sequences=3)),
    (("--beams", 4, "--no-repeat-ngram", 2, "--length-penalty", 2, "--early-stopping", "yes"),
     dict(num_beams=4, no_repeat_ngram_size=2, length_penalty=2.0, early_stopping=True)),
    (("--beams", 2, "--min-tokens", 12, "--early-stopping", "never", "--repetition-penalty", 1.3),
     dict(num_beams=2, min_new_tokens=12, early_stopping="never", repetition_penalty=1.3)),
]


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_answers_the_same(quern, tokenizer, tmp_path, measured, name):
    model = AutoModelForSeq2SeqLM.from_config(ENCODER_DECODERS[name]).eval()
    randomize(model)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    prompt = "translate English to German: The house is small."
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    for arguments, settings in SEARCHES:
        got = quern.json("generate", tmp_path, "-p", prompt, "-n", 20, "--cache-dtype", "f32", *arguments)
        expected = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False,
                                  return_dict_in_generate=True, output_scores=True, **settings)
        texts = [tokenizer.decode(answer, skip_special_tokens=True) for answer in expected.sequences]
        if "answers" not in got:
            assert [got["text"]] == texts
            continue
        assert [answer["text"] for answer in got["answers"]] == texts
        for answer, score in zip(got["answers"], expected.sequences_scores.tolist(), strict=True):
            measured("score difference", abs(answer["score"] - score))
            assert abs(answer["score"] - score) < 1e-4
