"""`scoring`: blocks in order, bounded, with errors passed on, and results that do not depend on them."""

from __future__ import annotations

import threading
import time

import numpy as np
import polars as pl
import pytest

from shelfwise import scoring
from shelfwise.catalogue.products import TEXT_FIELDS
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import Pool
from shelfwise.recipe import Recipe
from shelfwise.scoring import block_rows, map_blocks, probabilities_of, score_in_blocks
from shelfwise.views.panel import Views

NUMBERS = pl.DataFrame({"n": range(1000)})


def shop(rows: int) -> pl.DataFrame:
    kinds = ("shoe leather", "watch steel", "ring silver")
    table = {name: [""] * rows for name in TEXT_FIELDS}
    table["title"] = [f"{kinds[i % 3]} no {i % 11} {'blue' if i % 2 else 'red'}" for i in range(rows)]
    return pl.DataFrame(table)


@pytest.fixture(scope="module")
def views() -> Views:
    recipe = Recipe.parse("text.bits = 14")
    return Views(recipe, ["title", "brand"]).fit(
        shop(90), np.arange(90, dtype=np.int32) % 3, np.array([0, 0, 1], np.int32)
    )


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(scoring, "block_rows", lambda classes: 7)


def test_blocks_keep_the_array_of_scores_small():
    assert block_rows(2) == 4096
    assert block_rows(5000) * 5000 <= 1 << 22
    assert block_rows(10_000_000) == 64
    assert block_rows(0) == 4096


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_rows(threads, small_blocks):
    def work(block: pl.DataFrame) -> list[int]:
        time.sleep(0.002 if block["n"][0] % 2 else 0)
        return block["n"].to_list()

    parts = list(map_blocks(work, NUMBERS, 3, threads))
    assert [n for part in parts for n in part] == list(range(1000))
    assert {len(part) for part in parts[:-1]} == {7}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_block_reaches_the_caller(threads, small_blocks):
    def work(block: pl.DataFrame) -> int:
        if 70 in block["n"]:
            raise KeyError("row 70")
        return 0

    with pytest.raises(KeyError, match="row 70"):
        list(map_blocks(work, NUMBERS, 3, threads))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exhausted_iterator_in_the_work_does_not_pass_for_the_end(threads, small_blocks):
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(map_blocks(lambda block: next(iter(())), NUMBERS, 3, threads))


def test_only_a_few_blocks_are_under_way(small_blocks):
    begun = []
    results = map_blocks(lambda block: begun.append(block["n"][0]), NUMBERS, 3, 2)
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 4  # one given, two at work, one waiting
    results.close()
    before = len(begun)
    time.sleep(0.02)
    assert len(begun) == before  # nothing goes on behind a caller who has left


def test_blocks_run_side_by_side(small_blocks):
    meeting = threading.Barrier(2, timeout=5)
    assert len(list(map_blocks(lambda block: meeting.wait(), NUMBERS[:14], 3, 2))) == 2


def test_no_rows_are_no_blocks():
    assert list(map_blocks(lambda block: 1, NUMBERS[:0], 3, 2)) == []


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 7, 4096])
def test_scores_do_not_depend_on_blocks_and_threads(views, rows, threads, monkeypatch):
    products = shop(50)
    whole = views.scores(products).by_view
    monkeypatch.setattr(scoring, "block_rows", lambda classes: rows)
    parts = score_in_blocks(views, products, threads).by_view
    assert {name: a.tobytes() for name, a in parts.items()} == {
        name: a.tobytes() for name, a in whole.items()
    }


@pytest.mark.parametrize("backing", [0.0, 0.4])
def test_probabilities_are_the_mix_of_the_views_that_have_a_say(views, backing, monkeypatch):
    products = shop(20)
    fused = Fusion(Pool({"words": 0.75, "neighbours": 0.25}, 4.0, backing), np.full(3, 1 / 3, np.float32))
    scores = views.scores(products)
    mixed = fused.mix(scores.by_view, scores.speaks)
    computed = []
    original = Views.scores
    monkeypatch.setattr(
        Views, "scores", lambda self, rows, names: computed.append(names) or original(self, rows, names)
    )
    assert probabilities_of(views, fused, products)[0].tobytes() == mixed.tobytes()
    assert computed == [fused.views]
    assert (mixed.argmax(axis=1) == np.arange(20) % 3).all()


class Swap:
    """Amendments that swap two categories and note what they were given."""

    def __init__(self, compares: bool) -> None:
        self.compares, self.seen = compares, []

    def apply(self, asked, probabilities, present):
        self.seen.append(asked)
        return probabilities[:, [1, 0, 2]], ~present


@pytest.mark.parametrize("compares", [True, False])
def test_what_people_changed_is_the_last_step_and_products_are_read_once(views, compares, monkeypatch):
    products = shop(9)
    fused = Fusion(Pool({"words": 0.5, "ngrams": 0.5}, 4.0), np.full(3, 1 / 3, np.float32))
    plain, present = probabilities_of(views, fused, products)
    read = []
    original = type(views.text.features).transform
    monkeypatch.setattr(
        type(views.text.features),
        "transform",
        lambda self, rows, blocks: read.append(sorted(blocks)) or original(self, rows, blocks),
    )
    swap = Swap(compares)
    p, heard = probabilities_of(views, fused, products, swap)

    assert p.tobytes() == plain[:, [1, 0, 2]].tobytes()
    assert (heard == ~present).all()
    assert read == [["ngrams", "words"]]
    assert (swap.seen[0].ngrams is not None) == compares


def test_products_without_a_known_word_get_the_prior(views):
    prior = np.array([0.5, 0.3, 0.2], np.float32)
    products = shop(3).with_columns(title=pl.Series(["qqq", "", "leather shoe"]))
    p, present = probabilities_of(views, Fusion(Pool({"words": 1.0}, 3.0), prior), products)
    assert p[:2].tolist() == [prior.tolist()] * 2
    assert present.tolist() == [False, False, True]
    assert p[2].argmax() == 0
