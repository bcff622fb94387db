"""The doctor's safe advice as a label mapping, in the form that `shelfwise train --mapping` reads.

Safe is a merge whose gain was measured and that harms no score, between sisters or a shelf and the one above.
Merges are taken in the order of their gain; one that touches a shelf which an earlier one has changed is left
out, so that no shelf is moved twice and none becomes one that has moved away.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.findings import Finding, Gain
from shelfwise.audit.doctor.merging import gain_of_merging
from shelfwise.catalogue.taxonomy import split_path

_DROPS = ("", "-")  # as `to` they would drop the category


def safe_merges(answers: Answers, findings: Sequence[Finding]) -> dict[str, str]:
    """Labels that change and what they become, in the order of their gain."""
    touched: set[str] = set()
    merges: dict[str, str] = {}
    for one in sorted(_mergeable(answers, findings), key=_gained):
        if touched.isdisjoint(one.shelves):
            touched.update(one.shelves)
            merges |= {label: one.merge_into for label in one.shelves if label != one.merge_into}
    return merges


def gain_of(answers: Answers, merges: dict[str, str]) -> Gain:
    """What all merges together gain, measured out of fold."""
    code = {label: place for place, label in enumerate(answers.taxonomy.labels)}
    sets: dict[str, list[int]] = {}
    for source, target in merges.items():
        sets.setdefault(target, [code[target]]).append(code[source])
    return gain_of_merging(answers, list(sets.values()))


def write_mapping(merges: Mapping[str, str]) -> str:
    """The merges as CSV with the columns `from` and `to`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["from", "to"])
    writer.writerows(merges.items())
    return out.getvalue()


def _gained(one: Finding) -> tuple[float, tuple[str, ...]]:
    return (-(one.gain.products if one.gain else 0), one.shelves)


def _mergeable(answers: Answers, findings: Sequence[Finding]) -> list[Finding]:
    separator = answers.taxonomy.separator
    return [
        one
        for one in findings
        if one.merge_into and all(_can_be_written(label, separator) for label in one.shelves)
    ]


def _can_be_written(label: str, separator: str | None) -> bool:
    """Whether a mapping file can name that label: it trims names, and some mean more than one label."""
    trimmed = label.strip() == label and label not in _DROPS
    return trimmed and split_path(label, separator)[-1] != "*"
