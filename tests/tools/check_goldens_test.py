#!/usr/bin/env python3
"""Tests of tools/check_goldens.py on a small folder."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_goldens  # noqa: E402


class CheckGoldensTest(unittest.TestCase):
    def test_names_what_is_not_opened(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "part" / "deep").mkdir(parents=True)
            files = [folder / "top.json", folder / "part" / "a.json", folder / "part" / "deep" / "b.json"]
            for path in [*files, folder / "part" / "README.md"]:
                path.write_text("{}")
            self.assertEqual(sorted(files), check_goldens.unread(folder, lambda: None))
            self.assertEqual([files[1]], check_goldens.unread(folder, lambda: (files[0].read_text(), files[2].open().close())))
            self.assertEqual([], check_goldens.unread(folder, lambda: [path.read_text() for path in files]))

    def test_finds_the_tests_that_speak_of_goldens(self):
        suites = check_goldens.golden_tests()
        self.assertIn("Golden", suites["test_model"])
        self.assertIn("test_parity", suites)
        self.assertNotIn("test_base", suites)


if __name__ == "__main__":
    unittest.main()
