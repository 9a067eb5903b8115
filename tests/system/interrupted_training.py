#!/usr/bin/env python3
"""Stops training in every way and asks for the bits of an uninterrupted run.

kill -9 at random moments (also between the files of a checkpoint: the run saves after every step), then --resume, again
and again until it is done; Ctrl-C, which must save, say how to go on, and exit with the status of its class; another
number of threads. Delays come from a fixed seed.

Usage: interrupted_training.py QUERN SOURCE
"""

import filecmp
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3  # runs that are killed until they are done
CANCELLED = 7  # exit status (src/base/error.cpp)


class Bench:
    def __init__(self, program, source, folder):
        self.program, self.source, self.folder = program, source, folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("QUERN_", "OMP_"))}
        self.environment |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        lines = (f"line {i * i} says that {i} times {i} is {i * i}\n" for i in range(400))
        (folder / "input.txt").write_text("".join(lines))
        subprocess.run([program, "make", source / "tests/system/tiny.yaml", "-q",
                        "--set", f"data.path={folder}/input.txt", "--set", f"out={folder}/tiny"], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def start(self, name, *arguments, **environment):
        command = [self.program, "train", self.source / "tests/system/train.yaml", "--set", f"out={self.folder / name}",
                   "--set", f"tokenizer={self.folder}/tiny/tokenizer", "--set", f"data.inputs={self.folder}/input.txt"]
        return subprocess.Popen([*command, *arguments], env=self.environment | environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        _, errors = process.communicate(timeout=120)
        if process.returncode != 0:
            raise SystemExit(f"{process.args}: exit status {process.returncode}\n{errors}")

    def weights(self, name):
        return self.folder / name / "model/model.safetensors"

    def expect_same_bits(self, name, how):
        if not filecmp.cmp(self.weights("whole"), self.weights(name), shallow=False):
            raise SystemExit(f"{how}: the weights differ from those of an uninterrupted run")

    def newest_step(self, name):
        steps = [int(p.name.removeprefix("step-")) for p in (self.folder / name).glob("checkpoints/step-*")]
        return max(steps, default=0)


def kill_until_done(bench, name, duration, rng):
    """Kills a run again and again; returns after how many steps each attempt ended."""
    history = []
    while True:
        process = bench.start(name, *(["--resume"] if history else []))
        try:
            _, errors = process.communicate(timeout=rng.uniform(0.0, 0.4 * duration))
            if process.returncode != 0:
                raise SystemExit(f"after {history}: exit status {process.returncode}\n{errors}")
            return history
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        before = history[-1] if history else 0
        history.append(bench.newest_step(name))
        if history[-1] < before:
            raise SystemExit(f"checkpoints were lost: {history}")
        if len(history) > 200:
            raise SystemExit(f"no progress: {history}")


def interrupt(bench, name):
    process = bench.start(name)
    deadline = time.monotonic() + 60
    while bench.newest_step(name) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode != CANCELLED:
        raise SystemExit(f"Ctrl-C: expected exit status {CANCELLED}, got {process.returncode}\n{errors}")
    for words in ("stopped after step", "saved", "--resume"):
        if words not in errors:
            raise SystemExit(f"Ctrl-C: the message does not say '{words}':\n{errors}")
    bench.finish(bench.start(name, "--resume"))


def main():
    program, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(program, source, Path(folder))
        begin = time.monotonic()
        bench.finish(bench.start("whole"))
        duration = time.monotonic() - begin
        print(f"uninterrupted: {duration:.2f} s")

        rng = random.Random(20)
        for n in range(ROUNDS):
            history = kill_until_done(bench, f"killed{n}", duration, rng)
            print(f"killed after steps {history}")
            bench.expect_same_bits(f"killed{n}", f"killed after steps {history}")

        interrupt(bench, "interrupted")
        bench.expect_same_bits("interrupted", "Ctrl-C")

        bench.finish(bench.start("threads", OMP_NUM_THREADS="3"))
        bench.expect_same_bits("threads", "3 threads")


if __name__ == "__main__":
    main()
