"""Models of a published model's shape, in seconds: one block with random weights, quantised by Quern and repeated.

What a token costs depends on the shapes and types of the weights, not on what they say; where they lie differs from block
to block, so that every token reads all of them.
"""

import shutil

import torch
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from transformers import LlamaConfig, LlamaForCausalLM

# TinyLlama's, with the vocabulary of the tokenizer that is at hand: 1.07 billion parameters.
BLOCKS = 22
SHAPE = dict(hidden_size=2048, intermediate_size=5632, num_attention_heads=32, num_key_value_heads=4, max_position_embeddings=2048,
             tie_word_embeddings=True)


def write_one_block(folder, tokenizer_folder, vocabulary):
    """A Hugging Face folder of bf16."""
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, num_hidden_layers=1, **SHAPE)).to(torch.bfloat16).save_pretrained(folder)
    for file in tokenizer_folder.glob("tokenizer*"):
        shutil.copy(file, folder)


def repeat_block(source, path):
    """`source`: a GGUF file of one block; the same with that block BLOCKS times, at `path`."""
    one = GGUFReader(source)
    writer = GGUFWriter(path, "llama")
    for field in one.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = BLOCKS if field.name == "llama.block_count" else field.contents()
        writer.add_key_value(field.name, value, field.types[0], field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None)
    for tensor in one.tensors:
        times = BLOCKS if tensor.name.startswith("blk.0.") else 1
        for block in range(times):
            writer.add_tensor(tensor.name.replace("blk.0.", f"blk.{block}."), tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
