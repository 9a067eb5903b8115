#!/usr/bin/env python3
"""Checks that every #include "folder/..." in src/ follows the layers of cmake/layers.cmake.

A folder may include itself, the folders in its DEPS and what those stand on. Nobody includes an implementation of
the backend (backend/reference, cpu, cuda): they are linked through one registration function.

Usage: check_layers.py [ROOT]. Prints file:line and what is allowed; exit status 1 when something is wrong.
"""

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
FOLDER = re.compile(r"^\s*quern_folder\(\s*(\S+)\s+DEPS([^)]*)\)", re.MULTILINE)
# Linked by executables, included by nobody else.
CLOSED = ("backend/reference", "backend/cpu", "backend/cuda", "backend/null_cuda")


def read_layers(root):
    """{folder: folders it may include}, itself among them, from the CMake files."""
    text = "\n".join(path.read_text() for path in sorted((root / "cmake").glob("*.cmake")))
    deps = {}
    for name, words in FOLDER.findall(text):
        deps[name] = words.split()
    allowed = {}
    for name in deps:
        reached, waiting = set(), [name]
        while waiting:
            folder = waiting.pop()
            if folder in deps and folder not in reached:
                reached.add(folder)
                waiting += deps[folder]
        allowed[name] = {folder for folder in reached if folder == name or folder not in CLOSED}
    return allowed


def folder_of(path, folders):
    """The longest known folder that `path`, relative to src/, lies in."""
    return max((f for f in folders if path.startswith(f + "/")), key=len, default=None)


def check(root):
    allowed = read_layers(root)
    errors = []
    for source in sorted((root / "src").rglob("*")):
        relative = source.relative_to(root / "src").as_posix()
        if source.suffix not in (".h", ".cpp", ".cu", ".cuh"):
            continue
        owner = folder_of(relative, allowed)
        if owner is None:
            if not relative.startswith("app/"):  # app/ is the executable: it may include anything
                errors.append(f"src/{relative}:1: this folder is not in cmake/layers.cmake")
            continue
        for number, line in enumerate(source.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            target = folder_of(match[1], allowed) if match else None
            if target and target not in allowed[owner]:
                names = ", ".join(sorted(allowed[owner] - {owner})) or "no other folder"
                errors.append(f'src/{relative}:{number}: "{match[1]}": {owner} may include {names}; not {target}')
            if match and ("/" not in match[1] or ".." in match[1]) and not (root / "src" / match[1]).exists():
                if (source.parent / match[1]).exists():
                    errors.append(f'src/{relative}:{number}: "{match[1]}": write includes relative to src/')
    return errors


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    errors = check(root)
    print("\n".join(errors) if errors else "layers: every include is in order")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
