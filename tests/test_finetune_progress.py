"""Which epoch is the best, and a progress that comes back from JSON as it was."""

from __future__ import annotations

import json

from shelfwise.finetune.measures import Measures
from shelfwise.finetune.progress import Progress


def closed(progress, f1, loss, monitor="weighted_f1"):
    progress.loss, progress.rows = 3.0, 2
    return progress.close_epoch(Measures(loss, 0.5, f1, f1 / 2), 1e-5, monitor)


def test_best_epoch_and_patience():
    progress = Progress(8)

    assert [closed(progress, f1, loss) for f1, loss in [(0.5, 1), (0.6, 2), (0.6, 1.5), (0.4, 0.1)]] == [
        True,
        True,
        True,
        False,
    ]
    assert (progress.best_epoch, progress.since, progress.epoch) == (3, 1, 4)
    assert progress.curves[0].train_loss == 1.5
    assert (progress.loss, progress.rows) == (0, 0)


def test_monitor_loss():
    progress = Progress(8)

    assert [closed(progress, f1, loss, "loss") for f1, loss in [(0.5, 1), (0.6, 2)]] == [True, False]


def test_without_validation_the_last_epoch_is_kept():
    progress = Progress(8)
    for _ in range(3):
        assert progress.close_epoch(None, 1e-5, "weighted_f1")

    assert progress.best_epoch == 3


def test_there_and_back():
    progress = Progress(8, scaler={"scale": 2.0}, notes=["n"])
    closed(progress, 0.123456789, 1 / 3)

    assert Progress.from_dict(json.loads(json.dumps(progress.to_dict()))) == progress
