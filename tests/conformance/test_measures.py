"""What quern eval and quern imatrix measure, against transformers and numpy on the same models and text."""

import numpy
import pytest
import tokenizers
import torch
from gguf import GGUFReader
from texts import ordinary, prose
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

CONTEXT, STRIDE, CHUNKS = 64, 24, 6
LAYERS = 2


def made_tokenizer():
    """Byte-level BPE that begins a text with <s>."""
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(ordinary(), vocab_size=400, special_tokens=["<s>", "</s>"], show_progress=False)
    made._tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models of one tokenizer, which lie near each other, and a text."""
    root = tmp_path_factory.mktemp("measures")
    tokenizer = made_tokenizer()
    config = LlamaConfig(vocab_size=400, hidden_size=48, intermediate_size=72, num_hidden_layers=LAYERS, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=128)
    generator = torch.Generator().manual_seed(3)
    model = AutoModelForCausalLM.from_config(config)
    for name, noise in ("base", 0.2), ("model", 0.01):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += noise * torch.randn(parameter.shape, generator=generator)
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    (root / "text.txt").write_text(prose())
    return root


def opened(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def ids_of(folders):
    return made_tokenizer()((folders / "text.txt").read_text())["input_ids"]


def chunks_of(ids):
    """Chunks as they are shown: with <s> first."""
    return [[0, *ids[begin + 1:begin + CONTEXT]] for begin in range(0, CHUNKS * CONTEXT, CONTEXT)]


def scored_tables(model, ids):
    """Log-probabilities at the scored places of every chunk, and the tokens that came."""
    with torch.no_grad():
        tables = [model(torch.tensor([chunk])).logits[0].double().log_softmax(-1)[CONTEXT // 2:-1] for chunk in chunks_of(ids)]
    return torch.cat(tables).numpy(), numpy.concatenate([chunk[CONTEXT // 2 + 1:] for chunk in chunks_of(ids)])


def test_perplexity_of_chunks(quern, folders, measured):
    found = quern.json("eval", "perplexity", folders / "model", "--data", folders / "text.txt", "--context", CONTEXT, "--chunks", CHUNKS)["figures"]
    table, tokens = scored_tables(opened(folders / "model"), ids_of(folders))
    losses = -table[numpy.arange(len(tokens)), tokens]
    assert found["tokens"] == len(tokens)
    assert found["loss"]["error"] == pytest.approx(losses.std() / numpy.sqrt(len(losses) - 1), rel=1e-4)
    difference = abs(found["loss"]["value"] - losses.mean())
    measured("loss difference", difference)
    assert difference < 1e-5


def test_perplexity_of_sliding_windows(quern, folders, measured):
    found = quern.json("eval", "perplexity", folders / "model", "--data", folders / "text.txt", "--method", "sliding",
                       "--context", CONTEXT, "--stride", STRIDE)["figures"]
    model, ids = opened(folders / "model"), ids_of(folders)
    total, count, before = 0.0, 0, 0
    for begin in range(0, len(ids), STRIDE):
        end = min(begin + CONTEXT, len(ids))
        labels = torch.tensor([ids[begin:end]])
        labels[:, :before - end] = -100
        scored = int((labels[:, 1:] != -100).sum())
        with torch.no_grad():
            total += model(torch.tensor([ids[begin:end]]), labels=labels).loss.item() * scored
        count, before = count + scored, end
        if end == len(ids):
            break
    assert found["tokens"] == count == len(ids) - 1
    assert found["bytes"] == len((folders / "text.txt").read_bytes())
    difference = abs(found["loss"]["value"] - total / count)
    measured("loss difference", difference)
    assert difference < 1e-5


def test_divergence_of_two_models(quern, folders, measured):
    found = quern.json("eval", "perplexity", folders / "model", "--against", folders / "base", "--data", folders / "text.txt",
                       "--context", CONTEXT, "--chunks", CHUNKS)["against"]["figures"]
    (q, tokens), (p, _) = (scored_tables(opened(folders / name), ids_of(folders)) for name in ("model", "base"))
    kl = (numpy.exp(p) * (p - q)).sum(-1)
    difference = abs(found["kl"]["value"] / kl.mean() - 1)
    measured("mean KL", float(kl.mean()))
    measured("relative difference", difference)
    assert difference < 1e-3
    assert found["same_top"]["value"] == pytest.approx((q.argmax(-1) == p.argmax(-1)).mean())
    at = numpy.arange(len(tokens)), tokens
    delta = numpy.exp(q[at]) - numpy.exp(p[at])
    assert found["delta_p_rms"]["value"] == pytest.approx(numpy.sqrt((delta**2).mean()), rel=1e-3)
    for row in found["delta_p_quantiles"]:
        assert row["value"] == pytest.approx(numpy.quantile(delta, row["q"]), abs=1e-5)


def test_importance_matrix(quern, folders, tmp_path, measured):
    quern("imatrix", folders / "model", "--data", folders / "text.txt", "--context", CONTEXT, "--chunks", CHUNKS, "-o", tmp_path / "i.gguf")
    model, sums = opened(folders / "model"), {}

    def watch(name):
        return lambda _, inputs: sums.__setitem__(name, sums.get(name, 0) + (inputs[0].double()**2).flatten(0, -2).sum(0))

    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    for layer, block in enumerate(model.model.layers):
        for theirs, ours in names.items():
            block.get_submodule(theirs).register_forward_pre_hook(watch(f"blk.{layer}.{ours}.weight"))
    with torch.no_grad():
        for chunk in chunks_of(ids_of(folders)):
            model(torch.tensor([chunk]))
    tensors = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "i.gguf").tensors}
    assert len(tensors) == 2 * len(sums) == 2 * LAYERS * len(names)
    for name, expected in sums.items():
        assert tensors[name + ".counts"].tolist() == [CHUNKS * CONTEXT]
        difference = numpy.abs(tensors[name + ".in_sum2"] / expected.numpy() - 1).max()
        measured("relative difference", float(difference))
        assert difference < 1e-4
