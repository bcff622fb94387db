"""The interface of a tracking store, and several of them as one that never costs a run."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from shelfwise.errors import RecipeError

Status = Literal["finished", "failed", "killed"]

FORMS = "none, mlflow[:URI], tensorboard[:DIR], wandb[:PROJECT]"


class Tracker(Protocol):
    """One run in one store. `begin` comes first and `end` last; between them, anything in any order.

    `name`: the store. `place`: where the run is found, once it has begun.
    """

    name: str
    place: str

    def begin(self, name: str, recipe: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str]) -> None:
        """Open a run: the full recipe as parameters, the data's SHA-256, tags to find it by."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Keep numbers by name; with `step` (an epoch, a batch) each is a point of a curve."""

    def curve(self, name: str, points: Mapping[int, float]) -> None:
        """Keep a whole curve: step -> value."""

    def text(self, name: str, text: str) -> None:
        """Keep a text."""

    def figure(self, name: str, picture: Path) -> None:
        """Keep a picture, a PNG file."""

    def artifact(self, path: Path) -> None:
        """Keep a file or a folder under its own name."""

    def model(self, folder: Path) -> None:
        """Keep the model folder."""

    def end(self, status: Status = "finished") -> None:
        """Close the run."""


class Trackers:
    """Several stores as one `Tracker`, and a context that ends them all.

    A store that fails (no disk, server down) must not cost the work that is being tracked: its error becomes
    one entry of `notes`, it is left out from then on, and everything else goes on. Warnings of the stores'
    packages are silenced while they work.
    """

    name = "all"

    def __init__(self, trackers: Sequence[Tracker] = (), notify: Callable[[str], None] | None = None) -> None:
        self.notes: list[str] = []
        self._trackers = list(trackers)
        self._working = list(trackers)
        self._notify = notify
        self._ended = False

    def __bool__(self) -> bool:
        """Whether there is any store at all."""
        return bool(self._trackers)

    @property
    def places(self) -> dict[str, str]:
        """Where each store that still works has the run: name -> place."""
        return {tracker.name: tracker.place for tracker in self._working}

    @property
    def place(self) -> str:
        """All places in one line."""
        return ", ".join(self.places.values())

    def begin(
        self, name: str, recipe: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str] | None = None
    ) -> None:
        """See `Tracker`; here and below, for all stores."""
        self._each(lambda tracker: tracker.begin(name, recipe, fingerprint, dict(tags or {})))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """See `Tracker`."""
        self._each(lambda tracker: tracker.metrics(values, step))

    def curve(self, name: str, points: Mapping[int, float]) -> None:
        """See `Tracker`."""
        self._each(lambda tracker: tracker.curve(name, points))

    def text(self, name: str, text: str) -> None:
        """See `Tracker`."""
        self._each(lambda tracker: tracker.text(name, text))

    def figure(self, name: str, picture: Path) -> None:
        """See `Tracker`."""
        self._each(lambda tracker: tracker.figure(name, picture))

    def artifact(self, path: Path) -> None:
        """See `Tracker`."""
        self._each(lambda tracker: tracker.artifact(path))

    def model(self, folder: Path) -> None:
        """See `Tracker`."""
        self._each(lambda tracker: tracker.model(folder))

    def end(self, status: Status = "finished") -> None:
        """See `Tracker`; a second call does nothing."""
        if not self._ended:
            self._ended = True
            self._each(lambda tracker: tracker.end(status))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end()
        else:
            self.end("failed" if issubclass(kind, Exception) else "killed")

    def _each(self, work: Callable[[Tracker], None]) -> None:
        for tracker in list(self._working):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    work(tracker)
                except Exception as error:  # whatever a store throws: tracking is not the work
                    self._give_up(tracker, error)

    def _give_up(self, tracker: Tracker, error: Exception) -> None:
        self._working.remove(tracker)
        with suppress(Exception):
            tracker.end("failed")
        lines = str(error).strip().splitlines() or ["no reason given"]
        note = (
            f"{tracker.name}: {type(error).__name__}: {lines[0]} Nothing more of this run is tracked there."
        )
        self.notes.append(note)
        if self._notify is not None:
            self._notify(note)


def open_trackers(specs: Sequence[str], notify: Callable[[str], None] | None = None) -> Trackers:
    """Open the stores that `--track` names: none, mlflow[:URI], tensorboard[:DIR], wandb[:PROJECT].

    Nothing is written yet; that begins with `begin`. What goes wrong from then on never ends the run: it is
    noted once, in `Trackers.notes` and by `notify`, and the store is left out (see `Trackers`).

    Raises
    ------
    RecipeError
        A spec is none of these.
    MissingExtraError
        The package of a store is not installed.

    """
    return Trackers([_open(spec) for spec in dict.fromkeys(specs) if spec != "none"], notify)


def _open(spec: str) -> Tracker:
    from shelfwise.track.mlflow import MlflowTracker
    from shelfwise.track.tensorboard import TensorboardTracker
    from shelfwise.track.wandb import WandbTracker

    kinds: dict[str, Callable[[str], Tracker]] = {
        "mlflow": MlflowTracker,
        "tensorboard": TensorboardTracker,
        "wandb": WandbTracker,
    }
    name, colon, rest = spec.partition(":")
    if name not in kinds:
        raise RecipeError(f"--track {spec}: there is no such place to track in; there are: {FORMS}")
    if colon and not rest.strip():
        raise RecipeError(f"--track {spec}: something must follow the colon; the forms are: {FORMS}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kinds[name](rest.strip())


def flatten(recipe: Mapping[str, Any], above: str = "") -> dict[str, str | int | float | bool]:
    """Settings under dotted names; lists and empty tables as JSON text."""
    flat: dict[str, str | int | float | bool] = {}
    for name, value in recipe.items():
        at = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{at}.")
        elif isinstance(value, str | int | float | bool):
            flat[at] = value
        else:
            flat[at] = json.dumps(value, ensure_ascii=False)
    return flat
