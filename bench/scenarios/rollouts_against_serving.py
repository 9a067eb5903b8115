#!/usr/bin/env python3
"""Tokens/s of the answers that a model gives while it learns from them (task grpo), beside those of the same engine alone
(`quern bench serve`), as many at a time and as long, in turns.

    bench/scenarios/rollouts_against_serving.py build/release/quern MODEL.gguf [--adapter lora|none] [--dtype bf16]

The weights are those of MODEL.gguf in --dtype: what learns is what answers. A round waits for the longest of its answers;
the engine alone is given one round of requests, too. Its prompts are all different, and those of a round come in groups.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

WORDS = "mill stone grain water wheel turns slowly while bread is baked and eaten near the river".split()


def rollouts(options, work, folder):
    """Median tokens/s of the rounds but the first, and the mean length of their answers."""
    run = Path(tempfile.mkdtemp(dir=work)) / "run"
    settings = {"task": "grpo", "from": folder, "examples": work / "prompts.jsonl", "out": run,
                "adapter.method": options.adapter, "grpo.group": options.group, "rollout.max_tokens": options.tokens,
                "rollout.texts_as_messages": "false", "rewards.regex.weight": 1, "rewards.regex.pattern": "the",
                "train.batch": options.batch // options.group, "train.steps": options.rounds + 1, "train.lr": 1e-6,
                "train.sequence": 4 * options.tokens, "train.dtype": options.dtype, "train.log_every": 1,
                "train.eval_every": 0, "train.save_every": 0}
    command = [options.quern, "train", "-q", "--threads", options.threads]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["kind"] == "train"][1:]
    return (statistics.median(row["generated_per_second"] for row in rows),
            statistics.mean(row["answer_tokens"] for row in rows), statistics.mean(row["generate_share"] for row in rows))


def alone(options, folder, tokens):
    command = [options.quern, "bench", "serve", folder, "--json", "-q", "--dtype", options.dtype, "-c", options.batch, "-r", options.batch,
               "-p", 16, "-n", round(tokens), "--sequences", options.batch, "--threads", options.threads]
    output = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)["tests"][0]["tokens_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("quern")
    parser.add_argument("model")
    parser.add_argument("--adapter", choices=["lora", "none"], default="none")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--batch", type=int, default=32, help="answers at a time")
    parser.add_argument("--group", type=int, default=4, help="answers to each prompt")
    parser.add_argument("--tokens", type=int, default=64, help="of an answer, at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        generator = random.Random(3)
        with open(work / "prompts.jsonl", "w") as file:
            for _ in range(options.batch * (options.rounds + 1)):
                print(json.dumps({"prompt": " ".join(generator.choice(WORDS) for _ in range(14))}), file=file)
        folder = work / "folder"
        subprocess.run([options.quern, "convert", options.model, "--to", "hf", "--dtype", options.dtype, "-o", folder, "-q"],
                       check=True, stdout=subprocess.DEVNULL)
        ours, theirs, shares = [], [], []
        for _ in range(options.turns):
            rate, tokens, share = rollouts(options, work, folder)
            ours.append(rate)
            shares.append(share)
            theirs.append(alone(options, folder, tokens))
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"{options.batch} answers of {tokens:.0f} tokens, {options.dtype}, adapter: {options.adapter}, {options.threads} threads: "
              f"{statistics.median(ours):.1f} tokens/s of rollouts, {statistics.median(theirs):.1f} of the engine alone, "
              f"{ratio:.2f}x (wanted: 0.9); answers take {100 * statistics.mean(shares):.0f} % of a step")


if __name__ == "__main__":
    main()
