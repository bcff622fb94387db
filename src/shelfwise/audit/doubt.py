"""Doubt: the probability that a product's given label is wrong.

The given labels are a mixture of right ones and of wrong ones, and the wrong ones are of kinds that can be
made up (`swaps`). For each kind a logistic model learns how much more likely a claim's traits are under it
than under the right labels; how frequent each kind is, and with it the doubt of every product, is estimated
by expectation maximisation, in which labels that are doubted count less as examples of right ones. A shop
whose sellers confuse sister shelves and one whose import shuffled labels thus get different rankings.

How many labels are wrong cannot be told by likelihood alone: right labels among which a fifth is wrong
explain themselves just as well. So the most frequent kind is not believed to be rarer than its best bin says:
among the claims that look most like it, as many given ones for each made-up one.

Sources: density ratios by classification (Sugiyama, Suzuki, Kanamori 2012); mixtures with one unknown part
(Elkan & Noto 2008; Saerens et al. 2002 for the proportions; Garg et al. 2021, arXiv:2111.00980, for the best
bin). Low capacity is on purpose: given labels are
contaminated, and a flexible model learns that contamination at the very top of the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.claims import Claims
from shelfwise.audit.evidence import Evidence
from shelfwise.audit.swaps import kinds_of
from shelfwise.audit.traits import Columns, Company, own_traits, twins_of

_ROUNDS = 4
_START = 0.06  # share of wrong labels to begin with
_DOUBTED = 0.8  # of those
_FAR = 20.0  # times as probable as the given category another one is where a label clearly is wrong
_LEAST, _MOST = 0.03, 0.35  # share of wrong labels that an estimate may come to
_CONFUSED = 1.0  # confusions are at most as many as all other errors
_ROUNDS_OF_SHARES = 300
_STEPS = 30
_PENALTY = 3.0  # on squared weights of standardised traits, as strong as that many claims
_FITTED_ON = 8_000  # given claims
_CLIP = 6.0  # standardised traits lie within
_LEAD, _LEAD_FLAT = 2.0, 3.0
"""Say of the plain lead in probability, also in a tree of one level, where kinds of errors hardly differ."""
_LEAD_CONFUSED = 8.0
"""More of it, times the confusions' part of the errors: a confusion is told from a right label by little
else, and what the kinds learn of right labels is learned from confusions, too."""
_STREAM = 41  # random choices of their own: a catalogue's order may come of the same seed
_BIN = 100  # claims of each side from which on shares are looked up in bins
_BINS = np.linspace(0.1, 0.9, 41)  # parts of the made-up claims above a bound
_UNSEEN = 0.1  # share of made-up claims about categories that the models saw no product of


@dataclass(frozen=True)
class Doubt:
    """Doubts of n products: `doubt` float32 [n]; `kinds` float32 [n, ways], how each kind of error shares it.

    shares: estimated share of wrong labels by kind. `unseen`: bool [n], the only products of their category.
    """

    doubt: NDArray[np.float32]
    kinds: NDArray[np.float32]
    shares: dict[str, float]
    unseen: NDArray[np.bool_]


@dataclass
class _Scale:
    """Standardises traits by the given claims that models could judge."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @staticmethod
    def of(columns: Columns) -> _Scale:
        known = np.ma.masked_invalid(columns)
        mean, deviation = known.mean(axis=0).filled(0), known.std(axis=0).filled(1)
        return _Scale(np.asarray(mean), np.maximum(np.asarray(deviation), 1e-6))

    def design(self, columns: Columns, unseen: NDArray[np.bool_], spread: Columns) -> Columns:
        """Standardised traits, nothing for what is unknown; unseen categories have columns of their own."""
        scaled = np.clip((columns - self.mean) / self.deviation, -_CLIP, _CLIP)
        scaled = np.where(np.isfinite(scaled), scaled, 0)
        away = unseen[:, None].astype(np.float64)
        return np.hstack([scaled * (1 - away), spread * away, away, np.ones_like(away)])


def find_doubts(evidence: Evidence, seed: int = 0) -> Doubt:
    """How doubtful each product's label is, from what held-out models say of it."""
    given, ways = evidence.given, len(kinds_of(evidence.tree))
    rng = np.random.default_rng([seed, _STREAM])
    sides = _Sides.of(evidence, rng)
    chosen = np.sort(rng.permutation(len(given))[:_FITTED_ON])
    doubt, shares = _begin(given), np.full(ways, _START / ways)
    weights: Columns | None = None
    kinds = np.zeros((len(given), ways))
    for number in range(_ROUNDS):
        right, wrong = sides.designs(1 - doubt if number else None)
        if weights is None or len(weights) != right.shape[1]:
            weights = np.zeros((right.shape[1], ways))
        weights = _fit(right[chosen], 1 - doubt[chosen], wrong, evidence.way, weights)
        odds = right @ weights
        ratios = np.exp(np.clip(odds, -30, 30))
        shares = _raised(_shares(ratios, shares, _LEAST), odds, wrong @ weights, sides, evidence.way)
        kinds = ratios * shares / (1 - shares.sum() + ratios @ shares)[:, None]
        doubt = kinds.sum(axis=1)
    return _told(evidence, doubt, kinds, shares, sides.alone)


@dataclass(frozen=True)
class _Sides:
    """Given and made-up claims, and what is said of each by itself.

    alone: bool [given], of categories that the models saw no product of; hidden: bool [swapped], made-up
    claims that are looked at as if they were of such a category, too. own: traits of both sides; around:
    what can be said without any knowledge of the category.
    """

    claims: tuple[Claims, Claims]
    own: tuple[Columns, Columns]
    around: tuple[Columns, Columns]
    alone: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    labels: int

    @staticmethod
    def of(evidence: Evidence, rng: np.random.Generator) -> _Sides:
        given, swapped = evidence.given, evidence.swapped
        lesson, labels = evidence.lesson, len(evidence.lesson.taxonomy.labels)

        def own(claims: Claims) -> Columns:
            return own_traits(claims, twins_of(claims, lesson.y, lesson.articles, labels))

        return _Sides(
            (given, swapped),
            (own(given), own(swapped)),
            (_spread(given, given), _spread(swapped, given)),
            given.known == 0,
            (swapped.known == 0) | (rng.random(len(swapped)) < _UNSEEN),
            labels,
        )

    def designs(self, trust: NDArray[np.float64] | None) -> tuple[Columns, Columns]:
        """Standardised traits of both sides; with `trust` in the given labels also those of company."""
        tables = self.own
        if trust is not None:
            company = Company.of(self.claims[0], trust, self.labels)
            right, wrong = (
                np.hstack([columns, company.traits(claims)])
                for columns, claims in zip(self.own, self.claims, strict=True)
            )
            tables = (right, wrong)
        scale = _Scale.of(tables[0] if self.alone.all() else tables[0][~self.alone])
        return (
            scale.design(tables[0], self.alone, self.around[0]),
            scale.design(tables[1], self.hidden, self.around[1]),
        )


def _begin(given: Claims) -> NDArray[np.float64]:
    """Doubts to begin with: most where another category is far more probable.

    Were all labels trusted alike, the wrong ones among them would hide what wrong ones look like.
    """
    lead = np.log(given.best.astype(np.float64) + 1e-5) - np.log(given.p.astype(np.float64) + 1e-5)
    bound = max(float(np.quantile(lead, 1 - _START)), 0.0)
    sure = max(float(np.quantile(lead, 1 - _MOST)), np.log(_FAR))  # more may be wrong, if they clearly are
    return np.where(lead > min(bound, sure), _DOUBTED, 0.0)


def _told(
    evidence: Evidence,
    doubt: NDArray[np.float64],
    kinds: Columns,
    shares: NDArray[np.float64],
    alone: NDArray[np.bool_],
) -> Doubt:
    """The doubts with some say of the best other category's plain lead in probability, as many as before."""
    given, names = evidence.given, kinds_of(evidence.tree)
    odds = np.log(doubt + 1e-12) - np.log1p(-np.minimum(doubt, 1 - 1e-12))
    lead = given.best.astype(np.float64) - given.p.astype(np.float64)
    say = _LEAD if "sister" in names else _LEAD_FLAT
    say += _LEAD_CONFUSED * float(shares[-1] / shares.sum())
    blended = odds + np.where(alone, 0.0, say * lead)
    final = 1 / (1 + np.exp(-(blended + _shift(blended, float(doubt.mean())))))
    part = kinds / np.maximum(kinds.sum(axis=1, keepdims=True), 1e-12)
    return Doubt(
        final.astype(np.float32),
        part.astype(np.float32),
        {name: round(float(share), 5) for name, share in zip(names, shares, strict=True)},
        alone,
    )


def _shift(odds: NDArray[np.float64], mean: float) -> float:
    """What to add to log-odds so that their probabilities have a mean; by bisection."""
    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if float((1 / (1 + np.exp(-(odds + middle)))).mean()) < mean else (low, middle)
        )
    return (low + high) / 2


def _spread(claims: Claims, given: Claims) -> Columns:
    """What can be said where the claimed category was never learned: how surely another one fits."""
    columns = np.stack([np.log(claims.best.astype(np.float64) + 1e-5), claims.entropy], axis=1)
    usual = np.stack([np.log(given.best.astype(np.float64) + 1e-5), given.entropy], axis=1)
    scaled = (columns - usual.mean(axis=0)) / np.maximum(usual.std(axis=0), 1e-6)
    return np.asarray(np.clip(scaled, -_CLIP, _CLIP))


def _shares(ratios: Columns, shares: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """The share of each kind of wrong label, of most likelihood within bounds.

    Confusions are the last kind. Where two shelves fit, a right label is as likely the less probable one as a
    confusion is, so likelihood alone would call most of a fuzzy tree confused: they hardly outweigh the rest.
    """
    for _ in range(_ROUNDS_OF_SHARES):
        part = ratios * shares
        new = (part / (1 - shares.sum() + part.sum(axis=1))[:, None]).mean(axis=0)
        new[-1] = min(new[-1], _CONFUSED * new[:-1].sum() + least / 10)
        total = float(new.sum())
        if total < least:  # more of what there seems to be, and of each kind a little
            new = (new + least / 300) * (least / (total + least / 300 * len(new)))
        new = new * min(1.0, _MOST / max(total, 1e-12))
        if float(np.abs(new - shares).max()) < 1e-6:
            break
        shares = new
    return shares


def _raised(
    shares: NDArray[np.float64], odds: Columns, made: Columns, sides: _Sides, way: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The shares, the largest of those that are no confusions as large as its best bin says.

    `odds`, `made`: [claims, ways], how much each given and made-up claim looks like each kind.
    """
    most = int(np.argmax(shares[:-1]))
    of_kind = (way == most) & ~sides.hidden
    there = ~sides.alone
    if of_kind.sum() < _BIN or there.sum() < _BIN:
        return shares
    found = _best_bin(odds[there, most], made[of_kind, most])
    raised = shares.copy()
    raised[most] += max(min(found, _MOST) - float(shares.sum()), 0.0)
    return raised


def _best_bin(given: NDArray[np.float64], made: NDArray[np.float64]) -> float:
    """Most that the share of claims like the made-up ones among the given ones can be.

    Were p the share, then among the scores above any bound at least p given ones would stand for each made-up
    one, as parts of all. The least of these ratios counts, at the bound where it is known best.
    """
    made, given = np.sort(made), np.sort(given)
    bounds = made[((1 - _BINS) * len(made)).astype(np.int64)]
    above = 1 - np.searchsorted(given, bounds, "right") / len(given)
    wanted = np.maximum(1 - np.searchsorted(made, bounds, "right") / len(made), 1 / len(made))
    unsure = (np.sqrt(above / len(given)) + np.sqrt(0.25 / len(made))) / wanted
    place = int(np.argmin(above / wanted + unsure))
    return float(above[place] / wanted[place])


def _fit(
    right: Columns, trust: NDArray[np.float64], wrong: Columns, way: NDArray[np.int64], start: Columns
) -> Columns:
    """Weights [columns, ways] of the log-ratio of each kind of wrong claim to right ones, from `start` on.

    A multinomial logistic regression in which right claims and each kind of wrong ones weigh the same in all;
    the last column is the intercept and is not penalised. Solved by Newton's method: the columns are few.
    """
    ways = start.shape[1]  # some may be without example: models that are sure confuse nothing
    target = np.concatenate([np.zeros(len(right), np.int64), way + 1])
    weight = np.concatenate(
        [trust / max(float(trust.sum()), 1e-9), (1 / np.maximum(np.bincount(way, minlength=ways), 1))[way]]
    )
    return _Logistic(np.vstack([right, wrong]), target, weight * len(right), ways).solve(start)


@dataclass(frozen=True)
class _Logistic:
    """Rows X [rows, columns] with their classes (0: the reference) and weights; see `_fit`."""

    X: Columns
    target: NDArray[np.int64]
    weight: NDArray[np.float64]
    ways: int

    def solve(self, B: Columns) -> Columns:
        """Weights [columns, ways] of least loss, from where B stands."""
        value, p = self._loss(B)
        for _ in range(_STEPS):
            step = self._step(B, p)
            length = 1.0
            while length > 1e-4:
                tried, q = self._loss(B - length * step)
                if tried <= value:
                    break
                length /= 2
            done = length <= 1e-4 or value - tried < 1e-7 * abs(value)
            if length > 1e-4:
                B, value, p = B - length * step, tried, q
            if done:
                break
        return B

    def _loss(self, B: Columns) -> tuple[float, Columns]:
        Z = np.hstack([np.zeros((len(self.X), 1)), self.X @ B])
        Z -= Z.max(axis=1, keepdims=True)
        p = np.exp(Z)
        p /= p.sum(axis=1, keepdims=True)
        told = np.log(p[np.arange(len(p)), self.target] + 1e-30)
        return -float((self.weight * told).sum()) + _PENALTY / 2 * float((B[:-1] ** 2).sum()), p

    def _step(self, B: Columns, p: Columns) -> Columns:
        columns, ways = B.shape
        off = p[:, 1:] - (self.target[:, None] == np.arange(1, ways + 1))
        slope = self.X.T @ (off * self.weight[:, None])
        slope[:-1] += _PENALTY * B[:-1]
        curve = np.empty((ways, columns, ways, columns))
        for i in range(ways):
            for j in range(i, ways):
                bend = self.weight * p[:, i + 1] * ((i == j) - p[:, j + 1])
                curve[i, :, j] = curve[j, :, i] = self.X.T @ (self.X * bend[:, None])
        flat = curve.reshape(ways * columns, ways * columns)
        ridge = np.full((ways, columns), _PENALTY)
        ridge[:, -1] = 1e-6
        flat[np.diag_indices_from(flat)] += ridge.ravel()
        return np.asarray(np.linalg.solve(flat, slope.T.ravel()).reshape(ways, columns).T)
