"""GGUF files as the gguf package of llama.cpp writes them, inspected by Quern."""

import numpy
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFWriter

TYPES = ["F32", "F16", "BF16", "F64", "I8", "I32", "I64", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
         "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "TQ1_0", "TQ2_0"]
PLAIN = ["F32", "F16", "BF16", "F64", "I8", "I32", "I64"]  # which Quern spells small
ROWS, COLS = 3, 512


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "types.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_rope_freq_base(500000.5)
    writer.add_token_list([f"token {i}" for i in range(1000)])
    writer.add_token_scores([i / 7 for i in range(1000)])
    for name in TYPES:
        dtype = GGMLQuantizationType[name]
        elements, size = GGML_QUANT_SIZES[dtype]
        writer.add_tensor(name, numpy.zeros((ROWS, COLS // elements * size), numpy.uint8), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_tensors_of_every_type(quern, file, measured):
    shown = {tensor["name"]: tensor for tensor in quern.json("inspect", file)["tensors"]}
    for tensor in GGUFReader(file).tensors:
        dtype = tensor.tensor_type.name
        assert shown.pop(tensor.name) == {"name": tensor.name, "dtype": dtype.lower() if dtype in PLAIN else dtype,
                                          "shape": [int(n) for n in tensor.shape[::-1]], "bytes": tensor.n_bytes}
    assert not shown
    measured("types", len(TYPES))


def test_metadata(quern, file):
    metadata = quern.json("inspect", file)["metadata"]
    assert metadata["general.architecture"] == "llama"
    assert metadata["llama.block_count"] == 2
    assert metadata["llama.rope.freq_base"] == 500000.5
    tokens = metadata["tokenizer.ggml.tokens"]
    assert (tokens["type"], tokens["length"], tokens["first"][1]) == ("string", 1000, "token 1")
    assert metadata["tokenizer.ggml.scores"]["first"][3] == pytest.approx(3 / 7)
