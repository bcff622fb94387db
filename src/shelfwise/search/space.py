"""The space of a search: which settings of a recipe may change, and within what.

In a recipe file::

    [search.space]
    "text.cost" = {low = 0.2, high = 3.0, log = true}
    "text.words" = [1, 2]
    "text.weights.brand" = {low = 0.0, high = 1.0}

A list is a choice; low and high are a range, of whole numbers where the setting is one. Names without quotes,
which TOML reads as tables in tables, mean the same.
"""

from __future__ import annotations

import difflib
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from shelfwise.errors import RecipeError
from shelfwise.recipe import TEXT_FIELDS, Recipe

if TYPE_CHECKING:
    import optuna

# What decides about the data, the question or the split: values would not be comparable.
_FIXED = (
    "seed", "threads", "search", "catalogue.label", "catalogue.roles", "catalogue.unlabelled",
    "catalogue.mapping", "catalogue.min_products", "decision.promises", "decision.delta",
)  # fmt: skip
_RANGE = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Choice:
    """A setting that is one of `values`."""

    name: str
    values: tuple[Any, ...]

    def suggest(self, trial: optuna.Trial) -> Any:  # noqa: ANN401 - whatever the setting holds
        """Let a trial choose."""
        return json.loads(trial.suggest_categorical(self.name, [json.dumps(v) for v in self.values]))

    def encode(self, value: Any) -> Any:  # noqa: ANN401
        """Value as Optuna keeps it, None where it is not in the space."""
        return json.dumps(value) if value in self.values else None

    def to_plain(self) -> list[Any]:
        """As it is written in a recipe."""
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included; `log`: as likely from 1 to 2 as from 2 to 4."""

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def suggest(self, trial: optuna.Trial) -> float:
        """Let a trial choose."""
        if self.whole:
            step = int(self.step or 1)
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log, step=step)
        found = trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)
        return float(f"{found:.6g}")  # what a person can read in the recipe is what was tried

    def encode(self, value: Any) -> float | None:  # noqa: ANN401
        """Value as Optuna keeps it, None where it is not in the space."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        steps = (value - self.low) / self.step if self.step else 0.0
        return value if math.isclose(steps, round(steps), abs_tol=1e-9) else None

    def to_plain(self) -> dict[str, Any]:
        """As it is written in a recipe."""
        plain: dict[str, Any] = {"low": self.low, "high": self.high}
        return plain | ({"log": True} if self.log else {}) | ({"step": self.step} if self.step else {})


@dataclass(frozen=True)
class Space:
    """Settings that may change, by dotted name, in order."""

    settings: tuple[Choice | Range, ...]

    def to_dict(self) -> dict[str, Any]:
        """As it is written in a recipe."""
        return {setting.name: setting.to_plain() for setting in self.settings}


def default_space(text_fields: Sequence[str] = TEXT_FIELDS) -> Space:
    """Space of the text recipe: how closely it fits, n-gram sizes, field weights, neighbours.

    `text_fields`: those that the catalogue has. The title's weight stays: only proportions count.
    """
    plain: dict[str, Any] = {
        "text.cost": {"low": 0.2, "high": 3.0, "log": True},
        "text.words": [1, 2],
        "text.chars_min": [2, 3, 4],
        "text.chars_max": [4, 5, 6],
        "text.smallest_weight": {"low": 0.005, "high": 0.05, "log": True},
        "neighbours.count": {"low": 3, "high": 30, "log": True},
    }
    weights = {
        f"text.weights.{name}": {"low": 0.1, "high": 1.5, "log": True}
        for name in text_fields
        if name != "title"
    }
    return parse_space(plain | weights)


def parse_space(plain: Mapping[str, object], origin: str = "search.space") -> Space:
    """Read the table `[search.space]`; `origin` names it in errors.

    Raises
    ------
    RecipeError
        A name is no setting, or one that cannot be searched; a range or a list is empty, or holds a value
        that the setting does not take.

    """
    found = tuple(_parse(name, value, f"{origin}: {name}") for name, value in _flat(plain))
    if not found:
        raise RecipeError(
            f'{origin} is empty; name settings, such as "text.cost" = {{low = 0.2, high = 3.0}}'
        )
    names = [setting.name for setting in found]
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"{origin}: {name} stands there twice")
    return Space(found)


def current(recipe: Recipe, name: str) -> Any:  # noqa: ANN401 - whatever the setting holds
    """Value of a setting in a recipe; 1.0 for a field weight that is not given."""
    value: Any = recipe.to_dict()
    for part in name.split("."):
        value = value.get(part, 1.0)
    return value


def changed(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Recipe with settings changed, checked as any recipe is."""
    plain = recipe.to_dict()
    for name, value in settings.items():
        _put(plain, name, value)
    return Recipe.from_dict(plain, "recipe of the trial")


def _flat(plain: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in plain.items():
        if isinstance(value, Mapping) and not any(key in _RANGE for key in value):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _parse(name: str, value: object, origin: str) -> Choice | Range:
    kind = _kind(name, origin)
    if any(name == fixed or name.startswith(f"{fixed}.") for fixed in _FIXED):
        raise RecipeError(f"{origin}: this setting stays as it is: its values could not be compared by F1")
    if isinstance(value, list):
        return _parse_choice(name, value, origin)
    if not isinstance(value, Mapping):
        raise RecipeError(f"{origin} must be a list of values or {{low = ..., high = ...}}, not {value!r}")
    if kind not in (int, float):
        raise RecipeError(f"{origin} is not a number; give a list of values to choose from")
    return _parse_range(name, value, kind is int, origin)


def _parse_choice(name: str, values: list[Any], origin: str) -> Choice:
    if len(values) < 1:
        raise RecipeError(f"{origin}: the list is empty")
    if any(value in values[:place] for place, value in enumerate(values)):
        raise RecipeError(f"{origin}: a value stands there twice: {values}")
    for value in values:
        _check(name, value, origin)
    return Choice(name, tuple(values))


def _parse_range(name: str, value: Mapping[str, Any], whole: bool, origin: str) -> Range:
    if unknown := [key for key in value if key not in _RANGE]:
        raise RecipeError(f"{origin}: a range has low, high, log and step, not {unknown[0]!r}")
    for key in ("low", "high", "step"):
        number = value.get(key, None if key == "step" else "missing")
        if number is not None and (
            isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number)
        ):
            raise RecipeError(f"{origin}: {key} must be a number, not {number!r}")
        if whole and number is not None and number != int(number):
            raise RecipeError(f"{origin}: {key} must be a whole number, not {number}")
    low, high, log, step = value["low"], value["high"], value.get("log", False), value.get("step")
    if not isinstance(log, bool):
        raise RecipeError(f"{origin}: log must be true or false, not {log!r}")
    if low >= high:
        raise RecipeError(f"{origin}: low ({low}) must be below high ({high})")
    if log and low <= 0:
        raise RecipeError(f"{origin}: with log, low must be above 0, not {low}")
    if step is not None and (log or step <= 0):
        raise RecipeError(f"{origin}: step must be above 0 and goes without log")
    for end in (low, high):
        _check(name, int(end) if whole else float(end), origin)
    return Range(name, low, high, log, step, whole)


def _kind(name: str, origin: str) -> object:
    """Type of a setting; RecipeError where there is none of that name."""
    kind: Any = Recipe
    for part in name.split("."):
        if typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[1]
            continue
        known = [f.name for f in fields(kind)] if is_dataclass(kind) else []
        if part not in known:
            near = difflib.get_close_matches(part, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known are: {', '.join(known) or 'none'}."
            raise RecipeError(f"{origin}: there is no such setting.{hint}")
        kind = typing.get_type_hints(kind)[part]
    if is_dataclass(kind):
        raise RecipeError(f"{origin} is a section; name one of its settings: {name}.{fields(kind)[0].name}")
    return kind.__origin__ if isinstance(kind, types.GenericAlias) else kind


def _check(name: str, value: object, origin: str) -> None:
    """Refuse a value that the setting does not take whatever the others are."""
    plain: dict[str, Any] = {}
    _put(plain, name, value)
    try:
        msgspec.convert(plain, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{origin}: {value!r}: {str(error).split(' - at ')[0]}") from error
    weight = name.removeprefix("text.weights.")
    if weight != name:
        Recipe.from_dict(plain, origin)  # the field must be there, and the weight not negative


def _put(plain: dict[str, Any], name: str, value: object) -> None:
    *above, last = name.split(".")
    for part in above:
        plain = plain.setdefault(part, {})
    plain[last] = value
