#!/usr/bin/env python3
"""Fails when a file of tests/golden/ is read by no test: a golden that nobody compares with proves nothing.

Runs the tests of every source that speaks of goldens and watches which files they open (inotify). README.md is for
people. Usage: check_goldens.py FOLDER_OF_TEST_EXECUTABLES
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
IN_OPEN = 0x20  # linux/inotify.h
EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows


class OpenWatch:
    """Which files below a folder are opened from now on, by anybody."""

    def __init__(self, folder):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.check(self.libc.inotify_init1(os.O_NONBLOCK))
        self.folders = {}
        for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
            self.folders[self.check(self.libc.inotify_add_watch(self.fd, bytes(path), IN_OPEN))] = path

    @staticmethod
    def check(result):
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def opened(self):
        found = set()
        while True:
            try:
                events = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return found
            while events:
                watch, _, _, length = EVENT.unpack_from(events)
                name = events[EVENT.size:EVENT.size + length].rstrip(b"\0").decode()
                found.add(self.folders[watch] / name)
                events = events[EVENT.size + length:]


def unread(folder, read):
    """The files below `folder` that `read()` does not open."""
    files = {path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"}
    watch = OpenWatch(folder)
    read()
    return sorted(files - watch.opened())


def golden_tests():
    """{executable: its gtest suites in sources that speak of goldens}"""
    suites = {}
    for source in sorted(ROOT.glob("tests/**/*_test.cpp")):
        text = source.read_text()
        if "golden" not in text.lower():
            continue
        folder = source.parent.relative_to(ROOT / "tests")
        name = "test_" + "_".join(folder.parts[1:] if folder.parts[0] == "unit" else folder.parts)
        suites.setdefault(name, set()).update(re.findall(r"^TEST(?:_F|_P)?\((\w+),", text, re.MULTILINE))
    return suites


def run_golden_tests(executables):
    for name, suites in golden_tests().items():
        names = ":".join(pattern for suite in sorted(suites) for pattern in (f"{suite}.*", f"*/{suite}.*"))
        executable = next(path for path in executables.rglob(name) if path.is_file())
        subprocess.run([executable, f"--gtest_filter={names}", "--gtest_brief=1"], stdout=subprocess.DEVNULL)


def main():
    executables = Path(sys.argv[1])
    files = unread(GOLDEN, lambda: run_golden_tests(executables))
    for path in files:
        print(f"{path.relative_to(ROOT)}: no test reads it")
    return 1 if files else 0


if __name__ == "__main__":
    sys.exit(main())
