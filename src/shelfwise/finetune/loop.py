"""The training loop: steps, checkpoints, validation, and what is done when a loss or the memory gives way.

The random numbers of a step follow from the seed and the step's number alone, and so does which products it
takes. A training that is killed and run again therefore goes on as if nothing had happened: on a processor,
to the bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError
from shelfwise.finetune.batches import Batches
from shelfwise.finetune.checkpoints import Checkpoints, read_tensors
from shelfwise.finetune.losses import Loss
from shelfwise.finetune.measures import Measures, measure
from shelfwise.finetune.network import Network
from shelfwise.finetune.optimizer import make_optimizer, optimizer_tensors, restore_optimizer
from shelfwise.finetune.progress import Progress
from shelfwise.finetune.sampling import epoch_order, share_of
from shelfwise.finetune.schedule import progress_of, rate_at
from shelfwise.finetune.settings import FinetuneSettings
from shelfwise.finetune.workers import Workers

HALVINGS = 2
"""How often the learning rate is halved when the loss is no longer a number."""
_SAY_SECONDS = 2.0
_SMALLEST_SCALE = 1e-3

Part = tuple[NDArray[np.int64], NDArray[np.float32]]


class Diverged(Exception):
    """The loss or its gradient is not a finite number."""


@dataclass
class Hooks:
    """Who is told: `say` a line for people, `log` named numbers of a step."""

    say: Callable[[str], None]
    log: Callable[[dict[str, float], int], None]


class Loop:
    """One training, from wherever its checkpoints are to its end."""

    def __init__(
        self, settings: FinetuneSettings, network: Network, batches: Batches, workers: Workers, hooks: Hooks
    ) -> None:
        self.settings, self.network, self.batches = settings, network, batches
        self.workers, self.hooks = workers, hooks
        self.progress = Progress(settings.batch)

    def run(self, checkpoints: Checkpoints) -> Progress:
        """Train to the end; the network then has the weights of the best epoch.

        Raises
        ------
        EncoderError
            The loss is not a number even at a smaller learning rate, memory is too small for one product, or
            a checkpoint cannot be written, is damaged, or belongs to another training.

        """
        self.checkpoints = checkpoints
        self.module = self.workers.wrapped(self.network.module)
        lesson, material = self.batches.lesson, self.batches.material
        self.y = lesson.y[material.train]
        counts = np.bincount(self.y, minlength=len(lesson.classes))
        self.loss = Loss.of(counts, self.settings, self.workers.device)
        self.optimizer = make_optimizer(self.network, self.settings)
        self.scaler = self.workers.scaler()
        self.per_step = self.settings.batch * self.settings.accumulate * self.workers.count
        self.steps = -(-len(self.y) // self.per_step)
        self._said, self._now = 0.0, 0.0
        self._begin()
        while not self.progress.stopped:
            try:
                self._epoch()
            except Diverged as error:
                self._go_back(str(error))
        self._take_best()
        return self.progress

    # Epochs and steps

    def _epoch(self) -> None:
        """The rest of the pass that is under way, and its validation."""
        settings, progress = self.settings, self.progress
        self.network.learn()
        order = epoch_order(self.y, settings.sampling, settings.seed, progress.epoch)
        rows = self.batches.material.train[order]
        steps = [rows[at : at + self.per_step] for at in range(0, len(rows), self.per_step)]
        at = progress.step - progress.epoch * self.steps
        while at < len(steps) and not progress.stopped:
            at = self._run(steps, at)
        better = progress.close_epoch(self._validate(), self._rate(), settings.monitor)
        if not progress.stopped and progress.epoch >= settings.epochs:
            progress.stopped = "epochs"
        elif not progress.stopped and settings.patience and progress.since >= settings.patience:
            progress.stopped = "patience"
        if better and self.workers.main:
            self.checkpoints.save_best(progress.epoch, self.network.trained())
        self._save()
        if self.workers.main:
            self.checkpoints.forget_others(progress.best_epoch)
        self._tell_epoch()

    def _run(self, steps: list[NDArray[np.int64]], first: int) -> int:
        """Steps from `first` on; which is the next, should memory run out before the last."""
        import torch

        todo = [(rows, self._parts(rows)) for rows in steps[first:]]
        augment = self.progress.epoch if self.settings.augment else -1
        with closing(self.batches.stream([part for _, parts in todo for part in parts], augment)) as stream:
            for at, (rows, parts) in enumerate(todo, first):
                began, short = time.monotonic(), False
                try:
                    loss = self._step(stream, len(parts), len(rows))
                except torch.OutOfMemoryError:
                    short = True  # dealt with below: here the error still holds on to the memory
                if short:
                    self._halve_batch()
                    return at
                self._count(loss, len(rows), time.monotonic() - began)
                if self.progress.stopped:
                    return at + 1
        return len(steps)

    def _parts(self, rows: NDArray[np.int64]) -> list[Part]:
        """One worker's part of a step, cut into batches that fit the memory."""
        own, weights = share_of(rows, self.workers.rank, self.workers.count)
        size = self.progress.batch
        return [(own[at : at + size], weights[at : at + size]) for at in range(0, len(own), size)]

    def _step(self, stream: Iterator[Any], parts: int, rows: int) -> float:
        """Learn from one step's products; the sum of their losses."""
        import torch

        settings, workers = self.settings, self.workers
        seeds = np.random.SeedSequence([settings.seed, self.progress.step, workers.rank])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        self._now = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self._now
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=workers.device)
        for at in range(parts):
            batch = workers.moved(next(stream))
            with workers.quietly(self.module, at + 1 < parts):
                with workers.autocast():
                    vectors, logits = self.module(batch)
                loss = self.loss(vectors, logits, batch["y"], batch["rows"])
                self.scaler.scale(loss * (workers.count / rows)).backward()
            total += loss.detach()
        summed = workers.total(float(total))
        if not math.isfinite(summed):
            raise Diverged(f"the loss of step {self.progress.step + 1} is not a finite number")
        self._update()
        return summed

    def _update(self) -> None:
        """Change the weights by the gradients, none longer than `clip`."""
        import torch

        self.scaler.unscale_(self.optimizer)
        weights = [one for group in self.optimizer.param_groups for one in group["params"]]
        length = float(torch.nn.utils.clip_grad_norm_(weights, self.settings.clip))
        overflow = not math.isfinite(length)
        if overflow and not self.scaler.is_enabled():
            raise Diverged(f"the gradient of step {self.progress.step + 1} is not finite")
        self.scaler.step(
            self.optimizer
        )  # leaves out a step that overflowed in fp16, and scales less from then on
        self.scaler.update()
        if overflow and self.scaler.get_scale() < _SMALLEST_SCALE:
            raise Diverged(
                f"the gradient of step {self.progress.step + 1} is not finite at any scale of fp16"
            )

    def _rate(self) -> float:
        """Share of the highest learning rate at this step."""
        limit, progress = self.settings.minutes * 60, self.progress
        seconds = self.workers.total(progress.seconds) / self.workers.count if limit else 0.0
        done = progress_of(progress.step, self.steps * self.settings.epochs, seconds, limit)
        return rate_at(done, self.settings.warmup) * 0.5**progress.halvings

    def _count(self, loss: float, rows: int, seconds: float) -> None:
        progress, settings = self.progress, self.settings
        progress.step += 1
        progress.loss += loss
        progress.rows += rows
        progress.products += rows
        progress.seconds += seconds
        limit = settings.minutes * 60
        if limit and self.workers.total(progress.seconds) / self.workers.count >= limit:
            progress.stopped = "minutes"
        elif progress.step % settings.checkpoint_steps == 0:
            self._save()
        now = time.monotonic()
        if self.workers.main and now - self._said > _SAY_SECONDS:
            self._said = now
            speed = progress.products / max(progress.seconds, 1e-9)
            whole = len(self.y) * settings.epochs
            self.hooks.say(
                f"epoch {progress.epoch + 1}: {progress.products:,} of {whole:,} products, {speed:,.1f}/s, "
                f"loss {progress.loss / progress.rows:.4f}"
            )
            self.hooks.log({"loss": loss / rows, "rate": self._now}, progress.step)

    # Validation

    def _validate(self) -> Measures | None:
        val = self.batches.material.val
        if not len(val):
            return None
        order, logits = self.logits(val)
        found = measure(logits, self.batches.lesson.y[order])
        if not math.isfinite(found.loss):
            raise Diverged(f"the validation loss after step {self.progress.step} is not a finite number")
        return found

    def logits(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Logits of products: in which order they come, and float32 [rows, classes]."""
        import torch

        texts = self.batches.lesson.texts
        if texts is not None:  # equally long ones together: less padding
            rows = rows[np.argsort([len(texts[row]) for row in rows.tolist()], kind="stable")]
        size = self.progress.batch * self.workers.count
        chunks = [rows[at : at + size] for at in range(0, len(rows), size)]
        parts = [share_of(chunk, self.workers.rank, self.workers.count) for chunk in chunks]
        self.network.module.eval()
        found = []
        with torch.no_grad(), closing(self.batches.stream(parts, -1)) as stream:
            for chunk, batch in zip(chunks, stream, strict=True):
                with self.workers.autocast():
                    own = self.network.module(self.workers.moved(batch))[1].float()
                found.append(self.workers.gathered(own)[: len(chunk)].cpu().numpy())
        self.network.learn()
        return rows, np.concatenate(found).astype(np.float32)

    # What is done when something gives way

    def _halve_batch(self) -> None:
        """Learn from half as many products at once; a step stays as large, so it learns the same."""
        import torch

        progress = self.progress
        self.optimizer.zero_grad(set_to_none=True)
        if self.workers.device.type == "cuda":
            torch.cuda.empty_cache()
        if progress.batch == 1 or self.workers.count > 1:
            hint = "several devices cannot agree on another" if progress.batch > 1 else "one is too many"
            raise EncoderError(
                f"the memory of {self.workers.device} is too small for batches of {progress.batch} "
                f"({hint}). Give a smaller batch or max_tokens, train with lora or last, or "
                "take a smaller base model."
            )
        progress.batch = -(-progress.batch // 2)
        parts = -(-self.per_step // progress.batch)
        self._note(
            f"memory ran out: batches of {progress.batch} now, {parts} to a step, which stays as large"
        )

    def _go_back(self, why: str) -> None:
        """To the last checkpoint, with half the learning rate."""
        halvings, step, notes = self.progress.halvings + 1, self.progress.step, list(self.progress.notes)
        if halvings > HALVINGS:
            raise EncoderError(
                f"{why}, even at {0.5**HALVINGS:g} of the learning rate. Give a smaller learning_rate or a "
                "longer warmup, or precision bf16 or fp32; the last good state is kept in the checkpoints."
            )
        if not self._restore():  # the first step's checkpoint is always there
            raise EncoderError(f"{why}, and there is no checkpoint to go back to")
        self.progress.halvings, self.progress.notes = halvings, notes
        self._note(
            f"{why}: back from step {step} to step {self.progress.step}, and on with the learning rate "
            f"halved ({0.5**halvings:g} of what was given)"
        )

    def _note(self, text: str) -> None:
        self.progress.notes.append(text)
        if self.workers.main:
            self.hooks.say(text)

    # Checkpoints

    def _begin(self) -> None:
        if self.workers.main:
            self.checkpoints.open()
        self.workers.wait()
        found = self._restore()
        self.workers.wait()  # none may find what another one has only just saved
        if found:
            if self.workers.main and self.progress.step:
                self.hooks.say(
                    f"goes on from step {self.progress.step} of {self.steps * self.settings.epochs}"
                )
        else:
            self._save()

    def _save(self) -> None:
        self.progress.scaler = dict(self.scaler.state_dict())
        if self.workers.main:
            tensors = {f"model.{name}": one for name, one in self.network.trained().items()}
            tensors |= optimizer_tensors(self.optimizer)
            self.checkpoints.save(self.progress.step, self.progress.to_dict(), tensors)
        self.workers.wait()

    def _restore(self) -> bool:
        found = self.checkpoints.load()
        if found is None:
            return False
        plain, tensors = found
        self.progress = Progress.from_dict(plain)
        self._take({name[6:]: one for name, one in tensors.items() if name.startswith("model.")})
        restore_optimizer(self.optimizer, tensors)
        if self.progress.scaler:
            self.scaler.load_state_dict(self.progress.scaler)
        return True

    def _take(self, tensors: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for name, one in self.network.trained().items():
                one.copy_(tensors[name].to(one.device))

    def _take_best(self) -> None:
        path = self.checkpoints.best(self.progress.best_epoch)
        try:
            self._take(read_tensors(path))
        except (OSError, ValueError, KeyError) as error:
            raise EncoderError(f"{path} is damaged: {error}. Start anew with --restart.") from error

    def _tell_epoch(self) -> None:
        if not self.workers.main:
            return
        entry = self.progress.curves[-1]
        numbers = {"train_loss": entry.train_loss} | {
            f"val_{name}": value for name, value in (entry.val.to_dict() if entry.val else {}).items()
        }
        said = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in numbers.items())
        self.hooks.say(f"epoch {entry.epoch} of {self.settings.epochs}: {said}")
        self.hooks.log(numbers, self.progress.step)
