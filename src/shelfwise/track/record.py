"""What is said about a model in a tracking store: how it was learned, how good it is, where it is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shelfwise.evaluate.confusion_picture import write_confusion
from shelfwise.evaluate.metrics import Headline, Scores
from shelfwise.evaluate.outcome import Outcome
from shelfwise.evaluate.reliability import measure_reliability
from shelfwise.track.tracker import Tracker, Trackers

_MOST_PICTURES = 4  # levels with a confusion picture: the first ones, and the last


def record_training(tracker: Tracker | Trackers, training: Mapping[str, Any], model: Path) -> None:
    """Record an account of training (`Training.to_dict`) and the model folder.

    Metrics are counts (`training/rows`, `training/learned`, ...), `out_of_fold/...` with one accuracy a
    level, `share/VIEW` and `seconds/STEP`; `promise/coverage` is a curve over the promised precision in per
    cent; notes are a text.
    """
    values: dict[str, float] = {
        f"training/{name}": value for name, value in training.items() if isinstance(value, int | float)
    }
    outside = training.get("out_of_fold", {})
    for name, value in outside.items():
        if isinstance(value, int | float):
            values[f"out_of_fold/{name}"] = value
    for depth, value in enumerate(outside.get("levels", []), 1):
        values[f"out_of_fold/level_{depth}/accuracy"] = value
    for name, value in training.get("view_weights", {}).items():
        values[f"share/{name}"] = value
    for name, value in training.get("timings", {}).items():
        values[f"seconds/{name}"] = value
    tracker.metrics(values)
    covered = {
        round(100 * promise["asked"]): promise["coverage"]
        for promise in training.get("promises", [])
        if promise.get("coverage") is not None
    }
    if covered:  # step: the promised precision in percent
        tracker.curve("promise/coverage", covered)
    if training.get("notes"):
        tracker.text("notes", "\n".join(training["notes"]))
    tracker.model(model)


def record_evaluation(
    tracker: Tracker | Trackers, outcome: Outcome, scores: Scores, report: Path | None = None
) -> None:
    """Record scores on every level, the reliability curve, confusion pictures and the report's folder.

    Metrics are `accuracy`, `weighted_f1`, `macro_f1`, `level_1/weighted_f1`, `by_view/VIEW/accuracy`,
    `top_3`, ... ; the steps of the curve `reliability` are confidence in percent.
    """
    tracker.metrics(_numbers(scores))
    tracker.curve("reliability", _reliability(outcome))
    depth = outcome.taxonomy.depth
    levels = sorted({*range(1, min(depth, _MOST_PICTURES - 1) + 1), depth})
    with tempfile.TemporaryDirectory() as folder:
        for level in levels:
            picture = Path(folder) / f"confusion_level_{level}.png"
            write_confusion(outcome, picture, level)
            tracker.figure(picture.stem, picture)
    if report is not None:
        tracker.artifact(report)


def _numbers(scores: Scores) -> dict[str, float]:
    precision, recall, f1 = scores.hierarchical
    numbers = {
        **_headline(scores.overall),
        "hierarchical_precision": precision,
        "hierarchical_recall": recall,
        "hierarchical_f1": f1,
        "calibration_error": scores.calibration.expected,
        "brier": scores.calibration.brier,
        "log_loss": scores.calibration.log_loss,
        **{f"top_{k}": value for k, value in scores.top_k.items()},
    }
    for level in scores.levels:
        numbers |= _headline(level.headline, f"level_{level.depth}/")
    for name, headline in scores.by_view.items():
        numbers |= _headline(headline, f"by_view/{name}/")
    if scores.promise is not None:
        kept = scores.promise.to_dict()
        numbers |= {f"promise/{k}": float(v) for k, v in kept.items() if isinstance(v, int | float)}
    return numbers


def _headline(headline: Headline, above: str = "") -> dict[str, float]:
    names = ("rows", "accuracy", "weighted_f1", "macro_f1")
    return {f"{above}{name}": getattr(headline, name) for name in names}


def _reliability(outcome: Outcome) -> dict[int, float]:
    """Share of right answers by mean confidence in percent; bins that round to the same are averaged."""
    bins = measure_reliability(outcome.sure, outcome.right)
    steps = np.round(100 * np.asarray(bins.confidence)).astype(int)
    rows, accuracy = np.asarray(bins.rows, float), np.asarray(bins.accuracy)
    return {
        int(step): float(np.average(accuracy[steps == step], weights=rows[steps == step]))
        for step in np.unique(steps)
    }
