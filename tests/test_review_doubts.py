"""A doubts file is opened as it was written; anything else is told what it is, and how to make one."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from review_shop import make_shop
from shelfwise.errors import CatalogueError
from shelfwise.review.doubts import MARK, read_doubts


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), 40, pictures=False)


def test_columns_and_details_are_those_of_the_file(shop):
    file = pl.read_parquet(shop[0])
    doubts = read_doubts(shop[0])
    assert len(doubts) == file.height == 40
    names = np.array(doubts.shelves)
    assert names[doubts.given].tolist() == file["given"].to_list()
    assert names[doubts.suggested].tolist() == file["suggested"].to_list()
    assert [doubts.kinds[kind] for kind in doubts.kind] == file["kind"].to_list()
    assert doubts.doubt.tolist() == file["doubt"].cast(pl.Float64).to_list()
    assert np.isnan(doubts.x).sum() == file["x"].is_nan().sum() > 0
    details = doubts.details(7)
    assert details.reasons == file["reasons"][7].to_list()
    assert [n.product_id for n in details.neighbours] == [n["product_id"] for n in file["neighbours"][7]]
    assert details.candidates[0].category == file["candidates"][7][0]["category"]
    doubts.close()


def test_edges_lead_from_each_doubt_to_its_neighbours(shop):
    file, doubts = pl.read_parquet(shop[0]), read_doubts(shop[0])
    edges = doubts.edges
    number = {product: n for n, product in enumerate(file["product_id"])}
    wanted = [
        (of, number.get(near["product_id"], -1), near["category"])
        for of, listed in enumerate(file["neighbours"])
        for near in listed
    ]
    found = zip(
        edges.of.tolist(), edges.neighbour.tolist(), np.array(doubts.shelves)[edges.shelf], strict=True
    )
    assert [tuple(edge) for edge in found] == wanted


def rewritten(shop, tmp_path, change, mark=lambda told: told):
    told = json.loads(pl.read_parquet_metadata(shop[0])[MARK])
    path = tmp_path / "doubts.parquet"
    change(pl.read_parquet(shop[0])).write_parquet(path, metadata={MARK: json.dumps(mark(told))})
    return path


def test_numbers_that_are_none_become_finite(shop, tmp_path):
    bad = pl.Series([float("nan"), float("inf"), None, 7.0] * 10, dtype=pl.Float32)
    path = rewritten(shop, tmp_path, lambda f: f.with_columns(doubt=bad, confidence=bad, x=bad, y=bad))
    doubts = read_doubts(path)
    assert doubts.doubt[:4].tolist() == [0, 0, 0, 1]
    assert np.isfinite(doubts.confidence).all()
    assert not np.isinf(doubts.x).any()


def test_map_neighbours_and_candidates_may_lack(shop, tmp_path):
    lacking = ["x", "y", "neighbours", "candidates"]
    doubts = read_doubts(rewritten(shop, tmp_path, lambda f: f.drop(lacking)))
    assert np.isnan(doubts.x).all()
    assert doubts.details(0).neighbours is None
    assert len(doubts.edges.of) == 0


def test_fingerprints_tell_doubts_apart(shop, tmp_path):
    other = rewritten(shop, tmp_path, lambda f: f.reverse())
    assert (
        read_doubts(shop[0]).fingerprint == read_doubts(shop[0]).fingerprint != read_doubts(other).fingerprint
    )


@pytest.mark.parametrize(
    ("change", "mark", "told"),
    [
        (lambda f: f.drop("kind"), None, "lacks kind"),
        (lambda f: f.clear(), None, "nothing to review"),
        (lambda f: f.with_columns(given=pl.lit(None, dtype=pl.String)), None, "given is empty"),
        (lambda f: f.with_columns(reasons=pl.lit(1)), None, "wrong type"),
        (lambda f: f, {"version": 99, "shelfwise": "9.0"}, "newer Shelfwise"),
        (lambda f: f, {"version": "x"}, "damaged"),
    ],
)
def test_what_cannot_be_used_is_told(shop, tmp_path, change, mark, told):
    path = rewritten(shop, tmp_path, change, lambda own: mark or own)
    with pytest.raises(CatalogueError, match=told):
        read_doubts(path)


def truncated(shop, tmp_path):
    path = tmp_path / "half.parquet"
    path.write_bytes(shop[0].read_bytes()[:5000])
    return path


def table(shop, tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("title,category\na,b\n")
    return path


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda shop, tmp: "mlflow:0123abcd", "shelfwise audit CATALOGUE"),
        (lambda shop, tmp: tmp, "is a folder"),
        (lambda shop, tmp: tmp / "absent.parquet", "no such file"),
        (table, "shelfwise audit .*shop.csv"),
        (lambda shop, tmp: shop[1], "not written by an audit"),
        (truncated, "truncated or damaged"),
    ],
)
def test_what_is_no_doubts_file_says_how_to_make_one(shop, tmp_path, make, told):
    with pytest.raises(CatalogueError, match=told):
        read_doubts(make(shop, tmp_path))
