"""Corrections count at once, reach as far as they should and no further, and are carried by the model."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import shelfwise
from shelfwise.categorizer import Categorizer, load
from shelfwise.errors import CatalogueError, LabelError, ModelError
from shelfwise.predictions import PredictOptions

EXPLAIN = PredictOptions(explain=True)


@pytest.fixture
def box(toy_model, tmp_path):
    """A copy of the toy model to correct, and the folder that it came from."""
    toy_model.save(tmp_path / "model")
    return load(tmp_path / "model")


def files(model, folder):
    model.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def frame(*titles, ids=None):
    return pl.DataFrame({"product_id": ids or [f"N{i}" for i in range(len(titles))], "title": titles})


# -- products ------------------------------------------------------------------------------------------------


def test_corrected_product_is_on_its_shelf_and_dissimilar_ones_keep_every_bit(box, toys):
    before = box.predict_proba(toys)
    report = box.correct(frame("maple gizmo sorrel extra wide", ids=["X1"]), ["Watches"])
    after = box.predict_proba(toys)
    told = box.predict(frame("maple gizmo sorrel extra wide", ids=["X1"]))

    assert (report.taken, report.replaced, report.total) == (1, 0, 1)
    assert (told["category"][0], told["confidence"][0]) == ("Watches", 1.0)
    same = (before == after).all(axis=1)
    assert same.sum() >= 80
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_same_text_wins_whatever_the_id(box):
    box.correct(frame("cedar boot rowan no12", ids=["X1"]), ["Watches"])
    told = box.predict(frame("cedar boot rowan no12", "Cedar BOOT rowan no12", ids=["X2", "X3"]))

    assert told["category"].to_list() == ["Watches"] * 2
    assert (told["confidence"] >= 0.55).all()


def test_later_correction_of_a_product_replaces_the_earlier_one(box):
    shown = frame("cedar boot rowan", ids=["X1"])
    box.correct(shown, ["Watches"])
    report = box.correct(shown, ["Shoes > Sandals"])
    moved = box.correct(frame("cedar boot rowan now with laces", ids=["X1"]), ["Shoes > Boots"])
    twin = box.correct(frame("cedar boot rowan now with laces", ids=["X9"]), ["Watches"])

    assert [r.replaced for r in (report, moved, twin)] == [1, 1, 1]
    assert len(box.corrections_.memory) == 1
    assert box.predict(frame("cedar boot rowan now with laces"))["category"][0] == "Watches"


def test_of_two_decisions_in_one_call_the_last_stands(box):
    report = box.correct(frame("alder thing", "alder thing", ids=["A", "A"]), ["Watches", "Shoes > Boots"])

    assert (report.taken, report.replaced) == (1, 1)
    assert box.predict(frame("alder thing", ids=["A"]))["category"][0] == "Shoes > Boots"


def test_products_without_ids_are_not_each_other(box):
    for title, shelf in (("gizmo alpha", "Watches"), ("widget beta", "Shoes > Boots")):
        box.correct(pl.DataFrame({"title": [title]}), [shelf])

    assert len(box.corrections_.memory) == 2


def test_near_duplicates_are_moved_and_the_nearer_the_more(box):
    title = "steel chrono dial quartz sapphire bracelet limited edition birch sandal"
    near, far = title.replace("limited", "special"), "birch sandal limited cedar"
    shown = frame(title, near, far)
    before = box.predict_proba(shown)
    box.correct(frame(title, ids=["X1"]), ["Watches"])
    gained = (box.predict_proba(shown) - before)[:, box.taxonomy_.labels.index("Watches")]

    assert gained[0] >= gained[1] > 0.2
    assert gained[2] == 0


def test_rows_without_anything_are_counted_and_change_nothing(box, toys):
    before = box.predict_proba(toys)
    report = box.correct(frame("", "boot", None), ["Watches", None, "  "])

    assert (report.taken, report.unusable, report.unlabelled) == (0, 1, 2)
    assert not box.corrections_
    assert np.array_equal(box.predict_proba(toys), before)


def test_unknown_categories_are_added_or_refused(box):
    with pytest.raises(LabelError, match=r"'Watchs'; did you mean 'Watches'"):
        box.correct(frame("boot"), ["Watchs"], new_shelves=False)
    with pytest.raises(LabelError, match="1 products need as many categories; got 2"):
        box.correct(frame("boot"), ["Watches", "Watches"])
    report = box.correct(frame("copper kettle whistle"), ["Kitchen>Kettles"])

    assert report.added == ("Kitchen > Kettles",)
    assert ("Kitchen",) in box.taxonomy_.nodes
    assert box.predict(frame("copper kettle whistle"))["category"][0] == "Kitchen > Kettles"


def test_correcting_a_training_product_takes_its_old_label_from_the_evidence(box, toys):
    first = toys.head(1)
    box.correct(first, ["Watches"])
    told = box.predict(first, EXPLAIN)["evidence"][0]
    same = [n for n in told["neighbours"] if n["product_id"] == first["product_id"][0]]

    assert [n["category"] for n in same] == ["Watches"]
    assert same[0]["similarity"] > 0.999
    assert told["views"][-1] == {"view": "corrections", "category": "Watches", "confidence": 1.0}
    untouched = box.predict(toys.tail(1), EXPLAIN)["evidence"][0]
    assert "corrections" not in [vote["view"] for vote in untouched["views"]]


# -- shelves -------------------------------------------------------------------------------------------------


def test_new_shelf_is_predicted_by_its_name_at_once(demo, model, tmp_path):
    catalogue = pl.read_parquet(demo.catalogue)
    label = model.roles_.label
    gone = catalogue.filter(pl.col("split") == "train")[label].value_counts().sort("count", label)[label][-1]
    less = Categorizer().fit(
        catalogue.filter((pl.col(label) != gone) | (pl.col("split") != "train")), split="split"
    )
    test = catalogue.filter(pl.col("split") == "test")
    before = less.predict(test)["category"]
    less.add_shelf(gone, catalogue.filter((pl.col(label) == gone) & (pl.col("split") == "train")).head(5))
    told = less.predict(test)["category"]
    mine = test[label] == gone

    assert gone not in before
    assert (told.filter(mine) == gone).mean() > 0.5
    assert (told.filter(~mine) == gone).mean() < 0.1


def test_split_takes_from_its_shelf_alone(box, toys):
    before, labels = box.predict_proba(toys), list(box.taxonomy_.labels)
    boots = toys.filter(pl.col("category") == "Shoes > Boots")
    wide = boots.filter(pl.col("title").str.contains("alder"))
    box.split_shelf("Shoes > Boots", {"Shoes > Wide": wide["product_id"].to_list()})
    after, now = box.predict_proba(toys), list(box.taxonomy_.labels)

    products = box.products(shelfwise.open_source(toys))
    rest = np.setdiff1d(np.arange(90), [row for row, _ in box.corrections_.votes(products)])
    assert len(rest) > 45
    for name in ("Shoes > Sandals", "Watches"):
        assert np.array_equal(after[rest, now.index(name)], before[rest, labels.index(name)])
    both = after[rest, now.index("Shoes > Wide")] + after[rest, now.index("Shoes > Boots")]
    assert np.allclose(both, before[rest, labels.index("Shoes > Boots")], atol=1e-6)
    assert set(box.predict(wide)["category"]) == {"Shoes > Wide"}
    others = boots.join(wide, on="product_id", how="anti")
    assert (box.predict(others)["category"] == "Shoes > Boots").mean() > 0.8
    with pytest.raises(LabelError, match="no product"):
        box.split_shelf("Watches", {"Clocks": ["nobody"]})
    with pytest.raises(LabelError, match="no category 'Watchs'"):
        box.split_shelf("Watchs", {"Clocks": toys})


def test_renamed_and_merged_shelves_speak_with_new_names_everywhere(box, toys):
    before = box.predict_proba(toys)
    box.correct(frame("odd gizmo"), ["Watches"])
    box.rename_shelf("Watches", "Clocks > Wrist").merge_shelves(["Shoes > Boots", "Shoes > Sandals"], "Shoes")
    told = box.predict(toys.with_columns(note=pl.lit("")), EXPLAIN)

    assert box.taxonomy_.labels == ("Clocks > Wrist", "Shoes")
    assert np.allclose(box.predict_proba(toys)[:, 1], before[:, :2].sum(axis=1), atol=1e-6)
    named = {n["category"] for row in told["evidence"].to_list() for n in (*row["neighbours"], *row["views"])}
    assert set(told["category"]) == named == {"Clocks > Wrist", "Shoes"}
    assert box.predict(frame("odd gizmo"))["category"][0] == "Clocks > Wrist"
    assert box.renamed_["Watches"] == "Clocks > Wrist"
    assert box.counts_.tolist() == [30, 60]
    box.correct(frame("another gizmo"), ["Watches"])  # the name of before is followed
    assert box.predict(frame("another gizmo"))["category"][0] == "Clocks > Wrist"


def test_evaluation_sees_corrections_and_follows_old_names(box, toys):
    before = shelfwise.judge(box, toys)
    box.rename_shelf("Watches", "Clocks")
    box.correct(toys, toys["category"])
    after = shelfwise.judge(box, toys)

    assert after.y.min() >= 0
    assert (after.codes[:, 0] == after.y).all()
    assert before.codes.shape == after.codes.shape


def test_fit_starts_without_corrections(box, toys):
    box.correct(frame("boot"), ["Watches"])
    box.fit(toys)

    assert not box.corrections_
    assert box.predict(frame("boot"))["category"][0] == "Shoes > Boots"


@pytest.mark.parametrize("name", ["correct", "add_shelf", "rename_shelf", "merge_shelves", "split_shelf"])
def test_model_that_was_never_fitted_says_so(name, toys):
    arguments = {"correct": (toys, toys["category"]), "add_shelf": ("A",), "rename_shelf": ("A", "B"),
                 "merge_shelves": (["A"], "B"), "split_shelf": ("A", {})}  # fmt: skip
    with pytest.raises(ModelError, match="call fit"):
        getattr(Categorizer(), name)(*arguments[name])


# -- invariants ----------------------------------------------------------------------------------------------


@pytest.fixture
def changed(saved, demo):
    """The demo shop's model with everything done to it, and its catalogue."""
    loaded = load(saved)
    catalogue = pl.read_parquet(demo.catalogue)
    work(loaded, catalogue)
    return loaded, catalogue


def work(model, catalogue):
    labels = list(model.taxonomy_.labels)
    shown = catalogue.filter(pl.col("split") == "test").head(40)
    model.correct(shown, [labels[i % 3] for i in range(40)])
    model.add_shelf("Brand new > Things", catalogue.tail(3), words="shiny")
    model.rename_shelf(labels[0], "Renamed > Shelf")
    model.merge_shelves(labels[1:3], "Merged")
    model.split_shelf(
        labels[4], {"Split off": catalogue.filter(pl.col(model.roles_.label) == labels[4]).head(3)}
    )


def test_corrected_model_keeps_the_laws(changed):
    model, catalogue = changed
    p, tree = model.predict_proba(catalogue), model.taxonomy_
    rolled = tree.roll_up(p)

    assert (p >= 0).all()
    assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max() < 1e-5
    for node in range(len(tree.nodes)):
        own = p[:, tree.node_of_label == node].sum(axis=1, dtype=np.float64)
        below = rolled[:, tree.parent == node].sum(axis=1, dtype=np.float64)
        assert np.abs(rolled[:, node] - own - below).max() < 1e-5
    table = model.predict(catalogue)
    assert table["category"].to_list() == [tree.labels[code] for code in p.argmax(axis=1)]


def test_corrected_model_gives_the_same_bits_from_its_folder_and_in_any_batch(changed, tmp_path, monkeypatch):
    from dataclasses import replace

    from shelfwise import scoring

    model, catalogue = changed
    whole = model.predict_proba(catalogue)
    first = files(model, tmp_path / "one")
    loaded = load(tmp_path / "one")
    assert loaded.predict_proba(catalogue).tobytes() == whole.tobytes()
    assert files(loaded, tmp_path / "two") == first
    explained = PredictOptions(promise=0.5, explain=True)
    few = catalogue.head(10)
    assert loaded.predict(few, explained).equals(model.predict(few, explained))
    monkeypatch.setattr(scoring, "block_rows", lambda classes: 13)
    for threads in (1, 3):
        loaded.recipe = replace(loaded.recipe, threads=threads)
        assert loaded.predict_proba(catalogue).tobytes() == whole.tobytes()
    for row in (0, 17, 599):
        assert loaded.predict_proba(catalogue[row])[0].tobytes() == whole[row].tobytes()


def test_same_steps_are_the_same_bytes(changed, saved, tmp_path):
    model, catalogue = changed
    again = load(saved)
    work(again, catalogue)

    assert files(again, tmp_path / "one") == files(model, tmp_path / "two")


def test_many_can_ask_while_one_corrects(changed):
    from concurrent.futures import ThreadPoolExecutor

    model, catalogue = changed
    shown = catalogue.head(30)

    def ask(turn: int) -> int:
        if turn % 4 == 0:
            model.correct(shown[turn], [model.taxonomy_.labels[0]])
        return model.predict(shown).height

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(24))) == [30] * 24


def test_model_that_only_has_other_names_answers_with_the_same_bits(box, toys):
    before = box.predict_proba(toys)
    box.rename_shelf("Watches", "Zeitmesser")

    assert box.predict_proba(toys).tobytes() == before.tobytes()


def test_column_that_is_not_there_is_named(box):
    with pytest.raises(CatalogueError, match="none of the columns"):
        box.correct(pl.DataFrame({"bezeichnung": ["x"]}), ["Watches"])
