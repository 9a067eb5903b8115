#!/usr/bin/env python3
"""Ctrl-C inside each stage of a recipe, and two programs on one folder.

A stage that keeps nothing until it is whole must stop soon after the first Ctrl-C, leave nothing half-written, and say
how to go on. Every stage here has far more work than the test would wait for. A second program on the same folder is
refused with the pid of the first, until that one is gone, however it went.

Usage: stopped_stages.py QUERN SOURCE
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CANCELLED, UNAVAILABLE = 7, 9  # exit statuses (src/base/error.cpp)
WAIT = 120  # seconds: none of these stages would be done by then


class Bench:
    def __init__(self, program, source, folder):
        self.program, self.source, self.folder = program, source, folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("QUERN_", "OMP_"))}
        self.environment |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

    def start(self, *arguments):
        return subprocess.Popen([self.program, *map(str, arguments)], env=self.environment, cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments):
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=WAIT)
        return process.returncode, out, errors

    def recipe(self, name, stage):
        (self.folder / f"{name}.yaml").write_text(json.dumps({"out": name, "stages": [{"name": "it"} | stage]}))
        return f"{name}.yaml"


def expect(condition, what, errors=""):
    if not condition:
        raise SystemExit(f"{what}\n{errors}")


def wait_for(process, ready, what):
    deadline = time.monotonic() + WAIT
    while not ready():
        expect(process.poll() is None, f"{what}: ended before its work began", process.poll() and process.stderr.read())
        expect(time.monotonic() < deadline, f"{what}: never began")
        time.sleep(0.01)


def interrupt(process, what):
    """Ctrl-C after a moment of work."""
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=WAIT)
    expect(process.returncode == CANCELLED, f"{what}: expected exit status {CANCELLED}, got {process.returncode}", errors)
    expect("stopped" in errors and "the same command goes on" in errors, f"{what}: the message does not help", errors)


def left_in(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != "attempt.json")


def stop_stage(bench, name, stage):
    process = bench.start("make", bench.recipe(name, stage))
    stages = bench.folder / name / ".stages"
    wait_for(process, lambda: list(stages.glob("*/attempt.json")), name)
    interrupt(process, name)
    (made,) = stages.iterdir()
    expect(left_in(made) == [], f"{name} left {left_in(made)}")
    expect(not (bench.folder / name / ".lock").exists(), f"{name} left its lock")


def stop_command(bench, name, *arguments):
    process = bench.start(*arguments, "--out", name)
    wait_for(process, (bench.folder / name).exists, name)
    interrupt(process, name)
    expect(left_in(bench.folder / name) == [], f"{name} left {left_in(bench.folder / name)}")


def refuse_second(bench, name, long, short):
    """`long` and `short` write to the folder `name`."""
    first = bench.start(*long)
    wait_for(first, lambda: (bench.folder / name / ".lock").exists() and (bench.folder / name / ".lock").stat().st_size, name)
    status, _, errors = bench.run(*short)
    expect(status == UNAVAILABLE, f"{name}: expected exit status {UNAVAILABLE}, got {status}", errors)
    expect(f"{name} is in use by process {first.pid}" in errors, f"{name}: the owner is not named", errors)
    first.kill()
    first.communicate()
    status, _, errors = bench.run(*short)
    expect(status == 0, f"{name}: the lock of a killed process holds: exit status {status}", errors)


def main():
    program, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(program, source, folder)
        rng = random.Random(1)
        (folder / "small.txt").write_text("".join(f"line {i * i} says that {i} is {i}\n" for i in range(300)))
        with open(folder / "words.txt", "w") as words:  # hardly a word twice: many merges to learn
            for _ in range(400_000):
                words.write("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=12)) + " ")
        question = {"prompt": "who?", "answer": "me", "kind": "who"}
        (folder / "questions.jsonl").write_text((json.dumps(question) + "\n") * 300_000)
        status, _, errors = bench.run("make", source / "tests/system/tiny.yaml", "-q", "--set", "data.path=small.txt")
        expect(status == 0, "the tiny recipe failed", errors)
        model, tokenizer = "runs/tiny/model/model", "runs/tiny/tokenizer"

        corpus = {"kind": "synth", "documents": 50_000_000, "questions": 5}
        learning = {"kind": "tokenizer", "input": "words.txt", "vocab_size": 1_000_000, "min_frequency": 1}
        stop_stage(bench, "synth", corpus)
        stop_stage(bench, "tokenizer", learning)
        stop_stage(bench, "questions", {"kind": "questions", "model": model, "questions": "questions.jsonl"})
        stop_stage(bench, "samples", {"kind": "samples", "model": model, "prompts": ["line"] * 100_000})
        stop_command(bench, "synth_command", "data", "synth", "--documents", "50000000")
        stop_command(bench, "tokenizer_command", "tokenizer", "train", "--input", "words.txt", "--vocab-size", "1000000",
                     "--set", "min_frequency=1")
        print("every stage stops")

        quick = bench.recipe("shared", {"kind": "tokenizer", "input": "small.txt", "vocab_size": 280})
        (folder / "long.yaml").write_text(json.dumps({"out": "shared", "stages": [{"name": "it"} | corpus]}))
        refuse_second(bench, "shared", ("make", "long.yaml"), ("make", quick))
        train = ("train", source / "tests/system/train.yaml", "--set", "out=run", "--set", f"tokenizer={tokenizer}",
                 "--set", "data.inputs=small.txt", "--resume")
        refuse_second(bench, "run", (*train, "--set", "train.steps=1000000"), (*train, "--set", "train.steps=2"))
        print("one folder, one program")


if __name__ == "__main__":
    main()
