"""Records tests/golden/gguf/python.gguf with the gguf package: `python tools/goldens/gguf_file.py`.

A file with a metadata value of each type and tensors of a few types; tests/unit/formats/gguf_archive_test.cpp says what they hold.
Needs numpy and gguf.
"""

import numpy
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter, quants

from recording import GOLDEN


def main():
    target = GOLDEN / "gguf" / "python.gguf"
    target.parent.mkdir(exist_ok=True)
    writer = GGUFWriter(target, "llama")
    writer.add_custom_alignment(64)
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 2**63 + 1)
    writer.add_int64("test.i64", -2**62)
    writer.add_float32("test.f32", 0.5)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "grüße\n")
    writer.add_array("test.strings", ["a", "", "bc"])
    writer.add_array("test.ints", [1, -2, 3])
    writer.add_array("test.floats", [0.25, -0.5])
    writer.add_array("test.bools", [True, False])
    writer.add_key_value("test.bytes", bytes([1, 2, 255]), GGUFValueType.ARRAY, GGUFValueType.UINT8)

    ramp = (numpy.arange(2 * 256, dtype=numpy.float32) / 256 - 1).reshape(2, 256)
    writer.add_tensor("plain.f32", numpy.arange(6, dtype=numpy.float32).reshape(1, 2, 3))
    writer.add_tensor("plain.f16", numpy.arange(5, dtype=numpy.float16))
    writer.add_tensor("plain.i32", numpy.array([[7], [-8]], dtype=numpy.int32))
    for name in ("Q8_0", "Q4_0", "BF16"):
        dtype = GGMLQuantizationType[name]
        writer.add_tensor("ramp." + name, quants.quantize(ramp, dtype), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
