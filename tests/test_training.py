"""Training says what it read, refuses what cannot be learned, and lets no near-duplicate cross a fold."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from shelfwise import intake, lesson, training
from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import Categorizer, load
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import Pool
from shelfwise.errors import LabelError, WorkspaceError
from shelfwise.evaluate.judge import judge
from shelfwise.features import vectors
from shelfwise.predictions import PredictOptions
from shelfwise.recipe import CatalogueRecipe, DecisionRecipe, EncoderRecipe, Recipe, TableRecipe
from shelfwise.training import Work, train
from shelfwise.workspace import OWN, Workspace

COLUMN = {"label": "category"}


def fit(catalogue, split=None, **settings):
    return Categorizer(Recipe(threads=1, catalogue=CatalogueRecipe(**COLUMN | settings))).fit(
        catalogue, split=split
    )


def numbered(categories, products):
    """`products` rows for each category; two words of a title name it, a third is the row's own."""
    rows = [(c, i) for i in range(products) for c in range(categories)]
    return pl.DataFrame(
        {
            "title": [f"word{c} thing{c} no{i * categories + c}" for c, i in rows],
            "category": [f"c{c}" for c, _ in rows],
        }
    )


# -- what is counted -----------------------------------------------------------------------------------------


def test_scores_promises_and_sizes_are_told(toys):
    told = fit(toys).training_.to_dict()

    assert (told["categories"], told["depth"], told["singletons"]) == (3, 2, 0)
    assert told["out_of_fold"]["accuracy"] > 0.9
    assert len(told["out_of_fold"]["levels"]) == 2
    assert [promise["asked"] for promise in told["promises"]] == [0.9, 0.95, 0.98, 0.99]
    assert {"read", "folds", "decision", "learn", "total"} <= set(told["timings"])


def test_steps_are_told_as_they_begin(toys):
    steps = []
    Categorizer().fit(toys, notify=steps.append)

    assert steps == ["read", "folds", "decision", "learn"]


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "titles", [["red boot", "blue hat"] * 10, ["red boot", "RED  boot!"] * 10], ids=["two goods", "one good"]
)
def test_near_duplicates_alone_are_refused(titles):
    with pytest.raises(LabelError, match="near-duplicates"):
        fit(pl.DataFrame({"title": titles, "category": ["a", "b"] * 10}))


# -- small and odd catalogues --------------------------------------------------------------------------------


def test_products_that_show_nothing_of_their_categories_are_refused(tmp_path):
    """One text for all, and pictures of noise."""
    picture = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for row in range(25):
        noise = rng.integers(0, 255, (32, 32, 3), np.uint8)
        picture.fromarray(noise).save(tmp_path / f"p{row}.png")
    frame = pl.DataFrame(
        {
            "product_id": [f"p{row}" for row in range(25)],
            "title": ["Same mug"] * 25,
            "category": ["Mugs" if row % 2 else "Cups" for row in range(25)],
        }
    )
    recipe = Recipe()
    pictures = replace(recipe.pictures, folder=str(tmp_path), encoder="pixels")
    with pytest.raises(LabelError, match="tells their categories apart"):
        Categorizer(replace(recipe, pictures=pictures)).fit(frame)


def test_two_categories_of_three_products_are_enough():
    model = fit(numbered(2, 3))

    assert model.predict(pl.DataFrame({"title": ["word0 thing0", "word1 thing1"]}))["category"].to_list() == [
        "c0",
        "c1",
    ]


def test_category_with_one_product_is_kept_and_noted(toys):
    single = pl.DataFrame({"product_id": ["S"], "title": ["sundial gnomon shadow"], "category": ["Sundials"]})
    told = fit(pl.concat([toys, single]))

    assert "Sundials" in told.taxonomy_.labels
    assert told.training_.singletons == 1
    assert any("one product" in note for note in told.training_.notes)


def test_a_thousand_categories_of_one_product_are_learned_and_nothing_is_promised():
    words = [f"gadget{number * 7919 % 10007} item" for number in range(1000)]
    model = fit(pl.DataFrame({"title": words, "category": [f"shelf {number}" for number in range(1000)]}))
    told = model.training_

    assert (told.categories, told.singletons) == (1000, 1000)
    assert all(promise["refused"] for promise in told.promises)
    assert np.isfinite(model.predict_proba(pl.DataFrame({"title": words[:5]}))).all()


def test_paths_of_unequal_depth_and_one_leaf_under_two_parents():
    places = ["Home", "Home > Lamps", "Garden > Lamps", "Garden > Tools > Saws"]
    titles = [f"word{i % 4} thing{i % 4} no{i}" for i in range(80)]
    model = fit(pl.DataFrame({"title": titles, "category": [places[i % 4] for i in range(80)]}))

    assert model.taxonomy_.labels == tuple(sorted(places))
    assert ("Garden",) in model.taxonomy_.nodes
    assert model.predict(pl.DataFrame({"title": titles[:4]}))["category"].to_list() == places


def test_ids_with_names_beside_them_are_what_is_predicted(tmp_path):
    catalogue = pl.DataFrame(
        [
            {"product_id": f"P{i}", "title": f"word{i % 4} no{i}", "category_id": 100 + i % 4,
             "category_name": f"Top{i % 2}->Leaf{i % 4}"}
            for i in range(80)
        ]
    )  # fmt: skip
    model = Categorizer().fit(catalogue)
    model.predict_to_file(catalogue, tmp_path / "ids.csv", PredictOptions(form="ids"))

    assert (model.roles_.label, model.roles_.label_name, model.roles_.separator) == (
        "category_id",
        "category_name",
        "->",
    )
    assert model.taxonomy_.paths[1] == ("Top1", "Leaf1")
    assert (
        pl.read_csv(tmp_path / "ids.csv")["predicted_category_id"].to_list()
        == catalogue["category_id"].to_list()
    )


def test_one_mapped_id_does_not_cost_the_others_their_names(tmp_path):
    (tmp_path / "map.csv").write_text("from,to\n3,\n")
    rows = [{"title": f"word{i % 4} no{i}", "category_id": str(i % 4), "category_name": f"Top->Leaf{i % 4}"}
            for i in range(80)]  # fmt: skip
    model = fit(pl.DataFrame(rows), label="category_id", mapping=str(tmp_path / "map.csv"))

    assert model.taxonomy_.paths == (("Top", "Leaf0"), ("Top", "Leaf1"), ("Top", "Leaf2"))


def test_huge_and_hostile_text_costs_no_more_than_its_row(toys):
    hostile = pl.DataFrame(
        {
            "product_id": ["big", "control", "markup", "astral"],
            "title": [
                "boot " * 2_000_000,
                "\x00boot\x07\x1b[31m\u202e",
                "<script>alert(1)</script> boot",
                "\U0001f97e",
            ],
            "category": ["Shoes > Boots"] * 4,
        }
    )
    model = fit(pl.concat([toys, hostile]))
    table = model.predict(hostile)

    assert model.training_.learned == 94
    assert table["category"].to_list()[:3] == ["Shoes > Boots"] * 3
    assert "cut" in table["reason"][0]


# -- mapping -------------------------------------------------------------------------------------------------


def test_mapping_renames_merges_and_drops_and_evaluation_follows(tmp_path, toys):
    mapping = tmp_path / "map.csv"
    mapping.write_text("from,to\nShoes > *,Footwear\nWatches,Clocks\nToys,-\n")
    toys = pl.concat(
        [toys, toys.tail(6).with_columns(title="title" + pl.lit(" toy"), category=pl.lit("Toys"))]
    )
    fit(toys, mapping=str(mapping)).save(tmp_path / "model")
    mapping.unlink()
    model = load(tmp_path / "model")
    unseen = toys.head(3).with_columns(category=pl.Series(["Shoes > Boots", "Shoes > Sandals", "Toys"]))
    found = judge(model, unseen)

    assert model.taxonomy_.labels == ("Clocks", "Footwear")
    assert model.training_.unlabelled == 6
    assert (found.y.tolist(), found.given) == ([1, 1], ["Footwear", "Footwear"])


def test_mapping_holds_for_categories_of_test_rows_alone(tmp_path, toys):
    (tmp_path / "map.csv").write_text("from,to\nShoes > *,Footwear\n")
    late = toys.head(2).with_columns(category=pl.lit("Shoes > Slippers"), split=pl.lit("test"))
    catalogue = pl.concat([toys.with_columns(split=pl.lit("train")), late])
    model = fit(catalogue, split="split", mapping=str(tmp_path / "map.csv"))

    assert judge(model, catalogue, split="split").y.tolist() == [model.taxonomy_.labels.index("Footwear")] * 2


def test_small_categories_go_to_their_parent_and_evaluation_follows(toys):
    rare = toys.head(2).with_columns(category=pl.lit("Shoes > Clogs"), title="title" + pl.lit(" clog"))
    model = fit(pl.concat([toys, rare]), min_products=5)

    assert model.taxonomy_.labels == ("Shoes", "Shoes > Boots", "Shoes > Sandals", "Watches")
    assert judge(model, rare).y.tolist() == [0, 0]


def test_views_without_a_say_are_not_learned(toys, monkeypatch):
    fused = Fusion(Pool({"words": 1.0}, 3.0, backing=0.2), np.full(3, 1 / 3, np.float32))
    monkeypatch.setattr(training, "fit_fusion", lambda *arguments: fused)
    done = train(open_source(toys), Recipe())

    assert tuple(done.views.text.linear) == ("words", "departments")
    assert done.training.view_weights == {"words": 1.0, "departments": 0.2}


# -- folds and pieces ----------------------------------------------------------------------------------------


def test_groups_never_cross_folds(monkeypatch, toys):
    twins = pl.concat([toys, toys.with_columns(product_id=pl.lit("again"))])
    seen = []

    class Watched(training.Views):
        def fit(self, products, *arguments):
            if products.text.chosen is not None:
                seen.append(("fit", set(twins["title"].filter(pl.Series(products.text.chosen)))))
            return super().fit(products, *arguments)

        def scores(self, products, *arguments):
            seen.append(("score", set(products["title"])))
            return super().scores(products, *arguments)

    monkeypatch.setattr(training, "Views", Watched)
    train(open_source(twins), Recipe())

    folds = [pair for pair in pairwise(seen) if (pair[0][0], pair[1][0]) == ("fit", "score")]
    assert len(folds) == 5
    for (_, learned), (_, tested) in folds:
        assert not learned & tested
    assert set.union(*(tested for _, (_, tested) in folds)) == set(twins["title"])


def bytes_of(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("room", [0, 150_000], ids=["no room at all", "some room"])
def test_a_model_is_the_same_to_the_bit_however_little_memory_there_is(tmp_path, monkeypatch, room):
    monkeypatch.setattr(training, "check_room", lambda *asked: None)
    monkeypatch.setattr(intake, "_READ_ROWS", 150)
    catalogue = numbered(12, 40).with_columns(brand=pl.lit("Acme"), price=pl.lit(3.5))
    recipe = Recipe(catalogue=CatalogueRecipe(label="category"), table=TableRecipe(columns=["price"]))
    space = Workspace(OWN + room, tmp_path)
    Categorizer(recipe).fit(catalogue).save(tmp_path / "free")
    Categorizer(recipe).fit(catalogue, space=space).save(tmp_path / "bound")

    assert space.filed > 500_000
    assert bytes_of(tmp_path / "bound") == bytes_of(tmp_path / "free")


class Letters:
    """A text encoder that counts letters."""

    name, width, fingerprint = "letters", 12, "1" * 64

    def encode(self, texts):
        kinds = "acdeghinorst0123456789"
        return np.array([[text.count(kinds[k]) for k in range(12)] for text in texts], np.float32)


@pytest.mark.parametrize("learner", ["softmax", "both"])
def test_vectors_are_learned_to_the_same_bits_however_little_memory_there_is(tmp_path, monkeypatch, learner):
    monkeypatch.setattr(training, "check_room", lambda *asked: None)
    monkeypatch.setattr(intake, "_READ_ROWS", 150)
    monkeypatch.setattr(lesson, "_NUMBERS", 12 * 40)
    monkeypatch.setattr(vectors, "open_text_encoder", lambda spec, options: Letters())
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path / "cache"))
    catalogue = numbered(12, 30).with_columns(brand=pl.lit("Acme"))
    encoder = EncoderRecipe(
        encoder="plain:letters", fields=["title"], learner=learner, units=16, members=1, exact_below=200
    )
    recipe = Recipe(catalogue=CatalogueRecipe(label="category", fields=["brand"]), encoder=encoder)
    space = Workspace(OWN, tmp_path)
    said = []
    model = Categorizer(recipe).fit(catalogue, notify=said.append)
    model.save(tmp_path / "free")
    Categorizer(recipe).fit(catalogue, space=space).save(tmp_path / "bound")

    assert space.filed > 360 * 12 * 4
    assert bytes_of(tmp_path / "bound") == bytes_of(tmp_path / "free")
    assert any(told.startswith("340 of 360 products done, encode texts: ") for told in said)
    again = load(tmp_path / "free")
    assert again.predict_proba(catalogue).tobytes() == model.predict_proba(catalogue).tobytes()
    if learner == "both":
        told = model.training_.notes
        assert any("FAISS" in note for note in told) != bool(find_spec("faiss"))
        near = again.views_.dense["encoder"].learner_.parts_["neighbours"]
        assert (near.cells_ is not None) == bool(find_spec("faiss"))


def test_memory_that_is_too_little_is_refused_before_the_work_with_what_is_needed():
    source = open_source(numbered(4, 100))
    with pytest.raises(
        WorkspaceError, match=r"100 MB of memory .* 400 products.* at least .*600 MB.*--memory"
    ):
        train(source, Recipe(), work=Work(space=Workspace(10**8)))
    with pytest.raises(WorkspaceError, match="in 4 categories: at least 600 MB"):
        training.check_room(Workspace(OWN), 400, 4, Recipe())
    training.check_room(Workspace(8 * 10**9), 10_000_000, 3_000, Recipe())  # what is promised


def test_folds_stop_when_there_are_rows_enough():
    recipe = Recipe(decision=DecisionRecipe(folds=5, rows=100), catalogue=CatalogueRecipe(**COLUMN))
    told = train(open_source(numbered(4, 100)), recipe).training

    assert 70 <= told.out_of_fold["rows"] <= 170


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 2, 30], ["1", "2", "30"]),
        ([1.0, 2.0, 2.5], ["1", "2", "2.5"]),
        ([["A", "B"], ["A", "C"], ["D"]], ["A > B", "A > C", "D"]),
        (["a\nb", 'a"b', "a,b"], ["a\nb", 'a"b', "a,b"]),
        (["Boots", "boots", "BÖÖTS"], ["Boots", "boots", "BÖÖTS"]),
        (["=2", "-1", "x" * 100_000], ["=2", "-1", "x" * 100_000]),
    ],
    ids=["integers", "floats", "lists", "punctuation", "case", "odd"],
)
def test_labels_of_any_kind_are_learned_and_survive_saving(tmp_path, labels, expected):
    catalogue = numbered(3, 20).with_columns(category=pl.Series(labels * 20))
    fit(catalogue).save(tmp_path / "model")
    loaded = load(tmp_path / "model")

    assert loaded.predict(catalogue)["category"].to_list() == expected * 20
    assert judge(loaded, catalogue).y.min() == 0
