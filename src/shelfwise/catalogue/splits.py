"""Splits of a catalogue into rows to learn from and rows to test on.

Every split here is grouped and stratified. Grouped: rows with one group code (near-duplicates, see
`shelfwise.catalogue.duplicates`) stay on one side, because a test row whose twin was learned tells nothing.
Stratified: each class keeps its share on each side, as far as whole groups allow. A class whose rows are all
in one group cannot be tested; its group is always learned from.

How rows are dealt: classes stand one after the other in random order, and seats are handed out in turns
(systematic sampling), so that every class has its share within one row and the sizes come out exact over all
classes. Large groups take their turns first, and rows that stand alone fill up what each class still lacks;
only where a class is mostly large groups can it, and the total, be off by a few of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from shelfwise.errors import CatalogueError

Rows = NDArray[np.int64]

_TRAIN_NAMES = ("train", "val", "valid", "validation")
_TEST_NAMES = ("test",)


def hold_out(y: ArrayLike, groups: ArrayLike | None, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to learn from and rows to test on.

    Parameters
    ----------
    y
        [n] class codes.
    groups
        [n] group codes, or None where every row stands alone.
    fraction
        Share of the rows to test on, 0 < fraction < 1; rows of classes with a single group are left out of
        the reckoning.
    seed
        The split depends on the seed, `y` and `groups` alone.

    Returns
    -------
    Row numbers (train, test), ascending; together they are all rows, and every tested class is also learned.

    """
    codes, y = _group_codes(y, groups)
    deal = _Deal(_between(fraction), 1)
    fold = _deal(y, codes, deal, seed, _untestable(y, codes))
    fold = _pin_sole(y, codes, fold)
    return np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)


def folds(y: ArrayLike, groups: ArrayLike | None, k: int, seed: int) -> NDArray[np.int32]:
    """Fold [n] of each row, 0 to k - 1, or -1 = learned from in every round (its class cannot be tested).

    For each fold, every class in it has rows outside of it. Parameters as in `hold_out`.
    """
    if k < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, got {k}")
    codes, y = _group_codes(y, groups)
    fold = _deal(y, codes, _Deal(1.0, k), seed, _untestable(y, codes))
    return _pin_sole(y, codes, fold)


def sample(y: ArrayLike, groups: ArrayLike | None, fraction: float, seed: int) -> Rows:
    """Row numbers of a part of the catalogue in which classes keep their shares; parameters as in `hold_out`.

    Whole groups are in or out. A class may be missing from the sample where its share is less than a row.
    """
    codes, y = _group_codes(y, groups)
    if fraction >= 1.0:
        return np.arange(len(y))
    free = np.zeros(_count(codes), bool)
    return np.flatnonzero(_deal(y, codes, _Deal(_between(fraction), 1), seed, free) == 0)


# -- splits that the catalogue brings ------------------------------------------------------------------------


def given_split(column: pl.Series) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks [n] (train, test) from a column that says so; validation rows count as train.

    Raises
    ------
    CatalogueError
        The column has other values than train, val (valid, validation) and test, or lacks one of the two
        sides.

    """
    names = column.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    train = names.is_in(_TRAIN_NAMES).to_numpy()
    test = names.is_in(_TEST_NAMES).to_numpy()
    known = train | test
    if not known.all():
        counts = column.filter(pl.Series(~known)).cast(pl.String).fill_null("").value_counts(sort=True)
        seen = sorted(counts.rows(), key=lambda pair: (-pair[1], pair[0]))
        listed = ", ".join(f"{value!r} ({count} rows)" for value, count in seen[:5])
        more = f" and {len(seen) - 5} more" if len(seen) > 5 else ""
        raise CatalogueError(
            f'column "{column.name}" is to say which rows are for training and which for testing, '
            f"but has other values: {listed}{more}. Use train, val or test in every row"
        )
    return train, test


class Crossing(NamedTuple):
    """How far a given split parts near-duplicates."""

    groups: int
    """Groups with rows on both sides."""
    test_rows: int
    """Test rows that have a near-duplicate in train."""


def count_crossing(groups: ArrayLike, train: ArrayLike, test: ArrayLike) -> Crossing:
    """Count the groups that stand on both sides of a split.

    Parameters
    ----------
    groups
        [n] group codes.
    train, test
        Row numbers, or masks [n].

    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    in_train, in_test = (
        np.bincount(codes[np.asarray(rows)], minlength=_count(codes)) for rows in (train, test)
    )
    both = (in_train > 0) & (in_test > 0)
    return Crossing(int(both.sum()), int(in_test[both].sum()))


@dataclass(frozen=True)
class Flattery:
    """How much better a model looks on a random split than on one that keeps near-duplicates together.

    Attributes
    ----------
    random, grouped
        Scores on the two splits.
    difference
        `random` - `grouped`, in the score's unit.
    twins
        Share (0..1) of the random split's test rows that have a near-duplicate in train.

    """

    random: float
    grouped: float
    difference: float
    twins: float


def flattery(
    y: ArrayLike,
    groups: ArrayLike,
    score: Callable[[Rows, Rows], float],
    fraction: float = 0.2,
    seed: int = 0,
) -> Flattery:
    """Score a random and a grouped split of the same size, both stratified.

    `score` takes row numbers to learn from and to test on. The other parameters are those of `hold_out`.
    """
    train, test = hold_out(y, groups, fraction, seed)
    grouped = score(train, test)
    loose_train, loose_test = hold_out(y, None, fraction, seed)
    random = score(loose_train, loose_test)
    twins = count_crossing(groups, loose_train, loose_test).test_rows / max(1, len(loose_test))
    return Flattery(random, grouped, random - grouped, twins)


# -- dealing -------------------------------------------------------------------------------------------------


class _Deal(NamedTuple):
    """`share` of the rows goes to `folds` folds in equal parts, the rest to fold -1."""

    share: float
    folds: int

    def turns(self, seats: int, offset: float) -> NDArray[np.int64]:
        """Folds [seats] of seats in a row: any run of them has each fold by its share, within one."""
        if self.share >= 1.0:
            return (np.arange(seats) + int(offset * self.folds)) % self.folds
        steps = np.floor(np.arange(seats + 1) * self.share + offset).astype(np.int64)
        return np.where(np.diff(steps) > 0, steps[:-1] % self.folds, -1)


def _between(fraction: float) -> float:
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"the fraction must be above 0 and below 1, got {fraction}")
    return float(fraction)


def _group_codes(y: ArrayLike, groups: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group codes and classes, both renumbered from 0 without gaps."""
    classes = np.unique(np.asarray(y), return_inverse=True)[1]
    if groups is None:
        return np.arange(len(classes)), classes
    codes = np.asarray(groups)
    if len(codes) != len(classes):
        raise ValueError(f"{len(classes)} classes but {len(codes)} group codes")
    return np.unique(codes, return_inverse=True)[1], classes


def _count(codes: NDArray[np.int64]) -> int:
    return int(codes.max()) + 1 if len(codes) else 0


def _class_groups(y: NDArray[np.int64], codes: NDArray[np.int64]) -> tuple[Rows, Rows, Rows]:
    """Every pair of a class and a group that has rows of it: classes, groups and numbers of rows."""
    pairs, rows = np.unique(y * _count(codes) + codes, return_counts=True)
    return *np.divmod(pairs, max(1, _count(codes))), rows


def _untestable(y: NDArray[np.int64], codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Groups [groups] that have all rows of some class."""
    classes, groups, _ = _class_groups(y, codes)
    alone = np.bincount(classes)[classes] == 1
    mask = np.zeros(_count(codes), bool)
    mask[groups[alone]] = True
    return mask


def _pin_sole(y: NDArray[np.int64], codes: NDArray[np.int64], fold: NDArray[np.int32]) -> NDArray[np.int32]:
    """Move a group to fold -1 for each class that would be tested on without being learned from."""
    if len(y) == 0:
        return fold
    classes, groups, _ = _class_groups(y, codes)
    group_fold = np.empty(_count(codes), np.int32)
    group_fold[codes] = fold
    lowest, highest = np.full(classes[-1] + 1, np.iinfo(np.int32).max), np.full(classes[-1] + 1, -1)
    np.minimum.at(lowest, classes, group_fold[groups])
    np.maximum.at(highest, classes, group_fold[groups])
    sole = (lowest == highest) & (lowest >= 0)
    first = np.append(True, classes[1:] != classes[:-1])
    group_fold[groups[first & sole[classes]]] = -1
    return group_fold[codes]


def _deal(
    y: NDArray[np.int64], codes: NDArray[np.int64], deal: _Deal, seed: int, pinned: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Fold [n] of each row; groups that are `pinned` get -1."""
    group_fold = np.full(_count(codes), -1, np.int64)
    free = np.flatnonzero(~pinned)
    if len(free) == 0:
        return group_fold[codes].astype(np.int32)
    generator = np.random.default_rng(seed)
    sizes = np.bincount(codes)
    strata = generator.permutation(_count(y))[_main_class(y, codes, sizes)]
    # In class order; within a class from large to small, and in random order among equals.
    shuffled = free[generator.permutation(len(free))]
    order = shuffled[np.lexsort((-sizes[shuffled], strata[shuffled]))]
    large = order[sizes[order] > 1]
    group_fold[large] = deal.turns(len(large), generator.random())

    bins = deal.folds + 1  # fold -1 is bin 0
    rows = np.bincount(strata[order], weights=sizes[order], minlength=_count(y)).astype(np.int64)
    seats = np.repeat(np.arange(len(rows)), rows) * bins + deal.turns(int(rows.sum()), generator.random()) + 1
    wanted = np.bincount(seats, minlength=len(rows) * bins)
    taken = np.bincount(strata[large] * bins + group_fold[large] + 1, sizes[large], len(rows) * bins)
    lacking = np.maximum(wanted - taken.astype(np.int64), 0).reshape(-1, bins)
    single = order[sizes[order] == 1]
    group_fold[single] = _fill(strata[single], lacking) - 1
    return group_fold[codes].astype(np.int32)


def _main_class(
    y: NDArray[np.int64], codes: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Class [groups] of most rows of each group; the lowest code among equals."""
    main = np.empty(len(sizes), np.int64)
    main[codes] = y
    several = np.flatnonzero(sizes[codes] > 1)
    classes, groups, rows = _class_groups(y[several], codes[several])
    order = np.lexsort((-classes, rows))  # the last one written stays
    main[groups[order]] = classes[order]
    return main


def _fill(strata: NDArray[np.int64], lacking: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bins for single rows, sorted by stratum: what it lacks, in proportion where rows are too few."""
    count = np.bincount(strata, minlength=len(lacking))
    total = lacking.sum(axis=1)
    begin = np.cumsum(count) - count
    place = np.arange(len(strata)) - begin[strata]
    # Row j of s takes the place (j + 1/2) / s of the line of what is lacking; all of it if they are equal.
    seat = (2 * place + 1) * total[strata] // (2 * count[strata])
    ends = np.cumsum(lacking, axis=1) + (np.cumsum(total) - total)[:, None]
    bins = np.searchsorted(ends.ravel(), (np.cumsum(total) - total)[strata] + seat, side="right")
    return np.asarray(bins % lacking.shape[1], np.int64)
