#!/usr/bin/env python3
"""Checks that the files and links named in the documents exist.

A name counts where it stands in `backquotes` or as the target of a [link](target) and looks like a file of this project:
it begins with one of its folders, or with a folder of src/. Names with <placeholders> or ... are left out, {h,cpp}
means both, and * must match something.

Usage: check_paths.py [ROOT]
"""

import re
import sys
from pathlib import Path

DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "bench/README.md", "docs/handbook/*.md"]
ENDINGS = (".md", ".cpp", ".h", ".py", ".sh", ".cmake", ".txt", ".yaml", ".test")


def alternatives(name):
    """a.{h,cpp} -> a.h, a.cpp"""
    match = re.search(r"\{([^}]*)\}", name)
    if not match:
        return [name]
    return [a for part in match[1].split(",") for a in alternatives(name[:match.start()] + part + name[match.end():])]


def exists(root, name):
    return any(list(base.glob(name)) for base in (root, root / "src"))


def names_in(text):
    for line, content in enumerate(text.splitlines(), 1):
        for link in re.findall(r"\]\(([^)#]+)\)", content):
            if "://" not in link:
                yield line, link, True
        # Commands may name files that they make; prose may not.
        for quoted in [] if content.startswith("    ") else re.findall(r"`([^`\s]+)`", content):
            yield line, quoted.rstrip("/"), False


def missing(root, document):
    roots = {p.name for base in (root, root / "src") for p in base.iterdir() if p.is_dir() and p.name not in ("build", "runs")}
    for line, name, is_link in names_in(document.read_text()):
        if is_link:
            if not (document.parent / name).exists():
                yield f"{document.relative_to(root)}:{line}: the link {name} leads nowhere"
        elif "/" in name and name.split("/")[0] in roots and not re.search(r"[<>$]|\.\.\.|::", name):
            for one in alternatives(name):
                if not exists(root, one) and (one.endswith(ENDINGS) or not exists(root, one + ".*")):
                    yield f"{document.relative_to(root)}:{line}: there is no {one}"


def check(root):
    return [error for pattern in DOCUMENTS for document in sorted(root.glob(pattern)) for error in missing(root, document)]


def main():
    errors = check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
