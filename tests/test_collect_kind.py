"""Pages that are of no product."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract

CARDS = "".join(
    f"<li class=product><a href=/p{n}><img src=/{n}.jpg>Lamp {n}</a><span class=price>{n}9,00 €</span></li>"
    for n in range(1, 6)
)
WAYS = {
    "category": (f"<h1>Lamps</h1><ul class=products>{CARDS}</ul>", "several products"),
    "gone": ("<title>404</title><h1>Page not found</h1><p>Sorry</p>", "not there"),
    "login": ("<h1>Sign in</h1><input type=password>", "log in"),
    "wall": ("<title>Just a moment...</title><p>Checking your browser</p>", "wall"),
    "empty": ("", "empty"),
    "text": ("<h1>About us</h1><p>We are a shop.</p>", "no product"),
}


@pytest.mark.parametrize(("html", "why"), WAYS.values(), ids=WAYS.keys())
def test_reasons(html, why):
    row = extract(html.encode(), "https://shop.example/x/y")

    assert row["status"] == "not a product"
    assert why in row["reason"]


def test_a_sold_out_product_is_one():
    assert extract(b"<h1>Red Lamp</h1><p>Sold out</p>", "https://shop.example/p/1")["status"] == "ok"


@pytest.mark.parametrize("path", ["/cart", "/de/warenkorb/", "/checkout", "/panier.html"])
def test_a_cart_is_no_product(path):
    html = b"<title>Cart</title><h1>Your cart</h1><p>Subtotal: 0,00 EUR</p><button>Add to cart</button>"

    assert extract(html, f"https://shop.example{path}")["reason"] == "the page is a cart"
