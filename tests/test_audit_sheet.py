"""Pages of one file."""

import pytest

from shelfwise.audit import sheet
from shelfwise.errors import MissingExtraError

jinja2 = pytest.importorskip("jinja2")


def test_a_value_that_is_missing_is_an_error_and_not_a_gap():
    with pytest.raises(jinja2.UndefinedError, match="lead"):
        sheet.render("doctor", {"title": "t"})


def test_without_its_extra_the_page_says_which_one(monkeypatch):
    monkeypatch.setattr(sheet, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"my page needs.*report"):
        sheet.check_sheet("my page")
