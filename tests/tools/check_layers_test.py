#!/usr/bin/env python3
"""Tests of tools/check_layers.py on small made-up trees."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_layers  # noqa: E402

LAYERS = """
quern_folder(base        DEPS fmt::fmt)
quern_folder(tensor      DEPS base)
quern_folder(backend/api DEPS tensor)
quern_folder(ops         DEPS backend/api)
quern_folder(data        DEPS base)
quern_folder(backend/cpu DEPS backend/api EXCLUDE "/isa/")
quern_folder(backend/registry DEPS backend/cpu)
"""


class CheckLayersTest(unittest.TestCase):
    def errors(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in {"cmake/layers.cmake": LAYERS, **files}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check_layers.check(root)

    def test_downward_includes_pass(self):
        self.assertEqual([], self.errors({
            "src/ops/a.cpp": '#include "ops/a.h"\n#include "backend/api/t.h"\n#include "base/b.h"\n#include <vector>\n',
            "src/backend/cpu/k.cpp": '#include "backend/cpu/k.h"\n#include "tensor/t.h"\n',
            "src/app/main.cpp": '#include "ops/a.h"\n'}))

    def test_upward_include_fails_with_place_and_permission(self):
        errors = self.errors({"src/tensor/a.h": '\n#include "ops/a.h"\n'})
        self.assertEqual(1, len(errors))
        self.assertIn('src/tensor/a.h:2: "ops/a.h": tensor may include base; not ops', errors[0])

    def test_siblings_fail(self):
        self.assertEqual(1, len(self.errors({"src/data/a.h": '# include "tensor/t.h"\n'})))

    def test_nobody_includes_a_backend(self):
        self.assertEqual(1, len(self.errors({"src/backend/registry/r.cpp": '#include "backend/cpu/k.h"\n'})))
        self.assertEqual(1, len(self.errors({"src/ops/a.cpp": '#include "backend/cpu/k.h"\n'})))

    def test_unlisted_folder_fails(self):
        self.assertEqual(1, len(self.errors({"src/extra/a.cpp": "int x;\n"})))

    def test_includes_beside_the_file_fail(self):
        self.assertEqual(1, len(self.errors({"src/ops/a.cpp": '#include "a.h"\n', "src/ops/a.h": ""})))


if __name__ == "__main__":
    unittest.main()
