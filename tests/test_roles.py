from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue import names
from shelfwise.catalogue.profiles import find_separator
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import Roles, find_roles
from shelfwise.errors import CatalogueError

ROWS = range(120)
WORDS = [
    "red",
    "blue",
    "shoe",
    "shirt",
    "lamp",
    "table",
    "phone",
    "wire",
    "glass",
    "mug",
    "cotton",
    "steel",
    "kids",
    "garden",
    "light",
    "pump",
]
PATHS = [
    "Home > Kitchen > Mugs",
    "Home > Lamps",
    "Fashion > Shoes > Pumps",
    "Fashion > Shirts",
    "Tech > Phones",
]
BRANDS = ["Acme", "Nork", "Bolt", "Zed"]
PATH = [PATHS[i * 7 % 5] for i in ROWS]
BRAND = [BRANDS[i * 3 % 4] for i in ROWS]


def words(i: int, count: int) -> str:
    return " ".join(WORDS[(i * 5 + j * (i + 3)) % len(WORDS)] for j in range(count))


TITLE = [f"{BRAND[i]} {words(i, 4)} {i}" for i in ROWS]
TEXT = [words(i, 22) for i in ROWS]
IMAGE = [f"https://shop.example/b/{i}.jpg" for i in ROWS]


def test_german_shop():
    roles = find_roles(
        pl.DataFrame(
            {
                "Artikelnummer": [f"A{i:05}" for i in ROWS],
                "Bezeichnung": TITLE,
                "Beschreibung": TEXT,
                "Marke": BRAND,
                "Kategorie": PATH,
                "Preis": [f"{i},99 €" for i in ROWS],
                "Bild-URL": IMAGE,
            }
        )
    )
    assert (roles.product_id, roles.title, roles.description) == (
        "Artikelnummer",
        "Bezeichnung",
        "Beschreibung",
    )
    assert (roles.brand, roles.label, roles.separator) == ("Marke", "Kategorie", " > ")
    assert (roles.price, roles.numbers, roles.image) == ("Preis", ("Preis",), "Bild-URL")


def test_russian_shop():
    roles = find_roles(
        pl.DataFrame(
            {
                "Артикул": [f"{i:05}" for i in ROWS],
                "Наименование": TITLE,
                "Описание": TEXT,
                "Бренд": BRAND,
                "Категория": [p.split(" > ")[-1] for p in PATH],
                "Цена": [f"{i} 100 руб." for i in ROWS],
                "Ссылка на изображение": IMAGE,
                "Характеристики": [f'{{"Цвет": "{i}"}}' for i in ROWS],
                "Продавец": [f"ИП {i % 7}" for i in ROWS],
            }
        )
    )
    assert (roles.product_id, roles.title, roles.description) == ("Артикул", "Наименование", "Описание")
    assert (roles.brand, roles.shop, roles.label) == ("Бренд", "Продавец", "Категория")
    assert (roles.separator, roles.attributes, roles.price) == (None, ("Характеристики",), "Цена")
    assert roles.image == "Ссылка на изображение"


@pytest.mark.parametrize(("labels", "separator"), [(PATH, " > "), ([p.split(" > ")[-1] for p in PATH], None)])
def test_meaningless_names(labels: list[str], separator: str | None):
    columns = [[f"A{i:05}" for i in ROWS], TITLE, TEXT, BRAND, labels, [f"{i}.99" for i in ROWS]]
    roles = find_roles(pl.DataFrame({f"col{i + 1}": column for i, column in enumerate(columns)}))
    assert (roles.product_id, roles.title, roles.description) == ("col1", "col2", "col3")
    assert (roles.brand, roles.label, roles.separator, roles.numbers) == (
        "col4",
        "col5",
        separator,
        ("col6",),
    )


def test_english_feed_with_lists():
    frame = pl.DataFrame(
        {
            "title": TITLE,
            "brand": BRAND,
            "description": [[t] for t in TEXT],
            "feature": [[words(i, 3), words(i, 2)] for i in ROWS],
            "categories": [p.split(" > ") for p in PATH],
        }
    )
    written = frame.with_columns(
        pl.Series(c, [str(v) for v in frame[c].to_list()]) for c in ("feature", "categories")
    )
    for sample in (frame, written):
        roles = find_roles(sample)
        assert (roles.title, roles.brand, roles.description) == ("title", "brand", "description")
        assert (roles.attributes, roles.label, roles.separator) == (("feature",), "categories", " > ")


def test_many_files_shop_with_level_columns():
    roles = find_roles(
        pl.DataFrame(
            {
                "name": TITLE,
                "main_category": [p.split(" > ")[0] for p in PATH],
                "sub_category": [p.split(" > ")[-1] for p in PATH],
                "image": IMAGE,
                "link": [f"https://shop.example/x-{i}/dp/B{i:06}" for i in ROWS],
                "ratings": [("4.2", "Get", None)[i % 3] for i in ROWS],
                "no_of_ratings": [f"1,{i:03}" for i in ROWS],
                "discount_price": [f"₹1,{i:03}" for i in ROWS],
                "actual_price": [f"₹2,{i:03}" for i in ROWS],
            }
        )
    )
    assert (roles.label, roles.levels, roles.separator) == (
        "sub_category",
        ("main_category", "sub_category"),
        " > ",
    )
    assert (roles.title, roles.image, roles.url) == ("name", "image", "link")
    assert set(roles.numbers) == {"ratings", "no_of_ratings", "discount_price", "actual_price"}
    assert roles.product_id is None


def test_level_columns_beside_their_ids():
    roles = find_roles(
        pl.DataFrame(
            {
                "product_id": ROWS,
                "product_name": TITLE,
                "aisle_id": [i % 20 for i in ROWS],
                "department_id": [i % 5 for i in ROWS],
                "aisle": [f"aisle {WORDS[i % 10]}" for i in ROWS],
                "department": [f"hall {WORDS[i % 5]}" for i in ROWS],
            }
        )
    )
    assert roles.levels == ("department", "aisle")
    assert set(roles.ignored) == {"aisle_id", "department_id"}


def test_marketplace_dump():
    roles = find_roles(
        pl.DataFrame(
            {
                "product_id": [1000 + i for i in ROWS],
                "category_id": [PATHS.index(p) + 11000 for p in PATH],
                "category_name": [p.replace(" > ", "->") for p in PATH],
                "text_fields": [json.dumps({"title": t, "filters": {"a": ["b"]}}) for t in TITLE],
                "shop_id": [i % 9 for i in ROWS],
                "shop_title": [f"Shop {i % 9}" for i in ROWS],
                "rating": [i / 7 for i in ROWS],
                "sale": [i % 2 == 0 for i in ROWS],
            }
        )
    )
    assert (roles.nested, roles.product_id, roles.shop) == ("text_fields", "product_id", "shop_title")
    assert (roles.label, roles.label_name, roles.separator) == ("category_id", "category_name", "->")
    assert "rating" in roles.numbers
    assert "shop_id" not in (*roles.attributes, *roles.numbers)


def test_what_would_give_the_answer_away_is_ignored():
    frame = pl.DataFrame(
        {
            "title": TITLE,
            "category_path": PATH,
            "category_l1": [p.split(" > ")[0] for p in PATH],
            "category_path_full": [f"{p} > {t}" for p, t in zip(PATH, TITLE, strict=True)],
            "product_type": [p.split(" > ")[-1] for p in PATH],
            "cluster_id": [str(i // 3) for i in ROWS],
            "cluster_label": [PATHS[i % 5] + str(i // 3) for i in ROWS],
            "color": [WORDS[i % 2] for i in ROWS],
        }
    )
    roles = find_roles(frame)
    assert (roles.label, roles.group, roles.attributes) == ("category_path", "cluster_id", ("color",))
    assert set(roles.ignored) == {"category_l1", "category_path_full", "product_type", "cluster_label"}
    top = find_roles(frame, {"label": "category_l1"})
    assert (top.label, top.separator, top.attributes) == ("category_l1", None, ("color",))
    assert {"category_path", "category_path_full"} <= set(top.ignored)


def test_useless_columns_are_ignored_with_the_reason():
    roles = find_roles(
        pl.DataFrame(
            {
                "title": TITLE,
                "category": PATH,
                "empty": [None] * len(ROWS),
                "condition": ["new"] * len(ROWS),
                "gtin": [str(4_000_000_000_000 + i) for i in ROWS],
                "sku": [f"X{i}" for i in ROWS],
                "gender": [("men", "women")[i % 2] for i in ROWS],
            }
        )
    )
    assert roles.ignored == {"empty": "empty", "condition": "constant: 'new'", "gtin": "unique numbers"}
    assert (roles.product_id, roles.attributes) == ("sku", ("gender",))


def test_overrides(shop: pl.DataFrame):
    roles = find_roles(
        shop, {"title": "description", "brand": "none", "attributes": "title,brand", "split": None}
    )
    assert (roles.title, roles.brand, roles.attributes) == ("description", None, ("title", "brand"))
    assert "description" not in roles.attributes
    assert find_roles(shop, {"label": None}).label is None
    assert find_roles(shop, {"label": ["brand", "category_path"]}).levels == ("brand", "category_path")


def test_an_override_that_does_not_exist_lists_what_does(shop: pl.DataFrame):
    with pytest.raises(CatalogueError, match=r"'categry_path' for label.*'category_path'.*sku"):
        find_roles(shop, {"label": "categry_path"})
    with pytest.raises(CatalogueError, match="Unknown role 'lable'"):
        find_roles(shop, {"lable": "category_path"})


def test_roles_survive_json(shop: pl.DataFrame):
    roles = find_roles(shop)
    assert Roles.from_dict(json.loads(json.dumps(roles.to_dict()))) == roles
    with pytest.raises(CatalogueError, match="unknown entries: nonsense"):
        Roles.from_dict({"nonsense": 1})


def test_every_column_has_one_role_and_a_reason(shop: pl.DataFrame):
    roles = find_roles(shop)
    for column in shop.columns:
        assert roles.role_of(column) is not None
        assert roles.why.get(column) or roles.ignored.get(column)
    assert roles.used(["title", "brand", "other"]) == ["title", "brand"]


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["A > B", "A > C", "D"], " > "),
        (["A->B", "A->C"], "->"),
        (["A|B", "A|C", "D|E"], "|"),
        (["A :: B", "A :: C"], "::"),
        (["A › B", "A › C"], " › "),
        (["Tops/Shirts", "Shoes", "Watches/Clocks", "Bags"], None),
        ([f"{a}/{b}" for a in "AB" for b in "WXYZ"], "/"),
        (["Salt, pepper", "Cookies, cakes", "Tea"], None),
        (["Mugs", "Lamps"], None),
    ],
)
def test_separator(values: list[str], separator: str | None):
    found = find_separator(pl.Series(values))
    assert (found and found.strip()) == (separator and separator.strip())


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("productDisplayName", "product display name"),
        ("Bild-URL", "bild url"),
        ("Libellé", "libelle"),
        ("Й_1", "й 1"),
    ],
)
def test_names_are_compared_as_plain_words(name: str, plain: str):
    assert names.normalise(name) == plain


_VALUES = (
    st.none() | st.text(max_size=12) | st.sampled_from(["A > B", "A > C", "http://x/y.jpg", "12,5", "{}"])
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), st.lists(_VALUES, min_size=4, max_size=4), max_size=6)
)
def test_any_table_gets_roles(table: dict[str, list[str | None]]):
    frame = pl.DataFrame(table, schema=dict.fromkeys(table, pl.String))
    roles = find_roles(frame)
    assert all(roles.role_of(c) is not None for c in frame.columns if c != "__unreadable__")


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["cdiscount", "clothing", "descmerc", "fashion", "flipkart", "instacart", "pricerunner"]
)
def test_real_catalogues(real: Path, name: str):
    roles = find_roles(open_source(real / name / "products.parquet").sample())
    assert (roles.product_id, roles.label, roles.split) == ("product_id", "category_path", "split")
    assert roles.title == (None if name == "clothing" else "title")
    flat = name in ("clothing", "descmerc", "pricerunner")
    assert roles.separator == (None if flat else " > ")
    assert roles.group == {"pricerunner": "cluster_id", "clothing": "sender_id"}.get(name)
    assert not {"cluster_label", "category_path_full", "category_l1"} & {*roles.attributes, *roles.used()}
