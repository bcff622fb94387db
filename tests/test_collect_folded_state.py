"""State that is written as a function or in pushed lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shelfwise.collect import extract
from shelfwise.collect.folded_state import folded, pushed, unfolded

URL = "https://shop.example/p/1"
PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers(-(10**9), 10**9) | some.text(max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.from_regex(r"[a-z]{1,6}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_parameters_of_a_function_are_put_in_for_their_names():
    text = """window.__NUXT__=(function(a,b,$c){a.seen=1;return {data:[{name:a,price:{value:b,old:void 0},tags:[a,$c],
        "b":"a,b",'c':!0,url:"\\u002Fp"}],state:{}}}("Lamp (red), 40 W",69.5,null));"""

    product = unfolded(text)["data"][0]

    assert product["name"] == "Lamp (red), 40 W"
    assert product["price"] == {"value": 69.5, "old": None}
    assert product["tags"] == ["Lamp (red), 40 W", None]
    assert product["b"] == "a,b"


@settings(max_examples=40, deadline=None)
@given(some.dictionaries(some.from_regex(r"[a-z]{1,6}", fullmatch=True), PLAIN, min_size=1, max_size=4))
def test_a_function_without_parameters_gives_back_what_it_returns(value):
    assert unfolded(f"window.__NUXT__=(function(){{return {json.dumps(value)}}}())") == value


@settings(max_examples=60, deadline=None)
@given(some.text(alphabet="(){}[],:;functionreturn \"'`\\\\a1$.", max_size=60))
def test_programs_never_raise(text):
    list(folded([f"window.__NUXT__=(function(a){{return {text}", f'self.__next_f.push([1,"1:{text}"])']))


@pytest.mark.parametrize(
    "text", ["", "(function(a){return {a:1}", "(function(a){call(a)})(1)", "function(){return {}}"]
)
def test_other_programs_are_nothing(text):
    assert unfolded(text) is None


def test_a_product_in_a_function_is_read():
    html = """<title>Red Lamp 40 W</title><div id=__nuxt></div><script>window.__NUXT__=(function(a,b,c,d){return {data:[{product:
        {name:a,brand:{name:b},price:{value:c,currency:"EUR"},images:[{url:d}],categories:[{name:"Lamps"},{name:"Table"}]}}]}}
        ("Red Lamp 40 W","Lumo",69.5,"\\u002Fm\\u002Fred.jpg"));</script>"""

    row = extract(html.encode(), URL)

    assert (row["title"], row["price"], row["currency"], row["brand"]) == (
        "Red Lamp 40 W",
        "69.50",
        "EUR",
        "Lumo",
    )
    assert (row["category_path"], row["images"]) == ("Lamps > Table", ["https://shop.example/m/red.jpg"])


def test_pushed_lines_go_over_several_scripts():
    lines = '1:["$","div",null,{"product":{"name":"Red Lamp 40 W","brand":"Lumo","price":69.5,"currency":"EUR"}}]\n2:"$1"\n'
    scripts = [f"self.__next_f.push([1,{json.dumps(part)}])" for part in (lines[:40], lines[40:])]
    html = f"<title>Red Lamp 40 W</title><h1>Red Lamp 40 W</h1><script>{'</script><script>'.join(scripts)}</script>"

    assert next(pushed(scripts))[3]["product"]["brand"] == "Lumo"
    row = extract(html.encode(), URL)
    assert (row["price"], row["currency"], row["brand"]) == ("69.50", "EUR", "Lumo")


def test_structured_data_that_is_only_pushed_is_read():
    inner = json.dumps(
        {"@type": "Product", "name": "Red Lamp 40 W", "offers": {"price": "69.00"}, "brand": {"name": "Lumo"}}
    )
    line = "3:" + json.dumps(["$", "script", None, {"dangerouslySetInnerHTML": {"__html": inner}}])
    html = f"<h1>Red Lamp 40 W</h1><script>self.__next_f.push([1,{json.dumps(line)}])</script>"

    assert extract(html.encode(), URL)["brand"] == "Lumo"
