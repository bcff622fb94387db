"""Weights & Biases for real, offline: the run's folder read back, and no process left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from shelfwise.track.wandb import mode

pytest.importorskip("wandb", reason="the extra wandb is not installed")

CODE = """
import json, os
from pathlib import Path
from shelfwise.track import open_trackers
from PIL import Image
Path("model").mkdir()
Path("model/model.json").write_text("{}")
Image.new("RGB", (4, 4)).save("matrix.png")
with open_trackers(["wandb:shop"]) as tracker:
    tracker.begin("run", {"text": {"cost": 0.8}}, "f" * 64, {"a": "b"})
    tracker.metrics({"accuracy": 0.75})
    tracker.curve("reliability", {40: 0.5, 90: 0.9})
    tracker.curve("loss", {0: 3.0, 1: 2.0})
    tracker.text("notes", "careful")
    tracker.figure("confusion_level_1", Path("matrix.png"))
    tracker.model(Path("model"))
    places = tracker.places
assert tracker.notes == [], tracker.notes
stats = [path.read_text().rpartition(")") for path in Path("/proc").glob("[0-9]*/stat")]
children = [before for before, _, after in stats if after.split()[1] == str(os.getpid())]
print(json.dumps([places["wandb"], children]))
"""


def records(path):
    """Records of a run's file: blocks of chunks (LevelDB's log), each after checksum, size and kind."""
    data, at, record = path.read_bytes(), 7, b""  # after the header
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last chunk
            yield record
            record = b""


def history(folder):
    """Configuration, rows and summary of an offline run."""
    from wandb.proto import wandb_internal_pb2

    config, rows, summary = {}, [], {}
    for data in records(next(folder.glob("*.wandb"))):
        record = wandb_internal_pb2.Record.FromString(data)
        for item in record.run.config.update:
            config[item.key] = json.loads(item.value_json)
        for item in record.summary.update:
            summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        if record.HasField("history"):
            rows.append(
                {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
            )
    return config, rows, summary


@pytest.mark.filterwarnings("ignore::DeprecationWarning:wandb")
def test_offline_run_holds_everything_and_leaves_no_process(tmp_path):
    from pathlib import Path

    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment |= {f"WANDB_{name}_DIR": str(tmp_path / name) for name in ("DATA", "CACHE", "CONFIG")}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    place, children = json.loads(done.stdout)
    config, rows, summary = history(Path(place))

    assert Path(place).parent == tmp_path / "wandb"
    assert children == []  # where there is a /proc
    assert config["text"] == {"cost": 0.8}
    assert config["data_sha256"] == "f" * 64
    assert [(row["step"], row["reliability"]) for row in rows if "reliability" in row] == [
        (40, 0.5),
        (90, 0.9),
    ]
    assert [(row["step"], row["loss"]) for row in rows if "loss" in row] == [(0, 3.0), (1, 2.0)]
    assert (summary["accuracy"], summary["notes"]) == (0.75, "careful")
    assert len(list(Path(place).glob("files/media/images/confusion_level_1*.png"))) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "offline"),
        ({"WANDB_API_KEY": "k"}, "online"),
        ({"WANDB_MODE": "online"}, "online"),
        ({"WANDB_API_KEY": "k", "WANDB_MODE": "offline"}, "offline"),
        ({"WANDB_MODE": "disabled"}, "disabled"),
    ],
)
def test_offline_unless_there_is_a_key_or_it_is_asked_for(monkeypatch, environment, expected):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert mode() == expected
