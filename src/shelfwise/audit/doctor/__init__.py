"""The doctor: sick parts of a category tree, with evidence, advice, and what following it would gain."""

from shelfwise.audit.doctor.answers import Answers
from shelfwise.audit.doctor.examination import examine
from shelfwise.audit.doctor.findings import Example, Finding, Gain, tabulate
from shelfwise.audit.doctor.mapping import safe_merges, write_mapping
from shelfwise.audit.doctor.page import render_page

__all__ = [
    "Answers",
    "Example",
    "Finding",
    "Gain",
    "examine",
    "render_page",
    "safe_merges",
    "tabulate",
    "write_mapping",
]
