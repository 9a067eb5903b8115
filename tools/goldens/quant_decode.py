"""Records tests/golden/quant/decode.safetensors from the gguf package: `python tools/goldens/quant_decode.py`.

For each block type: "<type>.blocks", random bytes as rows of whole blocks, and "<type>.values", what gguf decodes them to. The
scales are random too, and a few are set to the ends of their range: zero, subnormal, the largest, infinite, NaN.
Needs numpy, gguf and safetensors.
"""

import numpy
from gguf import GGMLQuantizationType, GGML_QUANT_SIZES, quants
from safetensors.numpy import save_file

from recording import GOLDEN

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4",
         "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "TQ1_0", "TQ2_0"]
# Byte offsets of the f16 scales in a block.
SCALES = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q6_K": [208],
          "TQ1_0": [52], "TQ2_0": [64], "IQ1_M": [], "MXFP4": [], "NVFP4": []}
EXTREMES = [0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e01]
ELEMENTS = 256 * 4


def random_blocks(name, generator):
    elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    blocks = generator.integers(0, 256, (ELEMENTS // elements, size), dtype=numpy.uint8)
    for offset in SCALES.get(name, [0]):
        scales = generator.normal(0, 0.01, len(blocks)).astype(numpy.float16).view(numpy.uint16)
        extremes = generator.permutation(EXTREMES)[:len(blocks) // 3]
        scales[len(blocks) - len(extremes):] = extremes
        blocks[:, offset:offset + 2] = scales.view(numpy.uint8).reshape(-1, 2)
    if name == "MXFP4":
        blocks[:4, 0] = [0, 1, 254, 255]
    if name == "NVFP4":
        blocks[:, :4] &= 0x7f
        blocks[:2, :4] = [[0, 1, 7, 8], [0x7e, 0x7f, 0x40, 0x38]]
    return blocks


def main():
    generator = numpy.random.default_rng(2024)
    tensors = {}
    for name in TYPES:
        blocks = random_blocks(name, generator)
        with numpy.errstate(all="ignore"):
            values = quants.dequantize(blocks, GGMLQuantizationType[name])
        tensors[name + ".blocks"], tensors[name + ".values"] = blocks, values.astype(numpy.float32)
    target = GOLDEN / "quant" / "decode.safetensors"
    target.parent.mkdir(exist_ok=True)
    save_file(tensors, target)
    target.chmod(0o644)


if __name__ == "__main__":
    main()
