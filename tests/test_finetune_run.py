"""`finetune` as a whole: every way of training, every modality, killed and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finetune_bases import clip_base, lesson, picture_base, settings, text_base
from shelfwise.catalogue.pictures import Picture
from shelfwise.errors import EncoderError
from shelfwise.features.encoders import EncoderOptions, open_text_encoder
from shelfwise.finetune import FinetunedClassifier, discard, finetune

OPTIONS = EncoderOptions(device="cpu", threads=1)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    makers = {"text": text_base, "picture": picture_base, "clip": clip_base}
    return {name: make(folder / name) for name, make in makers.items()}


@pytest.mark.parametrize("train", ["frozen", "last", "full", "lora"])
def test_every_way_of_training_gives_an_encoder(bases, tmp_path, train):
    given = settings(text=bases["text"], train=train, last_layers=1, epochs=10)
    report = finetune(lesson(), given, tmp_path / "out")
    width = open_text_encoder(f"hf:{tmp_path / 'out'}", OPTIONS).width

    assert width == 16
    assert report.best.val.weighted_f1 > (0 if train == "frozen" else 0.9)
    assert (report.trained < report.parameters / 2) == (train in ("frozen", "last", "lora"))
    assert not (tmp_path / ".out.training").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bf16"},
        {"sampling": "root", "loss_weights": "balanced", "logit_adjustment": 0.5, "label_smoothing": 0.1},
        {"contrastive": 0.5, "accumulate": 2, "batch": 4, "sampling": "balanced"},
        {"pooling": "cls"},
    ],
)
def test_options_learn_as_well(bases, tmp_path, options):
    plain = lesson()
    finetune(plain, settings(**{"text": bases["text"], "epochs": 12, **options}), tmp_path / "out")
    found, _ = FinetunedClassifier.open(str(tmp_path / "out"), OPTIONS).probabilities(plain.texts)

    assert (found.argmax(axis=1) == plain.y).mean() > 0.9


def test_pictures(bases, tmp_path):
    plain = lesson(30, texts=False, pictures=True)
    shown = [Picture("broken", data=b"GIF89a no"), None, *plain.pictures[2:]]
    report = finetune(
        replace(plain, pictures=shown), settings(picture=bases["picture"], epochs=10), tmp_path / "out"
    )

    assert report.best.val.accuracy > 0.9
    assert report.dropped == {"no usable picture": 2}
    assert sum(report.pictures_failed.values()) == 1
    assert report.products + report.validated == 28


@pytest.mark.parametrize("base", ["plain", "clip"])
def test_joint_with_missing_sides(bases, tmp_path, base):
    text, picture = ("clip", "clip") if base == "clip" else ("text", "picture")
    given = settings(text=bases[text], picture=bases[picture], width=12, epochs=12)
    plain = lesson(30, pictures=True)
    some = replace(plain, texts=["", *plain.texts[1:]], pictures=[*plain.pictures[:29], None])
    report = finetune(some, given, tmp_path / "out")
    found, known = FinetunedClassifier.open(str(tmp_path / "out"), OPTIONS).probabilities(
        some.texts, some.pictures
    )

    assert (found.argmax(axis=1) == some.y).mean() > 0.9
    assert known.all()
    assert report.modality == "joint"


SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from finetune_bases import lesson, settings
from shelfwise.finetune import checkpoints, finetune, loop
count = 0
def kill_at(module, name, number):
    given = getattr(module, name)
    def deadly(*args, **named):
        global count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return given(*args, **named)
    setattr(module, name, deadly)
kill_at({where}, {name!r}, {number})
finetune(lesson(), settings(**{given!r}), Path({output!r}))
"""


@pytest.mark.parametrize(
    ("where", "name", "number"), [("checkpoints", "_write_json", 4), ("loop.Loop", "_update", 9)]
)
def test_killed_and_run_again_it_ends_with_the_same_bytes(bases, tmp_path, where, name, number):
    given = {"text": bases["text"], "checkpoint_steps": 4, "train": "lora", "contrastive": 0.1}
    words = {"where": where, "name": name, "number": number, "given": given}
    script = SCRIPT.format(tests=str(Path(__file__).parent), output=str(tmp_path / "killed"), **words)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "killed").exists()
    assert any((tmp_path / ".killed.training").glob("step-*"))

    said = []
    finetune(lesson(), settings(**given), tmp_path / "killed", said.append)
    finetune(lesson(), settings(**given), tmp_path / "whole")

    assert any(line.startswith("goes on from step") for line in said)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def files(folder):
    """What is in a folder, but for the report, which tells the time."""
    names = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "training.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names}


def test_done_is_done(bases, tmp_path):
    given = settings(text=bases["text"], epochs=1)
    first = finetune(lesson(), given, tmp_path / "out")
    said = []

    assert finetune(lesson(), given, tmp_path / "out", said.append) == first
    assert "finished already" in said[-1]


def test_checkpoints_of_another_recipe_are_refused(bases, tmp_path):
    given = settings(text=bases["text"], epochs=1)
    folder = tmp_path / ".out.training"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"the settings": "other"}))
    with pytest.raises(EncoderError, match="the settings and the data and"):
        finetune(lesson(), given, tmp_path / "out")
    discard(tmp_path / "out")

    assert finetune(lesson(), given, tmp_path / "out").stopped == "epochs"


def test_tracker_is_told(bases, tmp_path):
    class Tracker:
        def __init__(self):
            self.told = []

        def metrics(self, values, step=None):
            self.told.append((step, dict(values)))

    tracker = Tracker()
    finetune(lesson(), settings(text=bases["text"], epochs=2), tmp_path / "out", tracker=tracker)

    assert [step for step, values in tracker.told if "val_macro_f1" in values] == [6, 12]


def test_fine_tuned_again(bases, tmp_path):
    finetune(lesson(), settings(text=bases["text"], epochs=6), tmp_path / "one")
    report = finetune(lesson(), settings(text=f"hf:{tmp_path / 'one'}", epochs=1), tmp_path / "two")

    assert report.curves[0].val.accuracy > 0.8
    with pytest.raises(EncoderError, match="base model"):
        finetune(lesson(), settings(text=f"hf:{tmp_path / 'one'}", epochs=1), tmp_path / "one")


TWO = """
import os, sys
sys.path.insert(0, {tests!r})
from finetune_bases import lesson, settings
from shelfwise.finetune import finetune
finetune(lesson(), settings(**{given!r}), {output!r})
"""


def test_two_processes_learn_what_one_does(bases, tmp_path):
    given = {"text": bases["text"], "epochs": 4, "dropout": 0.0, "train": "frozen"}
    words = {"tests": str(Path(__file__).parent), "output": str(tmp_path / "two")}
    script = TWO.format(given={**given, "batch": 4}, **words)
    around = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(20000 + os.getpid() % 20000),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**around, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    one = finetune(lesson(), settings(**given, batch=8), tmp_path / "one")
    two = json.loads((tmp_path / "two" / "training.json").read_text())

    assert two["workers"] == 2
    assert [entry["val"]["loss"] for entry in two["curves"]] == pytest.approx(
        [entry.val.loss for entry in one.curves], abs=1e-4
    )
    assert np.isfinite(two["rate"])
