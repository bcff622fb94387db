"""The report: one page that loads nothing, shows hostile names as text, and stands any outcome."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.errors import MissingExtraError
from shelfwise.evaluate import Outcome, PromiseOutcome, score, write_report
from shelfwise.evaluate.reliability import Coverage, Kept
from shelfwise.evaluate.report import render_page
from shelfwise.evaluate.wording import judge_promise, of_hundred, tell_promise

LABELS = ["Home > Cups", "Home > Mugs", "Shoes > Men", "Shoes > Women", "Tyres"]


def outcome(true, answers, labels=LABELS, **more):
    taxonomy = Taxonomy.build(labels, separator=" > ")
    codes = np.column_stack((taxonomy.codes(answers), taxonomy.codes(true)))
    confidence = np.tile(np.array([[0.7, 0.2]], np.float32), (len(true), 1))
    return Outcome(taxonomy, taxonomy.codes(true), codes.astype(np.int32), confidence, given=true, **more)


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and text outside of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._inside, self.scripts = [], [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts += [""] if tag == "script" else []

    def handle_endtag(self, tag):
        self._inside = None if tag == self._inside else self._inside

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside is None:
            self.text.append(data)

    @property
    def shown(self):
        return re.sub(r"\s+", " ", " ".join(self.text))

    @property
    def data(self):
        return json.loads(self.scripts[1])


def page(result, **more):
    return Page(render_page(result, score(result, draws=5), **more))


TRUE = ["Home > Cups", "Home > Mugs", "Tyres", "Tyres"]
ANSWERS = ["Home > Cups", "Home > Cups", "Tyres", "Shoes > Men"]


# -- one page ----------------------------------------------------------------------------------------------


def test_the_page_loads_nothing():
    shown = page(outcome(TRUE, ANSWERS))

    loading = [value for _, attributes in shown.elements for name, value in attributes.items()
               if name in ("src", "href", "srcset", "action", "data", "poster")]  # fmt: skip
    assert loading
    assert all(place.startswith("#") for place in loading)
    assert not any(tag in ("link", "img", "iframe", "object", "base") for tag, _ in shown.elements)
    policy = next(attributes for tag, attributes in shown.elements if "http-equiv" in attributes)
    assert policy["content"].startswith("default-src 'none';")


def test_every_link_has_its_place_in_the_page():
    shown = page(outcome(TRUE, ANSWERS))

    places = {attributes.get("id") for _, attributes in shown.elements}
    assert {attributes["href"][1:] for tag, attributes in shown.elements if tag == "a"} <= places


def test_every_choice_of_the_matrix_has_one():
    labels = [f"Department {i:02} > Shelf" for i in range(60)]
    shown = page(outcome(labels, labels[1:] + labels[:1], labels))

    options = [attributes["value"] for tag, attributes in shown.elements if tag == "option"]
    departments = {int(node) for node in options[3:]}  # after two levels and "all"
    assert departments == {matrix["department"] for matrix in shown.data["matrices"]} - {None}
    assert len(departments) == 40


def test_plotly_is_there_once():
    text = render_page(outcome(TRUE, ANSWERS), score(outcome(TRUE, ANSWERS), draws=0))

    assert len(re.findall(r"plotly\.js v\d", text)) == 1


def test_headline_says_the_scores_in_words():
    shown = page(outcome(TRUE, ANSWERS), title="Spring catalogue").shown

    assert "Spring catalogue · 4 products" in shown
    assert "50 of 100 products land on exactly the right shelf, 75 in the right department." in shown


def test_promise_and_views_have_their_parts():
    taxonomy = Taxonomy.build(LABELS, separator=" > ")
    promise = PromiseOutcome(0.9, np.array([True, False, True, False]), np.array([1, 0, -1, -1], np.int32))
    shown = page(outcome(TRUE, ANSWERS, promise=promise, by_view={"picture": taxonomy.codes(TRUE)}))

    assert "promise kept" in shown.shown
    assert (
        "At 90 % precision 50 of 100 can be accepted without a person; 100.0 % of them are right."
        in shown.shown
    )
    assert "picture" in shown.shown
    assert {"figure-views", "figure-coverage"} <= {attributes.get("id") for _, attributes in shown.elements}


# -- hostile and strange text ------------------------------------------------------------------------------

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.mark.parametrize("place", ["titles", "product_ids", "label", "unseen", "view", "title", "note"])
def test_script_in_the_data_is_shown_as_text(place):
    labels = [*LABELS, f"Home > {EVIL}"] if place == "label" else LABELS
    true = ["Home > Mugs", EVIL if place == "unseen" else labels[-1], "Tyres"]
    more = {place: [EVIL] * 3} if place in ("titles", "product_ids") else {}
    if place == "view":
        more["by_view"] = {EVIL: np.zeros(3, np.int32)}
    result = outcome(true, ["Home > Cups"] * 3, labels, **more)

    words = {"title": EVIL} if place == "title" else {"notes": [EVIL]} if place == "note" else {}
    shown, plain = page(result, **words), page(outcome(["Home > Mugs"], ["Home > Cups"]))

    assert len(shown.scripts) == len(plain.scripts)
    assert all(tag != "img" for tag, _ in shown.elements)
    assert not any(name.startswith("on") for _, attributes in shown.elements for name in attributes)
    assert "alert(1)" in shown.shown


def test_any_language_and_long_names():
    labels = ["Обувь > Мужская", "鞋 > 男鞋", "أحذية > رجالي", "X" * 500 + " > leaf"]

    shown = page(outcome(labels, labels[1:] + labels[:1], labels))

    assert all(leaf in shown.shown for leaf in ("Мужская", "男鞋", "رجالي"))
    assert "X" * 100 not in shown.shown
    assert any(attributes.get("title", "").startswith("X" * 500) for _, attributes in shown.elements)


# -- any outcome -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("true", "answers", "labels"),
    [
        (["cups"] * 3, ["cups", "cups", "mugs"], ["cups", "mugs"]),  # one level
        (["Tyres"], ["Shoes > Men"], LABELS),  # one row, and it is wrong
        (LABELS, LABELS, LABELS),  # no error
        (["Zoo", "Zoo > Cages"], ["Tyres", "Tyres"], LABELS),  # nothing but unseen labels
        (["Tyres", "Tyres"], [None, None], LABELS),  # no answer at all
    ],
    ids=["one level", "one error", "no error", "unseen", "no answer"],
)
def test_any_outcome_has_a_report(tmp_path, true, answers, labels):
    result = outcome(true, answers, labels)

    write_report(result, score(result, draws=5), tmp_path)

    shown = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "How right, level by level" in shown.shown
    assert shown.data["categories"]["name"]
    assert len(pl.read_csv(tmp_path / "errors.csv")) == int((~result.right).sum())


def test_thousands_of_categories_make_a_page_of_bounded_size():
    rng = np.random.default_rng(0)
    labels = [
        f"Department {i % 40} > Shelf {i % 400} > A category with a longer name, number {i}"
        for i in range(2000)
    ]
    true = rng.integers(0, 2000, 10_000)
    answers = np.where(rng.random(10_000) < 0.7, true, rng.integers(0, 2000, 10_000))
    titles = ["A product with a title of some length"] * 10_000

    result = outcome([labels[i] for i in true], [labels[i] for i in answers], labels, titles=titles)
    text = render_page(result, score(result, draws=5))

    assert len(text.encode()) < 8_000_000
    matrices = Page(text).data["matrices"]
    assert max(len(matrix["nodes"]) for matrix in matrices) == 300


# -- files -------------------------------------------------------------------------------------------------


def test_files_are_all_there_and_no_other(tmp_path):
    result = outcome(TRUE, ANSWERS)

    place = write_report(result, score(result, draws=5), tmp_path / "new" / "folder")

    assert place == tmp_path / "new" / "folder" / "report.html"
    assert sorted(file.name for file in place.parent.iterdir()) == [
        "categories.csv", "confusions.csv", "errors.csv", "report.html", "scores.json",
    ]  # fmt: skip


def test_tables_tell_categories_confusions_and_errors(tmp_path):
    result = outcome(TRUE, ANSWERS, titles=list("abcd"), product_ids=["1", "2", "3", "4"])

    write_report(result, score(result, draws=5), tmp_path)

    categories = (
        pl.read_csv(tmp_path / "categories.csv")
        .filter(pl.col("category") == "Home > Cups")
        .row(0, named=True)
    )
    assert (categories["products"], categories["answered"], categories["recall"]) == (1, 2, 1.0)
    confusions = pl.read_csv(tmp_path / "confusions.csv").rows()
    assert confusions == [
        ("Tyres", "Shoes > Men", 1, 3, 3, 0.5),
        ("Home > Mugs", "Home > Cups", 1, 2, 2, 0.5),
    ]
    errors = pl.read_csv(tmp_path / "errors.csv")
    assert errors["title"].to_list() == ["b", "d"]
    assert errors["predicted_2"].to_list() == ["Home > Mugs", "Tyres"]


def test_the_same_outcome_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        result = outcome(TRUE, ANSWERS)
        write_report(result, score(result, draws=20), tmp_path / name)

    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_without_the_extra_the_message_says_what_to_install_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    result = outcome(TRUE, ANSWERS)

    with pytest.raises(MissingExtraError, match=r"shelfwise\[report\]"):
        write_report(result, score(result, draws=0), tmp_path / "report")

    assert not (tmp_path / "report").exists()


# -- words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "words"),
    [(1, "100"), (0.999, "more than 99"), (0.8351, "84"), (0.001, "fewer than 1"), (0, "0")],
)
def test_shares_are_not_rounded_to_all_or_nothing(share, words):
    assert of_hundred(share) == words


@pytest.mark.parametrize(
    ("kept", "interval", "kind"),
    [(0.96, (0.94, 0.97), "kept"), (0.94, (0.92, 0.96), "close"), (0.90, (0.88, 0.92), "broken")],
)
def test_verdict_on_a_promise(kept, interval, kind):
    assert judge_promise(Kept(0.95, kept, 0.5, interval, 100, 6)).kind == kind


def test_no_promise_tells_what_could_have_been():
    curve = Coverage(np.array([0.9, 0.5]), np.array([0.4, 1.0]), np.array([0.98, 0.7]))

    assert tell_promise(None, curve).startswith("Looking back, 40 of 100")
