from __future__ import annotations

import json
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.text import CAP, read_nested, strip_html, unfold


def stripped(value: str | None) -> str | None:
    return strip_html(pl.Series([value], dtype=pl.String))[0]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("<p>Ein <b>Stuhl</b></p>", "Ein Stuhl"),
        ("wa<b>ter</b>proof", "waterproof"),
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("one<br>two<br/>three", "one two three"),
        ("caf&eacute; &amp; cr&#232;me", "café & crème"),
        ("&lt;p&gt;escaped twice&lt;/p&gt;", "escaped twice"),
        ("x<script>alert(1)</script>y<style>p{}</style>z", "x y z"),
        ("a < b", "a < b"),
        ("<3 R&D, 5 > 4", "<3 R&D, 5 > 4"),
        ("size <M> only", "size <M> only"),
        ("AT&T&nbsp;phone", "AT&T phone"),
        ("  tab\there\n\nnew  line ", "tab here new line"),
        ("nul\x00 c1\x96 bom\ufeff zero\u200bwidth", "nul c1 bom zero width"),
        ("Schrank\u00adwand", "Schrankwand"),
        ("e\u0301te\u0301", "été"),
        ("12 m² ½ Kühlschrank™", "12 m² ½ Kühlschrank™"),
        ("<![CDATA[<b>bold</b>]]>", "bold"),
        (
            "Case STAYS, the stop words and 3.5 numbers too!",
            "Case STAYS, the stop words and 3.5 numbers too!",
        ),
        ("", ""),
        (None, None),
    ],
)
def test_strip_html(raw: str | None, clean: str | None):
    assert stripped(raw) == clean


def test_strip_html_caps_a_huge_description():
    huge = "<div>" * 10_000 + "wort " * 2_000_000
    start = time.perf_counter()
    result = stripped(huge)
    assert result is not None
    assert 0 < len(result) <= CAP
    assert time.perf_counter() - start < 5


@given(st.lists(st.one_of(st.none(), st.text(), st.text(alphabet="<>&;/scriptb !-[]\"'"))))
def test_strip_html_never_raises_and_never_yields_a_script_tag(values: list[str | None]):
    result = strip_html(pl.Series(values, dtype=pl.String)).to_list()
    assert [v is None for v in result] == [v is None for v in values]
    assert not any("<script" in v.lower() for v in result if v is not None)


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=0x17F)))
def test_strip_html_leaves_plain_words_alone(word: str):
    assert stripped(f"{word} {word}") == f"{word} {word}".strip()


def test_a_value_does_not_depend_on_its_neighbours():
    values = ["<p>a</p>", "b", "e\u0301", "x\u00ady", "c" * (CAP + 5), "&amp;lt;b&gt;"]
    together = strip_html(pl.Series(values)).to_list()
    assert together == [stripped(v) for v in values]


@pytest.mark.parametrize(
    ("raw", "items"),
    [
        ('{"colour": "red", "size": 5}', "colour=red\nsize=5"),
        ("{'colour': 'red', 'note': None}", "colour=red"),
        ("{'note': \"it's\", 'ok': True}", "note=it's\nok=true"),
        ('{"size": ["M", "L"], "fit": {"type": "slim"}}', "size=M\nsize=L\nfit.type=slim"),
        ('["Цвет: белый", "хлопок"]', "Цвет=белый\nхлопок"),
        ('[{"name": "Type", "value": "Mug"}, {"key": "Made in", "value": "PL"}]', "Type=Mug\nMade in=PL"),
        ("Colour: red; Size: M", "Colour=red\nSize=M"),
        ('{"text": "<b>bold</b> &amp; new"}', "text=bold & new"),
        ("{this is no JSON", "{this is no JSON"),
        ("plain words", "plain words"),
        ("see http://x.de", "see http://x.de"),
        ('{"empty": "", "none": null, "list": []}', ""),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        (None, ""),
    ],
)
def test_unfold(raw: str | None, items: str):
    assert unfold(pl.Series([raw], dtype=pl.String))[0] == items


def test_unfold_opens_polars_types_and_names_plain_values():
    assert unfold(pl.Series([{"a": [1, 2], "b": None}])).to_list() == ["a=1\na=2"]
    assert unfold(pl.Series([["red", "blue"], None]), "colour").to_list() == ["colour=red\ncolour=blue", ""]
    assert unfold(pl.Series(["red", None]), "colour").to_list() == ["colour=red", ""]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.text() | st.text(alphabet="{}[]'\":,ab1\\") | _JSON.map(json.dumps) | _JSON.map(repr)))
def test_unfold_never_raises(values: list[str]):
    result = unfold(pl.Series(values, dtype=pl.String))
    assert result.len() == len(values)
    assert result.null_count() == 0


@given(st.dictionaries(st.text("abc", min_size=1), st.text("xyz", min_size=1)))
def test_json_and_python_literal_say_the_same(attributes: dict[str, str]):
    texts = pl.Series([json.dumps(attributes), repr(attributes)], dtype=pl.String)
    first, second = unfold(texts).to_list()
    assert first == second == "\n".join(f"{k}={v}" for k, v in attributes.items())


def test_deep_nesting_is_text_not_a_crash():
    deep = "[" * 100_000
    assert read_nested(deep) is None
    assert unfold(pl.Series([deep])).len() == 1


def test_what_is_not_searched_for_is_what_folding_leaves_as_it_is():
    """Every character but surrogates, and every pair of a few."""
    import unicodedata

    from shelfwise.catalogue import text

    every = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    few = "a \t\n\u00a0\u200b\u3000é\u02ff\u0301\u1100\u1161"
    values = pl.Series([*every, *(a + b for a in few for b in few)])
    folded = values.str.replace_all(text._BLANK, " ") != values
    assert (folded == values.str.contains(text._ODD)).all()
    composed = pl.Series([unicodedata.normalize("NFC", value) != value for value in values])
    assert not (composed & ~values.str.contains(text._MAY_CHANGE)).any()
