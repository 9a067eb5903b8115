#!/usr/bin/env python3
"""Runs command transcripts (*.test) against the real program.

    $ quern versin          a command for bash, in a fresh folder shared by the commands of one file
    > text                  its standard output contains this text
    >= text                 its standard output is this line
    2> text                 its standard error contains this text
    !> text                 neither output contains this text
    = 2                     its exit status; 0 where no such line stands

`quern` is the program under test; $SOURCE is the root of the sources. Lines that begin with # are comments.

Usage: run_transcripts.py QUERN SOURCE FILE.test...
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT = 120  # seconds for one command


def read_transcript(path):
    """[(line number, command, [(line number, kind, text)])]"""
    steps = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        kind, _, text = line.partition(" ")
        if kind == "$":
            steps.append((number, text, []))
        elif kind in (">", ">=", "2>", "!>", "=") and steps:
            steps[-1][2].append((number, kind, text))
        elif line.strip() and not line.startswith("#"):
            raise SystemExit(f"{path}:{number}: not a line of a transcript: {line}")
    return steps


def complaints(result, expectations):
    """What is wrong with one result, as (line number or None, text)."""
    status = "0"
    for number, kind, text in expectations:
        if kind == "=":
            status = text.strip()
        elif kind == ">" and text not in result.stdout:
            yield number, f"stdout does not contain: {text}"
        elif kind == ">=" and result.stdout != text + "\n":
            yield number, f"stdout is not exactly: {text}"
        elif kind == "2>" and text not in result.stderr:
            yield number, f"stderr does not contain: {text}"
        elif kind == "!>" and (text in result.stdout or text in result.stderr):
            yield number, f"the output contains: {text}"
    if str(result.returncode) != status:
        yield None, f"expected exit status {status}, got {result.returncode}"


def run_file(path, environment):
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, command, expectations in read_transcript(path):
            result = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True,
                                    stdin=subprocess.DEVNULL, timeout=TIMEOUT, encoding="utf-8", errors="replace")
            wrong = list(complaints(result, expectations))
            for line, text in wrong:
                print(f"{path}:{line or number}: {text}")
            if wrong:
                print(f"  command: {command}\n  stdout: {result.stdout}\n  stderr: {result.stderr}")
            failures += bool(wrong)
    return failures


def main():
    program, source, *files = sys.argv[1:]
    with tempfile.TemporaryDirectory() as bin_folder:
        (Path(bin_folder) / "quern").symlink_to(Path(program).resolve())
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("QUERN_", "OMP_"))}
        environment |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "SOURCE": source, "OMP_WAIT_POLICY": "passive"}
        failures = sum(run_file(Path(file), environment) for file in files)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
