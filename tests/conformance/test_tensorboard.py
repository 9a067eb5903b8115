"""What a run wrote to RUN/tensorboard, read by TensorBoard."""

import json
import shutil
import struct

import pytest
from program import settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from texts import prose

STEPS = 12


@pytest.fixture(scope="module")
def run(quern, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "text.txt").write_text(prose())
    quern("tokenizer", "train", "--input", folder / "text.txt", "--vocab-size", 300, "--out", folder / "tokenizer")
    values = {"out": folder / "out", "tokenizer": folder / "tokenizer", "data.inputs": folder / "text.txt",
              "data.validation": 0.2, "data.split": "tail", "model.layers": 1, "model.heads": 2, "model.hidden": 32,
              "train.steps": STEPS, "train.batch": 2, "train.sequence": 64, "train.log_every": 1, "train.eval_every": 4,
              "train.save_every": 4, "train.sample_every": 6, "sample.max_tokens": 10}
    arguments = settings(values)
    quern("train", *arguments)
    return folder / "out", arguments


def single(value):
    """As a 32-bit float, which is what an event holds."""
    return struct.unpack("f", struct.pack("f", value))[0]


def check(run, measured):
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    expected, texts = {}, {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        kind, step, time = row.pop("kind"), row.pop("step"), row.pop("time")
        if kind == "sample":
            texts[step] = row["prompt"] + row["text"]
            continue
        for name, value in row.items():
            expected.setdefault(f"{kind}/{name}", []).append((step, time, value))
    assert sorted(tags["scalars"]) == sorted(expected)
    for tag, rows in expected.items():
        found = [(event.step, event.wall_time, event.value) for event in events.Scalars(tag)]
        assert found == [(step, pytest.approx(time), single(value)) for step, time, value in rows], tag
    found = {event.step: event.tensor_proto.string_val[0].decode(errors="replace") for event in events.Tensors("sample")}
    assert found == texts
    measured("scalars", sum(map(len, expected.values())))
    measured("texts", len(texts))


def test_has_every_metric(run, measured):
    check(run[0], measured)


def test_has_every_metric_once_after_a_resume(quern, run, measured):
    """The run loses its last checkpoint, as when it was killed, and goes over the same steps again."""
    out, arguments = run
    shutil.rmtree(max((out / "checkpoints").iterdir(), key=lambda path: path.stat().st_mtime))
    quern("train", *arguments, "--resume")
    check(out, measured)
