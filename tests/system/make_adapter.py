#!/usr/bin/env python3
"""Writes a LoRA adapter of random values for the model that tiny.yaml makes, as PEFT would: make_adapter.py RUN FOLDER."""

import array
import json
import random
import struct
import sys
from pathlib import Path

run, folder = Path(sys.argv[1]), Path(sys.argv[2])
models = [*run.glob("config.json"), *run.glob("model/config.json"), *run.glob("model/model/config.json")]
config = json.loads(models[0].read_text())
width, rank, numbers = config["hidden_size"], 2, random.Random(1)
header, data = {}, b""
for layer in range(config["num_hidden_layers"]):
    for module in ("q_proj", "o_proj"):
        for part, shape in (("A", [rank, width]), ("B", [width, rank])):
            values = array.array("f", (numbers.gauss(0, 1) for _ in range(rank * width))).tobytes()
            header[f"base_model.model.model.layers.{layer}.self_attn.{module}.lora_{part}.weight"] = {
                "dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
            data += values
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
folder.mkdir(exist_ok=True)
(folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
(folder / "adapter_config.json").write_text(json.dumps(
    {"peft_type": "LORA", "r": rank, "lora_alpha": 2, "target_modules": ["q_proj", "o_proj"]}))
