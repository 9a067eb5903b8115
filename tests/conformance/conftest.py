"""What every suite shares: the program, settings of the libraries, and the tables at the end.

A suite is one file test_<subject>.py. Its tests take `quern` (program.py), and note what they measured with
`measured("largest difference", 3e-7)`; the first table shows it beside the outcome. The second has the figures (figures.py).
"""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "bench/scenarios")]
# For the libraries, before they are imported: nothing comes from outside, and tiny models are fastest on one thread.
os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": "",
               "OMP_NUM_THREADS": "1"}

from figures import Figures  # noqa: E402
from program import Quern  # noqa: E402
from smollm2 import smollm2, smollm2_file, smollm2_folder  # noqa: E402, F401

rows = []  # (subject, check, outcome, what was measured)
table = Figures()


@pytest.fixture(scope="session")
def quern():
    """Runs the program (program.py)."""
    return Quern(os.environ["QUERN"])


@pytest.fixture(scope="session")
def figures():
    """Notes what is wanted and what was measured (figures.py)."""
    return table


@pytest.fixture
def measured(request):
    """measured(name, value): a figure for the table; of several under one name, the largest."""
    figures = {}
    request.node.measured = figures

    def note(name, value):
        figures[name] = max(value, figures.get(name, value))

    return note


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" or not report.passed and report.when == "setup":
        figures = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                            for name, value in getattr(item, "measured", {}).items())
        rows.append((item.path.stem.removeprefix("test_"), item.name.removeprefix("test_"), report.outcome, figures))
    return report


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("conformance")
    titled = [("subject", "check", "outcome", "measured"), *rows]
    widths = [max(len(row[i]) for row in titled) for i in range(3)]
    for row in titled:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        terminalreporter.write_line("  ".join([*cells, row[3]]).rstrip())
    if table.rows:
        terminalreporter.section(f"figures, {len(os.sched_getaffinity(0))} threads; theirs: {table.peer}")
        for line in table.lines():
            terminalreporter.write_line(line)
