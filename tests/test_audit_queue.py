"""The queue as a table and a file: who is in it, why, and the same bytes every time."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from audit_shop import SHELVES
from queue_shop import BETWEEN, HIDDEN, STRANGE, catalogue, trained
from shelfwise.audit.doubts import METADATA, SCHEMA
from shelfwise.audit.queue import COUNT, KIND, Queue, QueueOptions, find_queue
from shelfwise.categorizer import Categorizer
from shelfwise.errors import CatalogueError

EVERYONE = HIDDEN + len(BETWEEN) + len(STRANGE)


def find(count: int = 20, frame: pl.DataFrame | None = None, model: Categorizer | None = None) -> Queue:
    options = QueueOptions(count, layout=False)
    return find_queue(catalogue() if frame is None else frame, model or trained(), options)


def of(found: Queue, product: str) -> dict[str, object]:
    return found.table.row(by_predicate=pl.col("product_id") == product, named=True)


@pytest.fixture(scope="module")
def found():
    return find()


def test_the_table_has_the_columns_of_doubts_and_nothing_is_given(found):
    table = found.table

    assert table.schema == pl.Schema(SCHEMA)
    assert table.height == 20
    assert table["given"].null_count() == table["distance"].null_count() == 20
    assert set(table["kind"]) == {KIND}
    assert table["x"].is_nan().all()
    assert table["doubt"].is_between(0, 1).all()
    assert table["doubt"].is_sorted(descending=True)


def test_rows_are_those_of_the_catalogue_and_have_no_category(found):
    there = catalogue()[found.table["row"].to_list()]

    assert there["product_id"].to_list() == found.table["product_id"].to_list()
    assert there["category"].null_count() == there.height
    assert found.table["product_id"].n_unique() == found.table.height


def test_what_wavers_and_what_is_strange_comes_first(found):
    first = set(found.table["product_id"].head(8))

    assert first & {*BETWEEN}
    assert len(first & {*STRANGE}) == 1


def test_of_two_that_are_the_same_one_is_asked_about():
    found = find(EVERYONE)
    asked = set(found.table["product_id"])

    assert len(asked & {*STRANGE[-2:]}) == 1
    assert found.twins == 1
    assert found.table.height + found.twins == EVERYONE


def test_a_given_group_makes_no_product_the_same_as_another():
    senders = catalogue().with_columns(sender_id=pl.lit("s") + (pl.int_range(pl.len()) % 5).cast(pl.String))

    assert find(30, senders).table.height == 30


def test_reasons_name_the_two_shelves_and_the_company(found):
    between = next(name for name in found.table["product_id"] if name in BETWEEN)
    told = of(found, between)["reasons"]

    assert told[0].startswith("The model wavers between 'Shoes > ")
    assert "'Shoes > Boots'" in told[0]
    assert "'Shoes > Sandals'" in told[0]
    strange = next(name for name in found.table["product_id"] if name in STRANGE)
    told = of(found, strange)["reasons"]
    assert "Nothing known resembles it: it may need a new shelf." in told
    assert "5 unlabelled products resemble it." in told


def test_suggestion_confidence_and_candidates_are_the_models(found):
    said = trained().predict(catalogue()[found.table["row"].to_list()])

    assert found.table["suggested"].to_list() == said["category"].to_list()
    assert found.table["confidence"].to_list() == said["confidence"].to_list()
    assert found.table["candidates"].to_list() == said["candidates"].to_list()


def test_neighbours_are_labelled_products_of_the_two_likeliest_shelves(found):
    category = dict(zip(catalogue()["product_id"], catalogue()["category"], strict=True))
    for row in found.table.iter_rows(named=True):
        likely = {candidate["category"] for candidate in row["candidates"][:2]}
        assert {near["category"] for near in row["neighbours"]} <= likely
        assert all(category[near["product_id"]] == near["category"] for near in row["neighbours"])
        assert len(row["neighbours"]) <= 6


def test_a_new_shelf_is_suggested_and_said_to_be_unknown(tmp_path):
    trained().save(tmp_path / "model")
    model = Categorizer.load(tmp_path / "model")
    model.add_shelf("Music > Strings", words="violin cello quartet")
    found = find(12, model=model)
    strange = found.table.filter(pl.col("product_id").is_in(STRANGE))

    assert "Music > Strings" in strange["suggested"].to_list()
    told = strange.filter(pl.col("suggested") == "Music > Strings")["reasons"][0].to_list()
    assert "No product is known on 'Music > Strings'." in told
    assert found.about["shelves"]["Music > Strings"] == "Music > Strings"


def test_few_known_products_are_counted_in_words():
    few = catalogue().filter((pl.col("category") != SHELVES[0]) | pl.col("category").is_null())
    some = catalogue().filter(pl.col("category") == SHELVES[0]).head(3)
    frame = pl.concat([some, few])
    model = Categorizer(trained().recipe).fit(frame)
    found = find(40, frame, model)
    told = [
        reason for row in found.table.iter_rows(named=True) if row["suggested"] == SHELVES[0]
        for reason in row["reasons"]
    ]  # fmt: skip

    assert f"Only 3 products are known on {SHELVES[0]!r}." in told


def test_when_there_are_fewer_all_are_taken_and_it_is_said():
    found = find(COUNT)

    assert found.table.height == EVERYONE - found.twins
    assert f"{found.table.height} products are all that there are to ask about" in found.counts.notes[0]
    assert found.to_dict()["unlabelled"] == EVERYONE


def test_the_same_bytes_on_any_number_of_threads(tmp_path, found):
    trained().save(tmp_path / "model")
    for threads in (1, 3):
        model = Categorizer.load(tmp_path / "model")
        model.recipe = replace(model.recipe, threads=threads)
        find(model=model).write(tmp_path / f"{threads}.parquet")

    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "1.parquet").equals(found.table)


def test_the_order_of_the_rows_does_not_matter_much(found):
    turned = find(frame=catalogue().reverse())

    assert len({*turned.table["product_id"]} & {*found.table["product_id"]}) >= 15


def test_the_file_tells_what_the_page_needs(found, tmp_path):
    found.write(tmp_path / "queue.parquet")
    about = json.loads(pl.read_parquet_metadata(tmp_path / "queue.parquet")[METADATA])

    assert about["version"] == 1
    assert about["label"] == "category"
    assert about["separator"] == " > "
    assert about["rows"] == catalogue().height
    assert set(about["shelves"]) == set(SHELVES)
    with pytest.raises(CatalogueError, match=r"end in \.parquet"):
        found.write(tmp_path / "queue.csv")


def test_a_map_is_drawn_where_one_is_wanted():
    pytest.importorskip("openTSNE")
    found = find_queue(catalogue(), trained(), QueueOptions(20))

    assert found.table["x"].is_finite().all()
