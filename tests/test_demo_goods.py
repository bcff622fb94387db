"""The web shop's goods: the same facts in two languages, on a tree of four levels, some on a wrong shelf."""

from collections import Counter

import pytest

from shelfwise.demo.site import tree
from shelfwise.demo.site.goods import make_goods
from shelfwise.demo.words import vocabulary


@pytest.fixture(scope="module")
def goods():
    return make_goods(500, seed=0)


def test_same_seed_same_goods_other_seed_others(goods):
    assert make_goods(500, seed=0) == goods
    assert make_goods(500, seed=1) != goods


def test_every_shelf_has_something_and_few_are_misplaced(goods):
    assert [one.number for one in goods] == list(range(1, 501))
    assert {one.true for one in goods} == set(vocabulary().shelves)
    assert 5 <= sum(one.given is not one.true for one in goods) <= 30


def test_most_are_sold_in_both_languages_and_some_in_one(goods):
    spoken = Counter(tuple(one.wordings) for one in goods)

    assert set(spoken) == {("en", "de"), ("en",), ("de",)}
    assert spoken["en", "de"] > 300


def test_languages_tell_the_same_facts(goods):
    for one in goods:
        if len(one.wordings) == 2:
            english, german = one.wordings["en"], one.wordings["de"]
            assert len(english.attributes) == len(german.attributes)
            assert (english.audience is None) == (german.audience is None)
            assert one.brand in english.title
            assert one.brand in german.title


def test_prices_are_decimals_with_two_places(goods):
    assert all(round(float(one.price) * 100) == one.cents and one.price[-3] == "." for one in goods)
    assert any(one.cents >= 100_000 for one in goods)


def test_tree_has_a_name_for_every_level_in_both_languages():
    for shelf in vocabulary().shelves:
        english, german = tree.names(shelf, "en"), tree.names(shelf, "de")
        assert english[1:] == shelf.path
        assert len(english) == len(german)
    depths = {len(tree.names(shelf, "de")) for shelf in vocabulary().shelves}
    assert max(depths) == 4


def test_shelves_keep_their_own_addresses():
    for language in tree.LANGUAGES:
        ways = {tuple(map(tree.slug, tree.names(shelf, language))) for shelf in vocabulary().shelves}
        assert len(ways) == len(vocabulary().shelves)


@pytest.mark.parametrize(
    ("text", "slug"), [("Küche & Möbel", "kueche-moebel"), ("Größe 4,5", "groesse-4-5"), ("  É!", "e")]
)
def test_slugs(text, slug):
    assert tree.slug(text) == slug
