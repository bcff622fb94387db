"""Offers: which field is which column, what becomes of attributes and pictures, what is wrong in a word."""

import base64

import pytest

from serve_shop import png
from shelfwise.catalogue.roles import Roles
from shelfwise.serve.limits import Limits
from shelfwise.serve.offers import Intake

ROLES = Roles(
    product_id="sku", title="Bezeichnung", brand="brand", attributes=("attributes", "Farbe"), label="category"
)


def read(product, roles=ROLES, pictures=False, **limits):
    """The offer and the names that were ignored."""
    ignored = set()
    offer = Intake(roles, (), pictures, Limits(**limits)).read(product, ignored)
    return offer, ignored


def test_fields_come_under_usual_names_or_the_catalogues_own():
    one, _ = read({"product_id": 7, "title": "boot", "brand": None})
    other, _ = read({"sku": "7", "Bezeichnung": "boot", "brand": ""})

    assert one.values == other.values == {"sku": "7", "Bezeichnung": "boot", "brand": None}
    assert one.product_id == other.product_id == "7"


def test_the_catalogues_own_name_wins():
    for product in ({"title": "a", "Bezeichnung": "b"}, {"Bezeichnung": "b", "title": "a"}):
        assert read(product)[0].values["Bezeichnung"] == "b"


def test_values_become_text_as_in_a_file():
    offer, _ = read({"title": 5, "brand": True, "attributes": [1, 2.5, {"a": None}]})

    assert offer.values == {"Bezeichnung": "5", "brand": "true", "attributes": '[1,2.5,{"a":null}]'}


def test_attributes_go_to_their_columns_and_the_rest_to_that_of_all():
    single = Roles(title="title", attributes=("Farbe",))
    alone, unknown = read({"title": "a", "attributes": {"Farbe": "rot", "x": 1}}, single)
    whole, _ = read({"title": "a", "attributes": {"Farbe": "rot", "x": 1}})

    assert alone.values == {"title": "a", "Farbe": "rot"}
    assert unknown == {"attributes"}
    assert whole.values["attributes"] == '{"Farbe":"rot","x":1}'


def test_a_nested_column_is_put_together():
    nested = Roles(nested="product", product_id="id")
    offer, ignored = read({"id": "1", "title": "boot", "attributes": {"heel": 7}}, nested)

    assert offer.values == {"id": "1", "product": '{"title":"boot","attributes":{"heel":7}}'}
    assert not ignored


def test_unknown_fields_are_ignored_and_told():
    offer, ignored = read({"title": "boot", "titel": "x", "picture": "AAAA"})

    assert offer.problem is None
    assert ignored == {"titel", "picture"}


@pytest.mark.parametrize(
    ("product", "code"),
    [(5, "not_an_object"), ("boot", "not_an_object"), (None, "not_an_object"), ({"titel": "x"}, "no_field")],
)
def test_what_is_no_product_has_a_code(product, code):
    assert read(product)[0].problem[0] == code


def test_pictures_come_in_base64_or_as_bytes():
    data = png()
    text = base64.b64encode(data).decode()
    for value in (data, text, f"data:image/png;base64,{text}"):
        assert read({"picture": value}, pictures=True)[0].picture == data
    assert read({"picture": "https://x.de/a.png"}, pictures=True)[0].problem[0] == "picture_encoding"
    assert read({"picture": data}, pictures=True, picture=100)[0].note[0] == "too_large"
    assert read({"picture": ""}, pictures=True)[0].picture is None


def test_a_product_without_anything_is_one_all_the_same():
    offer, _ = read({})

    assert (offer.problem, offer.values) == (None, {})
