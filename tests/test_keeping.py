"""A model's parts become files and parts again, with corrections beside what training wrote."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise import artifact
from shelfwise.categorizer import load
from shelfwise.errors import ModelError
from shelfwise.keeping import from_files, to_files


def test_parts_survive_their_files(saved):
    files = artifact.read_folder(saved)
    parts = from_files(files, "here")

    assert {name: content for name, content in to_files(parts).items() if name != artifact.MANIFEST} == files
    assert not parts.corrections


def test_corrections_are_files_of_their_own_and_training_stays_as_it_was(toy_model, tmp_path):
    toy_model.save(tmp_path / "plain")
    before = artifact.read_folder(tmp_path / "plain")
    model = load(tmp_path / "plain")
    model.correct(pl.DataFrame({"product_id": ["X"], "title": ["cedar boot"]}), ["Watches"])
    model.merge_shelves(["Shoes > Boots"], "Watches").save(tmp_path / "changed")
    after = artifact.read_folder(tmp_path / "changed")

    assert set(after) - set(before) == {"corrections.json", "corrections.safetensors"}
    assert [name for name in before if after[name] != before[name]] == ["README.md"]


def test_files_of_no_model_name_the_folder():
    with pytest.raises(ModelError, match=r"^here is not a model"):
        from_files({"model.json": b"{}"}, "here")


def test_ids_and_titles_of_kept_products_are_unpacked_when_somebody_asks(saved, monkeypatch):
    unpacked = []
    original = artifact.unpack_texts
    monkeypatch.setattr(artifact, "unpack_texts", lambda packed: unpacked.append(1) or original(packed))
    model = load(saved)
    assert unpacked == []
    assert model.neighbours_.columns == ["product_id", "title"]
    assert model.neighbours_.height == len(model.views_.neighbour_y_)
    assert unpacked == [1, 1]


@pytest.mark.parametrize(
    "change", [lambda ends: ends[:-1], lambda ends: ends[::-1].copy(), lambda ends: ends + 1]
)
def test_kept_texts_that_do_not_fit_are_refused(saved, change):
    files = dict(artifact.read_folder(saved))
    arrays = artifact.from_safetensors(files["views.safetensors"])
    arrays["kept.title.ends"] = change(arrays["kept.title.ends"])
    files["views.safetensors"] = artifact.to_safetensors(arrays)
    with pytest.raises(ModelError, match="title is damaged"):
        from_files(files, "here")
