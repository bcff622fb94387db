"""JSON-LD, microdata and RDFa in one form."""

from __future__ import annotations

from shelfwise.collect import extract
from shelfwise.collect.page import parse
from shelfwise.collect.structured import listed, read_nodes, types_of, words_of


def nodes(html):
    return read_nodes(parse(html.encode(), "https://shop.example/p"))


def test_json_ld_graphs_references_and_other_cases():
    found = nodes(
        '<script type="application/ld+json">{"@graph": [{"@type": "http://schema.org/Product", "Name": "A &amp;amp; B",'
        '"Offers": {"@id": "#o"}}, {"@id": "#o", "@type": "Offer", "price": 3}]}</script>'
    )
    product = next(node for node in found if "product" in node["@type"])

    assert words_of(product["name"]) == ["A & B"]
    assert product["offers"]["price"] == 3


def test_one_broken_script_does_not_hide_another():
    found = nodes(
        '<script type="application/ld+json">{"@type": </script><script type="application/ld+json">{"@type": "Product"}</script>'
    )

    assert [node["@type"] for node in found] == [["product"]]


def test_microdata_nests_and_reads_content_links_and_text():
    found = nodes(
        "<div itemscope itemtype=http://schema.org/Product><h1 itemprop=name>A</h1><link itemprop=image href=/a.jpg>"
        "<div itemprop=offers itemscope itemtype=http://schema.org/Offer><meta itemprop=price content=5>"
        "<span itemprop=price>6</span></div></div>"
    )

    assert words_of(found[0]["name"]) == ["A"]
    assert words_of(found[0]["image"]) == ["/a.jpg"]
    assert found[0]["offers"]["price"] == ["5", "6"]


def test_rdfa_breadcrumbs():
    found = nodes('<div typeof="v:Breadcrumb"><a property="v:title" rel="v:url" href="/a">A</a></div>')

    assert found[0]["@type"] == ["breadcrumb"]
    assert words_of(found[0]["title"]) == ["A"]


def test_values():
    assert types_of(["https://schema.org/Product", "schema:Thing"]) == ["product", "thing"]
    assert listed(None) == []
    assert words_of([{"name": ""}, {"name": "x"}, True, 3]) == ["x", "3"]


def test_properties_without_an_item_are_those_of_the_product():
    html = b"""<meta itemprop=name content="Red Lamp"><meta itemprop=sku content=RL-40><meta itemprop=image href=/red.jpg>
        <meta itemprop=categories content='["Lamps", "Table"]'><span itemprop=brand><meta itemprop=name content=Lumo></span>
        <meta itemprop=price content="69.00"><meta itemprop=priceCurrency content=EUR><h2>Care</h2><p>Wipe it.</p>"""

    row = extract(html, "https://shop.example/p/1")

    assert (row["title"], row["brand"], row["price"], row["currency"]) == ("Red Lamp", "Lumo", "69.00", "EUR")
    assert (row["category_path"], row["images"]) == ("Lamps > Table", ["https://shop.example/red.jpg"])


def test_stray_properties_beside_an_item_are_not_read():
    html = b"""<b itemprop=name>My shop</b><i itemprop=sku>0</i><div itemscope itemtype=https://schema.org/Product>
        <h1 itemprop=name>Red Lamp</h1></div>"""

    assert [node["name"] for node in read_nodes(parse(html, "https://shop.example/p"))] == ["Red Lamp"]


def test_lists_in_lists_are_one():
    assert listed([["a", "b"], "c", []]) == ["a", "b", "c"]
    html = b"""<script type="application/ld+json">{"@type": "Product", "name": "Red Lamp", "image": [["/a.jpg"]],
        "offers": [[{"price": 69.5, "priceCurrency": "EUR"}], [{"price": 69.5, "priceCurrency": "EUR"}]]}</script><h1>Red Lamp</h1>"""

    row = extract(html, "https://shop.example/p/1")

    assert (row["price"], row["images"]) == ("69.50", ["https://shop.example/a.jpg"])
