"""Fine-tuning of text, picture and joint models, into an encoder folder that every other command takes.

`finetune(lesson, settings, output)` trains; `hf:OUTPUT` is then an encoder (a joint model: `joint:OUTPUT`, or
its sides `hf:OUTPUT/text` and `hf:OUTPUT/picture`), and `FinetunedClassifier.open(OUTPUT)` the classifier.
"""

from __future__ import annotations

from shelfwise.finetune.checkpoints import discard
from shelfwise.finetune.classifier import FinetunedClassifier
from shelfwise.finetune.lesson import Lesson
from shelfwise.finetune.report import EpochScores, FinetuneReport
from shelfwise.finetune.run import finetune
from shelfwise.finetune.settings import FinetuneSettings

__all__ = [
    "EpochScores",
    "FinetuneReport",
    "FinetuneSettings",
    "FinetunedClassifier",
    "Lesson",
    "discard",
    "finetune",
]
