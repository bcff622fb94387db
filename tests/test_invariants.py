"""The promises of docs/design.md: same bytes, same bits, no row lost, whatever the door, batch or threads."""

from __future__ import annotations

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
from shelfwise.recipe import Recipe
from shelfwise.training import train

EVERYTHING = PredictOptions(top=3, promise=0.6, explain=True)


def files(folder):
    """Name -> bytes of a model folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def with_threads(model, folder, threads):
    """The model of a folder, set to use that many threads."""
    loaded = load(folder)
    loaded.recipe = replace(loaded.recipe, threads=threads)
    for hasher in loaded.views_.features._hashers.values():
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
