#!/usr/bin/env python3
"""Many streams at once, held open by clients that wait for long and read slowly.

    python bench/scenarios/serving_slow_streams.py build/release/quern MODEL.gguf [--streams 1000]

All ask at the same moment, and again as soon as they are answered; the engine answers 64 at a time, so that most streams are
silent until it is their turn. As many again by half take in a piece every two seconds. Wanted: less than 300 MB beyond model and cache; every text whole, and the same as alone.
"""
import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time

from serving import Answer, ask_all, post, quern, read_chunk, read_events, read_head, requests

SEQUENCES, CACHE_TOKENS = 64, 8192


async def stream(port, body, pause, end):
    """The answer of a stream that is read with pauses between its pieces until `end`, and from then on as it comes."""
    start, answer, pending = time.monotonic(), Answer(), b""
    reader, writer = await post(port, "/v1/completions", body)
    answer.status, _ = await read_head(reader)
    while data := await read_chunk(reader):
        pending = read_events(answer, pending + data.replace(b"\r\n", b"\n"), start)
        await asyncio.sleep(max(0, min(end - time.monotonic(), pause)))
    writer.close()
    return answer


async def hold(server, bodies, texts, options):
    """Streams until the time is over, as many as there are clients: what they were and how they ended, and the most memory."""
    end = time.monotonic() + options.seconds
    outcomes, most, least_open = {"right": 0, "mixed up": 0, "lost": 0}, 0, options.streams

    async def client(index):
        pause = 0 if index < options.streams else 2
        while time.monotonic() < end:
            number = index % len(bodies)
            index += 7
            try:
                answer = await stream(server.port, bodies[number], pause, end)
                outcomes["lost" if answer.status != 200 else "right" if answer.text == texts[number] else "mixed up"] += 1
            except (OSError, asyncio.IncompleteReadError):
                outcomes["lost"] += 1

    clients = asyncio.gather(*(client(index) for index in range(options.streams * 3 // 2)))
    while not clients.done():
        await asyncio.wait([clients], timeout=5)
        most = max(most, server.status_kib("VmRSS"))
        open_now = (await asyncio.to_thread(server.counters))["quern_http_connections"] - 1  # that asks for them
        if time.monotonic() < end:
            least_open = min(least_open, open_now)
        print(f"{options.seconds + time.monotonic() - end:4.0f} s: {open_now:.0f} connections, {most / 1024:.1f} MiB", flush=True)
    await clients
    return outcomes, most, least_open


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
    wanted = 2 * options.streams
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    bodies = requests(1, 100, 12, options.generate, options.vocabulary)
    fill = requests(2, CACHE_TOKENS // 300 + 1, 300, 2, options.vocabulary)
    with quern(options.quern, options.model, options.threads, "--sequences", SEQUENCES, "--queue", 2 * options.streams, "--context", 512,
               "--cache-tokens", CACHE_TOKENS) as server:
        opened = server.status_kib("VmRSS")
        asyncio.run(ask_all(server.port, fill, 4))  # every block of the cache has been used
        filled = server.status_kib("VmRSS")
        texts = [answer.text for answer in asyncio.run(ask_all(server.port, bodies, 1))]
        outcomes, most, least_open = asyncio.run(hold(server, bodies, texts, options))
    cache = cache_mb(options)
    beyond = (most - opened) * 1024 / 1e6 - cache
    print(f"at least {least_open:.0f} of {options.streams} streams open; " + ", ".join(f"{count} {name}" for name, count in outcomes.items()))
    print(f"resident: {opened * 1024 / 1e6:.0f} MB with the model opened, {filled * 1024 / 1e6:.0f} with {cache:.0f} MB of cache used, "
          f"{most * 1024 / 1e6:.0f} at most: {beyond:.0f} MB beyond model and cache (wanted: under 300{', missed' if beyond >= 300 else ''})")
    sys.exit(outcomes["lost"] + outcomes["mixed up"] > 0)


if __name__ == "__main__":
    main()
