"""The program under test."""

import json
import os
import subprocess
from pathlib import Path

TIMEOUT = 120  # seconds for one command


def settings(values):
    """{"model.layers": 2} as the arguments --set model.layers=2."""
    words = []
    for key, value in values.items():
        words += ["--set", f"{key}={json.dumps(value) if isinstance(value, (bool, list)) else value}"]
    return words


class Quern:
    """quern("tokenizer", "info", folder) runs the command and gives its standard output; fails where it fails."""

    def __init__(self, path):
        self.path = str(Path(path).resolve())
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("QUERN_")}
        self.environment |= {"OMP_NUM_THREADS": "1"}  # what runs here is tiny

    def __call__(self, *arguments, stdin=""):
        command = [self.path, *map(str, arguments)]
        result = subprocess.run(command, input=stdin.encode(), capture_output=True, env=self.environment, timeout=TIMEOUT)
        assert result.returncode == 0, f"{' '.join(command)}: status {result.returncode}\n{result.stderr.decode()}"
        return result.stdout.decode()

    def json(self, *arguments, stdin=""):
        """The same with --json, parsed."""
        return json.loads(self(*arguments, "--json", stdin=stdin))

    def json_lines(self, *arguments, rows):
        """Gives it `rows` as JSON lines on its standard input, and parses the lines of its output."""
        output = self(*arguments, stdin="".join(json.dumps(row) + "\n" for row in rows))
        return [json.loads(line) for line in output.split("\n")[:-1]]
