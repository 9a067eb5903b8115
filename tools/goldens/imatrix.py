"""Records tests/golden/imatrix/*: `python tools/goldens/imatrix.py QUERN LLAMA_IMATRIX`.

One importance matrix in both forms that llama.cpp's llama-imatrix writes, of a tiny model that quern trains.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from recording import GOLDEN

RECIPE = GOLDEN.parent / "system" / "tiny.yaml"


def main():
    quern, llama_imatrix = (Path(argument).resolve() for argument in sys.argv[1:3])
    target = GOLDEN / "imatrix"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"line {i * i} says that {i} times {i}\n" for i in range(300))
        (Path(folder) / "input.txt").write_text(text)

        def run(*command):
            subprocess.run(command, cwd=folder, check=True)

        run(quern, "make", RECIPE, "--set", "data.path=input.txt", "-q")
        run(quern, "convert", "runs/tiny/model/model", "--to", "gguf", "--dtype", "f32", "-o", "tiny.gguf")
        for form, name in (("dat", "legacy.dat"), ("gguf", "same.gguf")):
            run(llama_imatrix, "-m", "tiny.gguf", "-f", "input.txt", "--output-format", form, "-o", target / name, "-c", "64",
                "--chunks", "4", "-t", "1")


if __name__ == "__main__":
    main()
