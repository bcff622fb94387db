"""`finetune`: from a lesson and base models to an encoder folder, going on where an earlier run stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from shelfwise.errors import MissingExtraError
from shelfwise.features.encoders import EncoderOptions
from shelfwise.finetune.batches import Batches
from shelfwise.finetune.checkpoints import Checkpoints, checkpoint_folder
from shelfwise.finetune.folder import Result, check_output, finished, write_result
from shelfwise.finetune.lesson import Lesson, Material, prepare
from shelfwise.finetune.loop import Hooks, Loop
from shelfwise.finetune.measures import best_temperature
from shelfwise.finetune.network import Network, build_network
from shelfwise.finetune.progress import Progress
from shelfwise.finetune.report import FinetuneReport
from shelfwise.finetune.settings import FinetuneSettings
from shelfwise.finetune.workers import Workers


class MetricsTracker(Protocol):
    """The part of a tracker that is used here."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Note named numbers of a step."""


def finetune(
    lesson: Lesson,
    settings: FinetuneSettings,
    output: str | os.PathLike[str],
    notify: Callable[[str], None] | None = None,
    tracker: MetricsTracker | None = None,
) -> FinetuneReport:
    """Fine-tune base models on a lesson and write the result as an encoder folder.

    Run again after it was stopped in whatever way, it goes on from the last checkpoint; run again after it
    was done, it only returns the report.

    Parameters
    ----------
    lesson
        Products to learn from.
    settings
        Base models, and how to train them.
    output
        The folder to write; checkpoints lie beside it in `.NAME.training` until it is done.
    notify
        Told how it goes, line by line.
    tracker
        Given the loss and the learning rate every few seconds and the scores of every epoch.

    Raises
    ------
    EncoderError
        A base model cannot be used, the output folder is taken, checkpoints are of another training, memory
        is too small, or the loss is not a number.
    LabelError, RecipeError
        There is nothing to tell apart; the lesson lacks what the model reads.
    MissingExtraError
        torch or transformers is not installed.

    """
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError:
        raise MissingExtraError("fine-tuning", "finetune") from None
    say = notify or (lambda text: None)
    where = Path(os.path.abspath(output))
    check_output(where, [])
    threads = EncoderOptions(threads=settings.threads).cores
    if settings.modality != "text":
        say("looking at the pictures")
    material = prepare(lesson, settings.modality, settings.validation, settings.seed, threads)
    workers = Workers.start(settings)
    network = build_network(settings, len(lesson.classes))
    check_output(where, [tower.folder for tower in network.towers.values()])
    run = _identity(settings, material, network, workers)
    if report := finished(where, run):
        Checkpoints(checkpoint_folder(where), run).remove()
        say(f"{where} is finished already")
        return report
    batches = Batches(lesson, material, network.towers, settings.seed, threads)
    hooks = Hooks(say, lambda values, step: tracker.metrics(values, step) if tracker is not None else None)
    loop = Loop(settings, network, batches, workers, hooks)
    progress = loop.run(Checkpoints(checkpoint_folder(where), run))
    report = _report(loop, progress, where)
    temperature = _temperature(loop)
    if workers.main:
        write_result(where, network, Result(lesson.classes, temperature, run, report))
        loop.checkpoints.remove()
    workers.wait()
    return report


def _identity(
    settings: FinetuneSettings, material: Material, network: Network, workers: Workers
) -> dict[str, str]:
    """What decides the result: a checkpoint of anything else is of no use."""
    bases = {f"the {side} base model": tower.fingerprint for side, tower in network.towers.items()}
    return {
        "the settings": settings.digest(),
        "the data": material.digest,
        **bases,
        "the number of processes": str(workers.count),
    }


def _temperature(loop: Loop) -> float:
    """What makes the classifier's probabilities fit what is held out; 1 without it."""
    val = loop.batches.material.val
    if not len(val):
        return 1.0
    rows, logits = loop.logits(val)
    return best_temperature(logits, loop.batches.lesson.y[rows])


def _report(loop: Loop, progress: Progress, output: Path) -> FinetuneReport:
    material, settings, workers = loop.batches.material, loop.settings, loop.workers
    trained, parameters = loop.network.counts()
    notes = [*material.notes, *progress.notes]
    if loop.batches.lost:
        notes.append(
            f"{len(loop.batches.lost):,} pictures could be read at first and no longer while training"
        )
    return FinetuneReport(
        output=str(output),
        modality=settings.modality,
        base={side: tower.spec for side, tower in loop.network.towers.items()},
        products=len(material.train),
        validated=len(material.val),
        classes=len(loop.batches.lesson.classes),
        curves=tuple(progress.curves),
        best_epoch=progress.best_epoch,
        stopped=progress.stopped,
        seconds=round(progress.seconds, 3),
        rate=round(progress.products / max(progress.seconds, 1e-9), 3),
        device=str(workers.device),
        precision=workers.precision,
        workers=workers.count,
        trained=trained,
        parameters=parameters,
        dropped=dict(material.dropped),
        pictures_failed=dict(material.pictures_failed),
        examples=material.examples,
        notes=tuple(notes),
    )
