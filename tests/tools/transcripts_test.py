#!/usr/bin/env python3
"""Tests of tests/system/run_transcripts.py: it must notice what differs."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUNNER = Path(__file__).resolve().parents[1] / "system" / "run_transcripts.py"


def status_of(transcript):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.test"
        file.write_text(transcript)
        command = [sys.executable, RUNNER, "/bin/echo", folder, file]  # "quern" is echo here
        return subprocess.run(command, capture_output=True).returncode


class TranscriptsTest(unittest.TestCase):
    def test_what_is_right_passes(self):
        self.assertEqual(0, status_of("# c\n$ quern a b\n> a b\n>= a b\n!> c\n\n$ quern x >&2; exit 3\n2> x\n= 3\n"))

    def test_every_kind_of_difference_fails(self):
        for wrong in ("> c", ">= a", "2> a", "!> b", "= 1"):
            self.assertEqual(1, status_of(f"$ quern a b\n{wrong}\n"), wrong)
        self.assertEqual(1, status_of("$ exit 3\n"))

    def test_nonsense_is_refused(self):
        self.assertEqual(1, status_of("$ quern a\nhello\n"))


if __name__ == "__main__":
    unittest.main()
