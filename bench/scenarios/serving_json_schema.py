#!/usr/bin/env python3
"""What an answer costs that must follow a JSON schema: time between tokens, with the schema and without, in turns.

    python bench/scenarios/serving_json_schema.py build/release/quern MODEL.gguf

Wanted: at most 5 % more. The first answer meets states of the schema that nobody has seen and computes their masks; later ones find them.
`grammar_bench` has the time of a mask.
"""
import argparse
import asyncio
import os
import statistics

from serving import ask, quern

SCHEMA = {"type": "array", "minItems": 20, "items": {
    "type": "object", "additionalProperties": False, "required": ["name", "age", "colour", "tags", "note"], "properties": {
        "name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "colour": {"enum": ["red", "green", "blue"]}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 4},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}}


async def between_tokens(server, seed, options, form):
    """Seconds, on average, from the first token of an answer to the last."""
    # Temperature 1: answers wander through the schema.
    body = {"model": "", "prompt": "A list of people, as JSON:\n", "max_tokens": options.generate, "temperature": 1, "seed": seed, "stream": True,
            "ignore_eos": True, "stream_options": {"include_usage": True}} | form
    answer = await ask(server.port, body)
    if answer.status != 200 or answer.tokens < options.generate // 2:
        raise RuntimeError(f"status {answer.status}, {answer.tokens} tokens: {answer.body[:300]}")
    return (answer.end - answer.first) / (answer.tokens - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern")
    parser.add_argument("model")
    parser.add_argument("--generate", type=int, default=200, help="tokens")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "people", "schema": SCHEMA}}}
    plain, formed = [], []
    with quern(options.quern, options.model, options.threads, "--context", 1024) as server:
        asyncio.run(between_tokens(server, 0, options, {}))
        for seed in range(options.rounds):
            plain.append(asyncio.run(between_tokens(server, seed, options, {})))
            formed.append(asyncio.run(between_tokens(server, seed, options, form)))
    usual = statistics.median(plain)
    later = statistics.median(formed[1:])
    overhead = 100 * (later / usual - 1)
    print(f"{1e3 * usual:.2f} ms between tokens without a schema; with one {1e3 * formed[0]:.2f} ms in the first answer "
          f"({100 * (formed[0] / usual - 1):+.1f} %), {1e3 * later:.2f} ms later ({overhead:+.1f} %; wanted: at most 5 %"
          f"{', missed' if overhead > 5 else ''})")


if __name__ == "__main__":
    main()
