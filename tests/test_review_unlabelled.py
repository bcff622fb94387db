"""A queue on the review page: products without a shelf are decided, exported, put into the catalogue."""

from __future__ import annotations

import json
import struct

import numpy as np
import polars as pl
import pytest

from queue_shop import catalogue, trained
from review_client import Client, served
from shelfwise.audit.queue import QueueOptions, find_queue
from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import Categorizer
from shelfwise.corrections.decisions import read_decisions, rows_of
from shelfwise.errors import CatalogueError
from shelfwise.review import DeskOptions, open_desk
from shelfwise.review.correct import correct
from shelfwise.review.desk import RefusedError, Wish
from shelfwise.review.doubts import MARK, read_doubts

NEW = "Music > Strings"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A catalogue, and a queue of it by a model that was given a shelf."""
    folder = tmp_path_factory.mktemp("shop")
    catalogue().write_parquet(folder / "shop.parquet")
    trained().save(folder / "model")
    model = Categorizer.load(folder / "model")
    model.add_shelf(NEW, words="violin cello quartet")
    model.save(folder / "model")
    options = QueueOptions(40, layout=False, model=str(folder / "model"))
    find_queue(folder / "shop.parquet", model, options).write(folder / "queue.parquet")
    return folder


@pytest.fixture
def server(shop, tmp_path):
    with served(shop / "queue.parquet", "--decisions", str(tmp_path / "d.sqlite")) as client:
        yield client


def everyone(server: Client) -> list[dict]:
    return server.get("doubts", limit=200, state="all")["items"]


def test_nothing_is_given_and_the_suggestion_stands(server):
    about, items = server.get("about"), everyone(server)

    assert about["kinds"] == {"unlabelled": 40}
    assert about["judged"]
    assert [item["given"] for item in items] == [None] * 40
    assert all(item["given_path"] == [] and item["suggested_path"] for item in items)
    product = server.get(f"products/{items[0]['id']}")
    assert product["neighbours"]["given"] == []
    assert product["reasons"]


def test_all_but_keeping_can_be_decided(server):
    first, second, third = everyone(server)[:3]
    refused = server.decide({"id": first["id"], "action": "keep"})

    assert (refused["status"], refused["error"]["code"]) == (409, "no_given")
    assert server.decide({"id": first["id"], "action": "accept"})["saved"] == 1
    assert server.decide({"id": second["id"], "action": "move", "category": "Shoes > Boots"})["saved"] == 1
    assert server.decide({"id": third["id"], "action": "unsure"})["saved"] == 1
    assert server.get(f"products/{first['id']}")["decision"] == first["suggested"]
    assert server.undo()["undone"] == [third["id"]]
    pairs = server.get("progress")["moved_pairs"]
    assert {(pair["from"], pair["count"]) for pair in pairs} == {("", 1)}


def test_a_shelf_that_only_the_model_knows_can_be_chosen(server):
    strange = [item for item in everyone(server) if item["suggested"] == NEW]

    assert strange
    assert server.decide({"id": strange[0]["id"], "action": "accept"})["saved"] == 1
    assert NEW in [shelf["category"] for shelf in server.get("shelves", q="strings")["items"]]
    assert not any(NEW in note for note in server.get("about")["notes"])


def test_decisions_leave_what_is_to_be_learned_of_others_as_it_was(server):
    before = {item["id"]: item["doubt"] for item in everyone(server)}
    server.decide(*({"id": item["id"], "action": "accept"} for item in everyone(server)[:10]))

    assert {item["id"]: item["doubt"] for item in everyone(server)} == before


def test_bulk_filters_tree_and_map_work_without_a_given_shelf(server):
    items = everyone(server)
    shelf = items[0]["suggested"]
    alike = [item["id"] for item in items if item["suggested"] == shelf]

    assert server.get("doubts", shelf=shelf, role="given", state="all")["total"] == 0
    assert server.get("doubts", shelf=shelf, role="either", state="all")["total"] == len(alike)
    assert sum(node["doubts_open"] for node in server.get("tree")["children"]) == 40
    whole = {"shelf": shelf}
    kept = server.post("bulk", key="bulk-0001", filter=whole, action="keep", expect=len(alike))
    assert kept["error"]["code"] == "no_given"
    done = server.post("bulk", key="bulk-0002", filter=whole, action="accept", expect=len(alike))
    assert done["saved"] == len(alike)
    data = server.ask("GET", "/api/map?colour=level1")[2]
    n = struct.unpack("<I", data[:4])[0]
    codes = np.frombuffer(data[4 + 8 * n :], "<u2")
    names = server.get("map/legend", colour="level1")["names"]
    by_id = {item["id"]: item["suggested_path"][0] for item in items}
    assert [names[code] for code in codes] == [by_id[number] for number in range(n)]


def test_decisions_go_into_empty_cells_and_nowhere_else(shop, server, tmp_path):
    items = everyone(server)
    server.decide(*({"id": item["id"], "action": "accept"} for item in items[:5]))
    server.decide({"id": items[5]["id"], "action": "move", "category": "Shoes > Boots"})
    rows = [server.get(f"products/{item['id']}")["row"] for item in items[:6]]
    labelled = catalogue().with_row_index("n").with_columns(  # one got a category meanwhile
        category=pl.when(pl.col("n") == rows[1]).then(pl.lit("Garden > Hoses")).otherwise("category")
    ).drop("n")  # fmt: skip
    labelled.write_csv(tmp_path / "shop.csv")
    (tmp_path / "d.csv").write_bytes(server.ask("GET", "/api/export?form=csv")[2])

    for decisions in (tmp_path / "d.sqlite", tmp_path / "d.csv"):
        told = correct(decisions, tmp_path / "shop.csv", tmp_path / "new.parquet")
        new = pl.read_parquet(tmp_path / "new.parquet")["category"]
        assert (told.changed, told.stale, told.kept) == (5, 1, 0)
        wanted = [items[0]["suggested"], "Garden > Hoses", *(item["suggested"] for item in items[2:5])]
        assert new.gather(rows).to_list() == [*wanted, "Shoes > Boots"]
        untouched = [n for n in range(new.len()) if n not in rows]
        assert new.gather(untouched).to_list() == catalogue()["category"].gather(untouched).to_list()


def test_an_empty_cell_gets_the_form_of_the_others(shop, server, tmp_path):
    items = everyone(server)
    server.decide({"id": items[0]["id"], "action": "accept"})
    listed = catalogue().with_columns(
        category=pl.col("category").map_elements(lambda c: json.dumps(c.split(" > ")), pl.String)
    )
    listed.write_parquet(tmp_path / "lists.parquet")
    correct(tmp_path / "d.sqlite", tmp_path / "lists.parquet", tmp_path / "new.parquet", "category")
    row = server.get(f"products/{items[0]['id']}")["row"]

    assert (
        json.loads(pl.read_parquet(tmp_path / "new.parquet")["category"][row]) == items[0]["suggested_path"]
    )


def test_a_model_can_be_corrected_by_these_decisions(shop, server, tmp_path):
    items = everyone(server)
    server.decide({"id": items[0]["id"], "action": "move", "category": "Garden > Hoses"})
    (tmp_path / "d.parquet").write_bytes(server.ask("GET", "/api/export?form=parquet")[2])
    decided = read_decisions(tmp_path / "d.parquet")
    source = open_source(shop / "shop.parquet")
    model = Categorizer.load(shop / "model")
    rows = rows_of(decided, tmp_path / "d.parquet", source, model.roles_.product_id)
    model.correct(rows, decided.categories)

    assert model.predict(rows)["category"].to_list() == ["Garden > Hoses"]


def test_given_may_lack_for_unlabelled_products_alone(shop, tmp_path):
    frame = pl.read_parquet(shop / "queue.parquet").with_columns(kind=pl.lit("mislabelled"))
    told = pl.read_parquet_metadata(shop / "queue.parquet")[MARK]
    frame.write_parquet(tmp_path / "q.parquet", metadata={MARK: told})

    with pytest.raises(CatalogueError, match="given is empty"):
        read_doubts(tmp_path / "q.parquet")


def test_a_desk_knows_the_model_as_a_voice(shop, tmp_path):
    desk = open_desk(
        shop / "queue.parquet", DeskOptions(decisions=tmp_path / "d.sqlite", model=str(shop / "model"))
    )
    try:
        with pytest.raises(RefusedError, match="no shelf that it could be kept on"):
            desk.decide("key-0001", "Ada", [Wish(0, "keep")])
        desk.decide("key-0002", "Ada", [Wish(0, "accept")])
        assert desk.candidates(1)
    finally:
        desk.close()
