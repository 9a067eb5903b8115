"""llama.cpp built for this machine, where $LLAMA_CPP names the folder of its programs, as the other side of a comparison.

xllamacpp's build, the other peer, stops at AVX2.
"""

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import inference_against_llama_cpp as scenario


class NativePeer:
    """One model."""

    name = "llama.cpp, $LLAMA_CPP"

    def __init__(self, path, threads):
        self.programs, self.path, self.threads = Path(os.environ["LLAMA_CPP"]), path, threads

    def speed(self, prompt_tokens, new_tokens):
        """As Peer.speed."""
        options = SimpleNamespace(llama_bench=self.programs / "llama-bench", prompt=str(prompt_tokens), generate=str(new_tokens), depth="0",
                                  threads=self.threads)
        rates = scenario.theirs(options, self.path)
        return rates[prompt_tokens, 0, 0], rates[0, new_tokens, 0]

    def perplexity(self, text, chunks):
        """Of so many chunks of 512 tokens of the file `text`."""
        command = [self.programs / "llama-perplexity", "-m", self.path, "-f", text, "-c", "512", "--chunks", str(chunks), "-t", str(self.threads)]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(re.search(r"Final estimate: PPL = ([0-9.]+)", said.stdout + said.stderr)[1])
