"""Dumping grounds: shelves whose products belong on many others ("Other", "Misc", "Sonstiges").

They are known by what they do. Most of their products are answered with another shelf, and with very many
different ones: the share that goes elsewhere times the number of shelves it goes to (the exponential of the
entropy) is far above what is usual in the tree. The name only adds to the evidence; it decides nothing.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Finding, count, examples_of, percent, shown

_FEWEST = 10  # groups of near-duplicates
_LOST = 0.5  # of the products are answered with another shelf
_MANY = 4.0  # shelves they go to
_ONE_TAKES = 0.7  # more to one shelf is an overlap, not a dumping ground
_TIMES = 4.0  # the scatter of the usual shelf
_ANYWAY = 20.0  # so many times the usual is enough, however many shelves are like that
_USUAL = 0.7  # at least: in a healthy tree hardly anything is scattered
_BELOW = 0.5  # of what a shelf loses goes below it: its products were left half-way
_NAMES = re.compile(
    r"\b(other|others|misc|miscellaneous|various|general|assorted|diverse|sonstige\w*|verschieden\w*|"
    r"allgemein\w*|divers|diverses|autre|autres|otro|otros|otra|otras|vari[oae]s?|altro|altri|altre|outro|"
    r"outros|outras|overig\w*|inne|pozostale|ostatni|drugoe|prochee|прочее|прочие|другое|другие|разное|diger|"
    r"diğer|ovrigt|övrigt|andet|annet|muut|egyeb|egyéb|missing|unknown|uncategori[sz]ed|rest)\b|"
    r"其他|其它|その他|기타|अन्य|อื่นๆ|أخرى|אחר"
)


def find_dumping_grounds(answers: Answers) -> list[Finding]:
    """Dumping grounds, and shelves whose products belong on the shelves below them."""
    lost, many, first = _scatter(answers)
    scatter = lost * many
    enough = answers.groups_of >= _FEWEST
    usual = max(float(np.median(scatter[enough])), _USUAL) if enough.any() else _USUAL
    far = max(_TIMES * usual, min(_rarely(scatter[enough]), _ANYWAY * usual))
    found = []
    for code in np.flatnonzero(enough & (lost >= 0.3)).tolist():
        below = _share_below(answers, code)
        if below >= _BELOW:
            found.append(_half_way(answers, code, below))
        elif _is_dump(lost[code], many[code], first[code]) and scatter[code] >= far:
            found.append(_dump(answers, code, (float(lost[code]), float(many[code]), usual)))
    return found


def _rarely(scatter: NDArray[np.float64]) -> float:
    """What only one shelf in twenty reaches: where half of a tree is scattered, no shelf of it is a dump."""
    return float(np.quantile(scatter, 0.95)) if len(scatter) else 0.0


def _is_dump(lost: float, many: float, first: float) -> bool:
    return bool(lost >= _LOST and many >= _MANY and first <= _ONE_TAKES)


def _scatter(answers: Answers) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each shelf what share of it goes to others, to how many, and the largest's share of that.

    All float64 [shelves]. How many is the exponential of the entropy: equal shares of n count as n.
    """
    lost, many, first = (np.zeros(answers.shelves) for _ in range(3))
    for code, rows in enumerate(answers.rows_by_shelf):
        went = answers.answer[rows]
        went = went[(went != code) & (went >= 0)]
        if len(went):
            shares = np.unique(went, return_counts=True)[1] / len(went)
            lost[code], first[code] = len(went) / len(rows), shares.max()
            many[code] = np.exp(-(shares * np.log(shares)).sum())
    return lost, many, first


def _share_below(answers: Answers, code: int) -> float:
    """The share of what a shelf loses that goes to shelves below it in the tree."""
    path = answers.taxonomy.paths[code]
    row = answers.spill[code]
    total = row.data.sum()
    below = [answers.taxonomy.paths[other][: len(path)] == path for other in row.indices.tolist()]
    same = [answers.taxonomy.paths[other] == path for other in row.indices.tolist()]
    return float(row.data[np.array(below, bool) & ~np.array(same, bool)].sum() / total) if total > 0 else 0.0


def looks_like_rest(name: str) -> bool:
    """Whether a name is one of the usual words for all that is left, in a dozen languages."""
    plain = unicodedata.normalize("NFC", name).casefold()
    return _NAMES.search(plain) is not None


def _dump(answers: Answers, code: int, measured: tuple[float, float, float]) -> Finding:
    lost, many, usual = measured
    rows = answers.rows_by_shelf[code]
    sure = _surely_elsewhere(answers, rows)
    departments = answers.taxonomy.departments
    went = answers.answer[rows][answers.answer[rows] != code]
    reach = len(np.unique(departments[went[went >= 0]]))
    says = (
        f"{percent(lost)} of the {count(len(rows), 'product')} of {shown(answers, code)} fit another "
        f"shelf better, "
        f"and they are spread as if over {many:.0f} shelves of {count(reach, 'department')} "
        f"({lost * many / usual:.0f} times the scatter of a usual shelf)."
    )
    word, found, pure = answers.words.own_word(rows)
    if word and found < 0.3:
        says += f' The word it could be known by, "{word}", stands in {percent(found)} of its titles.'
    if looks_like_rest(answers.taxonomy.paths[code][-1]):
        says += " Its name says the same."
    advice = (
        f"{count(len(sure), 'product')} of it surely fit{'s' if len(sure) == 1 else ''} another shelf: "
        f"move them "
        "there first (`shelfwise audit` lists them), then see what is left and whether it needs a shelf."
    )
    evidence = {"lost": lost, "spread_over": many, "departments": reach, "surely_elsewhere": len(sure),
                "own_word": 2 * found * pure / max(found + pure, 1e-9)}  # fmt: skip
    return Finding(
        "dumping", (answers.taxonomy.labels[code],), len(rows), says, advice, evidence,
        examples_of(answers, sure[:6]),
    )  # fmt: skip


def _surely_elsewhere(answers: Answers, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Products that another shelf fits with at least 70 %, surest first and no shelf twice at the start."""
    sure = answers.probabilities[rows].max(axis=1)
    chosen = (answers.answer[rows] != answers.y[rows]) & (sure >= 0.7)
    rows, sure = rows[chosen], sure[chosen]
    rows = rows[np.argsort(-sure, kind="stable")]
    first = np.sort(np.unique(answers.answer[rows], return_index=True)[1])
    return np.concatenate([rows[first], np.delete(rows, first)])


def _half_way(answers: Answers, code: int, below: float) -> Finding:
    rows = answers.rows_by_shelf[code]
    lost = float((answers.answer[rows] != code).mean())
    says = (
        f"{shown(answers, code)} holds {count(len(rows), 'product')} although there are shelves below it: "
        f"{percent(1 - answers.own[code])} of what fits them is another shelf, and {percent(below)} of "
        f"that lies "
        "below. They look as if they had been left half-way down."
    )
    advice = "Move its products down to the shelves that fit; keep none on a shelf that has shelves below it."
    evidence = {"lost": lost, "to_below": below}
    sure = _surely_elsewhere(answers, rows)
    return Finding(
        "dumping", (answers.taxonomy.labels[code],), len(rows), says, advice, evidence,
        examples_of(answers, sure[:6]),
    )  # fmt: skip
