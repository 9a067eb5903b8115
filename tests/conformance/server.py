"""The program as a server."""

import re
import subprocess
import urllib.request


class Server:
    """`with Server(quern, model, ...) as server`: server.url answers. Arguments are those of quern serve."""

    def __init__(self, quern, *arguments):
        self.command = [quern.path, "serve", *map(str, arguments), "--port", "0"]
        self.environment = quern.environment

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True, env=self.environment)
        said = ""
        for line in self.process.stderr:
            said += line
            if found := re.search(r"listening on (http://[^;\s]+)", line):
                self.url = found[1]
                urllib.request.urlopen(f"{self.url}/health", timeout=30).close()
                return self
        raise AssertionError(f"{' '.join(self.command)} ended with {self.process.wait()}\n{said}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            assert self.process.wait(timeout=60) == 0
        finally:
            self.process.kill()
            self.process.stderr.close()
