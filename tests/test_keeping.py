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
