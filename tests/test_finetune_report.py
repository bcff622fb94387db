"""A report comes back from JSON as it was."""

from __future__ import annotations

import json

from shelfwise.finetune.measures import Measures
from shelfwise.finetune.report import EpochScores, FinetuneReport


def test_there_and_back():
    curves = (
        EpochScores(1, 0.5, Measures(0.4, 0.9, 0.8, 0.7), 1e-5),
        EpochScores(2, 0.4, None, 3e-6),
    )
    plain = {"curves": curves, "notes": ("a",), "examples": ("b",), "dropped": {"x": 1}}
    words = dict.fromkeys(("output", "modality", "stopped", "device", "precision"), "w")
    numbers = dict.fromkeys(("products", "validated", "classes", "workers", "trained", "parameters"), 1)
    report = FinetuneReport(
        base={"text": "hf:x"}, best_epoch=1, seconds=1.0, rate=2.0, **plain, **words, **numbers
    )

    assert FinetuneReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.best.val.accuracy == 0.9
