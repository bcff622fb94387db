"""The promises of docs/design.md: same bytes, same bits, no row lost, whatever the door, batch or threads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.catalogue.read import open_source
from shelfwise.categorizer import Categorizer, load
from shelfwise.predictions import PredictOptions
from shelfwise.recipe import PicturesRecipe, Recipe
from shelfwise.training import train

EVERYTHING = PredictOptions(top=3, promise=0.6, explain=True)


def files(folder):
    """Name -> bytes of a model folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def with_threads(model, folder, threads):
    """The model of a folder, set to use that many threads."""
    loaded = load(folder)
    loaded.recipe = replace(loaded.recipe, threads=threads)
    for hasher in loaded.views_.text.features._hashers.values():
        hasher.threads = threads
    return loaded


@pytest.fixture(scope="module")
def catalogue(demo):
    return pl.read_parquet(demo.catalogue)


# -- the same model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_model_bytes_do_not_depend_on_threads(demo, saved, tmp_path, threads):
    Categorizer(Recipe(threads=threads)).fit(demo.catalogue, split="split").save(tmp_path / "model")

    assert files(tmp_path / "model") == files(saved)


@pytest.mark.parametrize("form", ["csv", "frame", "jsonl", "folder"])
def test_model_bytes_do_not_depend_on_the_format(catalogue, saved, tmp_path, form):
    where = tmp_path / f"shop.{form}"
    if form == "csv":
        catalogue.write_csv(where)
    elif form == "jsonl":
        catalogue.write_ndjson(where)
    elif form == "folder":
        where.mkdir()
        catalogue[:250].write_csv(where / "a.csv")
        catalogue[250:].write_csv(where / "b.csv")
    source = catalogue if form == "frame" else where
    Categorizer().fit(source, split="split").save(tmp_path / "model")

    assert files(tmp_path / "model") == files(saved)


def test_model_bytes_do_not_depend_on_the_process(demo, saved, tmp_path):
    script = (
        "import sys, shelfwise; shelfwise.Categorizer().fit(sys.argv[1], split='split').save(sys.argv[2])"
    )
    command = [sys.executable, "-c", script, str(demo.catalogue), str(tmp_path / "model")]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "4711"})

    assert files(tmp_path / "model") == files(saved)


def test_another_seed_is_another_model(demo, saved, tmp_path):
    Categorizer(Recipe(seed=1)).fit(demo.catalogue, split="split").save(tmp_path / "model")

    assert files(tmp_path / "model")["decision.safetensors"] != files(saved)["decision.safetensors"]


def test_saved_model_gives_the_same_bits(model, saved, catalogue, tmp_path):
    loaded = load(saved)

    assert np.array_equal(loaded.predict_proba(catalogue), model.predict_proba(catalogue))
    assert loaded.predict(catalogue.head(20), EVERYTHING).equals(
        model.predict(catalogue.head(20), EVERYTHING)
    )
    loaded.save(tmp_path / "again")
    assert files(tmp_path / "again") == files(saved)


# -- the same answer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_answer_does_not_depend_on_the_batch(model, catalogue, rows):
    part = catalogue.head(60) if rows < 1000 else catalogue
    options = EVERYTHING if rows == 7 else PredictOptions(promise=0.6)
    pieces = list(model.predict_batches(part, options, rows=rows))
    whole = model.predict(part, options)

    assert all(piece.height <= rows for piece in pieces)
    assert pl.concat(pieces).equals(whole)


def test_answer_does_not_depend_on_the_other_rows(model, catalogue):
    whole = model.predict_proba(catalogue)
    for row in (0, 17, 599):
        assert np.array_equal(model.predict_proba(catalogue[row])[0], whole[row])
    backwards = model.predict_proba(catalogue.reverse())
    assert np.array_equal(backwards[::-1], whole)


def test_answer_does_not_depend_on_small_blocks(model, catalogue, monkeypatch):
    from shelfwise import scoring

    whole = model.predict_proba(catalogue)
    monkeypatch.setattr(scoring, "block_rows", lambda classes: 13)

    assert np.array_equal(model.predict_proba(catalogue), whole)


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl"])
def test_file_of_predictions_has_the_same_bytes_for_any_threads(
    model, saved, catalogue, tmp_path, monkeypatch, name
):
    from shelfwise import scoring

    monkeypatch.setattr(scoring, "block_rows", lambda classes: 37)
    written = []
    for threads in (1, 2, 4):
        with_threads(model, saved, threads).predict_to_file(
            catalogue, tmp_path / name, PredictOptions(promise=0.6)
        )
        written.append((tmp_path / name).read_bytes())

    assert written[0] == written[1] == written[2]


def test_file_says_what_the_frame_says(model, demo, tmp_path):
    told = model.predict_to_file(demo.new_arrivals, tmp_path / "out.parquet", EVERYTHING)
    frame = model.predict(demo.new_arrivals, EVERYTHING)

    assert pl.read_parquet(tmp_path / "out.parquet").equals(frame)
    assert (told.rows, told.accepted) == (frame.height, int(frame["accepted"].sum()))


# -- probabilities -------------------------------------------------------------------------------------------


def test_probabilities_sum_to_one_and_parents_to_their_children(model, catalogue):
    p, tree = model.predict_proba(catalogue), model.taxonomy_
    rolled = tree.roll_up(p)

    assert p.dtype == np.float32
    assert (p >= 0).all()
    assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max() < 1e-5
    assert np.abs(rolled[:, tree.parent < 0].sum(axis=1, dtype=np.float64) - 1).max() < 1e-5
    for node in range(len(tree.nodes)):
        own = p[:, tree.node_of_label == node].sum(axis=1, dtype=np.float64)
        below = rolled[:, tree.parent == node].sum(axis=1, dtype=np.float64)
        assert np.abs(rolled[:, node] - own - below).max() < 1e-5


def test_predict_is_a_function_of_predict_proba(model, catalogue):
    p, labels = model.predict_proba(catalogue), model.taxonomy_.labels
    table = model.predict(catalogue, PredictOptions(top=4))

    assert table["category"].to_list() == [labels[code] for code in p.argmax(axis=1)]
    assert table["confidence"].to_list() == p.max(axis=1).tolist()
    for row, candidates in zip(p, table["candidates"].to_list(), strict=True):
        best = sorted(range(len(row)), key=lambda code: (-row[code], code))[:4]
        assert candidates == [{"category": labels[code], "confidence": row[code].item()} for code in best]


# -- no row lost ---------------------------------------------------------------------------------------------

TEXTS = (
    st.none() | st.text(max_size=12) | st.sampled_from(["", " ", "boot", "nan", "=1+1", "\x00", "<b>", "{"])
)


@settings(max_examples=25)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=6))
def test_rows_in_are_rows_out_whatever_is_in_them(toy_model, rows):
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(["product_id", "title", "category"], pl.String), orient="row"
    )
    table = toy_model.predict(frame, EVERYTHING)

    assert table.height == frame.height
    assert table["status"].is_in(["ok", "empty", "unreadable"]).all()
    assert table["product_id"].null_count() == 0
    assert table["confidence"].is_between(0, 1).all()


def test_damaged_file_gives_a_row_for_each_row_in_order(toy_model, tmp_path):
    lines = [
        "product_id,title,category",
        "A,alder boot,",
        'B,"never closed,',
        "C,,",
        ",cedar watch,",
        "A,birch sandal,",
        "F,one,two,three,four",
    ]
    (tmp_path / "damaged.csv").write_text("\n".join(lines) + "\n")
    toy_model.predict_to_file(
        tmp_path / "damaged.csv", tmp_path / "out.jsonl", PredictOptions(promise=0.5, explain=True)
    )
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]

    assert [row["status"] for row in rows] == ["ok", "unreadable", "empty", "ok", "ok", "unreadable"]
    assert [row["product_id"] for row in rows] == ["A", "1", "C", "3", "A", "5"]
    for row in rows:
        assert (row["reason"] is None) == (row["status"] == "ok" and row["product_id"] == "A")
        assert (row["category"] is None) == (row["evidence"] is None) == (row["status"] == "unreadable")
    assert [row["accepted"] for row in rows] == [True, None, False, True, True, None]


def test_rows_of_a_split_and_unreadable_ones_are_predicted(toy_model, toys, tmp_path):
    toys.with_columns(side=pl.Series(["train", "test", "val"] * 30)).write_csv(tmp_path / "shop.csv")
    with (tmp_path / "shop.csv").open("a") as file:
        file.write('P99,"never closed\n')
    table = toy_model.predict(tmp_path / "shop.csv", split="side")

    assert table["status"].to_list() == ["ok"] * 30 + ["unreadable"]
    assert table["product_id"].to_list()[:2] == ["P001", "P004"]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl"])
def test_catalogue_without_rows_gives_an_empty_table(toy_model, toys, tmp_path, name):
    (tmp_path / "empty.csv").write_text("product_id,title\n")
    told = toy_model.predict_to_file(tmp_path / "empty.csv", tmp_path / name, EVERYTHING)

    assert told.rows == 0
    assert (tmp_path / name).exists()
    assert (
        toy_model.predict(toys.head(0), EVERYTHING).schema
        == toy_model.predict(toys.head(1), EVERYTHING).schema
    )
    assert toy_model.predict_proba(toys.head(0)).shape == (0, 3)


def test_training_twice_in_one_process_is_the_same(toys):
    first, second = (train(open_source(toys), Recipe()) for _ in range(2))

    assert first.training.data_sha256 == second.training.data_sha256
    for name, tensor in first.views.tensors().items():
        assert np.array_equal(tensor, second.views.tensors()[name]), name


def test_one_model_answers_many_threads_at_once(toy_model, toys, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    expected = toy_model.predict_proba(toys)
    toy_model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(loaded.predict_proba, [toys] * 16))

    assert all(np.array_equal(found, expected) for found in answers)


# -- text and pictures ---------------------------------------------------------------------------------------

COLOURS = {"Lamps": (250, 200, 40), "Sofas": (40, 60, 200), "Plants": (30, 160, 60)}


def picture_of(shelf: str, row: int) -> bytes:
    """Sixteen pixels a side in the shelf's colour, with a little noise."""
    from PIL import Image

    noise = np.random.default_rng(row).integers(-20, 20, (16, 16, 3))
    held = io.BytesIO()
    pixels = np.clip(np.array(COLOURS[shelf]) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    """A shop of 150 products, a word of each title and the colour of each picture tell the shelf; its folder.

    Each fifth product has no title, each seventh no picture, so both kinds of gaps were there to learn from.
    """
    folder = tmp_path_factory.mktemp("pictured")
    (folder / "images").mkdir()
    rows = []
    for row in range(150):
        shelf = list(COLOURS)[row % 3]
        word = f"{('lumen', 'cushion', 'leaf')[row % 3]} no{row}" if row % 4 else f"thing no{row}"
        rows.append({"product_id": f"P{row:03}", "title": None if row % 5 == 0 else word, "category": shelf})
        if row % 7:
            (folder / "images" / f"P{row:03}.png").write_bytes(picture_of(shelf, row))
    pl.DataFrame(rows).write_parquet(folder / "shop.parquet")
    return folder


def recipe_of(folder, **settings) -> Recipe:
    pictures = PicturesRecipe(folder=str(folder), learner="both", units=16, members=1)
    return Recipe(pictures=pictures, **settings)


@pytest.fixture(scope="module")
def both(pictured):
    """A model of text and pictures; tests leave it as it is."""
    return Categorizer(recipe_of(pictured / "images")).fit(pictured / "shop.parquet")


@pytest.fixture
def arrivals(tmp_path):
    """Text and picture, text alone, a picture alone, neither, broken pictures with and without text."""
    folder = tmp_path / "new"
    folder.mkdir()
    for name in ("both", "picture"):
        (folder / f"{name}.png").write_bytes(picture_of("Sofas", 900))
    for row, name in enumerate(("broken", "lost")):
        (folder / f"{name}.png").write_bytes(picture_of("Sofas", 901 + row)[: 60 + row])
    titles = {"both": "cushion no5", "text": "cushion no6", "picture": None, "neither": None,
              "broken": "cushion no7", "lost": None}  # fmt: skip
    return folder, pl.DataFrame({"product_id": list(titles), "title": list(titles.values())})


def in_folder(model, where, folder, threads=0):
    """The kept model, with pictures in that folder."""
    model.save(where)
    loaded = load(where)
    pictures = replace(loaded.recipe.pictures, folder=str(folder))
    loaded.recipe = replace(loaded.recipe, pictures=pictures, threads=threads)
    return loaded


def test_text_and_pictures_whatever_is_missing(both, arrivals, tmp_path):
    folder, new = arrivals
    table = in_folder(both, tmp_path / "model", folder).predict(new, EVERYTHING)
    told = {row["product_id"]: row for row in table.to_dicts()}

    assert "pictures" in both.decision_.fusion.factors
    assert table["product_id"].to_list() == new["product_id"].to_list()
    for name in ("both", "text", "picture", "broken"):
        assert (told[name]["status"], told[name]["category"]) == ("ok", "Sofas"), name
    for name in ("both", "text", "picture"):
        assert told[name]["reason"] is None
    assert told["broken"]["reason"].count("broken.png") == 1
    assert (told["neither"]["status"], told["lost"]["status"]) == ("empty", "empty")
    assert "lost.png" in told["lost"]["reason"]
    assert not told["neither"]["accepted"]
    assert not told["lost"]["accepted"]


def test_a_broken_picture_is_as_no_picture(both, arrivals, tmp_path):
    folder, new = arrivals
    p = in_folder(both, tmp_path / "model", folder).predict_proba(new)
    (folder / "broken.png").unlink()
    (folder / "lost.png").unlink()
    without = in_folder(both, tmp_path / "again", folder).predict_proba(new)

    assert p.tobytes() == without.tobytes()
    np.testing.assert_array_equal(p[3], p[5])


def test_pictures_do_not_depend_on_batch_threads_or_keeping(both, pictured, tmp_path):
    shop = pl.read_parquet(pictured / "shop.parquet")
    whole = both.predict_proba(shop)
    for threads in (1, 3):
        kept = in_folder(both, tmp_path / f"model{threads}", pictured / "images", threads)
        assert kept.predict_proba(shop).tobytes() == whole.tobytes()
    pieces = list(kept.predict_batches(shop, PredictOptions(promise=0.6), rows=7))
    assert pl.concat(pieces).equals(both.predict(shop, PredictOptions(promise=0.6)))
    backwards = kept.predict_proba(shop.reverse())
    assert np.array_equal(backwards[::-1], whole)


def test_a_model_of_pictures_has_the_same_bytes_for_any_threads(both, pictured, tmp_path):
    both.save(tmp_path / "one")
    again = Categorizer(recipe_of(pictured / "images", threads=3)).fit(pictured / "shop.parquet")
    again.save(tmp_path / "two")
    load(tmp_path / "two").save(tmp_path / "three")

    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")


def test_rows_with_a_picture_alone_are_learned_from_and_all_are_counted(both):
    told = both.training_

    assert (told.rows, told.empty) == (150, 5)  # neither title nor picture: each 35th
    assert told.learned == 145
    assert told.pictures == 150 - 22
