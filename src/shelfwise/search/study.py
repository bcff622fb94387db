"""Hyper-parameter search over a recipe: which settings suit this catalogue, within a budget of minutes.

Every trial trains a model on the same part of the rows and is judged on the rest by weighted F1. The rest is
a grouped, stratified validation split: near-duplicates stay on one side, and rows marked for testing are on
neither. The first trial is the recipe as it is, so that a gain is a gain over it. Settings come from TPE
(Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization") and kept in an SQLite study, so that a
search that was cut short goes on where it stood.

The best of many trials looks better on the rows that chose it than it is: judge it on test rows.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shelfwise.categorizer import Categorizer
from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.evaluate.judge import judge
from shelfwise.evaluate.metrics import score
from shelfwise.recipe import Recipe
from shelfwise.search.space import Space, changed, current, default_space
from shelfwise.search.validation import SearchOptions, Validation
from shelfwise.unfinished import write_whole

if TYPE_CHECKING:
    import optuna

_RANDOM_TRIALS = 8  # before TPE has enough to go by
_MOST_REPEATS = 20  # proposals in a row that were tried before


@dataclass(frozen=True)
class Trial:
    """One try: the settings that differ from the recipe, and what came of it.

    `state`: "done", "failed" (with its `reason`) or "interrupted" (the program ended meanwhile). `value`:
    weighted F1 on the validation rows, `low` and `high` its 95 % ends.
    """

    number: int
    settings: dict[str, Any]
    state: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Search:
    """What was found: the best `recipe`, its `value` beside the `baseline` of the given one, all `trials`."""

    recipe: Recipe
    value: float
    baseline: float
    best: int
    trials: tuple[Trial, ...]
    rows: tuple[int, int]  # learned from, judged on
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "value": self.value,
            "baseline": self.baseline,
            "best": self.best,
            "rows": dict(zip(("learned", "judged"), self.rows, strict=True)),
            "notes": list(self.notes),
            "trials": [trial.to_dict() for trial in self.trials],
            "recipe": self.recipe.to_dict(),
        }


def search(
    catalogue: object,
    recipe: Recipe,
    space: Space | None = None,
    options: SearchOptions | None = None,
    notify: Callable[[Trial], None] | None = None,
) -> Search:
    """Search a space of settings around a recipe.

    Args:
        catalogue: as `Categorizer.fit`.
        recipe: where the search begins; settings outside of the space stay as they are in it.
        space: from `parse_space`; None: `default_space` of the fields that the catalogue has.
        options: budget, split and folder. With a folder, `study.db` (Optuna, SQLite), `best.toml` and
            `trials.csv` are written there after every trial, and a search that is begun again goes on.
        notify: called with each trial as it ends.

    Raises:
        MissingExtraError: Optuna is not installed.
        RecipeError: the folder holds a search over other data, another recipe or another space.
        ShelfwiseError: the recipe as it is cannot be trained or judged on this catalogue.

    """
    options = options or SearchOptions()
    end = time.perf_counter() + 60 * options.minutes
    _optuna()
    data = Validation.prepare(catalogue, recipe, options)
    space = space or default_space(data.fields)
    about = {**data.about, "recipe": _searched(recipe), "space": space.to_dict()}
    with _quiet(), _opened(options, about) as study:
        run = _Run(study, recipe, space, data, options)
        for trial in run.go(end):
            run.write()
            if notify is not None:
                notify(trial)
        return run.result()


class _Run:
    """The trials of a study, one after the other."""

    def __init__(
        self, study: optuna.Study, recipe: Recipe, space: Space, data: Validation, options: SearchOptions
    ) -> None:
        self.study, self.space, self.data, self.options = study, space, data, options
        self.recipe = recipe
        # Found once, on all rows: no trial may understand the catalogue in another way.
        self.start = changed(recipe, {"catalogue.label": data.label})
        self.notes = list(data.notes)

    def go(self, end: float) -> Iterator[Trial]:
        """Try until the clock (`time.perf_counter`) says `end`, or trials are used up."""
        from optuna.trial import TrialState

        spent: list[float] = []
        repeats = 0
        _requeue_interrupted(self.study)
        while repeats < _MOST_REPEATS:
            finished = [t for t in self.trials() if t.state != "interrupted"]
            if self.options.trials and len(finished) >= self.options.trials:
                return
            if spent and time.perf_counter() + float(np.median(spent)) > end:
                return
            trial, settings = self._ask(len(finished))
            known = next((t for t in finished if t.state == "done" and t.settings == settings), None)
            began = time.perf_counter()
            if known is not None:
                repeats += 1
                self._keep(
                    trial, (known.value, known.low, known.high), reason=f"same as trial {known.number}"
                )
            else:
                repeats = 0
                self._try(trial, settings, first=not finished)
                spent.append(time.perf_counter() - began)
            trial.set_user_attr("seconds", round(time.perf_counter() - began, 3))
            done = trial.user_attrs.get("value")
            state = TrialState.FAIL if done is None else TrialState.COMPLETE
            self.study.tell(trial, done, state=state)
            yield self.trials()[trial.number]
        self.notes.append("The search ended early: the space holds nothing more to try.")

    def _ask(self, finished: int) -> tuple[optuna.Trial, dict[str, Any]]:
        """Begin a trial: the recipe as it is, then what the sampler proposes."""
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        # A sampler anew for each trial: a search that goes on proposes what an unbroken one would have.
        seed = int(np.random.SeedSequence([self.recipe.seed, finished]).generate_state(1)[0])
        self.study.sampler = TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
        settings: dict[str, Any] = {}
        if finished == 0:
            own = {part.name: part.encode(current(self.start, part.name)) for part in self.space.settings}
            if None in own.values():  # outside of the space, and so nothing for the sampler to learn from
                trial = self.study.ask()
                trial.set_user_attr("settings", settings)
                return trial, settings
            if not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                self.study.enqueue_trial(own)
        trial = self.study.ask()
        settings = {part.name: part.suggest(trial) for part in self.space.settings}
        trial.set_user_attr("settings", settings)
        return trial, settings

    def _try(self, trial: optuna.Trial, settings: dict[str, Any], first: bool) -> None:
        """Train and judge; a failure is kept with its reason, except that of the recipe as it is."""
        try:
            model = Categorizer(changed(self.start, settings)).fit(self.data.learned)
            overall = score(judge(model, self.data.judged), seed=self.recipe.seed).overall
        except Exception as error:  # whatever a combination of settings brings about
            trial.set_user_attr("reason", f"{type(error).__name__}: {error}"[:1000])
            if first:  # so that it is tried again when the search goes on
                trial.set_user_attr("interrupted", True)
                self.study.tell(trial, state=_failed())
                raise
        else:
            self._keep(trial, (overall.weighted_f1, *overall.intervals.get("weighted_f1", (None, None))))

    def _keep(self, trial: optuna.Trial, value: tuple[float | None, ...], reason: str | None = None) -> None:
        for name, number in zip(("value", "low", "high"), value, strict=True):
            trial.set_user_attr(name, None if number is None else round(float(number), 6))
        trial.set_user_attr("reason", reason)

    def trials(self) -> list[Trial]:
        """All trials that were begun, in order."""
        from optuna.trial import TrialState

        states = {TrialState.COMPLETE: "done", TrialState.FAIL: "failed"}
        found = []
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state == TrialState.WAITING:
                continue
            told = dict(trial.user_attrs)
            state = (
                "interrupted" if told.pop("interrupted", False) else states.get(trial.state, "interrupted")
            )
            found.append(Trial(trial.number, told.pop("settings", {}), state, **told))
        return found

    def best(self) -> Trial | None:
        """Best trial, the earliest among equals."""
        done = [trial for trial in self.trials() if trial.value is not None]
        return max(done, key=lambda trial: (trial.value, -trial.number), default=None)

    def write(self) -> None:
        """Write the table of trials and the best recipe so far."""
        best, folder = self.best(), self.options.folder
        if folder is None or best is None:
            return
        rows = [
            {**vars(trial), "settings": json.dumps(trial.settings, ensure_ascii=False)}
            for trial in self.trials()
        ]
        table = pl.DataFrame(rows, infer_schema_length=None)
        write_whole(folder / "trials.csv", table.write_csv().encode())
        recipe = changed(self.recipe, best.settings).to_toml()
        write_whole(folder / "best.toml", recipe.encode())

    def result(self) -> Search:
        """What was found."""
        trials = self.trials()
        best = self.best()
        first = next((trial for trial in trials if trial.value is not None), None)
        if best is None or first is None or best.value is None or first.value is None:
            raise RecipeError("the search has tried nothing that could be judged")
        recipe = changed(self.recipe, best.settings)
        rows = (self.data.learned.rows, self.data.judged.rows)
        return Search(recipe, best.value, first.value, best.number, tuple(trials), rows, tuple(self.notes))


def _optuna() -> None:
    """Load Optuna, quietly."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("the search over a recipe", "search") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings of Optuna and its database, and no others."""
    with warnings.catch_warnings():
        for package in ("optuna", "sqlalchemy", "alembic"):
            warnings.filterwarnings("ignore", module=rf"{package}(\.|$)")
        yield


@contextmanager
def _opened(options: SearchOptions, about: dict[str, Any]) -> Iterator[optuna.Study]:
    """The study in its folder, or in memory; closed again in the end."""
    import optuna

    if options.folder is None:
        yield optuna.create_study(direction="maximize")
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    path = (options.folder / "study.db").absolute()
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        study = optuna.create_study(
            storage=storage, study_name="shelfwise", direction="maximize", load_if_exists=True
        )
        _check_same(study, about, path)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _check_same(study: optuna.Study, about: dict[str, Any], path: Path) -> None:
    """Refuse to go on with a study of something else."""
    if not study.user_attrs:
        for name, value in about.items():
            study.set_user_attr(name, value)
    for name, value in about.items():
        if study.user_attrs.get(name) != json.loads(json.dumps(value)):
            what = {"rows": "other rows", "data": "other data"}.get(name, f"another {name}")
            raise RecipeError(
                f"{path.parent} holds a search over {what}; name another folder, or remove {path.name} in it"
            )


def _requeue_interrupted(study: optuna.Study) -> None:
    """Put trials that a program never ended in line again, with the same settings."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study._storage.set_trial_user_attr(trial._trial_id, "interrupted", True)
        study.tell(trial.number, state=_failed())
        if trial.params:
            study.enqueue_trial(trial.params)


def _failed() -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    return TrialState.FAIL


def _searched(recipe: Recipe) -> dict[str, Any]:
    """What of the recipe decides about the values of trials."""
    return {name: part for name, part in recipe.to_dict().items() if name not in ("threads", "search")}
