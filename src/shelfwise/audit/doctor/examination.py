"""The examination: everything that the doctor looks for, in one order."""

from __future__ import annotations

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.chains import find_chains
from shelfwise.audit.doctor.dumping import find_dumping_grounds
from shelfwise.audit.doctor.findings import KINDS, Finding
from shelfwise.audit.doctor.learnable import find_unlearnable
from shelfwise.audit.doctor.names import find_empty_names, find_same_names, find_spellings
from shelfwise.audit.doctor.overlap import find_overlaps
from shelfwise.audit.doctor.two_groups import find_two_groups
from shelfwise.learners.matrix import one_blas_thread


def examine(answers: Answers) -> list[Finding]:
    """All findings, in the order of `KINDS`; within a kind the largest gain first, then most products.

    A shelf that is a dumping ground or part of an overlap is not told once more as one that nobody can learn.
    """
    with one_blas_thread():  # many small problems: threads would only wait for one another
        return _examine(answers)


def _examine(answers: Answers) -> list[Finding]:
    dumps, overlaps = find_dumping_grounds(answers), find_overlaps(answers)
    told = {label for one in (*dumps, *overlaps) for label in one.shelves}
    unlearnable = [one for one in find_unlearnable(answers) if not told.issuperset(one.shelves[:1])]
    found = [
        *overlaps,
        *dumps,
        *unlearnable,
        *find_two_groups(answers),
        *find_spellings(answers),
        *find_same_names(answers),
        *find_empty_names(answers),
        *find_chains(answers),
    ]
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(found, key=lambda one: (order[one.kind], -_gain(one), -one.products, one.shelves))


def _gain(one: Finding) -> int:
    return one.gain.products if one.gain else 0
