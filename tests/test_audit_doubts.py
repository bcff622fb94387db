"""`audit.doubts`: the table agrees with the evidence, and the file is written whole or not at all."""

from __future__ import annotations

import json
import stat

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_shop import SHELVES, plant, recipe, shop
from shelfwise.audit.doubt import find_doubts
from shelfwise.audit.doubts import METADATA, SCHEMA, check_doubts, sentences, tabulate, write_doubts
from shelfwise.audit.embedding import embed
from shelfwise.audit.evidence import gather
from shelfwise.audit.kinds import KINDS
from shelfwise.catalogue.read import open_source
from shelfwise.errors import CatalogueError

ABOUT = {"version": 1, "catalogue": "Käse.csv", "files": ["Käse.csv"], "separator": None, "rows": 3}


@pytest.fixture(scope="module")
def frame():
    planted = plant(shop(12), 3)[0]
    unlabelled = planted.head(4).with_columns(
        product_id="U" + pl.col("product_id"), category=pl.lit(None, dtype=pl.String)
    )
    twin = planted[[30]].with_columns(product_id=pl.lit("TWIN"), category=pl.lit("Garden > Rakes"))
    return pl.concat([unlabelled, planted, twin])


@pytest.fixture(scope="module")
def made(frame):
    """The evidence, the doubts of it, and the table without a map."""
    evidence = gather(open_source(frame), recipe())
    lesson, doubt = evidence.lesson, find_doubts(evidence)
    vectors = embed(lesson.products, lesson.fields, lesson.dense)
    return evidence, doubt, vectors, tabulate(evidence, doubt, vectors, None)


@pytest.fixture(scope="module")
def table(made):
    return made[3]


# -- the table -----------------------------------------------------------------------------------------------


def test_one_row_for_each_labelled_product_the_most_doubtful_first(table, frame):
    assert table.schema == SCHEMA
    assert table["product_id"].n_unique() == table.height == 109
    assert not table["product_id"].str.starts_with("U").any()
    assert table["doubt"].is_sorted(descending=True)
    assert table["doubt"].is_between(0, 1).all()
    assert table["kind"].is_in(KINDS).all()


def test_rows_are_those_of_the_catalogue_as_read(table, frame):
    there = frame.with_row_index("row")
    both = table.join(there, on="row", how="left")

    assert both["product_id"].to_list() == both["product_id_right"].to_list()
    assert both["given"].to_list() == both["category"].to_list()


def test_another_shelf_is_suggested_and_how_far_away_it_is(table):
    for row in table.iter_rows(named=True):
        assert row["suggested"] in SHELVES
        assert row["suggested"] != row["given"]
        nearby = row["suggested"].split(" > ")[0] == row["given"].split(" > ")[0]
        assert row["distance"] == (2 if nearby else 4)


def test_candidates_are_probabilities_and_confidence_is_that_of_the_suggestion(table):
    for row in table.iter_rows(named=True):
        values = [each["confidence"] for each in row["candidates"]]
        assert len(values) == 5
        assert values == sorted(values, reverse=True)
        assert 0 <= sum(values) <= 1.0001
        named = {each["category"]: each["confidence"] for each in row["candidates"]}
        if row["suggested"] in named:
            assert row["confidence"] == named[row["suggested"]]


def test_neighbours_are_of_both_shelves_and_never_the_product_itself(table, frame):
    category = dict(zip(frame["product_id"], frame["category"], strict=True))
    title = dict(zip(frame["product_id"], frame["title"], strict=True))
    both = 0
    for row in table.iter_rows(named=True):
        there = {each["category"] for each in row["neighbours"]}
        assert there <= {row["given"], row["suggested"]}
        both += len(there) == 2
        for each in row["neighbours"]:
            assert each["product_id"] != row["product_id"]
            assert (each["category"], each["title"]) == (
                category[each["product_id"]],
                title[each["product_id"]],
            )
            assert 0 < each["similarity"] <= 1
    assert both > 0.9 * table.height


def test_reasons_are_sentences(table):
    for reasons in table["reasons"]:
        assert len(reasons) >= 1
        assert all(sentence.endswith(".") for sentence in reasons)


@given(st.lists(st.lists(st.text(max_size=5), max_size=3), max_size=12), st.integers(1, 5))
def test_sentences_stay_with_their_row_whatever_is_done_at_a_time(rows, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shelfwise.audit.doubts._BLOCK", block)
        told = sentences(iter(rows))

    assert told.to_list() == rows
    assert told.dtype == SCHEMA["reasons"]


def test_near_duplicates_on_two_shelves_are_told_of_each_other(table, frame):
    first = frame[34]
    pair = table.filter(pl.col("product_id").is_in(["TWIN", first["product_id"].item()]))

    assert pair["kind"].to_list() == ["duplicate"] * 2
    assert all(reasons[0].startswith("A near-duplicate lies on ") for reasons in pair["reasons"])
    assert set(pair["suggested"]) == {"Garden > Rakes", first["category"].item()}


def test_places_are_those_of_the_map_or_nowhere(made):
    evidence, doubt, vectors, table = made
    places = np.arange(218, dtype=np.float32).reshape(109, 2)
    mapped = tabulate(evidence, doubt, vectors, places)
    rows = {name: row for row, name in enumerate(evidence.lesson.products["product_id"])}

    assert table["x"].is_nan().all()
    assert table["y"].is_nan().all()
    assert [row * 2 for row in map(rows.get, mapped["product_id"])] == mapped["x"].to_list()
    assert mapped.drop("x", "y").equals(table.drop("x", "y"))


def test_without_anything_to_compare_there_are_no_neighbours(made):
    evidence, doubt, vectors, _ = made
    table = tabulate(evidence, doubt, np.zeros_like(vectors), None)

    assert table.schema == SCHEMA
    assert table["neighbours"].list.len().sum() == 0


# -- the file ------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_again(table, tmp_path):
    path = write_doubts(table, tmp_path / "deep" / "er" / "doubts.parquet", ABOUT)

    assert pl.read_parquet(path).equals(table)
    assert pl.read_parquet_schema(path) == SCHEMA
    assert json.loads(pl.read_parquet_metadata(path)[METADATA]) == ABOUT
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["doubts.parquet"]


def test_no_doubts_are_a_file_too(tmp_path):
    path = write_doubts(pl.DataFrame(schema=SCHEMA), tmp_path / "none.PARQUET", {})

    assert pl.read_parquet(path).schema == SCHEMA


def test_what_is_there_is_replaced_or_left_as_it_was(table, tmp_path):
    path = tmp_path / "doubts.parquet"
    path.write_bytes(b"mine")
    with pytest.raises(TypeError):
        write_doubts(table, path, {"not": object()})
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]

    write_doubts(table, path, ABOUT)
    assert pl.read_parquet(path).height == table.height


@pytest.mark.parametrize("name", ["doubts.csv", "doubts", "doubts.parquet.gz", ".parquet"])
def test_another_ending_is_refused(table, tmp_path, name):
    with pytest.raises(CatalogueError, match=r"end in \.parquet"):
        write_doubts(table, tmp_path / "deep" / name, ABOUT)
    assert not (tmp_path / "deep").exists()


def test_a_folder_and_a_place_in_a_file_are_refused(table, tmp_path):
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(CatalogueError, match="is a folder"):
        check_doubts(tmp_path / "folder.parquet")
    with pytest.raises(CatalogueError, match=r"cannot write .*file"):
        write_doubts(table, tmp_path / "file" / "doubts.parquet", ABOUT)
    assert (tmp_path / "file").read_text() == "x"
