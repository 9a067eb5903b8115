#!/usr/bin/env python3
"""quern chat at a terminal: prompts, colours, pasted lines, and Ctrl-C during an answer.

Trains a tiny model, then talks to it through a pseudo-terminal.

Usage: chat_terminal.py QUERN SOURCE
"""

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAIT = 60  # seconds


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUERN_", "OMP_", "NO_COLOR"))}
    return kept | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "TERM": "xterm"} | more


class Terminal:
    def __init__(self, arguments, cwd, **more):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(arguments[0], arguments, environment(**more))

    def read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return ""
        try:
            text = os.read(self.fd, 65536).decode("utf-8", "replace")
        except OSError:
            return ""
        self.seen += text
        return text

    def until(self, *texts):
        """Waits until the texts have come one after the other, behind what earlier calls waited for."""
        deadline = time.monotonic() + WAIT
        for text in texts:
            while text not in self.seen:
                if time.monotonic() > deadline:
                    raise SystemExit(f"waited for {text!r} of {texts}, got: {self.seen!r}")
                self.read(0.5)
            self.seen = self.seen.partition(text)[2]

    def some(self):
        """Waits for more than has been waited for: the beginning of an answer."""
        deadline = time.monotonic() + WAIT
        while not self.seen:
            expect(time.monotonic() < deadline, "waited for an answer")
            self.read(0.5)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        self.type("\x04")
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise SystemExit(f"did not end: {self.seen!r}")


def expect(condition, what, seen=""):
    if not condition:
        raise SystemExit(f"{what}\n{seen!r}")


def talk(quern, folder):
    chat = Terminal([quern, "chat", "model", "-n", "8", "-t", "0"], folder)
    chat.until("/help lists commands", "> ")
    chat.type("one\n")
    chat.until("one\r\n", "(cut at 8 tokens", "> ")
    # Lines that come at once are one message.
    chat.type("two\nthree\n/save said.json\n")
    chat.until("(cut at 8 tokens", "> ")
    chat.type("/save said.json\n")
    chat.until("/save said.json\r\n", "> ")
    expect('"two\\nthree\\n/save said.json"' in (folder / "said.json").read_text(), "pasted lines are one message",
           (folder / "said.json").read_text())
    chat.type("/load absent.json\n")  # an error does not end the conversation
    chat.until("/load absent.json\r\n", "absent.json", "> ")
    expect(chat.end() == 0, "Ctrl-D ends the conversation")


def interrupt(quern, folder):
    # Only Ctrl-C ends this answer in time; the next message is answered, and stopped, again.
    chat = Terminal([quern, "chat", "model", "-n", "100000", "--ignore-eos"], folder)
    chat.until("Ctrl-D ends", "> ")
    for message in ("go\n", "again\n"):
        chat.type(message)
        chat.until(message.strip() + "\r\n")
        chat.some()
        chat.type("\x03")
        chat.until("^C", "\n> ")
    chat.type("\x03")  # at the prompt
    chat.until("(Ctrl-C again or Ctrl-D ends)", "> ")
    expect(chat.end() == 0, "the program goes on after Ctrl-C", chat.seen)
    chat = Terminal([quern, "chat", "model"], folder)
    chat.until("Ctrl-D ends", "> ")
    chat.type("\x03")
    chat.until("(Ctrl-C again or Ctrl-D ends)", "> ")
    chat.type("\x03")
    expect(chat.end() == 0, "Ctrl-C twice ends the conversation", chat.seen)


def colours(quern, folder):
    # A template that opens the reasoning: all of the answer is what the model thinks aloud.
    (folder / "think.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}<|end|><think>")
    arguments = [quern, "chat", "model", "-n", "4", "-m", "x", "--template", "think.jinja", "-q", "-t", "1"]
    dim = "\x1b[2m"
    for more, expected in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        chat = Terminal(arguments, folder, **more)
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline and os.waitpid(chat.pid, os.WNOHANG)[0] == 0:
            chat.read(0.1)
        while chat.read(0.1):
            pass
        expect((dim in chat.seen) == expected, f"dimmed reasoning with {more}: expected {expected}", chat.seen)
    piped = subprocess.run(arguments, cwd=folder, env=environment(), capture_output=True, text=True, timeout=WAIT)
    expect(dim not in piped.stdout + piped.stderr, "no colours in a pipe", piped.stdout + piped.stderr)


def main():
    quern, source = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "input.txt").write_text("".join(f"line {i * i} says that {i} times {i}\n" for i in range(300)))
        subprocess.run([quern, "make", f"{source}/tests/system/tiny.yaml", "--set", "data.path=input.txt",
                        "--set", "model.model.max_positions=20000", "-q"],
                       cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=WAIT)
        (folder / "model").symlink_to("runs/tiny/model/model")
        talk(quern, folder)
        interrupt(quern, folder)
        colours(quern, folder)


if __name__ == "__main__":
    main()
