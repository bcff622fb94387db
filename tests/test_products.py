from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue import paths
from shelfwise.catalogue.parts import UNREADABLE
from shelfwise.catalogue.products import COLUMNS, TEXT_FIELDS, clean, url_words
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.catalogue.text import CAP
from shelfwise.errors import CatalogueError


def labels(values: list[str | None], separator: str | None = " > ", **more: object) -> list[str | None]:
    frame = pl.DataFrame({"t": ["x"] * len(values), "c": values}, schema={"t": pl.String, "c": pl.String})
    return clean(frame, Roles(title="t", label="c", separator=separator), **more)["label"].to_list()  # type: ignore[arg-type]


def test_a_shop_comes_out_clean(shop: pl.DataFrame):
    products = clean(shop, find_roles(shop))
    assert products.columns == list(COLUMNS)
    assert products.row(1, named=True) == {
        "row": 1,
        "product_id": "A0001",
        "title": "Stiefel Modell 1 rot",
        "description": "Ein schönes Paar Stiefel, Nummer 1, fein gemacht",
        "attributes": "color=rot",
        "brand": "Nork",
        "shop": "",
        "url": "",
        "image": "",
        "label": "Schuhe > Herren > Stiefel",
        "label_path": "Schuhe > Herren > Stiefel",
        "group": None,
        "split": None,
        "status": "ok",
        "reason": None,
    }


def test_a_row_does_not_depend_on_its_batch(shop: pl.DataFrame):
    roles = find_roles(shop)
    whole = clean(shop, roles)
    for size in (1, 7):
        parts = [clean(shop.slice(i, size), roles, i) for i in range(0, shop.height, size)]
        assert pl.concat(parts).equals(whole)


def test_missing_words_and_types_that_are_wrong():
    frame = pl.DataFrame(
        {"t": ["NaN", "null", " None ", "N/A", "Nan bread"], "b": [1.0, float("nan"), None, 2.5, 3.0]}
    )
    products = clean(frame, Roles(title="t", brand="b"))
    assert products["title"].to_list() == ["", "", "", "", "Nan bread"]
    assert products["brand"].to_list() == ["1", "", "", "2.5", "3"]


def test_ids():
    frame = pl.DataFrame({"id": ["a", None, "a", " "], "t": ["x"] * 4})
    products = clean(frame, Roles(product_id="id", title="t"), first_row=10)
    assert products["product_id"].to_list() == ["a", "11", "a", "13"]
    assert products["row"].to_list() == [10, 11, 12, 13]
    assert products["reason"].to_list() == [None, "no product id: the row number stands in"] * 2
    assert clean(frame, Roles(title="t"))["reason"].to_list() == [None] * 4


def test_statuses():
    frame = pl.DataFrame(
        {
            "t": ["x", None, "", None],
            "img": [None, None, "1.jpg", None],
            UNREADABLE: [None, None, None, "not JSON"],
        }
    )
    products = clean(frame, Roles(title="t", image="img"))
    assert products["status"].to_list() == ["ok", "empty", "ok", "unreadable"]
    assert products["reason"].to_list() == [None, "no text in any field and no picture", None, "not JSON"]


def test_a_huge_text_is_cut_and_reported():
    products = clean(
        pl.DataFrame({"t": ["a", "b"], "d": ["wort " * 100_000, "kurz"]}), Roles(title="t", description="d")
    )
    assert products["description"].str.len_chars().to_list() == [CAP, 4]
    assert products["reason"].to_list() == [f"text cut to {CAP:,} characters", None]


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("A > B", "A > B"),
        ("  A >B ", "A > B"),
        ("A>B", "A > B"),
        ("A >  > C", "A > C"),
        ("> A", "A"),
        ("Tops/Shirts > X - Y", "Tops/Shirts > X - Y"),
        ("", None),
        (None, None),
        ("missing > missing", None),
        ("Missing", None),
        ("n/a", None),
        ("Food > missing", "Food > missing"),
        ("Без категории", None),
        (" > ", None),
    ],
)
def test_labels(raw: str | None, label: str | None):
    assert labels([raw]) == [label]


def test_separators_that_stand_in_names_split_only_as_written():
    assert labels(["A / B/C / D", "A/B"], " / ") == ["A / B/C / D", "A/B"]
    assert labels(["A->B", "A -> B"], "->") == ["A->B", "A->B"]


def test_empty_levels_are_reported():
    frame = pl.DataFrame({"t": ["x", "y"], "c": ["A >  > C", "A > C"]})
    products = clean(frame, Roles(title="t", label="c", separator=" > "))
    assert products["reason"].to_list() == ["category path with an empty level, dropped", None]


def test_the_list_of_unlabelled_values_is_an_argument():
    assert labels(["Other", "missing", "A"], None, unlabelled=["other"]) == [None, "missing", "A"]


def test_levels_in_columns_make_a_path():
    frame = pl.DataFrame({"t": ["x"] * 4, "a": ["A", "A", None, None], "b": ["B", None, "B", None]})
    products = clean(frame, Roles(title="t", label="b", levels=("a", "b"), separator=" > "))
    assert products["label"].to_list() == ["A > B", "A", "B", None]


def test_lists_of_levels_make_a_path():
    values = pl.Series(['["A", "B"]', "[['A', 'B'], ['C']]", "A > B", "[A] x", '["A"'])
    assert paths.as_path(values).to_list() == ["A > B", "A > B", "A > B", "[A] x", '["A"']


def test_ids_with_names_beside_them():
    frame = pl.DataFrame({"t": ["x"] * 3, "id": [7, 8, 9], "n": ["A->B", None, "missing"]})
    products = clean(frame, Roles(title="t", label="id", label_name="n", separator="->"))
    assert products["label"].to_list() == ["7", "8", None]
    assert products["label_path"].to_list() == ["A->B", "8", None]


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_marketplace_dump(write: object):
    fields = {
        "title": "Кружка",
        "description": "<p>Синяя&nbsp;кружка</p>",
        "attributes": ["Цвет: белый", "хрупкое"],
        "custom_characteristics": {"Размер": ["M", "L"]},
        "defined_characteristics": {"Материал": ["глина"], "Пол": []},
        "filters": {"Сезон": ["лето"]},
    }
    frame = pl.DataFrame({"product_id": [1, 2], "text_fields": [write(fields), "{damaged"]})  # type: ignore[operator]
    products = clean(frame, Roles(product_id="product_id", nested="text_fields"))
    assert products["title"].to_list() == ["Кружка", ""]
    assert products["description"].to_list() == ["Синяя кружка", "{damaged"]
    items = ["Цвет=белый", "хрупкое", "Размер=M", "Размер=L", "Материал=глина", "Сезон=лето"]
    assert products["attributes"][0].split("\n") == items


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://x.de/schuhe/rote-pumps-p123456.html?ref=1#top", "schuhe rote pumps"),
        ("http://shop.ru/%D0%BA%D1%80%D1%83%D0%B6%D0%BA%D0%B0", "кружка"),
        ("//x.com/a/B0ABCD1234/iphone-8-plus", "a iphone 8 plus"),
        ("www.x.com/toys", "toys"),
        ("https://x.com", ""),
        ("https://x.com/%FF%00<script>", "�"),
    ],
)
def test_url_words(url: str, words: str):
    assert url_words(pl.Series([url]))[0] == words


def test_images_splits_and_groups():
    frame = pl.DataFrame(
        {
            "t": ["x"] * 3,
            "i": ['["a.jpg", "b.jpg"]', "a.jpg|b.jpg", "a.jpg"],
            "s": ["Train", "validation", None],
            "g": [1, 1, None],
        }
    )
    products = clean(frame, Roles(title="t", image="i", split="s", group="g"))
    assert products["image"].to_list() == ["a.jpg"] * 3
    assert products["split"].to_list() == ["train", "val", None]
    assert products["group"].to_list() == ["1", "1", None]


def test_columns_that_are_not_there_count_as_empty(shop: pl.DataFrame):
    roles = find_roles(shop)
    products = clean(shop.select("title"), roles)
    assert products["brand"].to_list() == [""] * shop.height
    assert products["label"].null_count() == shop.height
    with pytest.raises(CatalogueError, match="None of the columns"):
        clean(pl.DataFrame({"other": [1]}), roles)


_CELLS = st.lists(
    st.none() | st.text(max_size=15) | st.text(alphabet="<>&;[]{}'\",:%/ a1", max_size=20),
    min_size=5,
    max_size=5,
)
_TYPED = st.one_of(
    st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=5, max_size=5),
    st.lists(st.none() | st.floats(), min_size=5, max_size=5),
    st.lists(st.none() | st.booleans(), min_size=5, max_size=5),
    st.lists(st.none() | st.dates(), min_size=5, max_size=5),
    st.lists(st.none() | st.lists(st.text(max_size=4), max_size=2), min_size=5, max_size=5),
)
_ROLES = ["product_id", *TEXT_FIELDS, "image", "label", "group", "split", "nested"]


@given(st.fixed_dictionaries(dict.fromkeys(_ROLES, _CELLS | _TYPED)), st.integers(0, 10**9))
def test_any_frame_keeps_its_rows_and_their_order(table: dict[str, list[object]], first: int):
    frame = pl.DataFrame({k: pl.Series(v, strict=False) for k, v in table.items()})
    roles = Roles(**{r: r for r in _ROLES if r != "attributes"}, attributes=("attributes",), separator=" > ")  # type: ignore[arg-type]
    products = clean(frame, roles, first)
    assert products.schema == {name: dtype() for name, dtype in COLUMNS.items()}
    assert products["row"].to_list() == list(range(first, first + 5))
    assert (
        products.select("product_id", *TEXT_FIELDS, "image", "status").null_count().sum_horizontal()[0] == 0
    )
