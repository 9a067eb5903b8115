#!/usr/bin/env python3
"""What prompts that begin alike cost: a system prompt shared by many requests, with the prefix cache and without.

    python bench/scenarios/serving_shared_prompt.py build/release/quern MODEL.gguf

Counts tokens of prompts that were computed, from /metrics. Wanted: 5 times less with the cache, and within 5 % of the ideal,
which computes the shared part once.
"""
import argparse
import asyncio
import os
import random
import statistics
import time

from serving import about, ask_all, completion, quern


def run(options, reuse):
    rng = random.Random(1)
    shared = [rng.randrange(1000, options.vocabulary) for _ in range(options.shared)]
    bodies = [completion(rng, about(rng, options.prompt), options.generate, options.vocabulary, cache_salt="all" if reuse else str(i))
              for i in range(options.requests)]
    own = sum(len(body["prompt"]) for body in bodies)
    for body in bodies:
        body["prompt"] = shared + body["prompt"]
    with quern(options.quern, options.model, options.threads, "--context", options.shared + 2 * options.prompt + options.generate,
               "--cache-tokens", 16384) as server:
        start = time.monotonic()
        answers = asyncio.run(ask_all(server.port, bodies, options.clients))
        seconds = time.monotonic() - start
        counters = server.counters()
    computed = counters["quern_prompt_tokens_total"] - counters["quern_reused_prompt_tokens_total"]
    first = statistics.median(answer.first for answer in answers)
    print(f"{'with' if reuse else 'without':8} the cache: {computed:.0f} of {counters['quern_prompt_tokens_total']:.0f} tokens of prompts computed, "
          f"{seconds:.1f} s, first token after {first:.2f} s", flush=True)
    return computed, own, [answer.text for answer in answers]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern")
    parser.add_argument("model")
    parser.add_argument("--shared", type=int, default=1000, help="tokens")
    parser.add_argument("--prompt", type=int, default=50, help="further tokens, about")
    parser.add_argument("--generate", type=int, default=8, help="tokens")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--vocabulary", type=int, default=30000, help="tokens that prompts are drawn from")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with_cache, own, texts = run(options, True)
    without, _, same = run(options, False)
    ideal = options.shared + own
    print(f"{without / with_cache:.1f} times less (wanted: 5{', missed' if without < 5 * with_cache else ''}); ideal {ideal} tokens, "
          f"{100 * (with_cache / ideal - 1):+.1f} % (wanted: within 5 %{', missed' if with_cache > 1.05 * ideal else ''}); "
          f"{sum(a == b for a, b in zip(texts, same))} of {len(texts)} answers are the same")


if __name__ == "__main__":
    main()
