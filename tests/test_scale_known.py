"""A new dump costs what is new or changed in it, and comes out as a full run does, to the byte."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_shop import broken_csv, dump, folder_sha256, sha256
from shelfwise.errors import CatalogueError
from shelfwise.predictions import PredictOptions
from shelfwise.scale import Bulk, BulkOptions, bulk, known
from shelfwise.scale.known import Changes, Keeper, Known

MADE_FROM = {"model": "m", "options": "o", "program": "p"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of fifty rows, and rows are copied however few they are."""
    monkeypatch.setattr(bulk, "SHARD", 50)
    monkeypatch.setattr(known, "_FEW", 1)


@pytest.fixture
def predicted(monkeypatch):
    """How many rows the model was asked for, each time."""
    from shelfwise.categorizer import Categorizer

    asked, plain = [], Categorizer.predict_products

    def count(self, products, *rest):
        asked.append(products.height)
        return plain(self, products, *rest)

    monkeypatch.setattr(Categorizer, "predict_products", count)
    return asked


def test_only_new_and_changed_products_are_predicted(saved_toy, tmp_path, predicted):
    model, state = Bulk.load(saved_toy), BulkOptions(state=str(tmp_path / "state"))
    old = dump(220)
    first = model.predict(old, tmp_path / "old.parquet", state)
    assert first.changes == Changes(new=220)
    predicted.clear()
    changed = old[10:].with_columns(
        title=pl.when(pl.col("product_id") == "N00042").then(pl.lit("watch no1")).otherwise("title")
    )
    new = pl.concat([dump(230)[220:], changed])

    report = model.predict(new, tmp_path / "new.parquet", state)

    assert report.changes == Changes(new=10, changed=1, same=209, gone=10)
    assert sum(predicted) == 11
    model.predict(new, tmp_path / "full.parquet")
    assert sha256(tmp_path / "new.parquet") == sha256(tmp_path / "full.parquet")
    predicted.clear()
    assert model.predict(new, tmp_path / "again.parquet", state).changes == Changes(same=220)
    assert sum(predicted) == 0


@settings(max_examples=8)
@given(
    rows=st.lists(st.integers(0, 90), max_size=120),
    before=st.lists(st.integers(0, 90), max_size=120),
    ids=st.booleans(),
)
def test_any_dump_after_any_other_comes_out_as_in_a_full_run(saved_toy, tmp_path_factory, rows, before, ids):
    box = tmp_path_factory.mktemp("dumps")
    whole = dump(91) if ids else dump(91).drop("product_id")
    model, state = Bulk.load(saved_toy), BulkOptions(state=str(box / "state"))
    model.predict(whole[before], box / "before.csv", state)

    report = model.predict(whole[rows], box / "new.csv", state)

    model.predict(whole[rows], box / "full.csv")
    assert sha256(box / "new.csv") == sha256(box / "full.csv")
    told = whole.drop("side").rows()
    earlier = {told[row] for row in before}
    assert report.changes.same == sum(told[row] in earlier for row in rows)
    assert report.changes.new == len(rows) - report.changes.same
    assert report.changes.gone == len(earlier - {told[row] for row in rows}) or not ids


def test_rows_that_are_broken_keep_their_statuses(saved_toy, tmp_path):
    options = BulkOptions(PredictOptions(promise=0.9), split="side", state=str(tmp_path / "state"))
    catalogue = broken_csv(tmp_path / "dump.csv", 200)
    model = Bulk.load(saved_toy)
    model.predict(catalogue, tmp_path / "first.csv", options)
    lines = catalogue.read_text().splitlines()
    catalogue.write_text("\n".join([lines[0], "NEW,boot of elm,test", *lines[1:]]) + "\n")

    report = model.predict(catalogue, tmp_path / "second.csv", options)

    model.predict(catalogue, tmp_path / "full.csv", BulkOptions(options.predict, split="side"))
    assert sha256(tmp_path / "second.csv") == sha256(tmp_path / "full.csv")
    assert report.changes.same >= 140


def test_state_of_other_options_is_not_used_and_replaced(saved_toy, tmp_path):
    model, state = Bulk.load(saved_toy), str(tmp_path / "state")
    model.predict(dump(60), tmp_path / "a.csv", BulkOptions(state=state))
    other = BulkOptions(PredictOptions(top=1), state=state)

    report = model.predict(dump(60), tmp_path / "b.csv", other)
    assert "another options" in report.note
    assert report.changes == Changes(new=60)
    assert model.predict(dump(60), tmp_path / "c.csv", other).changes == Changes(same=60)


def test_run_that_fails_leaves_the_state_as_it_was(saved_toy, tmp_path):
    model, state = Bulk.load(saved_toy), BulkOptions(state=str(tmp_path / "state"))
    model.predict(dump(60), tmp_path / "a.csv", state)
    before = (tmp_path / "state" / "state.json").read_bytes()

    def stop(rows):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        model.predict(dump(160), tmp_path / "b.csv", state, stop)
    assert (tmp_path / "state" / "state.json").read_bytes() == before
    assert not (tmp_path / ".state-new").exists()
    assert model.predict(dump(160), tmp_path / "b.csv", state).changes == Changes(new=100, same=60)


def test_folder_output_counts_changes_as_well(saved_toy, tmp_path):
    model, state = Bulk.load(saved_toy), BulkOptions(state=str(tmp_path / "state"))
    model.predict(dump(120), f"{tmp_path}/a/", state)

    assert model.predict(dump(130), f"{tmp_path}/b/", state).changes == Changes(new=10, same=120)
    model.predict(dump(130), f"{tmp_path}/full/")
    assert folder_sha256(tmp_path / "b") == folder_sha256(tmp_path / "full")


def test_folder_that_is_no_state_is_left_alone(saved_toy, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("dear")

    options = BulkOptions(state=str(tmp_path / "letters"))
    with pytest.raises(CatalogueError, match="is no state"):
        Bulk.load(saved_toy).predict(dump(9), tmp_path / "a.csv", options)
    assert (tmp_path / "letters" / "mother.txt").read_text() == "dear"


@pytest.mark.parametrize("content", [b"{", b'{"format": 1}', b'{"format": 99, "made_from": {}, "shards": 0}'])
def test_damaged_or_newer_state_is_told(tmp_path, content):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.json").write_bytes(content)

    with pytest.raises(CatalogueError, match=r"damaged|newer"):
        Known(str(tmp_path / "state"), MADE_FROM, True)


def kept(folder, ids):
    """A state with an answer for each id, in shards of four; the digest of id i is (i, 2 i)."""
    keeper = Keeper(str(folder), MADE_FROM)
    for start in range(0, len(ids), 4):
        part = np.array(ids[start : start + 4], np.uint64)
        table = pl.DataFrame({"product_id": [f"P{i}" for i in part], "category": [f"C{i}" for i in part]})
        keeper.add(table, np.stack([part, 2 * part], axis=1))
    keeper.finish()
    return Known(str(folder), MADE_FROM, True)


def test_answers_are_found_by_the_whole_digest_and_given_in_any_order(tmp_path):
    state = kept(tmp_path / "state", [5, 3, 8, 1, 9, 2])
    asked = np.array([[2, 4], [5, 10], [8, 17], [7, 14], [9, 18]], np.uint64)

    places = state.look_up(asked)
    assert places.tolist() == [5, 0, -1, -1, 4]
    assert state.answers(places[places >= 0])["category"].to_list() == ["C2", "C5", "C9"]
    assert json.loads((tmp_path / "state" / "state.json").read_bytes())["rows"] == 6


def test_few_rows_in_a_file_of_many_are_predicted_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "_FEW", 2)
    state = kept(tmp_path / "state", list(range(12)))

    copied = state.worth_copying(np.array([0, 1, 2, -1, 5, 9, 8], np.int64))

    assert copied.tolist() == [True, True, True, False, False, True, True]
