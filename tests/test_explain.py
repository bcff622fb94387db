"""Evidence: the word that decides comes first, neighbours are labelled products, every view is heard."""

from __future__ import annotations

import polars as pl

import shelfwise
from shelfwise.predictions import EVIDENCE, PredictOptions
from shelfwise.recipe import Recipe

EXPLAIN = PredictOptions(explain=True)


def evidence(model, *titles):
    return model.predict(pl.DataFrame({"title": titles}), EXPLAIN)["evidence"].to_list()


def test_planted_word_is_first(toy_model):
    for word, found in zip(
        ["boot", "sandal", "watch"],
        evidence(toy_model, "alder boot birch", "cedar rowan sandal", "watch"),
        strict=True,
    ):
        assert (found["words"][0]["field"], found["words"][0]["text"]) == ("title", word)


def test_words_are_shown_from_loud_to_quiet_and_only_those_that_spoke_for_it(model, demo):
    arrivals = pl.read_csv(demo.new_arrivals).head(20)
    told = [row["words"] for row in model.predict(arrivals, EXPLAIN)["evidence"].to_list()]

    assert max(map(len, told)) == 6
    for words in told:
        weights = [word["weight"] for word in words]
        assert weights == sorted(weights, reverse=True)
        assert all(weight >= 0 for weight in weights)


def test_neighbours_are_labelled_products_with_their_category(toy_model, toys):
    found = evidence(toy_model, toys["title"][4])[0]["neighbours"]
    known = {row["product_id"]: row for row in toys.rows(named=True)}

    assert found[0]["product_id"] == toys["product_id"][4]
    assert len({item["product_id"] for item in found}) == len(found) == 3
    for item in found:
        assert item["title"] == known[item["product_id"]]["title"]
        assert item["category"] == known[item["product_id"]]["category"]
        assert 0 < item["similarity"] <= 1


def test_every_view_is_heard_with_its_own_answer(toy_model):
    votes = evidence(toy_model, "birch sandal")[0]["views"]

    assert [vote["view"] for vote in votes] == list(toy_model.views_.names)
    for vote in votes:
        assert vote["category"] == "Shoes > Sandals"
        assert 0 < vote["confidence"] <= 1


def test_text_without_a_known_word_has_no_words_and_no_neighbours(toy_model):
    for found in evidence(toy_model, "", "zzzzqqq"):
        assert (found["words"], found["neighbours"]) == ([], [])


def test_explained_answers_are_the_unexplained_ones_with_one_column_more(toy_model, toys):
    table = toy_model.predict(toys.head(9), EXPLAIN)

    assert table.schema["evidence"] == EVIDENCE
    assert table.drop("evidence").equals(toy_model.predict(toys.head(9)))
    assert table.columns.index("evidence") == table.columns.index("candidates") + 1


def test_attributes_are_explained_item_by_item(toys):
    from shelfwise.categorizer import Categorizer

    kinds = {"Shoes > Boots": "wide calf", "Shoes > Sandals": "open toe", "Watches": "quartz movement"}
    plain = toys.with_columns(
        title=pl.lit("thing ") + pl.col("product_id"),
        attributes=pl.lit('{"kind": ["')
        + pl.col("category").replace(kinds)
        + pl.lit('"], "colour": ["red"]}'),
    )
    model = Categorizer().fit(plain)
    words = model.predict(plain.head(1), EXPLAIN)["evidence"][0]["words"]

    assert (words[0]["field"], words[0]["text"]) == ("attributes", "kind=wide calf")


def test_a_model_of_pictures_alone_is_explained_without_words(demo):
    words = ("title", "description", "attributes", "brand", "shop", "url")
    recipe = {
        "pictures": {"folder": str(demo.images), "learner": "neighbours"},
        "decision": {"folds": 3, "rows": 200},
        "catalogue": {"roles": dict.fromkeys(words, "none")},
    }
    model = shelfwise.Categorizer(Recipe.from_dict(recipe)).fit(demo.catalogue)

    told = model.predict(pl.read_parquet(demo.catalogue).head(20).drop("category"), EXPLAIN)

    assert [row["words"] for row in told["evidence"].to_list()] == [[]] * 20
    assert any(row["views"] for row in told["evidence"].to_list())
