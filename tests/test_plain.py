"""Plain rows: what the reader makes is what `clean` makes, and it hands back all that it cannot."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.catalogue.plain import PlainReader
from shelfwise.catalogue.products import clean
from shelfwise.catalogue.roles import Roles
from shelfwise.recipe import TEXT_FIELDS

ROLES = Roles(
    product_id="sku", title="name", description="text", brand="brand", shop="shop", url="link",
    image="picture", attributes=("attributes", "colour"), label="category", split="split",
)  # fmt: skip
COLUMNS = [*ROLES.used()]
PIECES = [
    "boot", "Boots", " ", "  ", "nan", "N/A", "null", "<b>", "a < b", "R&D", "&amp;", "&", "[", "]", "\n",
    "\t", "Größe", "Gro\u0308ße", "\u00ad", "\u00a0", "\u200b", "Стол", "机", "한국", "\u1112\u1161\u11ab",
    "™", "m²", "\u212a", "é", "www.shop.de/", "https://x.de/schuhe/rote-pumps-p123456.html?ref=1", "/", "-",
    "_", ".php", "1234", "%C3%A4", "|", "a.jpg", '{"colour": "red", "size": [1, 2.0, true]}', "Colour: red",
    "x=y;z=1", "<script", "😀", "\ud7a3", "'", '"',
]  # fmt: skip
values = st.one_of(
    st.none(),
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=4).map(" ".join),
    st.text(max_size=12),
)
rows = st.dictionaries(st.sampled_from(COLUMNS), values)


def cleaned(row):
    """The row as `clean` has it."""
    return clean(
        pl.DataFrame({name: [row.get(name)] for name in COLUMNS}, schema=dict.fromkeys(COLUMNS, pl.String)),
        ROLES,
    )


@settings(max_examples=1500)
@given(rows)
def test_a_plain_row_is_what_cleaning_makes_of_it(row):
    found = PlainReader(ROLES).read(row)
    if found is None:
        return
    wanted = cleaned(row).row(0, named=True)

    assert dict(zip(TEXT_FIELDS, found.fields, strict=True)) == {name: wanted[name] for name in TEXT_FIELDS}
    assert (found.image, found.status, found.reason) == (wanted["image"], wanted["status"], wanted["reason"])
    assert (found.product_id or "0") == wanted["product_id"]


@pytest.mark.parametrize(
    "row",
    [
        {"name": "Rote Pumps, Größe 38", "brand": "Acme"},
        {"name": "Стол письменный", "text": "  two   blanks "},
        {"name": "机", "attributes": '{"colour": "red", "sizes": [1, 2]}', "colour": "blue"},
        {"name": "a", "link": "https://x.de/schuhe/rote-pumps-p123456.html?ref=1", "picture": "a/b.jpg"},
        {},
    ],
)
def test_everyday_products_are_plain(row):
    assert PlainReader(ROLES).read(row) is not None


@pytest.mark.parametrize(
    "row",
    [
        {"name": "<b>Pumps</b>"},
        {"name": "R&amp;D"},
        {"name": "soft\u00adhyphen"},
        {"name": '["First.", "Second."]'},
        {"name": "x" * 60_000},
        {"name": "a", "category": "Shoes >  > Pumps"},
        {"name": "a", "picture": '["a.jpg"]'},
        {"name": "tab\tbetween"},
    ],
)
def test_what_needs_cleaning_is_handed_back(row):
    assert PlainReader(ROLES).read(row) is None


def test_roles_without_an_id_lack_none():
    assert PlainReader(Roles(title="name")).read({"name": "boot"}).reason is None
