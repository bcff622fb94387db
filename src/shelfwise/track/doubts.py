"""The doubts of a tracked audit: kept in its run, and found again by the id of the run or of the model's."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shelfwise.track.mlflow import DOUBTS, DOUBTS_FILE, fetch_doubts
from shelfwise.track.model import copies_kept, run_of

if TYPE_CHECKING:
    from shelfwise.audit import Audit
    from shelfwise.track.tracker import Tracker, Trackers


@dataclass(frozen=True)
class TrackedDoubts:
    """Doubts out of a run: the file, the model that was audited ("" = none is known), and the run's id."""

    path: Path
    model: str
    run: str


def record_audit(tracker: Tracker | Trackers, found: Audit, output: Path) -> None:
    """Record what an audit found: counts, shares of kinds of error, notes and the doubts file.

    Metrics are `audit/products`, `audit/doubted` (a half and more), `audit/expected_wrong`, `audit/rows`,
    `audit/unlabelled`, `audit/empty`, `audit/unreadable` and `share/KIND`.
    """
    report, doubts = found.report, found.doubts
    values: dict[str, float] = {
        "audit/products": doubts.height,
        "audit/doubted": int((doubts["doubt"] >= 0.5).sum()),
        "audit/expected_wrong": found.expected,
        **{f"audit/{name}": getattr(report, name) for name in ("rows", "unlabelled", "empty", "unreadable")},
        **{f"share/{kind}": share for kind, share in found.shares.items()},
    }
    tracker.metrics(values)
    if report.notes:
        tracker.text("notes", "\n".join(report.notes))
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / DOUBTS
        kept.mkdir()
        shutil.copyfile(output, kept / DOUBTS_FILE)
        tracker.artifact(kept)


def resolve_doubts(where: str) -> TrackedDoubts:
    """Find the doubts that mlflow:RUN_ID names: of an audit, or the latest about the model of a training.

    The run is looked up at MLFLOW_TRACKING_URI, or in `mlflow.db` in the current folder. What lies on another
    machine is copied to a temporary folder, which is removed when the program ends.

    Raises
    ------
    MissingExtraError
        MLflow is not installed.
    ModelError
        No store, no such run, or nothing was audited in it; says how to make doubts.

    """
    run = run_of(where)
    with copies_kept() as into:
        path, model = fetch_doubts(run, into)
        return TrackedDoubts(path, model, run)
