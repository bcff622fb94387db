"""Products, each once."""

import pytest

from shelfwise.collect.frontier import Frontier

ROW = {
    "product_id": "A1",
    "title": "Lamp",
    "price": "9.90",
    "url": "https://a.example/p/1",
    "status": "ok",
    "reason": None,
}


@pytest.fixture
def products(tmp_path):
    frontier = Frontier(tmp_path / "x.crawl")
    yield frontier.products
    frontier.close()


def keep(products, page, run=1, own="https://a.example/own", **other):
    return products.keep({**ROW, **other}, own, page, (run, 1000.0 + run))


def test_a_product_is_kept_once_in_a_run(products):
    assert keep(products, 1) == "new"
    assert keep(products, 2) == "duplicate"
    assert products.count() == 1


def test_two_products_that_claim_one_address_are_both_kept(products):
    assert keep(products, 1) == "new"
    assert keep(products, 2, product_id="B2", title="Chair") == "new"

    assert {row["url"] for row in products.first(9)} == {ROW["url"], "https://a.example/own"}


def test_what_became_of_products_in_a_later_run(products):
    for number in range(5):
        keep(products, number, product_id=f"A{number}", url=f"https://a.example/p/{number}")
    assert keep(products, 0, 2, product_id="A0", url="https://a.example/p/0", price="1.00") == "changed"
    assert keep(products, 1, 2, product_id="A1", url="https://a.example/p/1", reason="other") == "same"
    assert products.unchanged(2, 2)
    assert not products.unchanged(99, 2)
    products.vanish(3, "http_404", 2)
    keep(products, 9, 2, product_id="A9", url="https://a.example/p/9")

    assert products.tally(2) == {"new": 1, "changed": 1, "unchanged": 2, "gone": 1, "not_seen": 1}
    assert products.count() == 5
    assert keep(products, 3, 3, product_id="A3", url="https://a.example/p/3") == "changed"
    assert products.count() == 6


def test_pieces_are_all_products_in_order(products):
    for number in (3, 1, 2):
        keep(products, number, product_id=f"A{number}", url=f"https://a.example/p/{number}")

    found = [row["url"][-1] for piece in products.pieces(2) for row in piece]

    assert found == ["1", "2", "3"]
