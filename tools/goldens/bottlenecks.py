"""Records tests/golden/adapter_hub/* with AdapterHub's library, over bases that other scripts recorded:
`python tools/goldens/bottlenecks.py`.

Needs adapters 1.3 with the transformers 4.57 that it asks for, torch and safetensors. Each folder is an adapter as the
library saves it, with the logits and gradients that belong to its base's input_ids and targets. With a folder as its
argument it prints instead how far logits of the adapters below it are from those recorded: written elsewhere, read by
the library.
"""

import json
import pathlib
import sys

sys.path.append(sys.path.pop(0))  # adapters.py of this folder is not the library

import adapters
import torch
from adapters import DoubleSeqBnConfig, SeqBnConfig
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from recording import GOLDEN, loss_of

ADAPTERS = {
    # Behind attention and MLP; of what they make alone.
    "gpt2_houlsby": ("gpt2", DoubleSeqBnConfig(reduction_factor=4, non_linearity="gelu", scaling=2.0)),
    "llama_houlsby": ("llama/untied", DoubleSeqBnConfig(reduction_factor=3, dropout=0.1)),
    # Behind the MLP; of the residual stream with what it made.
    "gpt2_pfeiffer": ("gpt2", SeqBnConfig(reduction_factor=2.5, leave_out=[0])),
    "llama_pfeiffer": ("llama/untied", SeqBnConfig(reduction_factor={"0": 2, "default": 5}, non_linearity="tanh")),
}


def opened(base):
    model = AutoModelForCausalLM.from_pretrained(GOLDEN / base, attn_implementation="eager")
    adapters.init(model)
    return model


def record(name, base, config):
    folder, known = GOLDEN / "adapter_hub" / name, load_file(GOLDEN / base / "expected.safetensors")
    model = opened(base)
    model.add_adapter("task", config=config)
    model.train_adapter("task")
    model.eval()
    generator = torch.Generator().manual_seed(8)
    trained = {key: value for key, value in model.named_parameters() if value.requires_grad}
    assert trained and all(".adapters.task." in key for key in trained)
    with torch.no_grad():
        for value in trained.values():
            value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    logits, loss = loss_of(model, known["input_ids"], known["targets"])
    loss.backward()
    model.save_adapter(str(folder), "task", use_safetensors=True, with_head=False)
    file = folder / "adapter_config.json"
    saved = json.loads(file.read_text()) | {"model_name": f"tests/golden/{base}"}
    file.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    tensors = {"grad." + key: value.grad for key, value in trained.items()}
    save_file(tensors | dict(logits=logits.detach(), loss=loss.detach()), folder / "expected.safetensors")


def compare(folder, name, base):
    known = load_file(GOLDEN / base / "expected.safetensors")["input_ids"]
    model = opened(base)
    model.load_adapter(str(folder / name), use_safetensors=True, set_active=True)
    model.eval()
    wanted = load_file(GOLDEN / "adapter_hub" / name / "expected.safetensors")["logits"]
    with torch.no_grad():
        print(name, (model(known).logits - wanted).abs().max().item())


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, (base, config) in ADAPTERS.items():
        if len(sys.argv) > 1:
            compare(pathlib.Path(sys.argv[1]), name, base)
        else:
            record(name, base, config)


if __name__ == "__main__":
    main()
