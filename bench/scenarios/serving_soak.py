#!/usr/bin/env python3
"""A server under thousands of short requests: some leave in the middle, some are nonsense, some come in bursts over its limits.

    python bench/scenarios/serving_soak.py build/release/quern MODEL.gguf [--requests 20000]

Wanted: it stays up, its resident size is flat within 2 % after warming up, every block of the cache is returned, and its
counters add up to what was sent. Fails where the counters do not, or the server ends. Ends by itself.
"""
import argparse
import asyncio
import collections
import json
import os
import random
import sys
import time

from serving import ask, completion, post, quern, read_head

QUEUE, SEQUENCES = 32, 16
NONSENSE = [b"", b"{", b"[]", b"null", b'{"prompt": 3}', b'{"prompt": "x", "max_tokens": -1}', b'{"prompt": "x", "temperature": "hot"}',
            b'{"prompt": "\xff\xfe"}', b'{"prompt": ["a", 1]}', b'{"prompt": [1, -7]}', b'{"messages": 5}', b"\0" * 100,
            b'{"prompt": "x", "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nothing"}}}}',
            b"[" * 5000, json.dumps({"prompt": "word " * 5000}).encode()]


class Soak:
    def __init__(self, server, vocabulary, seed):
        self.server, self.vocabulary, self.rng = server, vocabulary, random.Random(seed)
        self.outcomes = collections.Counter()
        self.tokens = 0  # of answers that came whole

    def body(self):
        rng = self.rng
        body = completion(rng, rng.randint(1, 24), rng.randint(1, 8), self.vocabulary, stream=rng.random() < 0.5)
        if not body["stream"]:
            del body["stream_options"]
        if rng.random() < 0.1:
            body["prompt"] = [5] * 40 + body["prompt"]  # begins as others do
        return body

    async def answered(self):
        body = self.body()
        answer = await ask(self.server.port, body)
        if answer.status == 200:
            tokens = answer.tokens if body.get("stream") else json.loads(answer.body)["usage"]["completion_tokens"]
            if tokens != body["max_tokens"]:
                raise RuntimeError(f"{tokens} tokens of {body['max_tokens']}: {answer.body[-300:]}")
            self.tokens += tokens
        self.outcomes[answer.status] += 1

    async def nonsense(self):
        path = self.rng.choice(["/v1/completions", "/v1/chat/completions", "/tokenize"])
        answer = await ask(self.server.port, self.rng.choice(NONSENSE), path)
        self.outcomes["nonsense", answer.status // 100] += 1
        if answer.status // 100 not in (2, 4, 5):
            raise RuntimeError(f"status {answer.status} for nonsense")

    async def leaves(self):
        """Before the answer, or in the middle of it."""
        body = self.body() | {"max_tokens": 60}
        reader, writer = await post(self.server.port, "/v1/completions", body)
        if self.rng.random() < 0.6 and body.get("stream"):
            status, _ = await read_head(reader)
            if status == 200:
                await reader.read(self.rng.randint(1, 400))
        else:
            await asyncio.sleep(self.rng.random() * 0.05)
        writer.transport.abort()
        self.outcomes["left"] += 1

    async def burst(self, count):
        """More at once than may wait."""
        await asyncio.gather(*(self.answered() for _ in range(count)))

    async def run(self, requests, clients):
        left = requests

        async def client():
            nonlocal left
            while left > 0:
                kind = self.rng.random()
                left -= 1
                try:
                    await (self.nonsense() if kind < 0.15 else self.leaves() if kind < 0.35 else self.answered())
                except (ConnectionError, asyncio.IncompleteReadError) as error:
                    self.outcomes[f"broken off: {type(error).__name__}"] += 1

        await asyncio.gather(*(client() for _ in range(clients)))

    async def settled(self):
        """The counters once nothing runs any more."""
        end = time.monotonic() + 30
        while True:
            counters = await asyncio.to_thread(self.server.counters)
            busy = counters["quern_requests_running"] + counters["quern_requests_waiting"]
            if not busy or time.monotonic() > end:
                return counters
            await asyncio.sleep(0.1)


async def soak(server, options):
    run = Soak(server, options.vocabulary, options.seed)
    total, burst = options.requests, QUEUE + SEQUENCES + 16
    step = max(2 * burst, total // 40)
    sent, sizes, start, problems = 0, [], time.monotonic(), []
    while sent < total and time.monotonic() - start < options.seconds:
        await run.run(step - burst, options.clients)
        await run.burst(burst)
        sent += step
        counters = await run.settled()
        sizes.append(server.status_kib("VmRSS"))
        print(f"{sent:6} requests, {time.monotonic() - start:4.0f} s, {sizes[-1] / 1024:.1f} MiB resident, "
              f"{counters['quern_kv_blocks_available']:.0f} of {counters['quern_kv_blocks']:.0f} blocks available", flush=True)
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with {server.process.returncode}")
        if counters["quern_kv_blocks_available"] != counters["quern_kv_blocks"]:
            problems.append(f"after {sent} requests {counters['quern_kv_blocks'] - counters['quern_kv_blocks_available']:.0f} blocks are held")
    print(", ".join(f"{name}: {count}" for name, count in sorted(run.outcomes.items(), key=str)))
    if sum(run.outcomes.values()) != sent:
        problems.append(f"{sum(run.outcomes.values())} outcomes of {sent} requests")
    if any(str(name).startswith("broken off") for name in run.outcomes):
        problems.append("connections were broken off")
    if counters["quern_generated_tokens_total"] < run.tokens:
        problems.append(f"{counters['quern_generated_tokens_total']:.0f} tokens counted, {run.tokens} came")
    if counters["quern_http_requests_total"] + counters["quern_http_refused_total"] < sent - run.outcomes["left"]:
        problems.append(f"{counters['quern_http_requests_total']:.0f} requests counted")
    warm = sizes[len(sizes) // 4:]  # after the first quarter
    growth = 100 * (max(warm) - warm[0]) / warm[0]
    print(f"resident size after warming up: {warm[0] / 1024:.1f} to {max(warm) / 1024:.1f} MiB, {growth:+.2f} % "
          f"(wanted: flat within 2 %{', missed' if growth > 2 else ''})")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern")
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=900, help="to end after, whatever was sent")
    parser.add_argument("--vocabulary", type=int, default=30000, help="tokens that prompts are drawn from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with quern(options.quern, options.model, options.threads, "--sequences", SEQUENCES, "--queue", QUEUE, "--context", 256,
               "--cache-tokens", 8192) as server:
        problems = asyncio.run(soak(server, options))
    if server.status != 0:
        problems.append(f"the server ended with {server.status}")
    for problem in problems:
        print(f"failed: {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
