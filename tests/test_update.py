"""An update learns what is new from where a model stood, keeps what held, and says how far all has moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import Categorizer, load
from shelfwise.errors import CatalogueError, EncoderError, LabelError, ModelError, RecipeError
from shelfwise.recipe import Recipe
from shelfwise.training import Work, train
from shelfwise.workspace import OWN, Workspace

KINDS = [("Shoes > Boots", "boot"), ("Shoes > Sandals", "sandal"), ("Watches", "watch"), ("Hats", "hat")]
FILLERS = ["alder", "birch", "cedar", "maple", "rowan", "sorrel", "thyme"]


def goods(start, stop, kinds=3):
    return pl.DataFrame(
        {
            "product_id": f"P{i:03}",
            "title": f"{FILLERS[i % 7]} {KINDS[i % kinds][1]} {FILLERS[i * 5 % 6]} no{i}",
            "category": KINDS[i % kinds][0],
        }
        for i in range(start, stop)
    )


@pytest.fixture(scope="module")
def old():
    return Categorizer(Recipe(threads=1)).fit(goods(0, 90))


def update(old, catalogue, recipe=None, **options):
    return Categorizer(recipe or old.recipe).fit(catalogue, start=old, **options)


# -- what it comes to ----------------------------------------------------------------------------------------


def test_new_products_and_categories_are_learned_and_told(old):
    more = goods(300, 340, kinds=4)
    catalogue = pl.concat([goods(0, 90)[3:], more])
    new = update(old, catalogue)
    told = new.training_.update

    assert told["from"] == old.digest()
    assert told["from_data_sha256"] == old.training_.data_sha256
    assert (told["same"], told["new"], told["changed"], told["moved"], told["gone"]) == (87, 40, 0, 0, 3)
    assert (told["categories_added"], told["categories_gone"]) == (["Hats"], [])
    assert new.predict(pl.DataFrame({"title": ["maple hat"]}))["category"].to_list() == ["Hats"]
    assert "folds" not in new.training_.timings


def test_it_answers_as_a_model_that_was_trained_anew(old):
    catalogue = goods(0, 100)
    asked = goods(500, 700)
    anew, new = Categorizer(old.recipe).fit(catalogue), update(old, catalogue)

    assert new.predict(asked)["category"].to_list() == anew.predict(asked)["category"].to_list()
    assert new.training_.data_sha256 == anew.training_.data_sha256


def test_categories_that_are_gone_are_not_predicted(old):
    catalogue = goods(0, 90).filter(pl.col("category") != "Watches")
    new = update(old, catalogue)

    assert new.training_.update["categories_gone"] == ["Watches"]
    assert new.taxonomy_.labels == ("Shoes > Boots", "Shoes > Sandals")


def test_fitted_choices_and_answers_that_still_hold_are_kept(old):
    new = update(old, goods(0, 100))

    assert new.training_.update["taken_over"]
    assert new.decision_.fusion.pool.shares == old.decision_.fusion.pool.shares
    before, after = old.decision_.record, new.decision_.record
    kept = len(before.right)
    assert np.array_equal(after.confidence[:kept], before.confidence)
    assert len(after.right) == 100  # ten products are new, and all old ones had been held out once
    assert new.decision_.fusion.prior.sum() == pytest.approx(1)
    counts = goods(0, 100)["category"].value_counts().sort("category")["count"]
    assert new.counts_.tolist() == counts.to_list()


def test_the_record_holds_no_answer_to_a_product_that_the_model_had_seen(old):
    """Twins of learned products under new ids are not asked about, nor is what was changed or moved."""
    twins = goods(0, 20).with_columns(product_id=pl.lit("TWIN") + pl.col("product_id"))
    moved = pl.when(pl.col("product_id") == "P000").then(pl.lit("Watches")).otherwise("category")
    other = pl.when(pl.col("product_id") == "P001").then(pl.lit("quite another sandal")).otherwise("title")
    catalogue = pl.concat([goods(0, 90), twins]).with_columns(moved.alias("category"), other.alias("title"))
    new = update(old, catalogue)

    told = new.training_.update
    assert (told["new"], told["moved"], told["changed"]) == (20, 1, 1)
    ids = catalogue["product_id"].gather(new.past_.record).to_list()
    assert not {id_ for id_ in ids if id_.startswith("TWIN")} - {"TWINP000", "TWINP001"}
    assert not {"P000", "P001"} & set(ids)


def test_a_tree_that_became_deeper_has_chains_of_its_depth(old):
    deeper = goods(300, 310).with_columns(category=pl.lit("Shoes > Clogs > Wooden > Red"))
    new = update(old, pl.concat([goods(0, 90), deeper]))

    assert new.taxonomy_.depth == 4
    assert new.decision_.record.chain.shape[1] == 4
    assert len(new.training_.out_of_fold["levels"]) == 4


# -- the same again ------------------------------------------------------------------------------------------


def test_the_same_again_is_the_same_to_the_bit(old, tmp_path):
    old.save(tmp_path / "old")
    stored = load(tmp_path / "old")
    catalogue = pl.concat([goods(0, 90), goods(90, 110, kinds=4)])
    one, other = update(old, catalogue), update(stored, catalogue, replace(old.recipe, threads=2))

    assert one.training_.update["taken_over"]
    assert one.digest() == other.digest()
    one.save(tmp_path / "one")
    assert load(tmp_path / "one").digest() == one.digest()


def test_within_little_memory_it_is_the_same_to_the_bit(demo, model, monkeypatch, tmp_path):
    from shelfwise.keeping import start_of

    begin = start_of(model._parts())
    source = open_source(demo.catalogue)
    few = Workspace(OWN * 2, tmp_path)
    monkeypatch.setattr(few, "part", lambda share: 1)
    whole, pieces = (
        train(source, model.recipe, "split", Work(1, space), begin) for space in (Workspace(), few)
    )

    assert few.filed > 0
    assert whole.training.update["same"] == whole.training.learned
    for name, array in whole.views.tensors().items():
        assert np.array_equal(array, pieces.views.tensors()[name]), name
    for name, array in whole.past.tensors().items():
        assert np.array_equal(array, pieces.past.tensors()[name]), name


def test_updates_follow_one_another(old):
    second = update(old, goods(0, 100))
    third = update(second, goods(0, 110))

    assert third.training_.update["from"] == second.digest()
    assert third.training_.update["same"] == 100
    assert third.training_.update["taken_over"]


# -- too little to take over ---------------------------------------------------------------------------------


def test_too_few_products_in_common_are_learned_anew_and_that_is_said(old):
    catalogue = goods(60, 160)
    new, anew = update(old, catalogue), Categorizer(old.recipe).fit(catalogue)

    assert not new.training_.update["taken_over"]
    assert any("learned anew" in note for note in new.training_.notes)
    assert "folds" in new.training_.timings
    for name, array in anew.views_.tensors().items():
        assert np.array_equal(array, new.views_.tensors()[name]), name


# -- corrections ---------------------------------------------------------------------------------------------


def test_corrections_of_the_model_are_learned_and_stay(old, tmp_path):
    old.save(tmp_path / "old")
    corrected = load(tmp_path / "old")
    corrected.rename_shelf("Watches", "Jewellery > Watches")
    wrong = goods(0, 90).filter(pl.col("product_id").is_in(["P000", "P003"]))
    corrected.correct(wrong, ["Shoes > Sandals", "Shoes > Sandals"])
    new = update(corrected, goods(0, 100))

    assert "Jewellery > Watches" in new.taxonomy_.labels
    assert "Watches" not in new.taxonomy_.labels
    told = new.training_.update
    assert (told["corrected"], told["renamed"], told["moved"]) == (2, 33, 2)
    assert not new.corrections_  # they are learned now
    again = update(new, goods(0, 110))  # the dump still says what it said
    assert again.training_.update["corrected"] == 2
    assert "Jewellery > Watches" in again.taxonomy_.labels
    assert again.training_.update["moved"] == 0
    assert again.renamed_["Watches"] == "Jewellery > Watches"


def test_merged_shelves_stay_merged(old, tmp_path):
    old.save(tmp_path / "old")
    merged = load(tmp_path / "old")
    merged.merge_shelves(["Shoes > Boots", "Shoes > Sandals"], into="Shoes")
    new = update(merged, goods(0, 100))

    assert new.taxonomy_.labels == ("Shoes", "Watches")
    assert new.predict(goods(200, 230).drop("category"))["category"].unique().sort().to_list() == [
        "Shoes", "Watches",
    ]  # fmt: skip


def test_corrections_without_ids_and_shelves_without_products_are_told(tmp_path):
    plain = goods(0, 60).drop("product_id")
    model = Categorizer().fit(plain)
    model.correct(plain[:1], ["Watches"])
    model.add_shelf("Umbrellas", words="rain umbrella")
    notes = update(model, plain).training_.notes

    assert any("product ids" in note for note in notes)
    assert any("'Umbrellas'" in note for note in notes)


# -- what is refused -----------------------------------------------------------------------------------------


def test_a_model_that_keeps_nothing_is_refused(old, tmp_path):
    old.save(tmp_path / "old")
    bare = load(tmp_path / "old")
    bare.past_ = None

    with pytest.raises(ModelError, match="Train once without --from"):
        update(bare, goods(0, 90))
    with pytest.raises(ModelError, match="has not learned anything"):
        update(Categorizer(), goods(0, 90), Recipe())


def catalogue_recipe(**settings):
    plain = Recipe(threads=1).to_dict()
    return Recipe.from_dict(plain | {"catalogue": plain["catalogue"] | settings})


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (catalogue_recipe(label="title"), "learned the column 'category', not 'title'"),
        (catalogue_recipe(roles={"title": "category"}), "title is title, not category"),
        (catalogue_recipe(roles={"brand": "title"}), "brand is none, not title"),
        (catalogue_recipe(fields=["brand"]), "reads all text fields, not brand"),
        (Recipe.parse("[text]\nbits = 20"), "text.bits is 22 .* and 20 was asked for"),
        (Recipe.parse("[neighbours]\nuse = false"), "neighbours.use"),
        (Recipe.parse('[encoder]\nencoder = "hf:x"'), "encoder.encoder is 'none'"),
        (Recipe.parse('[table]\ncolumns = ["price"]'), "table.columns"),
        (Recipe.parse('[finetune]\nsides = ["text"]'), "finetune"),
    ],
)
def test_a_recipe_that_contradicts_the_model_is_refused(old, recipe, said):
    with pytest.raises(RecipeError, match=said):
        update(old, goods(0, 90), recipe)


def test_settings_of_the_learner_may_be_others(old):
    recipe = Recipe.parse("seed = 3\n[text]\ncost = 1.5\n[decision]\npromises = [0.5]")
    new = update(old, goods(0, 90), recipe)

    assert [promise["asked"] for promise in new.training_.promises] == [0.5]
    assert new.recipe.text.cost == 1.5


def test_other_columns_are_refused(old):
    with pytest.raises(CatalogueError, match="no column 'category', from which the model to start from"):
        update(old, goods(0, 90).rename({"category": "shelf"}))
    with pytest.raises(CatalogueError, match="no column 'fold' to split by"):
        update(old, goods(0, 90), split="fold")
    with pytest.raises(LabelError, match="only one category"):
        update(old, goods(0, 90).filter(pl.col("category") == "Watches"))


def test_pictures_that_the_model_judges_by_must_be_there(demo, seeing):
    with pytest.raises(EncoderError, match="--images"):
        update(seeing, demo.catalogue, split="split")


def test_pictures_are_learned_anew(demo, seeing):
    pictures = replace(seeing.recipe.pictures, folder=str(demo.images))
    new = update(seeing, demo.catalogue, replace(seeing.recipe, pictures=pictures), split="split")

    assert new.views_.dense.keys() == seeing.views_.dense.keys()
    assert new.training_.update["same"] == seeing.training_.learned
    assert new.decision_.fusion.exponents == seeing.decision_.fusion.exponents
