"""What the scenarios of servers share: starting one, asking it over HTTP/1.1 with many requests at a time, and its counters.
The standard library alone."""
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import time
import urllib.request


class Server:
    """`with Server(command, threads) as server`: runs the program until the end; `port` is added to the command."""

    def __init__(self, command, threads):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.command = [*map(str, command), "--port", str(self.port)]
        self.environment = os.environ | {"OMP_NUM_THREADS": str(threads)}

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                self.get("/health")
                return self
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise RuntimeError(f"{' '.join(self.command)} does not answer")
            time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.status = self.process.wait(timeout=60)
        finally:
            self.process.kill()

    def get(self, path):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60).read().decode()

    def counters(self):
        """Values of /metrics by name, those of one name added up."""
        values = {}
        for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", self.get("/metrics"), re.MULTILINE):
            values[name] = values.get(name, 0) + float(value)
        return values

    def status_kib(self, name):
        """A line of /proc/PID/status: VmRSS, VmHWM."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(rf"{name}:\s+(\d+)", file.read())[1])


def quern(program, model, threads, *options):
    return Server([program, "serve", model, "--threads", threads, "-q", *options], threads)


class Answer:
    """What came: the status, the text in pieces, when the first of them and the end came in seconds, and tokens of it."""

    def __init__(self):
        self.status, self.text, self.first, self.end, self.tokens, self.body = 0, "", None, None, 0, b""


async def post(port, path, body, headers=()):
    """A connection of its own, its request sent: (reader, writer)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(payload)}",
            "Connection: close", *headers]
    writer.write("\r\n".join([*head, "", ""]).encode() + payload)
    await writer.drain()
    return reader, writer


async def read_head(reader):
    """The status, and whether the body comes in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
    return int(head.split(" ", 2)[1]), "chunked" in head.lower()


async def read_chunk(reader):
    """Of a chunked body; empty at its end."""
    size = int((await reader.readline()).split(b";")[0], 16)
    data = await reader.readexactly(size)
    await reader.readexactly(2)
    return data


def read_events(answer, pending, start):
    """Takes whole events off `pending`."""
    while b"\n\n" in pending:
        event, _, pending = pending.partition(b"\n\n")
        if not event.startswith(b"data: {"):
            continue
        data = json.loads(event[6:])
        for choice in data.get("choices", ()):
            piece = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
            if answer.first is None and (piece or choice.get("finish_reason")):
                answer.first = time.monotonic() - start
            answer.text += piece
        if data.get("usage"):
            answer.tokens = data["usage"]["completion_tokens"]
    return pending


async def ask(port, body, path="/v1/completions"):
    """One request, streamed if it says so."""
    start, answer, pending = time.monotonic(), Answer(), b""
    reader, writer = await post(port, path, body)
    try:
        answer.status, chunked = await read_head(reader)
        while chunked and (data := await read_chunk(reader)):
            answer.body += data
            pending = read_events(answer, pending + data.replace(b"\r\n", b"\n"), start)
        if not chunked:
            answer.body = await reader.read()
    finally:
        writer.close()
    answer.end = time.monotonic() - start
    return answer


async def ask_all(port, bodies, clients, path="/v1/completions"):
    """Clients that ask again as soon as they are answered."""
    answers, waiting = [None] * len(bodies), iter(enumerate(bodies))

    async def client():
        for index, body in waiting:
            answers[index] = await ask(port, body, path)

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


def completion(rng, prompt, generate, vocabulary, **fields):
    """A streamed answer of exactly so many tokens to random tokens."""
    return {"model": "", "prompt": [rng.randrange(1000, vocabulary) for _ in range(prompt)], "max_tokens": generate, "temperature": 0,
            "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}} | fields


def about(rng, count):
    """From a half to one and a half of it."""
    return rng.randint(max(1, count // 2), count + count // 2)


def requests(seed, count, prompt, generate, vocabulary, **fields):
    rng = random.Random(seed)
    return [completion(rng, about(rng, prompt), about(rng, generate), vocabulary, **fields) for _ in range(count)]
