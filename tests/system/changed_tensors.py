"""Prints which layers, and other tensors, differ between two model folders."""

import json
import struct
import sys


def tensors(folder):
    data = open(folder + "/model.safetensors", "rb").read()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:begin])
    return {name: data[begin + entry["data_offsets"][0]:begin + entry["data_offsets"][1]]
            for name, entry in header.items() if name != "__metadata__"}


before, after = (tensors(folder) for folder in sys.argv[1:])
print(sorted({".".join(name.split(".")[:3]) if ".layers." in name else name
              for name in before if before[name] != after[name]}))
