"""The loop: it learns, stops in time, and deals with what gives way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from finetune_bases import lesson, settings, text_base
from shelfwise.errors import EncoderError
from shelfwise.finetune.batches import Batches
from shelfwise.finetune.checkpoints import Checkpoints
from shelfwise.finetune.lesson import prepare
from shelfwise.finetune.loop import Hooks, Loop
from shelfwise.finetune.network import build_network
from shelfwise.finetune.workers import Workers

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return text_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def make(base, tmp_path):
    def loop(rows=60, **given):
        chosen = settings(text=base, **given)
        plain = lesson(rows)
        network = build_network(chosen, 3)
        batches = Batches(plain, prepare(plain, "text", 0.2, 0, 1), network.towers, 0, 1)
        said, logged = [], []
        hooks = Hooks(said.append, lambda values, step: logged.append((step, values)))
        made = Loop(chosen, network, batches, Workers.start(chosen), hooks)
        made.said, made.logged = said, logged
        return made

    return loop


def trained(loop, folder):
    progress = loop.run(Checkpoints(folder, {"run": "1"}))
    return progress, {name: one.detach().clone() for name, one in loop.network.trained().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_keeps_the_best_epoch(make, tmp_path):
    loop = make(epochs=8)
    progress, _ = trained(loop, tmp_path / "c")
    scores = [entry.val.weighted_f1 for entry in progress.curves]
    rows, logits = loop.logits(loop.batches.material.val)

    assert max(scores) > 0.9
    assert progress.stopped == "epochs"
    assert progress.curves[0].train_loss > progress.curves[-1].train_loss
    assert (logits.argmax(axis=1) == loop.batches.lesson.y[rows]).mean() == pytest.approx(
        progress.curves[progress.best_epoch - 1].val.accuracy
    )
    assert [values["val_accuracy"] for _, values in loop.logged if "val_accuracy" in values] == [
        entry.val.accuracy for entry in progress.curves
    ]


def test_patience(make, tmp_path):
    progress, _ = trained(
        make(epochs=30, patience=2, learning_rate=1e-9, head_learning_rate=1e-9), tmp_path / "c"
    )

    assert progress.stopped == "patience"
    assert progress.epoch < 30


def test_minutes(make, tmp_path):
    loop = make(epochs=1000, minutes=0.01)
    progress, _ = trained(loop, tmp_path / "c")

    assert progress.stopped == "minutes"
    assert 0.6 <= progress.seconds < 10
    assert loop._rate() < 0.01


def test_accumulated_batches_are_one_step(make, tmp_path):
    kept = {"dropout": 0.0, "epochs": 1}
    frozen = {**kept, "train": "frozen"}
    _, whole = trained(make(batch=8, accumulate=1, **frozen), tmp_path / "a")
    _, parts = trained(make(batch=2, accumulate=4, **frozen), tmp_path / "b")

    assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in whole)


def test_memory_that_runs_out_halves_the_batch_and_not_the_step(make, tmp_path, monkeypatch):
    loop = make(epochs=1, batch=8, dropout=0.0, train="frozen")
    _, expected = trained(loop, tmp_path / "a")
    loop = make(epochs=1, batch=8, dropout=0.0, train="frozen")
    forward = loop.network.module.forward

    def small(batch):
        if len(batch["y"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(batch)

    monkeypatch.setattr(loop.network.module, "forward", small)
    progress, found = trained(loop, tmp_path / "b")

    assert progress.batch == 2
    assert "batches of 2 now, 4 to a step" in progress.notes[-1]
    assert progress.step == 6
    assert all(torch.allclose(expected[name], found[name], atol=1e-5) for name in expected)


def test_memory_too_small_for_one_product_is_an_error(make, tmp_path, monkeypatch):
    loop = make(batch=2)

    def never(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop.network.module, "forward", never)
    with pytest.raises(EncoderError, match="batches of 1"):
        trained(loop, tmp_path / "c")


def spoil(loop, monkeypatch, while_above):
    """Make losses no numbers from step 8 on while the learning rate is above a share of its highest."""
    given = loop.run

    def run(checkpoints):
        loss = None

        def spoilt(*args):
            value = loss(*args)
            bad = loop.progress.step >= 7 and 0.5**loop.progress.halvings > while_above
            return value * math.nan if bad else value

        begin = loop._begin

        def wrapped():
            nonlocal loss
            loss, loop.loss = loop.loss, spoilt
            begin()

        monkeypatch.setattr(loop, "_begin", wrapped)
        return given(checkpoints)

    monkeypatch.setattr(loop, "run", run)
    return loop


def test_a_loss_that_is_no_number_goes_back_and_slower(make, tmp_path, monkeypatch):
    loop = spoil(make(epochs=2), monkeypatch, 0.6)
    progress, found = trained(loop, tmp_path / "c")

    assert progress.halvings == 1
    assert "loss of step 8 is not a finite number: back from step 7 to step 6" in progress.notes[0]
    assert progress.notes[0] in loop.said
    assert progress.step == 12
    assert all(np.isfinite(one.numpy()).all() for one in found.values())


def test_a_loss_that_stays_no_number_is_an_error(make, tmp_path, monkeypatch):
    with pytest.raises(EncoderError, match="learning_rate"):
        trained(spoil(make(epochs=2), monkeypatch, 0.0), tmp_path / "c")


def test_infinite_gradients_do_not_reach_the_weights(make, tmp_path, monkeypatch):
    loop = make(epochs=2)
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils,
        "clip_grad_norm_",
        lambda *given: torch.tensor(math.inf) if loop.progress.halvings == 0 else clip(*given),
    )
    progress, found = trained(loop, tmp_path / "c")

    assert "gradient of step 1 is not finite" in progress.notes[0]
    assert all(np.isfinite(one.numpy()).all() for one in found.values())


class Stopped(Exception):
    """As a kill would."""


@pytest.mark.parametrize("after", [1, 4, 6, 7, 11])
def test_stopped_anywhere_it_goes_on_to_the_same_bits(make, tmp_path, monkeypatch, after):
    given = {"epochs": 2, "checkpoint_steps": 3, "sampling": "balanced", "dropout": 0.3}
    whole, expected = trained(make(**given), tmp_path / "a")
    loop = make(**given)
    update = loop._update

    def dying():
        if loop.progress.step == after:
            raise Stopped
        update()

    monkeypatch.setattr(loop, "_update", dying)
    with pytest.raises(Stopped):
        trained(loop, tmp_path / "b")
    resumed = make(**given)
    progress, found = trained(resumed, tmp_path / "b")

    assert same(expected, found)
    assert progress.curves == whole.curves
    assert after < 3 or any("goes on from step" in line for line in resumed.said)


def test_trained_to_the_end_it_is_not_trained_again(make, tmp_path):
    first, expected = trained(make(), tmp_path / "c")
    again, found = trained(make(), tmp_path / "c")

    assert again.step == first.step
    assert same(expected, found)


def test_without_validation(make, tmp_path):
    loop = make(rows=6, epochs=2)
    loop.batches.material.val.resize(0, refcheck=False)
    progress, _ = trained(loop, tmp_path / "c")

    assert progress.best_epoch == 2
    assert progress.curves[-1].val is None
