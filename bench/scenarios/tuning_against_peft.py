#!/usr/bin/env python3
"""Tuning a LoRA adapter of rank 16 on every linear map, ours and PEFT's in turns: tokens/s and the most memory held.

    PEER/bin/python bench/scenarios/tuning_against_peft.py build/release/quern MODEL.gguf [--dtype bf16] [--steps 6]

MODEL.gguf is the model of a chat (SmolLM2-135M-Instruct, say); its weights in 16 bits are tuned by both, the file as it is,
quantised, by ours alone, and a folder in NF4 with double quantisation by ours and, where bitsandbytes is there, by PEFT (QLoRA;
wanted: a third of the memory of PEFT in 16 bits); ours also with train.checkpointing, where blocks are computed again on
the way back. Each step reads --rows rows of --sequence tokens that are all learnt; the first step of a run does not count.
The Python needs torch, transformers and peft.
"""
import argparse
import importlib.util
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def peer(options, folder):
    """Runs in a process of its own: its memory is what it held at most."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[options.dtype]
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=dtype),
                           LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"))
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4, weight_decay=0.0)
    seconds = []
    for _ in range(options.steps):
        ids = torch.randint(0, 40000, (options.rows, options.sequence))
        start = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
    rate = options.rows * options.sequence / statistics.median(seconds[1:])
    print(json.dumps({"rate": rate, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def theirs(options, folder):
    command = [sys.executable, __file__, options.quern, options.model, "--peer", folder, "--dtype", options.dtype,
               "--rows", options.rows, "--sequence", options.sequence, "--steps", options.steps, "--threads", options.threads]
    output = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    result = json.loads(output.splitlines()[-1])
    return result["rate"], result["memory"]


def ours(options, work, base, checkpointing=False):
    run = Path(tempfile.mkdtemp(dir=work))
    settings = {"task": "sft", "from": base, "examples": work / "examples", "out": run / "run", "train.steps": options.steps,
                "train.batch": options.rows, "train.micro_batch": options.rows, "train.sequence": options.sequence,
                "train.dtype": options.dtype, "train.checkpointing": str(checkpointing).lower(), "train.log_every": 1, "train.eval_every": 0, "train.save_every": 0}
    command = [options.quern, "train", "-q", "--threads", options.threads]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("quern train failed")
    rows = [json.loads(line) for line in (run / "run/metrics.jsonl").read_text().splitlines()]
    rates = [row["tokens_per_second"] for row in rows if row["kind"] == "train"]
    return statistics.median(rates[1:]), usage.ru_maxrss * 1024


def prepare(options, work):
    """Rows that take a whole sequence each: repeated until they are too long, and then cut."""
    generator = random.Random(3)
    words = "mill stone grain water wheel turns slowly while bread is baked and eaten near the river".split()
    with open(work / "rows.jsonl", "w") as file:
        for _ in range(options.rows * options.steps):
            text = " ".join(generator.choice(words) for _ in range(2 * options.sequence))
            print(json.dumps({"prompt": "The", "completion": " " + text}), file=file)
    command = [options.quern, "data", "prepare", "-q"]
    settings = {"inputs": work / "rows.jsonl", "tokenizer": options.model, "out": work / "examples", "too_long": "truncate",
                "max_length": options.sequence + 1}
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    folder = work / "folder"
    subprocess.run([options.quern, "convert", options.model, "--to", "hf", "--dtype", "bf16" if options.dtype == "bf16" else "f32",
                    "-o", folder, "-q"], check=True, stdout=subprocess.DEVNULL)
    nf4 = work / "nf4"
    subprocess.run([options.quern, "quantize", folder, "--type", "nf4", "-o", nf4, "-q"], check=True, stdout=subprocess.DEVNULL)
    return folder, nf4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("quern")
    parser.add_argument("model")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--sequence", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options, options.peer)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folder, nf4 = prepare(options, work)
        runs = {"quern": [], "quern, checkpointing": [], "quern, quantised": [], "quern, quantised, checkpointing": [],
                "quern, NF4": [], "quern, NF4, checkpointing": [], "PEFT": []}
        if importlib.util.find_spec("bitsandbytes"):
            runs["PEFT, NF4"] = []
        for _ in range(options.rounds):
            runs["quern"].append(ours(options, work, folder))
            runs["PEFT"].append(theirs(options, folder))
            runs["quern, checkpointing"].append(ours(options, work, folder, True))
            runs["quern, quantised"].append(ours(options, work, options.model))
            runs["quern, quantised, checkpointing"].append(ours(options, work, options.model, True))
            runs["quern, NF4"].append(ours(options, work, nf4))
            runs["quern, NF4, checkpointing"].append(ours(options, work, nf4, True))
            if "PEFT, NF4" in runs:
                runs["PEFT, NF4"].append(theirs(options, nf4))
        rate = {name: statistics.median(r for r, _ in values) for name, values in runs.items()}
        memory = {name: statistics.median(m for _, m in values) for name, values in runs.items()}
        print(f"LoRA of rank 16, {options.rows} rows of {options.sequence} tokens, {options.dtype}, {options.threads} threads")
        for name in runs:
            print(f"{name:32}{rate[name]:9.1f} tokens/s{rate[name] / rate['PEFT']:7.2f}x"
                  f"{memory[name] / 2**20:9.0f} MiB{memory[name] / memory['PEFT']:7.2f}x")
        print("wanted: at least 1.5x the tokens/s and 0.5x the memory; quantised, 0.33x the memory")


if __name__ == "__main__":
    main()
