"""Corrections as one value: kept whole, refused when damaged, silent when there are none."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from shelfwise import artifact
from shelfwise.categorizer import load
from shelfwise.corrections.reach import SHALLOW
from shelfwise.errors import ModelError
from shelfwise.scoring import Asked


@pytest.fixture
def corrected(toy_model, toys, tmp_path):
    """A corrected copy of the toy model."""
    toy_model.save(tmp_path / "plain")
    model = load(tmp_path / "plain")
    model.correct(pl.DataFrame({"product_id": ["X"], "title": ["cedar boot rowan"]}), ["Watches"])
    return model.add_shelf("Home > Lamps", toys.head(1), words="boot")


def test_without_corrections_arrays_are_given_back_untouched(toy_model, toys):
    p, present = np.full((2, 3), 1 / 3, np.float32), np.array([True, False])
    told, heard = toy_model.corrections_.apply(Asked(toys.head(2)), p, present)

    assert told is p
    assert heard is present
    assert not toy_model.corrections_
    assert not toy_model.corrections_.compares


def test_old_corrections_stay_as_they_were(corrected):
    before = corrected.corrections_
    labels, count, log = before.taxonomy.labels, len(before.memory), before.log
    corrected.correct(pl.DataFrame({"product_id": ["X"], "title": ["cedar boot rowan"]}), ["Shoes > Sandals"])
    corrected.rename_shelf("Home > Lamps", "Lights")

    assert (before.taxonomy.labels, len(before.memory), before.log) == (labels, count, log)
    assert before.memory.table["label"][0] == "Watches"


def test_summary_counts_what_was_done(corrected):
    corrected.correct(pl.DataFrame({"product_id": ["Y"], "title": ["birch"]}), ["Watches"])
    corrected.correct(pl.DataFrame({"product_id": ["Z"], "title": ["maple"]}), ["Watches"])
    done = corrected.corrections_.summary()

    assert (done["corrected"], done["categories"], len(done["added"])) == (3, 4, 1)
    assert [entry["did"] for entry in corrected.corrections_.log] == ["corrected", "added", "corrected"]
    assert corrected.corrections_.log[-1]["products"] == 2


DAMAGE = [
    ("memory.near", lambda a: a + 10**6),
    ("memory.near", lambda a: a[:, :3]),
    ("memory.rows.features", lambda a: a + 10**7),
    ("memory.rows.ends", lambda a: a[::-1]),
    ("memory.head", lambda a: a + 5),
    ("memory.digests", lambda a: a[:1]),
    ("heads.bias", lambda a: a[:1]),
    ("heads.classes", lambda a: a + np.uint16(7)),
    ("heads.sizes", lambda a: a[:5]),
    ("memory.label.ends", lambda a: a // 2),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_senseless_arrays_are_a_model_error(corrected, tmp_path, name, damage):
    corrected.save(tmp_path / "model")
    files = artifact.read_folder(tmp_path / "model")
    tensors = artifact.from_safetensors(files["corrections.safetensors"])
    files["corrections.safetensors"] = artifact.to_safetensors(tensors | {name: damage(tensors[name])})

    with pytest.raises(ModelError):
        load(artifact.write_folder(tmp_path / "model", files))


@pytest.mark.parametrize(
    "damage",
    [{"shelves": {"names": {}, "paths": {}}}, {"shelves": 3}, {"strength": "x"}, {"log": 3}, {"heads": [{}]},
     {"heads": [{"label": "nowhere", "source": None, "examples": 1}]}],
)  # fmt: skip
def test_senseless_values_are_a_model_error(corrected, tmp_path, damage):
    corrected.save(tmp_path / "model")
    files = artifact.read_folder(tmp_path / "model")
    files["corrections.json"] = artifact.to_json(json.loads(files["corrections.json"]) | damage)

    with pytest.raises(ModelError):
        load(artifact.write_folder(tmp_path / "model", files))


def test_reach_is_nothing_at_the_border_and_all_at_the_product(corrected, toys):
    now = corrected.corrections_
    asked = pl.DataFrame(
        {"product_id": ["X", "Q", "R"], "title": ["cedar boot rowan", "cedar boot rowan", "thyme sandal"]}
    )
    from shelfwise.catalogue.read import open_source

    products = corrected.products(open_source(asked))
    touch = now.reach.ask(products, now.rows.of(products))
    whole = touch.weight.sum(axis=1)

    assert touch.products.tolist() == [0, 1]
    assert whole[0] == 1
    assert now.strength == pytest.approx(whole[1])
    assert 0.55 <= now.strength <= 0.98
    assert 0 < SHALLOW < 1
