"""Promises: thresholds above which answers keep an asked precision, with a finite-sample guarantee.

A promise is made from calibration rows: confidences and whether the answer was right, both out-of-fold or
from rows that were never learned from. The method is Learn then Test (Angelopoulos, Bates, Candès, Jordan,
Lei 2021, arXiv:2110.01052) for the risk "wrong, given accepted", which is the setting of selective
classification (Geifman, El-Yaniv 2017, arXiv:1705.08500):

- Each threshold t of a fixed grid stands for the hypothesis "the precision of what t accepts is below the
  asked one". Of N rows that t accepts, the number of wrong ones is binomial, so the exact p-value is
  P(Binomial(N, 1 - asked) <= wrong).
- The hypotheses are tested from strict to lax by the fallback procedure (Wiens 2003; LTT calls the like
  "multi-start fixed sequence"): a threshold that passes hands its error budget on to the next, so neighbours
  cost nothing, whereas SGR's binary search pays for each threshold it looks at. The budget delta is divided
  over two starts (one where rows are few), so that one early error among the most confident rows, where N is
  small, does not end the sequence.
- The first start is where N is just large enough for a flawless record to pass (ln(delta) / ln(asked) rows).

What is guaranteed: over the draw of the calibration rows, with probability at least 1 - delta, the precision
of accepted new rows is at least the asked one. It is the average over all accepted rows, not over each
category.

Assumptions: new rows are exchangeable with the calibration rows (same shop, same mix of goods; answers by a
model at least as good as those that answered the calibration rows). Drift, new categories and wrong labels
are not covered. Grid and p-values do not need precision to be monotone in the threshold. The starts are set
by how many rows are accepted, never by which were right; that step is conservative if more confident answers
are more often right, and approximate otherwise.

Near-duplicates are not independent. Rows keep their weight, because shops count rows; but the N rows of a
threshold count as N**2 / sum(m**2) independent ones (Kish 1965), m being the sizes of the groups among them,
as if all rows of a group were right or wrong together. With groups of one this is the exact binomial; else it
leans to the careful side but is an approximation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shelfwise.errors import PromiseError

_MOST_STARTS = 2  # in simulations as much coverage as 4 or 6, and more where rows are few


@dataclass(frozen=True)
class Promise:
    """A threshold and what it promises.

    Attributes
    ----------
    asked
        Precision to keep, 0..1.
    delta
        Probability, over the draw of the calibration rows, that the promise is not kept.
    threshold
        Accept answers with a confidence of at least this (exact in float32).
    coverage
        Share of the calibration rows that are accepted.
    precision_seen
        Precision of the accepted calibration rows.
    rows
        Number of calibration rows.
    lower_bound
        Clopper-Pearson lower bound, at confidence 1 - `delta`, of the precision at this threshold.

    """

    asked: float
    delta: float
    threshold: float
    coverage: float
    precision_seen: float
    rows: int
    lower_bound: float

    def accepts(self, confidence: ArrayLike) -> NDArray[np.bool_]:
        """Which answers [n] to accept."""
        return np.asarray(np.asarray(confidence) >= self.threshold)


def make_promise(
    confidence: ArrayLike,
    right: ArrayLike,
    asked: float,
    delta: float = 0.1,
    groups: ArrayLike | None = None,
) -> Promise:
    """Find the lowest threshold that keeps the asked precision.

    Parameters
    ----------
    confidence
        [n] confidence of each answer, 0..1.
    right
        [n] whether the answer was right.
    asked
        Precision to keep, 0 < asked < 1.
    delta
        Probability of failing to, 0 < delta < 1.
    groups
        [n] codes of groups of near-duplicates; None = all rows are independent.

    Raises
    ------
    PromiseError
        The rows cannot support the promise. The message says what could be promised.

    """
    sure, hits = np.asarray(confidence, np.float64), np.asarray(right, bool)
    return make_shelf_promise(sure[:, None], hits[:, None], asked, delta, groups)


def make_shelf_promise(
    probabilities: ArrayLike,
    right: ArrayLike,
    asked: float,
    delta: float = 0.1,
    groups: ArrayLike | None = None,
) -> Promise:
    """Find the lowest threshold that keeps the asked precision when answers may back off to a parent shelf.

    At a threshold t the answer for a row is the deepest node of its chain with a probability of at least t
    (see `choose_shelf`); a row without one is not accepted. `coverage` counts the rows that get any shelf.
    The precision is that of all shelves given, deep and shallow together.

    Parameters
    ----------
    probabilities
        [n, depth] probability of the nodes from the top down to the suggested label, never rising along a
        row; shorter chains repeat their last node.
    right
        [n, depth] whether the true label lies at or below each of those nodes.
    asked, delta, groups
        As in `make_promise`.

    """
    chain, hits = np.asarray(probabilities, np.float64), np.asarray(right, bool)
    _check(chain, hits, asked, delta)
    curve = _trace(chain, hits, groups)
    best = _laxest(curve, asked, delta)
    if best is None:
        raise PromiseError(_explain_refusal(curve, asked, delta))
    from scipy.special import betaincinv

    rows, wrong, independent = curve.rows, int(curve.wrong[best]), float(curve.independent[best])
    seen = 1.0 - wrong / int(curve.accepted[best])
    return Promise(
        asked=float(asked),
        delta=float(delta),
        threshold=float(_grid()[best]),
        coverage=int(curve.accepted[best]) / rows,
        precision_seen=seen,
        rows=rows,
        lower_bound=float(betaincinv(independent * seen, independent * (1.0 - seen) + 1.0, delta)),
    )


def choose_shelf(probabilities: ArrayLike, threshold: float) -> NDArray[np.int64]:
    """Level [n] of the deepest node in each chain [n, depth] that reaches the threshold; -1 for none."""
    return np.asarray((np.asarray(probabilities) >= threshold).sum(axis=1) - 1)


# -- what each threshold accepts -----------------------------------------------------------------------------


class _Curve(NamedTuple):
    """For each threshold of the grid, from strict to lax: rows accepted, of those wrong, and their worth."""

    rows: int
    accepted: NDArray[np.int64]
    wrong: NDArray[np.int64]
    independent: NDArray[np.float64]


@cache
def _grid() -> NDArray[np.float64]:
    """Thresholds from 1 down to 0, even on the log-odds scale; fixed, so that they cannot follow the data.

    Each is a float32, because probabilities are, and comparing must not depend on which side is rounded.
    """
    odds = np.exp(np.arange(17.0, -10.0, -0.01))
    steps = np.concatenate([[1.0], odds / (1.0 + odds), [0.0]]).astype(np.float32)
    return np.unique(steps)[::-1].astype(np.float64)


def _check(chain: NDArray[np.float64], hits: NDArray[np.bool_], asked: float, delta: float) -> None:
    if chain.ndim != 2 or chain.shape != hits.shape:
        raise ValueError(f"confidences {chain.shape} and rights {hits.shape} must have the same shape")
    for name, value in (("precision", asked), ("delta", delta)):
        if not 0.0 < value < 1.0:
            raise PromiseError(
                f"the {name} of a promise must be above 0 and below 1, such as 0.95; got {value}"
            )
    if len(chain) == 0:
        raise PromiseError("there is no labelled product to base a promise on")
    if not (np.isfinite(chain).all() and chain.min() >= 0.0 and chain.max() <= 1.0 + 1e-6):
        raise ValueError("confidences must lie between 0 and 1")
    if (np.diff(chain, axis=1) > 1e-6).any():
        raise ValueError("the probabilities of a chain must not rise from the top down")


def _trace(chain: NDArray[np.float64], hits: NDArray[np.bool_], groups: ArrayLike | None) -> _Curve:
    """Count at all thresholds at once: a row's answer changes where they pass one of its nodes."""
    # A child may exceed its parent by a rounding error; it then counts at the parent's probability.
    chain = np.minimum.accumulate(chain, axis=1)
    top = np.argsort(-chain[:, 0], kind="stable")
    accepted = np.searchsorted(-chain[top, 0], -_grid(), side="right")
    # Errors that appear (+1) or go (-1, if a deeper node is right again) when a level comes into play.
    change = np.diff((~hits).astype(np.int64), axis=1, prepend=0)
    order = np.argsort(-chain, axis=None, kind="stable")
    reached = np.searchsorted(-chain.ravel()[order], -_grid(), side="right")
    wrong = np.concatenate([[0], np.cumsum(change.ravel()[order])])[reached]
    independent = accepted.astype(np.float64)
    if groups is not None:
        squares = np.concatenate([[0], np.cumsum(2 * _occurrence(np.asarray(groups)[top]) + 1)])
        independent = accepted * (accepted / np.maximum(squares[accepted], 1))
    return _Curve(len(chain), accepted, wrong, independent)


def _occurrence(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often [n] each code stood before: a group that grows to m rows adds 2 (m - 1) + 1 to m**2."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    place = np.empty(len(codes), np.int64)
    place[order] = np.arange(len(codes)) - np.searchsorted(ordered, ordered)
    return place


# -- testing -------------------------------------------------------------------------------------------------


def _rows_needed(asked: float, level: float) -> float:
    """Rows that pass the test at a level if all of them are right."""
    return float(np.log(level) / np.log(asked))


def _budgets(curve: _Curve, asked: float, delta: float) -> NDArray[np.float64]:
    """Share of delta that each threshold starts with: nothing but at the starts."""
    worth = float(curve.independent[-1])
    room = np.log2(max(worth / _rows_needed(asked, delta), 1.0))
    starts = int(np.clip(room, 1, _MOST_STARTS))
    least = _rows_needed(asked, delta / starts)
    budgets = np.zeros(len(curve.accepted))
    for step in range(starts):
        size = least * (worth / least) ** (step / starts)
        enough = curve.independent >= size * (1.0 - 1e-9)
        if enough.any():
            budgets[int(enough.argmax())] += delta / starts
    return budgets


def _laxest(curve: _Curve, asked: float, delta: float) -> int | None:
    """Index of the last threshold that passes the fallback procedure."""
    from scipy.special import betainc

    seen = 1.0 - curve.wrong / np.maximum(curve.accepted, 1)
    hits = curve.independent * seen
    # P(Binomial(n, 1 - asked) <= k) as an incomplete beta function, which also takes fractions of a row.
    p_values = betainc(np.maximum(hits, 1e-12), curve.independent - hits + 1.0, asked)
    last, carried = None, 0.0
    pairs = zip(p_values.tolist(), _budgets(curve, asked, delta).tolist(), strict=True)
    for index, (p_value, budget) in enumerate(pairs):
        carried += budget
        if p_value <= carried * (1.0 + 1e-9) and carried > 0.0:
            last = index
        else:
            carried = 0.0
    return last


def _explain_refusal(curve: _Curve, asked: float, delta: float) -> str:
    """Say why, and what could be promised from the same rows."""
    needed = int(np.ceil(_rows_needed(asked, delta) - 1e-9))
    worth = int(curve.independent[-1])
    start = f"a precision of {_percent(asked)} cannot be promised with {_percent(1.0 - delta)} certainty: "
    if worth < needed:
        independent = "" if worth == curve.rows else f" (worth {worth} independent ones)"
        reason = (
            f"that takes at least {needed:,} products that were answered without an error, "
            f"and there are {curve.rows:,}{independent}"
        )
    else:
        reason = _explain_errors(curve, asked, delta)
    best = _best_promise(curve, delta)
    offer = f"the best that these products support is {_percent(best)}" if best else "no promise is possible"
    return f"{start}{reason}; {offer}"


def _explain_errors(curve: _Curve, asked: float, delta: float) -> str:
    """Name the threshold that comes nearest to the promise, and the rows that would settle it."""
    enough = np.flatnonzero(curve.independent >= _rows_needed(asked, delta))
    seen = 1.0 - curve.wrong / np.maximum(curve.accepted, 1)
    # Thresholds that need the fewest labelled products in all; a sample of them is enough for a message.
    tried = enough[np.linspace(0, len(enough) - 1, 40).astype(np.int64)]
    totals = [
        _rows_to_show(float(seen[i]), asked, delta) * curve.rows / float(curve.independent[i]) for i in tried
    ]
    total = min(totals)
    if not np.isfinite(total):
        top = enough[seen[enough].argmax()]
        surest = f"{curve.accepted[top]:,} most confident answers"
        return f"only {_percent(seen[top])} even of the {surest} were right"
    nearest = tried[totals.index(total)]
    return (
        f"of the {curve.accepted[nearest]:,} most confident answers {_percent(seen[nearest])} were right, "
        f"which takes about {max(total, curve.rows):,.0f} labelled products or more to show"
    )


def _rows_to_show(seen: float, asked: float, delta: float) -> float:
    """Rows that pass the test with the precision that was seen; infinite if it is below the asked one."""
    from scipy.special import betainc

    sizes = np.geomspace(_rows_needed(asked, delta), 1e9, 500)
    passing = (
        betainc(np.maximum(sizes * seen, 1e-12), sizes * (1.0 - seen) + 1.0, asked) <= delta / _MOST_STARTS
    )
    return float(sizes[int(passing.argmax())]) if passing.any() else float("inf")


def _best_promise(curve: _Curve, delta: float) -> float:
    """Highest precision, in steps of 0.1 %, that passes; 0 if none does."""
    low, high = 0, 1000  # in thousandths: `low` passes (or is 0), `high` does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _laxest(curve, middle / 1000, delta) is not None else (low, middle)
    return low / 1000


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
