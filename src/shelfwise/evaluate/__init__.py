"""Evaluation: scores of a model's answers, where it is wrong, and a report that a shop can read."""

from __future__ import annotations

from shelfwise.evaluate.metrics import Scores, score
from shelfwise.evaluate.outcome import Outcome, PromiseOutcome
from shelfwise.evaluate.report import write_report

__all__ = ["Outcome", "PromiseOutcome", "Scores", "score", "write_report"]
