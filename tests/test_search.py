"""Hyper-parameter search: the space and its errors, the split, trials, resuming, what is written."""

from __future__ import annotations

import json
import sqlite3
import sys

import polars as pl
import pytest

from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.errors import LabelError, MissingExtraError, RecipeError
from shelfwise.lesson import read_products
from shelfwise.recipe import Recipe
from shelfwise.search import SearchOptions, default_space, parse_space, search
from shelfwise.search.space import changed, current
from shelfwise.search.validation import Validation

# -- the space ---------------------------------------------------------------------------------------------


def test_space_is_read_from_toml_with_and_without_quotes():
    import tomllib

    quoted = tomllib.loads('"text.cost" = {low = 0.2, high = 3.0, log = true}\n"text.words" = [1, 2]')
    nested = tomllib.loads("text.cost = {low = 0.2, high = 3.0, log = true}\ntext.words = [1, 2]")

    assert parse_space(quoted) == parse_space(nested)
    assert parse_space(quoted).to_dict() == quoted


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "is empty"),
        ({"text.cots": [1.0]}, "text.cots: there is no such setting. Did you mean 'cost'"),
        ({"txt": {"cost": [1.0]}}, "Did you mean 'text'"),
        ({"text": [1]}, "is a section; name one of its settings"),
        ({"text.cost.x": [1]}, "there is no such setting"),
        ({"seed": [1, 2]}, "stays as it is"),
        ({"catalogue.roles.title": ["a", "b"]}, "stays as it is"),
        ({"text.cost": 2.0}, r"must be a list of values or \{low"),
        ({"text.cost": []}, "the list is empty"),
        ({"text.words": [1, 1]}, "stands there twice"),
        ({"text.words": [1, 3]}, "text.words: 3: Expected `int` <= 2"),
        ({"text.cost": {"low": 2.0, "high": 1.0}}, "must be below high"),
        ({"text.cost": {"low": 1.0}}, "high must be a number, not 'missing'"),
        ({"text.cost": {"low": "a", "high": 1.0}}, "low must be a number"),
        ({"text.cost": {"low": 0.1, "high": float("inf")}}, "high must be a number"),
        ({"text.smallest_weight": {"low": 0.0, "high": 1.0, "log": True}}, "low must be above 0"),
        ({"text.cost": {"low": 0.1, "high": 1.0, "log": 1}}, "log must be true or false"),
        ({"text.cost": {"low": 0.1, "high": 1.0, "step": -1}}, "step must be above 0"),
        ({"text.cost": {"low": 0.1, "high": 1.0, "steps": 1}}, "not 'steps'"),
        ({"text.cost": {"low": -0.1, "high": 1.0}}, "text.cost: -0.1: Expected `float` > 0"),
        ({"text.words": {"low": 1, "high": 1.5}}, "whole number"),
        ({"neighbours.use": {"low": 0, "high": 1}}, "is not a number"),
        ({"text.weights.colour": {"low": 0.1, "high": 1.0}}, "there is no such text field"),
        ({"text.cost": [1.0], "text": {"cost": [2.0]}}, "stands there twice"),
    ],
)
def test_wrong_space_is_refused_and_says_where(plain, message):
    with pytest.raises(RecipeError, match=message):
        parse_space(plain)


def test_default_space_is_one_around_the_default_recipe():
    space = default_space(("title", "brand"))

    assert "text.weights.brand" in space.to_dict()
    assert "text.weights.title" not in space.to_dict()
    assert all(part.encode(current(Recipe(), part.name)) is not None for part in space.settings)


def test_settings_are_changed_and_checked():
    recipe = changed(Recipe(), {"text.weights.brand": 0.1, "text.words": 1, "catalogue.fields": ["title"]})

    assert (recipe.text.weights["brand"], recipe.text.weights["url"], recipe.text.words) == (0.1, 0.5, 1)
    assert recipe.catalogue.fields == ["title"]
    assert Recipe().text.weights["brand"] == 0.5
    with pytest.raises(RecipeError, match="chars_min"):
        changed(Recipe(), {"text.chars_min": 6})


@pytest.mark.parametrize(
    "options", [{"minutes": 0.0}, {"minutes": float("inf")}, {"trials": -1}, {"rows": -5}]
)
def test_senseless_budget_is_refused(options):
    with pytest.raises(RecipeError):
        SearchOptions(**options)


# -- the rows ----------------------------------------------------------------------------------------------


def test_validation_never_sees_test_rows_and_keeps_twins_together(demo):
    recipe = Recipe()
    data = Validation.prepare(demo.catalogue, recipe, SearchOptions(split="split"))
    learned, judged = data.learned.frame(), data.judged.frame()
    both = pl.concat([learned, judged])

    assert "test" not in set(both["split"])
    assert not set(learned["product_id"]) & set(judged["product_id"])
    assert 0.1 < judged.height / both.height < 0.3
    _, products = read_products(data.learned, recipe, None)
    _, others = read_products(data.judged, recipe, None)
    groups = group_near_duplicates(pl.concat([products, others]), quick=True)
    assert not set(groups[: learned.height]) & set(groups[learned.height :])


def test_large_catalogue_is_sampled_and_that_is_noted(demo):
    data = Validation.prepare(demo.catalogue, Recipe(), SearchOptions(rows=200))

    assert 150 < data.learned.rows + data.judged.rows <= 220
    assert "rows were used" in data.notes[0]


def test_parts_know_where_the_catalogue_lies(demo):
    assert Validation.prepare(demo.catalogue, Recipe(), SearchOptions()).learned.files == (demo.catalogue,)


def test_nothing_to_judge_on_is_told():
    rows = pl.DataFrame({"title": ["a red boot", "a blue kettle"], "category": ["Boots", "Kettles"]})
    with pytest.raises(LabelError, match="leave none to judge settings on"):
        search(rows, Recipe())


# -- trials ------------------------------------------------------------------------------------------------

SPACE = parse_space({"text.cost": {"low": 0.3, "high": 2.0, "log": True}, "text.chars_min": [3, 6]})


@pytest.fixture(scope="module")
def found(toys, tmp_path_factory):
    """A search of four trials that was cut after two."""
    folder = tmp_path_factory.mktemp("search")
    search(toys, Recipe(), SPACE, SearchOptions(trials=2, folder=folder))
    return folder, search(toys, Recipe(), SPACE, SearchOptions(trials=5, folder=folder))


def test_demo_shop_is_searched_with_the_default_space(demo):
    heard = []
    result = search(
        demo.catalogue, Recipe(), options=SearchOptions(trials=3, split="split"), notify=heard.append
    )

    assert heard == list(result.trials)
    assert [trial.state for trial in result.trials] == ["done"] * 3
    assert all(trial.low <= trial.value <= trial.high and trial.seconds > 0 for trial in result.trials)
    assert result.baseline == result.trials[0].value
    assert result.value == max(trial.value for trial in result.trials)
    assert result.recipe == changed(Recipe(), result.trials[result.best].settings)
    json.dumps(result.to_dict(), allow_nan=False)


def test_first_trial_is_the_recipe_as_it_is(found):
    assert found[1].trials[0].settings == {"text.cost": 0.8, "text.chars_min": 3}


def test_failing_combination_is_kept_with_its_reason(found):
    failed = [trial for trial in found[1].trials if trial.settings["text.chars_min"] == 6]

    assert failed
    assert {trial.state for trial in failed} == {"failed"}
    assert all("text.chars_min is larger than text.chars_max" in trial.reason for trial in failed)
    assert all(trial.value is None for trial in failed)


def test_search_that_goes_on_is_the_same_as_an_unbroken_one(found, toys):
    unbroken = search(toys, Recipe(), SPACE, SearchOptions(trials=5))
    tried = [[(t.settings, t.state, t.value) for t in result.trials] for result in (found[1], unbroken)]

    assert tried[0] == tried[1]
    assert len(tried[0]) == 5


def test_best_recipe_and_trials_are_written(found):
    folder, result = found
    table = pl.read_csv(folder / "trials.csv")

    assert Recipe.read(folder / "best.toml") == result.recipe
    assert table["number"].to_list() == [0, 1, 2, 3, 4]
    assert json.loads(table["settings"][0]) == result.trials[0].settings
    assert {path.name for path in folder.iterdir()} == {"study.db", "trials.csv", "best.toml"}


def test_study_of_something_else_is_refused(found, toys):
    folder = found[0]
    for catalogue, recipe, space, what in (
        (toys.head(80), Recipe(), SPACE, "other rows"),
        (toys, Recipe(seed=1), SPACE, "another recipe"),
        (toys, Recipe(), parse_space({"text.words": [1, 2]}), "another space"),
    ):
        with pytest.raises(RecipeError, match=f"holds a search over {what}"):
            search(catalogue, recipe, space, SearchOptions(trials=1, folder=folder))


def test_killed_trial_is_tried_again(toys, tmp_path):
    def stop(trial):
        raise KeyboardInterrupt

    options = SearchOptions(trials=3, folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search(toys, Recipe(), SPACE, options, stop)
    with sqlite3.connect(tmp_path / "study.db") as study:  # as if it had ended within the trial
        study.execute("UPDATE trials SET state = 'RUNNING'")
        study.execute("DELETE FROM trial_user_attributes WHERE key <> 'settings'")
    study.close()
    result = search(toys, Recipe(), SPACE, options)

    assert [trial.state for trial in result.trials].count("interrupted") == 1
    assert result.trials[0].state == "interrupted"
    assert result.trials[1].settings == result.trials[0].settings
    assert len(result.trials) == 4


def test_time_is_kept(toys):
    assert len(search(toys, Recipe(), SPACE, SearchOptions(minutes=1e-6)).trials) == 1


def test_exhausted_space_ends_the_search(toys):
    space = parse_space({"neighbours.use": [True, False]})
    result = search(toys, Recipe(), space, SearchOptions(minutes=1))

    assert "nothing more to try" in result.notes[-1]
    assert len({json.dumps(trial.settings) for trial in result.trials}) == 2
    assert [trial.reason for trial in result.trials].count(None) == 2
    assert {trial.reason[:13] for trial in result.trials if trial.reason} == {"same as trial"}


def test_recipe_outside_of_the_space_is_the_baseline_all_the_same(toys):
    space = parse_space({"text.cost": {"low": 1.0, "high": 2.0}})
    result = search(toys, Recipe(), space, SearchOptions(trials=2))

    assert result.trials[0].settings == {}
    assert 1.0 <= result.trials[1].settings["text.cost"] <= 2.0


def test_recipe_that_cannot_be_trained_is_an_error_and_no_trial(toys):
    recipe = changed(Recipe(), {"catalogue.fields": ["brand"]})
    with pytest.raises(LabelError):
        search(toys, recipe, SPACE, SearchOptions(trials=2))


def test_recipe_is_tried_again_once_what_was_wrong_is_mended(toys, tmp_path, monkeypatch):
    def broken(self, catalogue, **more):
        raise OSError("no space left")

    options = SearchOptions(trials=2, folder=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("shelfwise.search.study.Categorizer.fit", broken)
        with pytest.raises(OSError, match="no space left"):
            search(toys, Recipe(), SPACE, options)
    result = search(toys, Recipe(), SPACE, options)

    assert [trial.state for trial in result.trials[:2]] == ["interrupted", "done"]
    assert result.trials[1].settings == {"text.cost": 0.8, "text.chars_min": 3}
    assert result.baseline == result.trials[1].value


def test_missing_optuna_names_the_extra(toys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[search\]"):
        search(toys, Recipe(), SPACE)
