"""Fusion: one probability for each category from everything that is known of a product, whatever is missing.

What speaks for a product are its members: "text", the pool of the views of its words (see `decide.pool`), and
one factor for each other kind of evidence: a pretrained text encoder, the pictures, a table of numbers. Text
and pictures err independently enough for their probabilities to be multiplied,

    p(c) ~ pool(c) ** a x ((picture(c) + 0.005) / (prior(c) + 0.005)) ** b x ...,

a logarithmic opinion pool (Genest & Zidek 1986). Each member knows how frequent the categories are, and a
product would count that once for each of them: so the first of a set gives its probabilities, and all others
how much more probable they make a category than it is by itself (as Bayes' rule has it where members err
independently). The exponents are fitted on out-of-fold answers, once for
each set of members that can speak together: a product without a picture is judged by the exponents of text
alone, as a model without pictures would judge it, and not by a mix from which one part has fallen out. A
member without use to a set has no exponent there, so that pictures are never asked where they only disturb.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from shelfwise.decide.pool import DEPARTMENTS, Pool, calibrate, fit_pool, lift_of, sample_rows, softmax

TEXT = "text"
"""The member that the pool of the views of the words is."""
ENCODER = "encoder"
FACTORS = (ENCODER, "pictures", "pixels", "table")
"""Views that give probabilities and are factors: text encoder, pictures, numbers and other columns."""

_TOGETHER = ((ENCODER, TEXT), ("pixels", "pictures"), ("pictures", "pixels"))
"""The first reads what the second reads, and never speaks without it."""
_FLOOR = np.float32(0.005)
_ORDER = (TEXT, *FACTORS)
"""The first of a set's members counts the frequencies of the categories, and no other does."""
ENOUGH = 50
"""Out-of-fold rows on which the exponents of a set of members can be fitted."""
_WORTH = 0.0003
"""A factor stays in a set when it makes at least that share of its out-of-fold answers right."""

Scores = Mapping[str, NDArray[np.float32]]
Speaks = Mapping[str, NDArray[np.bool_]]
Exponents = dict[str, float]


@dataclass(frozen=True)
class Fusion:
    """How the members are weighed.

    `pool`: the views of the words, None where there are none. `exponents`: by the names of the members that
    speak (joined with "+", sorted) the exponent of each; a set that is not there is text alone. `prior`:
    float32 [categories], sums to 1; what is known of a product of which nothing is known.
    """

    pool: Pool | None
    prior: NDArray[np.float32]
    exponents: dict[str, Exponents] = field(default_factory=dict)

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the views beside the text's that have a say in any set of members."""
        named = {name for exponents in self.exponents.values() for name in exponents}
        return tuple(sorted(named - {TEXT}))

    @property
    def views(self) -> tuple[str, ...]:
        """Names of all views that have a say."""
        return (*(self.pool.views if self.pool else ()), *self.factors)

    def present(self, speaks: Speaks) -> NDArray[np.bool_]:
        """Where any view with a say has something to go by, bool [rows]."""
        heard = np.zeros(_count(speaks), np.bool_)  # of no view, where none was worth a say
        for name in self.views:
            heard |= speaks[name]
        return heard

    def mix(
        self, scores: Scores, speaks: Speaks, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Probabilities float32 [rows, categories], rows sum to 1; a new array, or `out`.

        Rows for which nothing speaks get the prior. A row does not depend on the others. The arrays of
        `scores` are left as they are.
        """
        members = self._members(speaks)
        sets = np.zeros(_count(speaks), np.int64)
        for bit, heard in enumerate(members.values()):
            sets += heard.astype(np.int64) << bit
        mixed = np.empty((len(sets), len(self.prior)), np.float32) if out is None else out
        codes = np.unique(sets).tolist()
        for code in codes:
            names = [name for bit, name in enumerate(members) if code >> bit & 1]
            if names and len(codes) == 1:  # nearly always: nothing has to be picked out and put back
                self._mix(names, scores, mixed)
                continue
            rows = np.flatnonzero(sets == code)
            mixed[rows] = self._mix(names, _rows_of(scores, self.views, rows)) if names else self.prior
        return mixed

    def alone(self, name: str) -> Fusion:
        """The fusion in which one view is all there is, as sure as if it spoke for all of them."""
        if self.pool is not None and name not in self.factors:
            return Fusion(replace(self.pool, shares={name: 1.0}, backing=0.0), self.prior)
        only = {name: self.exponents.get(name, {name: 1.0})}
        return Fusion(None, self.prior, only)

    def without(self, name: str) -> Fusion | None:
        """The fusion in which one view has no say; None where nobody is left to speak."""
        pool = self.pool
        if pool is not None and name in pool.shares:
            rest = {view: share for view, share in pool.shares.items() if view != name}
            total = sum(rest.values())
            pool = (
                replace(pool, shares={view: share / total for view, share in rest.items()}) if rest else None
            )
            gone = TEXT if pool is None else None
        elif pool is not None and name == DEPARTMENTS:
            pool, gone = replace(pool, backing=0.0), None
        else:
            gone = name
        kept = {key: value for key, value in self.exponents.items() if gone not in key.split("+")}
        return Fusion(pool, self.prior, kept) if pool is not None or kept else None

    def _members(self, speaks: Speaks) -> dict[str, NDArray[np.bool_]]:
        """Where each member speaks; text does where any view of the pool does."""
        members = {name: speaks[name] for name in self.factors}
        if self.pool is not None:
            members[TEXT] = np.logical_or.reduce([speaks[name] for name in self.pool.views])
        return dict(sorted(members.items()))

    def _mix(
        self, names: Sequence[str], scores: Scores, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        logs: NDArray[np.float32] | None = None
        exponents = self._exponents(names)
        for name, exponent in sorted(exponents.items()):
            part = _logs(name, self.pool, scores, out if logs is None else None)
            part *= np.float32(exponent)
            logs = part if logs is None else np.add(logs, part, out=logs)
        assert logs is not None
        if _key(names) in self.exponents:  # others share out an exponent of one: they count them once anyway
            counted = _again(exponents, _first(exponents))
            logs -= np.float32(counted) * _frequencies(self.prior)
        return softmax(logs, 1.0)

    def _exponents(self, names: Sequence[str]) -> Exponents:
        """The exponents of a set of members; sets that never came up in training share what singles have."""
        found = self.exponents.get(_key(names))
        if found is not None:
            return found
        if list(names) == [TEXT] and self.pool is not None:
            return {TEXT: self.pool.sharpness}
        singles = [self._exponents([name]) if len(names) > 1 else {name: 1.0} for name in names]
        return {name: value / len(names) for single in singles for name, value in single.items()}


def fit_fusion(scores: Scores, speaks: Speaks, y: NDArray[np.int32], prior: NDArray[np.float32]) -> Fusion:
    """Fit the pool and the exponents on out-of-fold scores of rows with codes y [rows].

    `scores`: by view, float32 [rows, categories]; `speaks`: by view, bool [rows]. Views that `FACTORS` names
    are factors of their own, all others are pooled.
    """
    pooled = {name: part for name, part in scores.items() if name not in FACTORS}
    factors = sorted(name for name in scores if name in FACTORS)
    pool = None
    if pooled:
        heard = np.logical_or.reduce([speaks[name] for name in pooled])
        rows = np.arange(len(y)) if heard.all() or not heard.any() else np.flatnonzero(heard)
        pool = fit_pool(_rows_of(pooled, pooled, rows), y[rows], lift_of(prior))
    if not factors:
        return Fusion(pool, prior)
    heard_by = {name: speaks[name] for name in factors}
    if pool is not None:
        heard_by[TEXT] = np.logical_or.reduce([speaks[name] for name in pool.views])
    return _fit_sets(Fusion(pool, prior), scores, heard_by, y)


def _fit_sets(fusion: Fusion, scores: Scores, heard_by: Speaks, y: NDArray[np.int32]) -> Fusion:
    """The fusion with exponents for every set of members that can speak together."""
    pool, frequencies = fusion.pool, _frequencies(fusion.prior)
    fitted: dict[str, Exponents] = {}
    names = sorted(heard_by)
    views = [*(pool.views if pool else ()), *(name for name in names if name != TEXT)]
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            if any(one in chosen and other in names and other not in chosen for one, other in _TOGETHER):
                continue
            rows = np.flatnonzero(np.logical_and.reduce([heard_by[name] for name in chosen]))
            if len(rows) < ENOUGH:
                continue
            rows = rows[sample_rows(len(rows), next(iter(scores.values())).shape[1] * size)]
            part = _rows_of(scores, views, rows)
            logs = {name: _logs(name, pool, part) for name in chosen}
            fitted[_key(chosen)] = _SetProblem(logs, y[rows], frequencies).solve()
    return replace(fusion, exponents=fitted)


@dataclass(frozen=True)
class _SetProblem:
    """Rows for which a set of members speaks: logarithms float32 [rows, categories] by member, codes y.

    frequencies: float32 [categories], logarithms of those of the categories.
    """

    logs: dict[str, NDArray[np.float32]]
    y: NDArray[np.int32]
    frequencies: NDArray[np.float32]

    def solve(self) -> Exponents:
        """Exponents of most right answers, scaled so that the mean confidence is the share of right answers.

        Every part of the set is tried as well, and the best stands unless more members beat it.
        """
        found = self._best({})
        scale = calibrate(self._mixed(found), self.y)
        return {name: round(value * scale, 5) for name, value in found.items() if value > 0}

    def _best(self, known: dict[str, Exponents]) -> Exponents:
        """Exponents of the set or of a part of it; `known`: those that have been found for parts already."""
        key = _key(list(self.logs))
        if key not in known:
            known[key] = dict.fromkeys(self.logs, 1.0) if len(self.logs) == 1 else self._choose(known)
        return known[key]

    def _choose(self, known: dict[str, Exponents]) -> Exponents:
        parts = [
            replace(self, logs={other: part for other, part in self.logs.items() if other != name})
            for name in self.logs
        ]
        found = [part._best(known) for part in parts]
        start = self._descend()
        total = float(start.sum())
        even = {name: float(value) / total for name, value in zip(self.logs, start, strict=True)}
        whole, part = max((self._climb(start), even), key=self._right), max(found, key=self._right)
        return whole if self._right(whole) >= self._right(part) + _WORTH else part

    def _descend(self) -> NDArray[np.float64]:
        """Exponents [members] of least log loss."""
        from scipy.optimize import minimize

        start = np.full(len(self.logs), 1 / len(self.logs))
        done = minimize(
            self._loss, start, (False,), method="L-BFGS-B", jac=True, bounds=[(0, 50)] * len(start)
        )
        found: NDArray[np.float64] = np.maximum(done.x, 1e-3)
        return found

    def _climb(self, start: NDArray[np.float64]) -> Exponents:
        """Exponents of most right answers near `start`.

        "Right" is the true category's mean probability at twice the scale. The first exponent stands still,
        since scaling all of them changes no answer.
        """
        from scipy.optimize import minimize

        bounds = [(2 * start[0], 2 * start[0]), *[(0, 100)] * (len(start) - 1)]
        done = minimize(self._loss, 2 * start, (True,), method="L-BFGS-B", jac=True, bounds=bounds)
        total = max(float(done.x.sum()), 1e-9)
        return {
            name: float(value) / total if value > 0.01 * total else 0.0
            for name, value in zip(self.logs, done.x, strict=True)
        }

    def _loss(self, x: NDArray[np.float64], right: bool) -> tuple[float, NDArray[np.float64]]:
        """Mean log loss (or minus the mean probability of the truth, if `right`) and its slope."""
        first = _first(self.logs)
        p = softmax(self._mixed(dict(zip(self.logs, x.tolist(), strict=True)), first), 1.0)
        every = np.arange(len(self.y))
        truth = np.maximum(p[every, self.y].astype(np.float64), 1e-30)
        slope = np.empty(len(x))
        usual = np.einsum("rc,c->r", p, self.frequencies).astype(np.float64) - self.frequencies[self.y]
        for i, (name, part) in enumerate(self.logs.items()):
            lead = np.einsum("rc,rc->r", p, part).astype(np.float64) - part[every, self.y]
            if name != first:
                lead -= usual
            slope[i] = (lead * truth if right else lead).mean()
        return float(-truth.mean() if right else -np.log(truth).mean()), slope

    def _mixed(self, exponents: Exponents, first: str | None = None) -> NDArray[np.float32]:
        """Logarithms of the mix, float32 [rows, categories]; `first`: None: of those with an exponent."""
        first = first or _first(name for name, value in exponents.items() if value > 0)
        parts = [self.logs[name] * np.float32(value) for name, value in exponents.items()]
        mixed: NDArray[np.float32] = np.sum(parts, axis=0, dtype=np.float32)
        mixed -= np.float32(_again(exponents, first)) * self.frequencies
        return mixed

    def _right(self, exponents: Exponents) -> float:
        """The true category's mean probability at twice the sharpness that calibrates.

        Near the share of right answers, but smooth: a close call counts half, whichever way it falls.
        """
        mixed = self._mixed(exponents)
        p = softmax(mixed, 2 * calibrate(mixed.copy(), self.y))
        return float(p[np.arange(len(self.y)), self.y].mean(dtype=np.float64))


def _logs(
    name: str, pool: Pool | None, scores: Scores, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Logarithms of a member's probabilities before its exponent, float32 [rows, categories], or in `out`."""
    if name == TEXT:
        assert pool is not None
        return pool.logs(scores, out)
    part: NDArray[np.float32] = np.add(scores[name], _FLOOR, out=out)
    np.log(part, out=part)
    return part


def _frequencies(prior: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of the categories' frequencies, float32 [categories].

    The floor is the members': one that gives a rare category nothing says little against it by that.
    """
    logs: NDArray[np.float32] = np.log(prior + _FLOOR)
    return logs


def _first(names: Iterable[str]) -> str:
    """The member that counts the frequencies of the categories."""
    return min(names, key=_ORDER.index)


def _again(exponents: Exponents, first: str) -> float:
    """How often the members beside the first one would count the frequencies."""
    return sum(value for name, value in sorted(exponents.items()) if name != first)


def _count(speaks: Speaks) -> int:
    """How many rows there are."""
    return len(next(iter(speaks.values())))


def _rows_of(scores: Scores, names: Iterable[str], rows: NDArray[np.int64]) -> Scores:
    """The rows of the named arrays, without a copy where that is all of them."""
    return {name: scores[name] if len(rows) == len(scores[name]) else scores[name][rows] for name in names}


def _key(names: Sequence[str]) -> str:
    return "+".join(sorted(names))
