"""`recipe`: TOML there and back, and errors that name the setting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import RecipeError
from shelfwise.recipe import (
    CatalogueRecipe,
    DecisionRecipe,
    NeighboursRecipe,
    Recipe,
    TextRecipe,
    built_in,
    trained_on,
)

RECIPES = st.builds(
    Recipe,
    seed=st.integers(0, 2**31),
    threads=st.integers(0, 64),
    catalogue=st.builds(
        CatalogueRecipe,
        label=st.sampled_from(["", "Größe > \"x\"", "a\\b\n"]),
        roles=st.dictionaries(st.sampled_from(["title", "brand"]), st.sampled_from(["none", ["a", "b"]])),
        fields=st.lists(st.sampled_from(["title", "url"]), max_size=2),
        min_products=st.integers(1, 9),
    ),
    text=st.builds(
        TextRecipe,
        chars_min=st.integers(1, 4), chars_max=st.integers(4, 8), bits=st.integers(10, 26),
        weights=st.dictionaries(st.sampled_from(["title", "shop"]), st.floats(0, 10)),
        cost=st.floats(1e-3, 100),
    ),
    neighbours=st.builds(NeighboursRecipe, use=st.booleans(), count=st.integers(1, 100)),
    decision=st.builds(DecisionRecipe, promises=st.lists(st.floats(0.01, 0.99), max_size=3)),
)  # fmt: skip


# -- there and back ------------------------------------------------------------------------------------------


@given(RECIPES)
def test_a_recipe_comes_back_from_toml_and_from_plain_values(recipe):
    assert Recipe.parse(recipe.to_toml()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_recipe_names_only_what_differs():
    recipe = Recipe.parse('seed = 7\n[catalogue.roles]\ntitle = "Bezeichnung"\n[text.weights]\nbrand = 0.3\n')
    assert recipe.seed == 7
    assert recipe.catalogue == CatalogueRecipe(roles={"title": "Bezeichnung"})
    assert recipe.text.weights == {"brand": 0.3}
    assert (recipe.neighbours, recipe.decision) == (NeighboursRecipe(), DecisionRecipe())
    assert Recipe.parse("") == Recipe()


def test_whole_numbers_are_fine_where_shares_are_meant():
    assert Recipe.parse("text.cost = 2").text.cost == 2.0


def test_defaults_are_not_shared():
    Recipe().text.weights["brand"] = 9.0
    assert Recipe().text.weights["brand"] != 9.0


# -- files and built-in recipes ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(built_in()))
def test_built_in_recipes_can_be_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Recipe.read(name) == Recipe.parse(built_in()[name])


def test_the_built_in_recipes():
    names = ["best", "every-view", "fast", "fine-tuned-text", "frozen-sample", "large", "noisy-export"]
    assert list(built_in()) == [*names, "pictures", "shoe-shop"]
    assert Recipe.read("fast") == Recipe()
    assert Recipe.read("large").text.max_features > 0


def test_a_file_is_read_and_goes_before_a_built_in_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fast").write_text("seed = 3", "utf-8")
    assert Recipe.read("fast").seed == 3
    assert Recipe.read(tmp_path / "fast").seed == 3


def test_a_missing_file_names_the_recipes_that_there_are(tmp_path):
    with pytest.raises(
        RecipeError, match=r"cannot read the recipe .*gone\.toml.*large, noisy-export, pictures, shoe-shop"
    ):
        Recipe.read(tmp_path / "gone.toml")


@pytest.mark.parametrize(("content", "words"), [(b"seed = ", "is not TOML"), (b"\xff\xfe", "cannot read")])
def test_a_bad_file_is_named(content, words, tmp_path):
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=words) as caught:
        Recipe.read(tmp_path / "bad.toml")
    assert "bad.toml" in str(caught.value)


# -- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("sed = 1", "'sed'"),
        ("[text]\ncots = 1.0", "'text.cots'"),
        ("[neigbours]\nuse = true", "'neigbours'"),
        ("[catalogue]\ntitle = 'x'", "'catalogue.title'"),
        ("[decision]\nzzz = 1", "'decision.zzz'"),
        ("seed = -1", "seed"),
        ("seed = true", "seed"),
        ("threads = 'all'", "threads"),
        ("text = 3", "text"),
        ("text.words = 3", "text.words"),
        ("text.bits = 40", "text.bits"),
        ("text.bits = 20.5", "text.bits"),
        ("text.chars_min = 0", "text.chars_min"),
        ("text.chars_max = 9", "text.chars_max"),
        ("text.chars_min = 6", "text.chars_min"),
        ("text.cost = 0", "text.cost"),
        ("text.cost = inf", "text.cost"),
        ("text.cost = nan", "text.cost"),
        ("text.smallest_weight = -1.0", "text.smallest_weight"),
        ("text.smallest_weight = inf", "text.smallest_weight"),
        ("text.weights = 'loud'", "text.weights"),
        ("text.weights.brnad = 0.5", "text.weights.brnad"),
        ("text.weights.image = 0.5", "title, description, attributes, brand, shop, url"),
        ("text.weights.brand = -0.5", "text.weights.brand"),
        ("text.weights.brand = nan", "text.weights.brand"),
        ("text.weights.brand = inf", "text.weights.brand"),
        ("text.weights.brand = 'loud'", "text.weights"),
        ("neighbours.use = 'yes'", "neighbours.use"),
        ("neighbours.count = 0", "neighbours.count"),
        ("neighbours.max_rows = 0", "neighbours.max_rows"),
        ("decision.folds = 1", "decision.folds"),
        ("decision.rows = 5", "decision.rows"),
        ("decision.delta = 1.0", "decision.delta"),
        ("decision.promises = [0.9, 98.0]", "decision.promises"),
        ("decision.promises = [nan]", "decision.promises"),
        ("decision.promises = 0.9", "decision.promises"),
        ("catalogue.min_products = 0", "catalogue.min_products"),
        ("catalogue.fields = 'title'", "catalogue.fields"),
        ("catalogue.roles.title = 3", "catalogue.roles"),
        ("catalogue.mapping = 1", "catalogue.mapping"),
    ],
)
def test_an_error_names_the_recipe_and_the_setting(toml, named):
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(toml, "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert named in str(caught.value)


def test_a_near_name_is_offered_and_else_all_are_listed():
    with pytest.raises(RecipeError, match="Did you mean 'smallest_weight'"):
        Recipe.parse("text.smalest_weight = 0.1")
    with pytest.raises(RecipeError, match="Known are: use, count, max_rows"):
        Recipe.parse("neighbours.qqq = 1")


def test_plain_values_that_are_no_recipe():
    with pytest.raises(RecipeError, match="recipe: Expected `object`"):
        Recipe.from_dict([1, 2])


def test_a_recipe_names_what_differs_from_another(tmp_path):
    file = tmp_path / "more.toml"
    file.write_text("[text]\nbits = 20\n[text.weights]\nbrand = 0.1\n")
    base = Recipe.parse("seed = 7\n[text]\nwords = 1\ncost = 2.0")
    recipe = Recipe.read(file, base)

    assert (recipe.seed, recipe.text.words, recipe.text.cost, recipe.text.bits) == (7, 1, 2.0, 20)
    assert recipe.text.weights == {"brand": 0.1}


def test_the_recipe_of_a_model_is_read_from_its_folder(saved_toy, toy_model, tmp_path):
    assert Recipe.read(saved_toy).text == toy_model.recipe.text
    assert trained_on(saved_toy) == toy_model.training_.data_sha256
    assert trained_on(tmp_path) is None
    (tmp_path / "model.json").write_text('{"recipe": 3}')
    with pytest.raises(RecipeError, match="not that of a model"):
        Recipe.read(tmp_path)
