#!/usr/bin/env python3
"""Stops pulls in every way, and asks for the bytes of the file.

A hub on the loopback sends a file slowly. kill -9 after random numbers of bytes, then the same command, again and again until it is
done; Ctrl-C, which must say how to go on and exit with the status of its class; two pulls of one source at once, of which
the second is told. Numbers come from a fixed seed.

Usage: interrupted_pull.py QUERN
"""

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CANCELLED, CONFLICT = 7, 11  # exit statuses (src/base/error.cpp)
PIECE = 16 << 10
# A file without tensors and metadata, and something behind it.
CONTENT = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + random.Random(1).randbytes(1 << 20)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
LISTING = {"sha": "c0ffee", "siblings": [{"rfilename": "Tiny.Q8_0.gguf", "size": len(CONTENT), "lfs": {"sha256": DIGEST}}]}


class Hub(BaseHTTPRequestHandler):
    delay = 0.005  # seconds per piece
    sent = 0  # bytes of the file, over all requests
    open = threading.Event()  # while it is not set, only the first half of the file is sent

    def do_GET(self):
        if self.path.startswith("/api/"):
            self.answer(200, json.dumps(LISTING).encode(), {})
            return
        first = int(self.headers.get("Range", "bytes=0-")[6:-1])
        extra = {"Content-Range": f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"} if first else {}
        self.answer(206 if first else 200, CONTENT[first:], {"ETag": '"v1"', **extra})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for begin in range(0, len(body), PIECE):
                if begin >= len(CONTENT) // 2:
                    Hub.open.wait(60)
                self.wfile.write(body[begin:begin + PIECE])
                Hub.sent += len(body[begin:begin + PIECE])
                time.sleep(self.delay if len(body) > PIECE else 0)
        except OSError:
            pass  # the client was killed

    def log_message(self, *_):
        pass


class Bench:
    def __init__(self, program, folder, endpoint):
        self.program, self.folder = program, folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUERN_", "HF_", "OMP_"))}
        self.environment = kept | {"HF_ENDPOINT": endpoint, "HF_TOKEN_PATH": "/nonexistent", "no_proxy": "*"}

    def start(self, store, *arguments):
        return subprocess.Popen([self.program, *arguments], env=self.environment | {"QUERN_HOME": str(self.folder / store)},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def pull(self, store):
        return self.start(store, "pull", "hf:org/repo:Q8_0")

    def part_size(self, store):
        return sum(p.stat().st_size for p in (self.folder / store).rglob("*.part"))

    def expect_whole(self, store, how):
        files = list((self.folder / store / "models").rglob("*.gguf"))
        if len(files) != 1 or files[0].read_bytes() != CONTENT:
            raise SystemExit(f"{how}: the model is not what the hub has: {files}")
        left = list((self.folder / store / "partial").iterdir())
        if left:
            raise SystemExit(f"{how}: something is left of the pull: {left}")


def expect(process, status, *words):
    output, errors = process.communicate(timeout=60)
    if process.returncode != status:
        raise SystemExit(f"{process.args}: expected exit status {status}, got {process.returncode}\n{output}{errors}")
    for word in words:
        if word not in output + errors:
            raise SystemExit(f"{process.args}: the output does not say '{word}':\n{output}{errors}")


def wait_for_part(bench, store):
    deadline = time.monotonic() + 30
    while bench.part_size(store) < 2 * PIECE and time.monotonic() < deadline:
        time.sleep(0.002)


def kill_until_done(bench, rng):
    Hub.sent = 0
    kills = 0
    while True:
        process = bench.pull("killed")
        until = Hub.sent + rng.randrange(12) * PIECE
        while process.poll() is None and Hub.sent < until:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        if process.poll() is not None:
            expect(process, 0)
            break
        process.kill()
        process.communicate()
        kills += 1
        if (bench.folder / "killed/models").exists() and list((bench.folder / "killed/models").rglob("*.gguf")):
            break  # killed after the model had its name
        if kills > 300:
            raise SystemExit("no progress")
    expect(bench.pull("killed"), 0)  # whatever the last kill left
    bench.expect_whole("killed", f"killed {kills} times")
    print(f"killed {kills} times; the hub sent {Hub.sent / len(CONTENT):.2f} times the file")


def interrupt(bench):
    Hub.open.clear()
    process = bench.pull("interrupted")
    wait_for_part(bench, "interrupted")
    process.send_signal(signal.SIGINT)
    expect(process, CANCELLED, "the same command goes on")
    Hub.open.set()
    before = bench.part_size("interrupted")
    if before == 0:
        raise SystemExit("Ctrl-C: what came is lost")
    expect(bench.start("interrupted", "list"), 0, "unfinished", "hf:org/repo:Q8_0")
    Hub.sent = 0
    expect(bench.pull("interrupted"), 0, "tiny-q8_0")
    if Hub.sent > len(CONTENT) - before + PIECE:
        raise SystemExit(f"Ctrl-C: the hub had to send {Hub.sent} bytes again, where {before} were there")
    bench.expect_whole("interrupted", "Ctrl-C")


def two_at_once(bench):
    Hub.open.clear()
    first = bench.pull("shared")
    wait_for_part(bench, "shared")
    expect(bench.pull("shared"), CONFLICT, "is being pulled by another process")
    Hub.open.set()
    expect(first, 0)
    bench.expect_whole("shared", "two at once")


def main():
    program = Path(sys.argv[1]).resolve()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    Hub.open.set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(program, Path(folder), f"http://127.0.0.1:{server.server_port}")
        kill_until_done(bench, random.Random(20))
        interrupt(bench)
        two_at_once(bench)
    server.shutdown()


if __name__ == "__main__":
    main()
