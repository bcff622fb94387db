"""Runs in Weights & Biases: offline below ./wandb unless a key or WANDB_MODE=online says otherwise.

`wandb sync` sends what was tracked offline. Neither the program, nor git, nor the machine is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shelfwise.errors import MissingExtraError
from shelfwise.track.tracker import Status

if TYPE_CHECKING:
    from wandb import Run

PROJECT = "shelfwise"
_STEP = (
    "step"  # the x axis of curves: the store's own step only ever rises, so several curves cannot share it
)


class WandbTracker:
    """One run of a project; the protocol is `Tracker`."""

    name = "wandb"

    def __init__(self, project: str = "") -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError("tracking with Weights & Biases", "wandb") from error
        self.project = project or PROJECT
        self.place = ""
        self._wandb = wandb
        self._run: Run | None = None

    def begin(self, name: str, recipe: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str]) -> None:
        """Start the run; beside runs that the program may have of its own."""
        settings = self._wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_save_requirements=False,
        )
        self._run = self._wandb.init(
            project=self.project,
            name=name,
            mode=mode(),
            config={**recipe, "data_sha256": fingerprint, **tags},
            reinit="create_new",
            settings=settings,
        )
        self._run.define_metric("*", step_metric=_STEP)
        online = not self._run.settings._offline
        self.place = str(self._run.url if online else Path(self._run.dir).parent)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers: in the summary, or at a step."""
        if step is None:
            self._open.summary.update({name: float(value) for name, value in values.items()})
        else:
            self._open.log({_STEP: step, **{name: float(value) for name, value in values.items()}})

    def curve(self, name: str, points: Mapping[int, float]) -> None:
        """Log a metric at many steps."""
        for step, value in points.items():
            self.metrics({name: value}, step)

    def text(self, name: str, text: str) -> None:
        """Keep a text in the summary."""
        self._open.summary[name] = text

    def figure(self, name: str, picture: Path) -> None:
        """Log a PNG."""
        self._open.log({name: self._wandb.Image(str(picture))})

    def artifact(self, path: Path) -> None:
        """Keep a file or a folder as an artifact."""
        self._keep(path, "report")

    def model(self, folder: Path) -> None:
        """Keep the model folder as an artifact of the type model."""
        self._keep(folder, "model")

    def end(self, status: Status = "finished") -> None:
        """Finish the run, and the process behind it where no other run needs it."""
        if self._run is None:
            return
        run, self._run = self._run, None
        run.finish(exit_code=0 if status == "finished" else 1)
        if self._wandb.run is None:
            self._wandb.teardown()

    @property
    def _open(self) -> Run:
        if self._run is None:
            raise RuntimeError("the run has not begun")
        return self._run

    def _keep(self, path: Path, kind: str) -> None:
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in path.name) or kind
        kept = self._wandb.Artifact(f"{name}-{self._open.id}", type=kind)
        # One by one: add_dir would talk.
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                inside = str(file.relative_to(path)) if path.is_dir() else path.name
                kept.add_file(str(file), name=inside, skip_cache=True)
        self._open.log_artifact(kept)


def mode() -> Literal["online", "offline", "disabled"]:
    """WANDB_MODE where it is set; else online with a key in WANDB_API_KEY, and offline without."""
    asked = os.environ.get("WANDB_MODE", "").lower()
    if asked in ("online", "offline", "disabled"):
        return asked  # type: ignore[return-value]
    return "online" if os.environ.get("WANDB_API_KEY") else "offline"
