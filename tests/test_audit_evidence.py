"""`audit.evidence`: every product is answered by models that saw neither it nor its near-duplicates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from audit_shop import plant, recipe, shop
from shelfwise.audit import evidence as module
from shelfwise.audit.evidence import CANDIDATES, Answering, Found, gather
from shelfwise.audit.swaps import KINDS
from shelfwise.catalogue.read import open_source
from shelfwise.decide.fusion import fit_fusion
from shelfwise.errors import LabelError


class Heard:
    """Keeps what `gather` lets it hear."""

    def __init__(self):
        self.rows, self.probabilities = [], []

    def __call__(self, rows, probabilities):
        self.rows.append(rows)
        self.probabilities.append(probabilities)

    @property
    def table(self):
        rows = np.concatenate(self.rows)
        assert sorted(rows.tolist()) == list(range(len(rows)))
        return np.concatenate(self.probabilities)[np.argsort(rows)]


@pytest.fixture(scope="module")
def heard():
    return Heard()


@pytest.fixture(scope="module")
def found(heard):
    return gather(open_source(plant(shop(16), 4)[0]), recipe(), answering=Answering(listener=heard))


def test_every_product_is_answered_once_and_stands_in_its_place(found, heard):
    y, table = found.lesson.y, heard.table

    assert found.given.row.tolist() == list(range(144))
    assert found.given.code.tolist() == y.tolist()
    assert found.given.p == pytest.approx(table[np.arange(144), y])
    assert table.sum(axis=1) == pytest.approx(np.ones(144), abs=1e-4)


def test_kept_are_the_most_probable_categories_best_first(found, heard):
    count = min(CANDIDATES, 9)

    assert found.codes.shape == found.probabilities.shape == (144, count)
    assert (np.diff(found.probabilities, axis=1) <= 0).all()
    assert found.probabilities == pytest.approx(-np.sort(-heard.table, axis=1)[:, :count])
    assert (np.take_along_axis(heard.table, found.codes.astype(int), axis=1) == found.probabilities).all()


def test_made_up_claims_are_of_other_categories(found):
    assert len(found.swapped) == len(found.way) == 144
    assert (found.swapped.code != found.lesson.y[found.swapped.row]).all()
    assert (np.diff(found.swapped.row) >= 0).all()
    assert set(found.way.tolist()) <= set(range(len(KINDS)))


def test_answers_for_both_claims_on_a_product_are_of_the_same_models(found):
    rows = found.swapped.row

    assert found.swapped.entropy.tolist() == found.given.entropy[rows].tolist()
    assert found.swapped.top.tolist() == found.given.top[rows].tolist()


def test_right_products_are_mostly_answered_right_and_planted_ones_are_not(found):
    wrong = found.lesson.products["product_id"].is_in(list(plant(shop(16), 4)[1])).to_numpy()
    right = found.given.top == found.given.code

    assert right[~wrong].mean() > 0.95
    assert right[wrong].mean() < 0.3


def test_near_duplicates_are_never_learned_from(monkeypatch):
    frame = shop(8)
    twins = frame.with_columns(product_id="again" + pl.col("product_id"))
    answered = set()

    class Watched(module.Views):
        def fit(self, products, *arguments):
            self.learned = set(products["title"])
            return super().fit(products, *arguments)

        def scores(self, products, *arguments):
            assert not self.learned & set(products["title"])
            answered.update(products["title"])
            return super().scores(products, *arguments)

    monkeypatch.setattr(module, "Views", Watched)
    gather(open_source(pl.concat([frame, twins])), recipe())

    assert answered == set(frame["title"])


def test_views_are_weighed_by_more_than_the_first_part_where_that_is_small(monkeypatch):
    counts = []

    def counting(scores, speaks, y, prior):
        counts.append(len(y))
        return fit_fusion(scores, speaks, y, prior)

    monkeypatch.setattr(module, "fit_fusion", counting)
    gather(open_source(shop(8)), recipe())
    assert counts == [72]

    monkeypatch.setattr(module, "_STEADY", 30)
    gather(open_source(shop(8)), recipe())
    assert 30 <= counts[1] <= 45


def test_a_category_of_one_product_was_never_seen():
    single = pl.DataFrame({"product_id": ["S"], "title": ["sundial gnomon"], "category": ["Sundials"]})
    found = gather(open_source(pl.concat([shop(8), single])), recipe())

    assert found.given.known[-1] == 0
    assert found.given.known[:-1].min() > 0
    assert found.given.p[-1] < 0.5


def test_twins_on_the_only_shelf_of_their_own_are_alone_too():
    twins = pl.DataFrame(
        {"product_id": ["S", "T"], "title": ["sundial gnomon"] * 2, "category": ["Sundials"] * 2}
    )
    found = gather(open_source(pl.concat([shop(8), twins])), recipe())

    assert found.given.known[-2:].tolist() == [0, 0]


def test_seed_decides_and_threads_do_not():
    def told(**settings):
        threads = settings.get("threads", 1)
        found = gather(open_source(shop(8)), recipe(**settings), threads)
        return found.probabilities.tobytes(), found.swapped.code.tobytes(), found.way.tobytes()

    assert told() == told() == told(threads=3)
    assert told() != told(seed=1)


def test_steps_are_told_as_they_begin():
    steps = []
    gather(open_source(shop(4)), recipe(), notify=steps.append)

    assert steps == ["reading", *(f"part {number} of 5" for number in range(1, 6))]


def test_views_are_named_without_the_departments(found):
    assert "departments" not in found.views
    assert found.given.views.shape == (144, len(found.views))
    assert set(found.views) <= {"ngrams", "words", "neighbours"}


@pytest.mark.parametrize(
    ("titles", "labels", "said"),
    [
        (["red boot", "blue hat"], ["a", "b"], "too few to hold a part back"),
        (["red boot", "RED  boot!", "Red boot"] * 2, ["a", "b"] * 3, "near-duplicates of each other"),
        (["red boot", "blue hat", "green sock"], ["a", "a", "a"], "At least two categories"),
        ([], [], "At least two categories"),
    ],
    ids=["two", "one good", "one category", "none"],
)
def test_catalogues_with_nothing_to_compare_are_refused(titles, labels, said):
    frame = pl.DataFrame({"title": titles, "category": labels}, schema={"title": str, "category": str})
    with pytest.raises(LabelError, match=said):
        gather(open_source(frame), recipe())


def test_what_a_fold_came_to_passes_as_arrays(monkeypatch):
    parts = []

    def elsewhere(dealt, fusion, numbers):
        for number in numbers:
            found = dealt.answer(number, dealt.learn(number, 1, fusion.views), fusion, 1)
            parts.append(found.tensors())
            yield Found.restored(parts[-1])

    monkeypatch.setattr(module, "_STEADY", 10)
    here = gather(open_source(shop(8)), recipe())
    there = gather(open_source(shop(8)), recipe(), answering=Answering(elsewhere))

    assert len(parts) == 4
    assert there.probabilities.tobytes() == here.probabilities.tobytes()
    assert there.swapped.code.tobytes() == here.swapped.code.tobytes()
    assert there.given.views.tobytes() == here.given.views.tobytes()
    assert set(parts[0]) >= {"rows", "codes", "probabilities", "way", "given.row", "swapped.view_best"}
