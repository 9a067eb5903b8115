#!/usr/bin/env python3
"""Answers of one GGUF file to many at a time: ours, llama-server's, and ours one at a time.

    python bench/scenarios/serving_against_llama_server.py build/release/quern LLAMA_SERVER MODEL.gguf...

Prompts of random tokens and answers have mixed lengths, from a half to one and a half of what is said; all servers get the
same, in turns, over streams. The load is made on the same cores. Prints generated tokens per second, and the median time to
the first token.
"""
import argparse
import asyncio
import os
import statistics
import time

from serving import Server, ask_all, quern, requests

WANTED = {1: 1.3, 8: 1.4, 32: 1.5}  # times the tokens/s of llama-server


def servers(options, model, clients):
    slots = options.prompt * 3 // 2 + options.generate * 3 // 2 + 32
    ours = ["--context", slots, "--cache-tokens", slots * clients]
    yield "quern", quern(options.quern, model, options.threads, *ours, "--sequences", clients)
    yield "llama-server", Server([options.llama_server, "-m", model, "-t", options.threads, "-np", clients, "-c", slots * clients,
                                  "--no-webui", "--cache-ram", 0, "--no-warmup"], options.threads)
    if clients == max(options.clients) and clients > 1:
        yield "quern, one at a time", quern(options.quern, model, options.threads, *ours, "--sequences", 1)


def measure(server, options, clients, seed):
    """Tokens per second, and the median of the first tokens' times."""
    bodies = requests(seed, options.requests or max(4, clients * 3 // 2), options.prompt, options.generate, options.vocabulary)
    start = time.monotonic()
    answers = asyncio.run(ask_all(server.port, bodies, clients))
    seconds = time.monotonic() - start
    for body, answer in zip(bodies, answers):
        if answer.status != 200 or answer.tokens != body["max_tokens"]:
            raise RuntimeError(f"status {answer.status}, {answer.tokens} tokens of {body['max_tokens']}: {answer.body[:300]}")
    return sum(answer.tokens for answer in answers) / seconds, statistics.median(answer.first for answer in answers)


def compare(options, model):
    print(f"\n{model}: {options.threads} threads, {options.rounds} rounds in turns, prompts of about {options.prompt} tokens, "
          f"answers of about {options.generate}")
    print(f"{'clients':>7}  {'server':22}{'tokens/s':>9}{'first token':>13}{'ratio':>8}  wanted")
    for clients in options.clients:
        results = {}
        for seed in range(options.rounds):
            for name, server in servers(options, model, clients):
                with server:
                    asyncio.run(ask_all(server.port, requests(99, 1, 16, 4, options.vocabulary), 1))  # warms up
                    results.setdefault(name, []).append(measure(server, options, clients, seed))
        medians = {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in results.items()}
        ours, first = medians["quern"]
        for name, (rate, time_to_first) in medians.items():
            wanted = "" if name == "quern" else 3.0 if "time" in name else WANTED.get(clients, "")
            ratio = ours / rate
            missed = [] if not wanted or ratio >= wanted else ["missed"]
            if name == "llama-server" and first > time_to_first:
                missed.append("first token later")
            print(f"{clients:7}  {name:22}{rate:9.1f}{1e3 * time_to_first:10.0f} ms{'' if name == 'quern' else f'{ratio:.2f}':>8}  "
                  f"{f'{wanted}x' if wanted else '':6}{', '.join(missed)}".rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern")
    parser.add_argument("llama_server")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("-c", "--clients", default=[1, 8, 32], type=lambda text: [int(word) for word in text.split(",")])
    parser.add_argument("-p", "--prompt", type=int, default=128, help="tokens")
    parser.add_argument("-n", "--generate", type=int, default=64, help="tokens")
    parser.add_argument("--requests", type=int, default=0, help="of each test; 0: three for two clients, at least 4")
    parser.add_argument("--vocabulary", type=int, default=30000, help="tokens that prompts are drawn from")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    for model in options.models:
        compare(options, model)


if __name__ == "__main__":
    main()
