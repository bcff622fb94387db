"""Tracking: what went into a run and what came of it, kept where a team looks (MLflow, TensorBoard, W&B).

One interface over three stores, each an extra. `open_trackers` takes what `--track` was given,
`record_training` and `record_evaluation` say what there is to say about a model, and `resolve_model` finds
the model folder of a tracked run again.
"""

from __future__ import annotations

from shelfwise.track.model import resolve_model
from shelfwise.track.record import record_evaluation, record_training
from shelfwise.track.tracker import Tracker, Trackers, open_trackers

__all__ = ["Tracker", "Trackers", "open_trackers", "record_evaluation", "record_training", "resolve_model"]
