#!/usr/bin/env python3
"""Tokenizers against Hugging Face tokenizers on the same text, in turns: encoding on one thread for every kind of
tokenizer, and training on all threads.

    python bench/scenarios/tokenizer_against_huggingface.py build/release TEXT_FILE [TOKENIZER_JSON ...]
                                                                                       # pip install tokenizers sentencepiece

Lines of the text are what is encoded, given to either library in one call or one by one, whichever is faster. The table
has medians of CPU time; ids are compared first. Further files are opened and measured as well.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Regex, Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

MARK = "\u2581"
SPECIAL = {"bpe": ["<|endoftext|>"], "wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
           "unigram": ["<pad>", "</s>", "<unk>"]}


def train_ours(build, text, folder, kind, vocab_size, *options):
    start = time.time()
    subprocess.run([f"{build}/quern", "tokenizer", "train", "--model", kind, "--input", text, "--vocab-size", str(vocab_size),
                    "--out", folder, *options], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return pathlib.Path(folder, "tokenizer.json"), time.time() - start


def train_theirs(tokenizer, trainer, lines):
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    start = time.time()
    tokenizer.train_from_iterator(lines, trainer)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return time.time() - start


def compare_training(kind, path, seconds, lines, vocab_size):
    """Theirs with the same rules around the model."""
    ours = Tokenizer.from_file(str(path))
    theirs = Tokenizer({"bpe": models.BPE(), "wordpiece": models.WordPiece(unk_token="[UNK]"), "unigram": models.Unigram()}[kind])
    if ours.normalizer:
        theirs.normalizer = ours.normalizer
    theirs.pre_tokenizer = ours.pre_tokenizer
    settings = {"vocab_size": vocab_size, "special_tokens": SPECIAL[kind], "show_progress": False}
    trainer = {"bpe": lambda: trainers.BpeTrainer(min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **settings),
               "wordpiece": lambda: trainers.WordPieceTrainer(min_frequency=2, limit_alphabet=1000, **settings),
               "unigram": lambda: trainers.UnigramTrainer(unk_token="<unk>", **settings)}[kind]()
    their_seconds = train_theirs(theirs, trainer, lines)
    common = len(set(ours.get_vocab()) & set(theirs.get_vocab()))
    size = sum(len(line.encode()) for line in lines)
    rates = [size / sum(len(row.ids) for row in made.encode_batch_fast(lines, add_special_tokens=False)) for made in (ours, theirs)]
    print(f"train {kind}, {ours.get_vocab_size()} tokens: {seconds:.2f} s, tokenizers {their_seconds:.2f} s; {common} tokens in common; "
          f"bytes per token {rates[0]:.4f} and {rates[1]:.4f}", flush=True)


def sentencepiece_bpe(lines, folder):
    """The forms of Llama 2 and Gemma: the same tokens, which begin with the mark of a space."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    train_theirs(made, trainers.BpeTrainer(vocab_size=31700, min_frequency=2, show_progress=False), lines)
    document = json.loads(made.to_str())
    vocab = {token: id for id, token in enumerate(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)),
                                                   *document["model"]["vocab"]])}
    document["model"] |= {"vocab": vocab, "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}
    made = Tokenizer.from_str(json.dumps(document))
    made.pre_tokenizer = None
    made.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    replace = normalizers.Replace(" ", MARK)
    for name, normalizer, split in (
            ("llama2", normalizers.Sequence([normalizers.Prepend(MARK), replace]), None),
            ("gemma", replace, pre_tokenizers.Split(" ", "merged_with_previous"))):
        made.normalizer = normalizer
        if split:
            made.pre_tokenizer = split
        made.save(f"{folder}/{name}.json")
        yield f"SentencePiece BPE, {name}", f"{folder}/{name}.json"


def with_charsmap(path, text, folder):
    """The unigram model with the normalizer of published ones, the character map that SentencePiece builds in."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(input=text, model_prefix=f"{folder}/charsmap", vocab_size=1000, hard_vocab_limit=False, minloglevel=2)
    model = pathlib.Path(folder, "charsmap.model").read_bytes()
    # Field 2 of the normalizer_spec, whose field 1 is the name.
    at = model.index(b"\x0a\x08nmt_nfkc\x12") + 11
    length, shift = 0, 0
    while True:
        byte, at = model[at], at + 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    made = Tokenizer.from_file(str(path))
    made.normalizer = normalizers.Sequence([normalizers.Precompiled(model[at:at + length]), normalizers.Strip(left=False, right=True),
                                            normalizers.Replace(Regex(" {2,}"), MARK)])
    made.save(f"{folder}/charsmap.json")
    return f"{folder}/charsmap.json"


def all_kinds(build, text, lines, folder, train):
    """Names and files of tokenizers of every kind."""
    for pattern, options in ("gpt2", []), ("llama3", []), ("qwen2", ["--set", "nfc=true"]), ("gpt4o", []):
        path, seconds = train_ours(build, text, f"{folder}/{pattern}", "bpe", 32768, "--pattern", pattern, *options)
        if train and pattern == "gpt2":
            compare_training("bpe", path, seconds, lines, 32768)
        yield f"byte-level BPE, {pattern}", path
    yield from sentencepiece_bpe(lines, folder)
    for kind, name, size in ("wordpiece", "WordPiece, BERT", 30000), ("unigram", "unigram, Quern's", 32000):
        path, seconds = train_ours(build, text, f"{folder}/{kind}", kind, size)
        if train:
            compare_training(kind, path, seconds, lines, size)
        yield name, path
    yield "unigram, T5 with a character map", with_charsmap(path, text, folder)


def ours(build, text, path):
    """One turn: seconds to open, rates of encoding lines and of decoding."""
    output = subprocess.run([f"{build}/bench/tokenizer_bench", text, "--open", path], check=True, capture_output=True, text=True).stdout
    values = {line.split(":")[0]: line.split(":")[1].split()[0] for line in output.splitlines() if ":" in line}
    opened = next(float(value) for name, value in values.items() if name.startswith("open"))
    return opened, float(values["encode lines, 1 thread"]), float(values["decode lines, 1 thread"])


def open_theirs(path):
    """Without its rules for lengths, which Quern leaves to callers."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def theirs(path, lines, size):
    def seconds(work, calls=3):
        times = []
        for _ in range(calls):
            start = time.process_time()
            result = work()
            times.append(time.process_time() - start)
        return min(times), result

    opened, tokenizer = seconds(lambda: open_theirs(path), 1)
    one_by_one, _ = seconds(lambda: [tokenizer.encode(line, add_special_tokens=False).ids for line in lines])
    batch, rows = seconds(lambda: [row.ids for row in tokenizer.encode_batch_fast(lines, add_special_tokens=False)])
    decode, _ = seconds(lambda: tokenizer.decode_batch(rows, skip_special_tokens=False), 1)
    return opened * 1e3, size / 1e6 / min(one_by_one, batch), size / 1e6 / decode


def same_ids(build, path, lines):
    rows = subprocess.run([f"{build}/quern", "tokenizer", "encode", path, "--jsonl", "-", "--no-special"], check=True, capture_output=True,
                          text=True, input="".join(json.dumps({"text": line}) + "\n" for line in lines)).stdout.splitlines()
    theirs = open_theirs(path).encode_batch_fast(lines, add_special_tokens=False)
    return all(json.loads(row)["ids"] == their.ids for row, their in zip(rows, theirs, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("text")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--keep", help="folder for the tokenizers; what is there is not made again")
    parser.add_argument("--train", action="store_true", help="compare training, too")
    arguments = parser.parse_intermixed_args()
    with open(arguments.text, encoding="utf8", newline="\n") as file:
        lines = list(file)
    size = sum(len(line.encode()) for line in lines)
    print(f"tokenizers {__version__}; {size / 1e6:.1f} MB, {len(lines)} lines; medians of {arguments.turns} turns", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or temporary
        kept = pathlib.Path(folder, "kinds.json")
        if kept.exists():
            kinds = json.loads(kept.read_text())
        else:
            pathlib.Path(folder).mkdir(exist_ok=True)
            kinds = [(name, str(path)) for name, path in all_kinds(arguments.build, arguments.text, lines, folder, arguments.train)]
            kept.write_text(json.dumps(kinds))
        kinds += [(f"{pathlib.Path(file).parent.name}/{pathlib.Path(file).name}", file) for file in arguments.files]
        print("| tokenizer | encode, MB/s | tokenizers | ratio | decode, MB/s | tokenizers | ratio | open, ms | tokenizers | same ids |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for name, path in kinds:
            same = same_ids(arguments.build, path, lines)
            turns = [(ours(arguments.build, arguments.text, path), theirs(path, lines, size)) for _ in range(arguments.turns)]
            (our_open, our_encode, our_decode), (their_open, their_encode, their_decode) = (
                [statistics.median(column) for column in zip(*side)] for side in zip(*turns))
            print(f"| {name} | {our_encode:.1f} | {their_encode:.1f} | {our_encode / their_encode:.1f} | {our_decode:.0f} | {their_decode:.0f} "
                  f"| {our_decode / their_decode:.1f} | {our_open:.0f} | {their_open:.0f} | {'yes' if same else 'NO'} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
