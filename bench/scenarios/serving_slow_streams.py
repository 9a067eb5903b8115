#!/usr/bin/env python3
"""Many streams at once, held open by clients that wait for long and read slowly.

    python bench/scenarios/serving_slow_streams.py build/release/quern MODEL.gguf [--streams 1000]

All ask at the same moment; the engine answers 64 at a time, so that most wait, and clients take in a few bytes now and then
until the time is over. Wanted: less than 300 MB beyond model and cache; every text whole, and the same as alone.
"""
import argparse
import asyncio
import os
import random
import resource
import subprocess
import json
import sys
import time

from serving import Answer, ask_all, post, quern, read_chunk, read_events, read_head, requests

SEQUENCES, CACHE_TOKENS = 64, 16384


async def slow_stream(port, body, rng, end):
    """The text of a stream that is read in small pieces until `end`, and from then on as it comes."""
    start, answer, pending = time.monotonic(), Answer(), b""
    reader, writer = await post(port, "/v1/completions", body)
    answer.status, _ = await read_head(reader)
    while data := await read_chunk(reader):
        pending = read_events(answer, pending + data.replace(b"\r\n", b"\n"), start)
        left = end - time.monotonic()
        if left > 0:
            await asyncio.sleep(min(left, rng.expovariate(1 / 3)))
    answer.end = time.monotonic()
    writer.close()
    return answer


async def hold(server, bodies, options):
    rng = random.Random(2)
    end = time.monotonic() + options.seconds
    most, done = 0, False

    async def watch():
        nonlocal most
        while not done:
            most = max(most, server.status_kib("VmRSS"))
            open_now = (await asyncio.to_thread(server.counters))["quern_http_connections"]
            print(f"{options.seconds - (end - time.monotonic()):4.0f} s: {open_now:.0f} connections, {most / 1024:.1f} MiB", flush=True)
            await asyncio.sleep(10)

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(*(slow_stream(server.port, body, rng, end) for body in bodies), return_exceptions=True)
    done = True
    most = max(most, server.status_kib("VmRSS"))
    held = sum(1 for answer in answers if isinstance(answer, Answer) and answer.end >= end)
    watching.cancel()
    return answers, most, held


def cache_mb(options):
    about = json.loads(subprocess.run([options.quern, "inspect", options.model, "--json"], check=True, capture_output=True).stdout)
    [positions] = (value for key, value in about["metadata"].items() if key.endswith(".context_length"))
    return about["cache_bytes_of_full_context"]["f16"] / positions * CACHE_TOKENS / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern")
    parser.add_argument("model")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--generate", type=int, default=16, help="tokens of an answer, about")
    parser.add_argument("--vocabulary", type=int, default=30000, help="tokens that prompts are drawn from")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    wanted = options.streams + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    distinct = requests(1, 100, 12, options.generate, options.vocabulary)
    bodies = [distinct[i % len(distinct)] for i in range(options.streams)]
    with quern(options.quern, options.model, options.threads, "--sequences", SEQUENCES, "--queue", options.streams, "--context", 512,
               "--cache-tokens", CACHE_TOKENS) as server:
        opened = server.status_kib("VmRSS")
        alone = [answer.text for answer in asyncio.run(ask_all(server.port, distinct, 1))]
        answers, most, held = asyncio.run(hold(server, bodies, options))
    texts = [answer.text if isinstance(answer, Answer) else None for answer in answers]
    lost = sum(1 for answer in answers if not isinstance(answer, Answer) or answer.status != 200)
    mixed = sum(1 for i, text in enumerate(texts) if text is not None and text != alone[i % len(distinct)])
    cache = cache_mb(options)
    beyond = (most - opened) * 1024 / 1e6 - cache
    print(f"{options.streams} streams, {held} of them open for {options.seconds:.0f} s; {lost} lost, {mixed} not as alone")
    print(f"resident: {opened * 1024 / 1e6:.0f} MB with the model opened, {most * 1024 / 1e6:.0f} MB at most, of it at most {cache:.0f} MB of cache: "
          f"{beyond:.0f} to {beyond + cache:.0f} MB beyond model and cache (wanted: under 300{', missed' if beyond >= 300 else ''})")
    sys.exit(lost + mixed > 0)


if __name__ == "__main__":
    main()
