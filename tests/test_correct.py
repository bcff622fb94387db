"""Decisions change the categories that they are about, and nothing else, in every form of catalogue."""

from __future__ import annotations

import json

import polars as pl
import pytest

from shelfwise.errors import CatalogueError
from shelfwise.review import export
from shelfwise.review.correct import correct, read_decisions
from shelfwise.review.decisions import Decision, Decisions

SHOP = pl.DataFrame(
    {
        "sku": ["007", "P1", "P2", "P3", "-5"],
        "title": ["=Boot", "Shoe", "Lamp", "Chair", "x,y\n'z'"],
        "price": ["1.50", "2.00", None, "3", "4"],
        "category": ["A > B", "A >C", "D", "D", "A > B"],
    }
)


def decision(product, row, before, category, action="move", who="Ada", at="2026-01-01T00:00:00.000Z"):
    return {
        "product_id": product, "row": row, "before": before, "category": category, "action": action,
        "who": who, "at": at, "doubt": 0.5, "model": "",
    }  # fmt: skip


def written(tmp_path, *rows, name="decisions.parquet"):
    path = tmp_path / name
    table = pl.DataFrame(rows, schema=export.SCHEMA)
    {".parquet": table.write_parquet, ".csv": table.write_csv, ".jsonl": table.write_ndjson}[path.suffix](
        path
    )
    return path


def read(path):
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    return pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_ndjson(path)


@pytest.fixture(params=["shop.parquet", "shop.csv", "shop.jsonl"])
def shop(request, tmp_path):
    path = tmp_path / request.param
    {".parquet": SHOP.write_parquet, ".csv": SHOP.write_csv, ".jsonl": SHOP.write_ndjson}[path.suffix](path)
    return path


@pytest.mark.parametrize("out", ["out.parquet", "out.csv", "out.jsonl"])
def test_only_the_decided_category_changes(shop, tmp_path, out):
    path = written(tmp_path, decision("007", 0, "A > B", "New > Shelf"), decision("P1", 1, "A > C", "D"))
    told = correct(path, shop, tmp_path / out)
    wanted = SHOP.with_columns(category=pl.Series(["New > Shelf", "D", "D", "D", "A > B"]))
    assert read(tmp_path / out).rows() == wanted.rows()
    assert (told.rows, told.decided, told.changed) == (5, 2, 2)


def test_every_decision_is_counted_by_what_became_of_it(tmp_path, shop):
    path = written(
        tmp_path,
        decision("007", 0, "A > B", "A > B", "keep"),
        decision("P1", 1, "A > C", None, "unsure"),
        decision("P2", 2, "Else", "A > B"),
        decision("P3", 3, "Else", "D"),
        decision("gone", 9, "D", "A > B"),
        decision("-5", 4, "A > B", "D"),
    )
    told = correct(path, shop, tmp_path / "out.csv")
    counts = {name: value for name, value in told.to_dict().items() if isinstance(value, int) and value}
    assert counts == {
        "rows": 5, "decided": 5, "kept": 1, "undecided": 1, "stale": 1, "already": 1, "unknown": 1,
        "changed": 1,
    }  # fmt: skip
    assert told.examples == {"undecided": ["P1"], "stale": ["P2"], "unknown": ["gone"]}


def test_of_two_reviewers_the_latest_counts_and_it_is_told(tmp_path, shop):
    path = written(
        tmp_path,
        decision("007", 0, "A > B", "D", who="Bob", at="2026-01-02T00:00:00.000Z"),
        decision("007", 0, "A > B", "A > C", who="Ada", at="2026-01-01T00:00:00.000Z"),
        decision("007", 0, "A > B", None, "skip", who="Cyd", at="2026-01-03T00:00:00.000Z"),
    )
    told = correct(path, shop, tmp_path / "out.csv")
    assert (told.changed, told.disagreements) == (1, 1)
    assert read(tmp_path / "out.csv")["category"][0] == "D"


def test_ids_that_repeat_go_by_row_and_moved_rows_by_id(tmp_path):
    frame = pl.DataFrame(
        {"product_id": ["X", "X", "Y"], "title": ["a", "b", "c"], "category": ["A", "A", "A"]}
    )
    frame.write_parquet(tmp_path / "shop.parquet")
    path = written(
        tmp_path, decision("X", 1, "A", "B"), decision("Y", 0, "A", "B"), decision("X", 2, "A", "C")
    )
    told = correct(path, tmp_path / "shop.parquet", tmp_path / "out.parquet")
    assert read(tmp_path / "out.parquet")["category"].to_list() == ["A", "B", "B"]
    assert told.ambiguous == 1


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_the_export_and_the_database_say_the_same(tmp_path, shop, form):
    store = Decisions(tmp_path / "d.sqlite")
    store.add("key-0001", "=Ada", [Decision(0, "007", 0, "move", "=New", "A > B", "D", 0.5)])
    store.add("key-0002", "Ada", [Decision(1, "-5", 4, "accept", "D", "A > B", "D", 0.5)])
    store.add("key-0003", "Ada", [Decision(2, "P1", 1, "accept", "D", "A > C", "D", 0.5)])
    store.undo("undo-001", "Ada")
    (tmp_path / f"d.{form}").write_bytes(export.as_bytes(store, form)[0])
    assert (b"'=New" in (tmp_path / f"d.{form}").read_bytes()) is (form == "csv")
    for name in (f"d.{form}", "d.sqlite"):  # the database is still open elsewhere
        told = correct(tmp_path / name, shop, tmp_path / "out.csv")
        assert (told.changed, told.decided) == (2, 2)
        assert read(tmp_path / "out.csv")["category"].to_list() == ["=New", "A >C", "D", "D", "D"]
    store.close()


def test_the_columns_of_the_audit_are_remembered(tmp_path):
    frame = SHOP.rename({"category": "shelf_code"}).with_columns(category=pl.lit("not this one > at all"))
    frame.write_parquet(tmp_path / "shop.parquet")
    store = Decisions(tmp_path / "d.sqlite")
    store.tell("audit", json.dumps({"version": 1, "roles": {
        "product_id": "sku", "title": "title", "label": "shelf_code", "separator": " > "}}))  # fmt: skip
    store.add("key-0001", "Ada", [Decision(0, "007", 0, "move", "D", "A > B", "D", 0.5)])
    (tmp_path / "d.parquet").write_bytes(export.as_bytes(store, "parquet")[0])
    store.close()
    for name in ("d.sqlite", "d.parquet"):
        correct(tmp_path / name, tmp_path / "shop.parquet", tmp_path / "out.parquet")
        made = read(tmp_path / "out.parquet")
        assert made["shelf_code"][0] == "D"
        assert made["category"].equals(frame["category"])


def one(tmp_path, frame, label=None, category="A > C", before="A > B"):
    frame.write_parquet(tmp_path / "shop.parquet")
    path = written(tmp_path, decision("P0", 0, before, category))
    told = correct(path, tmp_path / "shop.parquet", tmp_path / "out.parquet", label)
    return told, read(tmp_path / "out.parquet")


IDS = [f"P{n}" for n in range(30)]
TITLES = [f"product number {n}" for n in range(30)]


def test_lists_stay_lists(tmp_path):
    paths = pl.Series([["A", "B"], ["A", "C"]] * 15)
    told, made = one(tmp_path, pl.DataFrame({"product_id": IDS, "title": TITLES, "category_path": paths}))
    assert told.changed == 1
    assert made["category_path"].to_list() == [["A", "C"], *paths.to_list()[1:]]


def test_lists_as_text_stay_lists_as_text(tmp_path):
    paths = pl.Series(['["A", "B"]', '["A", "C"]'] * 15)
    _, made = one(tmp_path, pl.DataFrame({"product_id": IDS, "title": TITLES, "category_path": paths}))
    assert json.loads(made["category_path"][0]) == ["A", "C"]


def levels():
    return pl.DataFrame(
        {"product_id": IDS, "title": TITLES, "category_1": ["A"] * 30, "category_2": ["B", "C"] * 15}
    )


@pytest.mark.parametrize(("category", "wanted"), [("A > C", ("A", "C")), ("D", ("D", None))])
def test_columns_of_levels_are_each_filled(tmp_path, category, wanted):
    _, made = one(tmp_path, levels(), "category_1,category_2", category)
    assert made.select("category_1", "category_2").row(0) == wanted
    assert (
        made.select("category_1", "category_2").rows()[1:]
        == levels().select("category_1", "category_2").rows()[1:]
    )


def test_a_path_that_is_too_deep_for_the_columns_is_counted(tmp_path):
    told, made = one(tmp_path, levels(), "category_1,category_2", "A > B > C")
    assert (told.changed, told.unwritable) == (0, 1)
    assert made.equals(levels())


def test_ids_of_categories_take_their_names_along(tmp_path):
    frame = pl.DataFrame(
        {
            "product_id": IDS, "title": TITLES, "category_id": pl.Series([1, 2] * 15, dtype=pl.Int32),
            "category_path": ["Shoes > Boots", "Shoes > Pumps"] * 15,
        }
    )  # fmt: skip
    told, made = one(tmp_path, frame, "category_id", "2", "1")
    assert told.changed == 1
    assert made["category_id"].dtype == pl.Int32
    assert made.select("category_id", "category_path").row(0) == (2, "Shoes > Pumps")


def test_a_number_column_cannot_hold_a_name(tmp_path):
    frame = pl.DataFrame({"product_id": IDS, "title": TITLES, "category": pl.Series([1, 2] * 15)})
    told, made = one(tmp_path, frame, "category", "Shoes", "1")
    assert (told.changed, told.unwritable) == (0, 1)
    assert made.equals(frame)


def test_categorical_columns_may_get_new_shelves(tmp_path):
    frame = pl.DataFrame(
        {"product_id": IDS, "title": TITLES, "category": pl.Series(["A > B"] * 30, dtype=pl.Categorical)}
    )
    _, made = one(tmp_path, frame, "category", "New > One")
    assert made["category"].to_list() == ["New > One", *["A > B"] * 29]


def test_nested_columns_and_bytes_survive(tmp_path):
    frame = pl.DataFrame(
        {
            "product_id": ["P0", "P1"], "title": ["a", "b"], "category": ["A > B", "A > C"],
            "tags": [["x", 'y"'], None], "more": [{"a": 1}, {"a": None}], "raw": [b"\x00\xff", None],
        }
    )  # fmt: skip
    _, made = one(tmp_path, frame, "category")
    assert made.drop("category").equals(frame.drop("category"))
    path = written(tmp_path, decision("P0", 0, "A > B", "A > C"))
    for name in ("out.csv", "out.jsonl"):
        correct(path, tmp_path / "shop.parquet", tmp_path / name, "category")
    row = read(tmp_path / "out.csv").row(0, named=True)
    assert json.loads(row["tags"]) == ["x", 'y"']
    assert json.loads(row["more"]) == {"a": 1}
    assert row["raw"] == "AP8="
    assert read(tmp_path / "out.csv")["tags"][1] is None


def test_many_batches_keep_their_order(tmp_path, monkeypatch):
    from shelfwise.review import correct as module

    monkeypatch.setattr(module, "_BATCH", 7)
    frame = pl.DataFrame({"product_id": IDS, "title": TITLES, "category": ["A", "B"] * 15})
    frame.write_csv(tmp_path / "shop.csv")
    path = written(tmp_path, *(decision(f"P{n}", n, "AB"[n % 2], "C") for n in (0, 6, 7, 8, 29)))
    told = correct(path, tmp_path / "shop.csv", tmp_path / "out.parquet")
    assert told.changed == 5
    made = read(tmp_path / "out.parquet")
    assert made["product_id"].to_list() == IDS
    assert [n for n in range(30) if made["category"][n] == "C"] == [0, 6, 7, 8, 29]


# -- refusals ------------------------------------------------------------------------------------------------


def test_decisions_about_another_catalogue_are_refused(tmp_path, shop):
    with pytest.raises(CatalogueError, match="about another catalogue: none of its 1 products"):
        correct(written(tmp_path, decision("Z", 0, "A > B", "D")), shop, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("name", ["absent.parquet", "shop.csv"])
def test_what_is_no_file_of_decisions_is_told(tmp_path, name):
    SHOP.write_csv(tmp_path / "shop.csv")
    with pytest.raises(CatalogueError, match=r"no such file|is no file of decisions: it lacks product_id"):
        read_decisions(tmp_path / name)


def test_the_catalogue_is_not_overwritten(tmp_path, shop):
    before = shop.read_bytes()
    with pytest.raises(CatalogueError, match="is the catalogue itself"):
        correct(written(tmp_path, decision("007", 0, "A > B", "D")), shop, shop)
    assert shop.read_bytes() == before


def test_the_output_is_whole_or_absent(tmp_path, shop):
    path = written(tmp_path, decision("007", 0, "A > B", "D"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CatalogueError, match="cannot write"):
        correct(path, shop, tmp_path / "file" / "out.csv")
    with pytest.raises(CatalogueError, match="ending"):
        correct(path, shop, tmp_path / "out.xlsx")
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
