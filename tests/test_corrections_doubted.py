"""What an audit doubts and nobody has decided on is left out of what is learned, and counted."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

import shelfwise
from audit_shop import find, plant, recipe, shop
from shelfwise.cli import main
from shelfwise.corrections.doubted import BESIDE, read_doubted
from shelfwise.errors import CatalogueError
from shelfwise.recipe import CatalogueRecipe
from shelfwise.review.decisions import Decision, Decisions


@pytest.fixture
def doubts(tmp_path):
    path = tmp_path / "doubts.parquet"
    table = {"product_id": list("abcde"), "row": range(5), "given": ["A", "B", "A", "B", None]}
    table["doubt"] = [0.9, 0.8, 0.5, 0.2, 0.9]
    pl.DataFrame(table, schema_overrides={"row": pl.UInt32}).write_parquet(path)
    return path


def decide(doubts, *actions, undo=False):
    store = Decisions(doubts.with_name(doubts.name + BESIDE))
    for number, (name, row, action) in enumerate(actions):
        category = "B" if action in ("accept", "keep", "move") else None
        store.add(f"key-000{number}", "Ada", [Decision(row, name, row, action, category, "A", "B", 0.5)])
    if undo:
        store.undo("key-undo", "Ada")
    store.close()


def left(doubts, least=0.5):
    return read_doubted(str(doubts), least)["product_id"].to_list()


def test_doubted_are_those_with_a_category_and_at_least_that_doubt(doubts):
    assert left(doubts) == ["a", "b", "c"]
    assert left(doubts, 0.85) == ["a"]
    assert read_doubted(str(doubts), 0.85).to_dicts() == [{"product_id": "a", "given": "A"}]


def test_what_people_decided_on_is_not_doubted_any_more(doubts):
    decide(doubts, ("a", 0, "keep"), ("b", 1, "unsure"), ("c", 2, "accept"))
    assert left(doubts) == ["b"]


def test_the_last_decision_stands_and_one_that_was_taken_back_does_not(doubts):
    decide(doubts, ("b", 1, "keep"), ("b", 1, "unsure"), ("a", 0, "keep"), undo=True)
    assert left(doubts) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["", BESIDE])
def test_a_file_that_is_no_such_file_is_refused(doubts, name):
    doubts.with_name(doubts.name + name).write_bytes(b"rubbish")
    with pytest.raises(CatalogueError, match="cannot read the d"):
        left(doubts)


def test_a_table_that_is_no_file_of_doubts_is_refused(tmp_path):
    shop(4).write_parquet(tmp_path / "shop.parquet")
    with pytest.raises(CatalogueError, match="no file of doubts"):
        left(tmp_path / "shop.parquet")
    with pytest.raises(CatalogueError, match="cannot read the doubts"):
        left(tmp_path / "none.parquet")


def test_planted_errors_are_not_learned_but_for_what_a_person_confirmed(tmp_path):
    frame, kinds = plant(shop(48), 8)
    found = find(frame)
    found.write(tmp_path / "doubts.parquet")
    worst = found.doubts.row(0, named=True)
    decide(tmp_path / "doubts.parquet", (worst["product_id"], worst["row"], "keep"))
    chosen = CatalogueRecipe(label="category", doubts=str(tmp_path / "doubts.parquet"))
    model = shelfwise.Categorizer(recipe(catalogue=chosen)).fit(frame)

    doubted = found.doubts.filter(pl.col("doubt") >= 0.5).height
    assert doubted > len(kinds) / 2
    assert model.training_.left_out_as_doubted == doubted - 1
    assert model.training_.learned == frame.height - doubted + 1
    assert find(frame, catalogue=chosen).doubts.height == frame.height  # an audit judges all the same


def test_a_catalogue_that_was_not_audited_is_told(doubts):
    model = shelfwise.Categorizer(recipe(catalogue=CatalogueRecipe(label="category", doubts=str(doubts))))
    assert "none of the 3 products" in model.fit(shop(8)).training_.notes[0]


def test_the_command_counts_what_it_leaves_out(tmp_path):
    frame, _ = plant(shop(48), 8)
    frame.write_parquet(tmp_path / "shop.parquet")
    found = find(frame)
    found.write(tmp_path / "doubts.parquet")
    words = ["train", str(tmp_path / "shop.parquet"), "--model", str(tmp_path / "m"), "--threads", "1"]
    words += ["--doubts", str(tmp_path / "doubts.parquet"), "--least-doubt", "0.9", "--json"]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told["left_out_as_doubted"] == found.doubts.filter(pl.col("doubt") >= 0.9).height > 0
