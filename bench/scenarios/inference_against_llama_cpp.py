#!/usr/bin/env python3
"""Prompts and decoding of one GGUF file, ours and llama.cpp's in turns, so that both meet the same machine.

    python bench/scenarios/inference_against_llama_cpp.py build/release/quern LLAMA_BENCH MODEL.gguf...

Prints medians over the rounds, how far they reach, the ratio, and the share of the read bandwidth in the same rounds.
"""
import argparse
import json
import os
import statistics
import subprocess


def run(command, threads):
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)


def ours(options, model):
    """{(prompt, generate, depth): tokens/s}, bytes per token of decoding, and the read bandwidth."""
    result = run([options.quern, "bench", "infer", model, "-p", options.prompt, "-n", options.generate, "-d", options.depth,
                  "-r", "1", "--threads", str(options.threads), "--json", "-q"], options.threads)
    key = lambda test: (test["n_prompt"], test["n_gen"], test["n_depth"])
    return ({key(test): test["tokens_per_second"]["median"] for test in result["tests"]},
            {key(test): test.get("bytes_per_token") for test in result["tests"]}, result["read_bandwidth"]["median"])


def theirs(options, model):
    rows = run([options.llama_bench, "-m", model, "-p", options.prompt, "-n", options.generate, "-d", options.depth, "-r", "1",
                "-t", str(options.threads), "-o", "json"], options.threads)
    return {(row["n_prompt"], row["n_gen"], row["n_depth"]): row["avg_ts"] for row in rows}


def compare(options, model):
    rates, bandwidths, bytes_per_token = {}, [], {}
    for _ in range(options.rounds):
        mine, bytes_per_token, bandwidth = ours(options, model)
        bandwidths.append(bandwidth)
        peer = theirs(options, model)
        for test in mine:
            rates.setdefault(test, ([], []))
            rates[test][0].append(mine[test])
            rates[test][1].append(peer[test])
    bandwidth = statistics.median(bandwidths)
    print(f"\n{model}: {options.threads} threads, {options.rounds} rounds in turns, {bandwidth / 1e9:.1f} GB/s read")
    print(f"{'test':16}{'quern':>10}{'least':>9}{'most':>9}{'llama.cpp':>11}{'least':>9}{'most':>9}{'ratio':>8}  of the bandwidth")
    for test, (mine, peer) in rates.items():
        prompt, generate, depth = test
        name = (f"pp{prompt}" if prompt else f"tg{generate}") + (f" @ d{depth}" if depth else "")
        median, other = statistics.median(mine), statistics.median(peer)
        share = ""
        if bytes_per_token[test]:
            share = f"  {100 * median * bytes_per_token[test] / bandwidth:.0f} %, {100 * other * bytes_per_token[test] / bandwidth:.0f} %"
        print(f"{name:16}{median:10.1f}{min(mine):9.1f}{max(mine):9.1f}{other:11.1f}{min(peer):9.1f}{max(peer):9.1f}{median / other:8.2f}{share}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("quern")
    parser.add_argument("llama_bench")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("-p", "--prompt", default="512")
    parser.add_argument("-n", "--generate", default="128")
    parser.add_argument("-d", "--depth", default="0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    for model in options.models:
        compare(options, model)


if __name__ == "__main__":
    main()
