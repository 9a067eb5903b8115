"""Records tests/golden/quant/encode.safetensors: `python tools/goldens/quantize.py`.

Rows of numbers ("gauss", "heavy": Student's t with 3 degrees of freedom), an importance per column, and what ggml makes of them:
"<rows>.<type>.blocks" where Quern must give the same bytes (checked here against the gguf package as well), and
"<rows>.<type>.rmse", the root mean square error without importance and, weighted by it, with it, where Quern may differ a little.
Needs numpy, gguf, safetensors and libggml-python (prebuilt libraries of ggml, called through ctypes).
"""

import ctypes
import pathlib

import libggml
import numpy
from gguf import GGMLQuantizationType, GGML_QUANT_SIZES, quants
from safetensors.numpy import save_file

from recording import GOLDEN

SAME_BYTES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "MXFP4"]
ERRORS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
ROWS, COLS = 6, 1024

ggml = ctypes.CDLL(str(next(pathlib.Path(next(iter(libggml.__path__))).rglob("libggml-base.so"))))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                     ctypes.c_int64, ctypes.c_void_p]


def quantize(rows, name, importance=None):
    dtype = GGMLQuantizationType[name]
    elements, size = GGML_QUANT_SIZES[dtype]
    blocks = numpy.zeros((ROWS, COLS // elements * size), numpy.uint8)
    weights = None if importance is None else importance.ctypes.data
    ggml.ggml_quantize_chunk(int(dtype), rows.ctypes.data, blocks.ctypes.data, 0, ROWS, COLS, weights)
    return blocks


def error(rows, blocks, name, weights=1.0):
    difference = (quants.dequantize(blocks, GGMLQuantizationType[name]) - rows).astype(numpy.float64)
    return numpy.sqrt((weights * difference**2).mean())


def main():
    generator = numpy.random.default_rng(7)
    tensors = {"gauss": generator.normal(0, 1, (ROWS, COLS)).astype(numpy.float32),
               "heavy": (0.02 * generator.standard_t(3, (ROWS, COLS))).astype(numpy.float32),
               "importance": (generator.gamma(0.7, 1, COLS) + 1e-3).astype(numpy.float32)}
    tensors["gauss"][0, :64] = 0
    tensors["gauss"][0, 70] = 20
    importance = tensors["importance"]
    for source in ("gauss", "heavy"):
        rows = tensors[source]
        for name in SAME_BYTES:
            blocks = quantize(rows, name)
            assert (blocks == quants.quantize(rows, GGMLQuantizationType[name])).all(), name
            tensors[f"{source}.{name}.blocks"] = blocks
        for name in ERRORS:
            errors = [error(rows, quantize(rows, name), name), error(rows, quantize(rows, name, importance), name, importance)]
            tensors[f"{source}.{name}.rmse"] = numpy.array(errors)
            print(source, name, *("%.6f" % value for value in errors))
    save_file(tensors, GOLDEN / "quant" / "encode.safetensors")
    (GOLDEN / "quant" / "encode.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
