"""Prices that a page shows."""

from __future__ import annotations

import pytest

from shelfwise.collect import extract
from shelfwise.collect.page import parse
from shelfwise.collect.shown_price import shown_prices
from shelfwise.collect.zones import find_zones

WAYS = {
    "struck": "<p class=price><del>89,00 €</del> <ins>69,00 €</ins></p>",
    "named": "<p class=price><span class=old-price>89,00 €</span><span class=special-price>69,00 €</span></p>",
    "labelled": "<p>UVP: 89,00 €</p><p>Preis: 69,00 €</p>",
    "unit": "<p class=price>69,00 €</p><p class=price>89,00 € / kg</p>",
    "instalments": "<p class=price>69,00 €</p><p>oder 12 x 5,75 € im Monat</p>",
    "shipping": "<p class=price>69,00 €</p><p>zzgl. Versand 4,90 €</p>",
    "members": "<p class=price>Mitglieder: 59,00 €</p><p class=price>69,00 €</p>",
    "net": "<p class=price>57,98 € netto</p><p class=price>69,00 €</p>",
    "parts": "<p class=price><span>69</span><span>,</span><span>00</span><span> €</span></p><p>du sparst 20,00 €</p>",
    "centred": "<div>No. 17<p class=text-center>69,00 €</p></div><p class=price-old>99,00 €</p>",
    "two in a text": "<p>Was 89,00 € Now 69,00 €</p>",
    "words behind": "<p>57,98 € netto 69,00 € brutto</p>",
    "words in brackets": "<p>57,98 € (netto) 69,00 € (brutto)</p>",
    "a comma": "<p>statt 89,00 €, jetzt 69,00 €</p>",
    "cents with the sign": "<p class=price>69<sup>00 €</sup></p><p class=price--old>99<sup>00 €</sup></p>",
    "no sign": "<p class=price>69\n <sup>00</sup></p><p class=list-price>89,00</p>",
    "no sign, in parts": "<p class=price><span>69</span><span>,00</span></p><p>Du sparst 20,00 €</p>",
    "machine": "<p class=x content=69.00>69,00</p><p>Du sparst 20,00 €</p>",
    "normal beside members": "<p>Mitglieder: 59,00 €</p><p>Normalpreis: 69,00 €</p><p>Versand ab 4,90 €</p>",
    "regular beside a card": "<p>Preis mit Kundenkarte 59,00 €</p><p>Regular price <b>69,00 €</b></p>",
    "normal is old": "<p>Normalpreis: 89,00 €</p><p>69,00 €</p><p>Mitglieder: 65,00 €</p>",
    "more pieces": "<p class=price>69,00 €</p><p class=price>5 oder mehr 61,00 €</p>",
    "no sign, a star": "<p class=price>69.00*</p><p>zzgl. 4,90 € Versand</p>",
    "plus": "<p><b>Lux Plus</b> <i>65,00 €</i></p><p>69,00 €</p>",
    "a month": "<p class=price>69,00 €<b class=buy__prev>89,00 €</b></p><p class=price>от 6,00 €/ мес.</p>",
    "with a card": "<p>Preis mit Lux Family: <b>65,00 €</b></p><p>69,00 €</p>",
    "retail": "<p class=suggested-retail-price>89,00 €</p><p class=retail-price>69,00 €</p>",
    "shelf": "<p class=shelf-price>69,00 €</p>",
    "cards": "<p class=price>69,00 €</p>"
    + "<div class=x><a href=/o>O</a><p class=price>9,00 €</p></div>" * 3,
    "thirty days": "<p class=price>69,00 €</p><p>Niedrigster Preis der letzten 30 Tage: 65,00 €</p>",
}


@pytest.mark.parametrize("html", WAYS.values(), ids=WAYS.keys())
def test_the_price_of_now_comes_first(html):
    page = parse(
        f"<h1 class=shelf-name>Lampe</h1>{html}<button>In den Warenkorb</button>".encode(),
        "https://shop.example/p",
    )
    found = shown_prices(page, find_zones(page, next(page.root.iter("h1"))), set())

    assert str(found[0].readings[0]) == "69.00"
    assert not found[0].flagged


def test_cents_in_small_type_behind_dots_of_thousands():
    html = """<h1>Lámpara</h1><span class=price><i>$</i><b>12.999</b><b class=cents>50</b></span>
        <p>en 6 cuotas de <i>$</i><b>2.166</b></p><button>Agregar al carrito</button>"""

    row = extract(html.encode(), "https://tienda.com.ar/p/1")

    assert (row["price"], row["currency"]) == ("12999.50", "ARS")
