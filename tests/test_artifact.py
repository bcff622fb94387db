"""The model folder is whole or refused, replaces only its own kind, and is plain data."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise import artifact
from shelfwise.artifact import MANIFEST, pack_texts, read_folder, unpack_texts, write_folder
from shelfwise.categorizer import load
from shelfwise.errors import ModelError

NAMES = (
    "MANIFEST.json",
    "README.md",
    "decision.safetensors",
    "model.json",
    "taxonomy.json",
    "views.safetensors",
)
SMALL = {name: f"content of {name}\n".encode() for name in NAMES if name != MANIFEST}


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "model", SMALL)


def test_what_was_written_is_read(folder):
    assert read_folder(folder) == SMALL
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


def test_model_folder_has_no_pickle_and_nothing_beside_it(saved):
    assert sorted(path.name for path in saved.iterdir()) == sorted((*NAMES, "past.safetensors"))
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    for path in saved.iterdir():
        assert not path.read_bytes().startswith(b"\x80")
        if path.suffix == ".json":
            json.loads(path.read_bytes())


@given(name=st.sampled_from(NAMES), position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_any_changed_byte_is_refused(tmp_path_factory, name, position, change):
    folder = write_folder(tmp_path_factory.mktemp("damaged") / "model", SMALL)
    content = bytearray((folder / name).read_bytes())
    content[position % len(content)] ^= change
    (folder / name).write_bytes(content)

    with pytest.raises(ModelError):
        read_folder(folder)


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_of_a_real_model_counts(saved, tmp_path, name):
    copy = shutil.copytree(saved, tmp_path / "model")
    size = (copy / name).stat().st_size
    for position in (0, size // 3, size - 1):
        content = bytearray((saved / name).read_bytes())
        content[position] ^= 1
        (copy / name).write_bytes(content)
        with pytest.raises(ModelError):
            load(copy)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [0, 5])
def test_cut_and_missing_files_are_refused(folder, name, cut):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:cut])
    with pytest.raises(ModelError):
        read_folder(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError):
        read_folder(folder)


def test_foreign_file_is_refused_by_name(folder):
    (folder / "extra.pkl").write_bytes(b"\x80")

    with pytest.raises(ModelError, match=r"extra\.pkl"):
        read_folder(folder)


def test_link_is_refused_though_its_content_fits(folder, tmp_path):
    (folder / "model.json").rename(tmp_path / "elsewhere.json")
    (folder / "model.json").symlink_to(tmp_path / "elsewhere.json")

    with pytest.raises(ModelError, match="not a plain file"):
        read_folder(folder)


def test_listed_path_that_leaves_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    listed = json.loads((folder / MANIFEST).read_bytes())
    listed["files"]["../secret"] = artifact._entry(b"x")
    (folder / MANIFEST).write_bytes(artifact.to_json(listed))

    with pytest.raises(ModelError, match="no part of a model"):
        read_folder(folder)


def test_newer_format_says_upgrade(folder):
    listed = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_bytes(artifact.to_json(listed | {"format": artifact.FORMAT + 1}))

    with pytest.raises(ModelError, match="Upgrade"):
        read_folder(folder)


CORRECTED = {**SMALL, "corrections.json": b"{}\n", "corrections.safetensors": b"x"}


@pytest.mark.parametrize("version", [2, 3, 4])
def test_corrections_are_read_in_folders_of_their_format_and_later(tmp_path, version):
    corrected = write_folder(tmp_path / "corrected", CORRECTED)
    listed = json.loads((corrected / MANIFEST).read_bytes())
    assert listed["format"] == artifact.FORMAT == 4
    (corrected / MANIFEST).write_bytes(artifact.to_json(listed | {"format": version}))

    assert read_folder(corrected) == CORRECTED


@pytest.mark.parametrize("name", ["corrections.json", "corrections.safetensors"])
def test_corrections_are_whole_or_refused(tmp_path, name):
    folder = write_folder(tmp_path / "model", {**SMALL, name: b"x"})
    with pytest.raises(ModelError, match="incomplete"):
        read_folder(folder)
    whole = write_folder(tmp_path / "whole", CORRECTED)
    (whole / name).write_bytes(b"y")
    with pytest.raises(ModelError, match="damaged"):
        read_folder(whole)


def test_corrections_in_a_folder_of_the_older_format_are_no_part_of_it(tmp_path):
    folder = write_folder(tmp_path / "model", CORRECTED)
    listed = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_bytes(artifact.to_json(listed | {"format": 1}))

    with pytest.raises(ModelError, match="no part of a model"):
        read_folder(folder)


def test_what_an_update_starts_from_came_with_format_4(tmp_path):
    folder = write_folder(tmp_path / "model", {**SMALL, "past.safetensors": b"x"})
    assert "past.safetensors" in read_folder(folder)
    listed = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_bytes(artifact.to_json(listed | {"format": 3}))

    with pytest.raises(ModelError, match="no part of a model"):
        read_folder(folder)


def test_a_model_is_named_by_its_manifest(folder):
    written = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()

    assert artifact.digest_of(SMALL) == written
    assert artifact.digest_of(SMALL | {"README.md": b"other"}) != written


@pytest.mark.parametrize(
    "garbage",
    [
        b"", b"{", b"[]", b"null", b"7", b'{"format": 1}', b'{"format": "x", "files": {}}', b"\xff\xfe\x00",
        b'{"format": Infinity, "files": {}}', b'{"format": 1, "files": 3}', b'{"format": 1, "files": {}}',
        b'{"format": 1, "files": {"model.json": null}}', b'{"format": NaN, "files": {}}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_manifest_of_garbage_is_refused(folder, garbage):
    (folder / MANIFEST).write_bytes(garbage)

    with pytest.raises(ModelError):
        read_folder(folder)


def test_manifest_must_be_as_it_was_written(folder):
    listed = json.loads((folder / MANIFEST).read_bytes())
    for text in (
        json.dumps(listed),
        json.dumps(listed | {"format": 0}),
        json.dumps(listed | {"more": 1}, indent=1),
    ):
        (folder / MANIFEST).write_text(text)
        with pytest.raises(ModelError, match="damaged"):
            read_folder(folder)


def test_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for where in (tmp_path / "nothing", tmp_path / "file", tmp_path):
        with pytest.raises(ModelError, match=str(where)):
            load(where)


def test_well_formed_folder_of_another_kind_is_no_model(tmp_path):
    files = dict.fromkeys(SMALL, b"{}")

    with pytest.raises(ModelError, match="not a model that this version can read"):
        load(write_folder(tmp_path / "model", files))


@pytest.mark.parametrize(
    "damage", [{"recipe": {"colour": 1}}, {"roles": {"nose": "x"}}, {"fusion": None}, {"counts": "x"}]
)
def test_sound_folder_with_senseless_state_is_a_model_error(saved, tmp_path, damage):
    files = {name: content for name, content in read_folder(saved).items() if name != MANIFEST}
    files["model.json"] = artifact.to_json(json.loads(files["model.json"]) | damage)

    with pytest.raises(ModelError):
        load(write_folder(tmp_path / "model", files))


# -- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", ["notes.txt", MANIFEST, "photos/1.jpg"])
def test_folder_that_is_no_model_is_left_alone(tmp_path, beside):
    mine = tmp_path / "mine" / beside
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")

    with pytest.raises(ModelError, match="not a Shelfwise model"):
        write_folder(tmp_path / "mine", SMALL)
    assert mine.read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_model_with_a_users_file_in_it_is_left_alone(folder):
    (folder / "notes.txt").write_text("mine")

    with pytest.raises(ModelError, match="other files"):
        write_folder(folder, SMALL)
    assert (folder / "notes.txt").read_text() == "mine"


def test_file_in_the_place_is_left_alone(tmp_path):
    (tmp_path / "model").write_text("mine")

    with pytest.raises(ModelError):
        write_folder(tmp_path / "model", SMALL)
    assert (tmp_path / "model").read_text() == "mine"


def test_model_is_replaced_whole(folder):
    other = dict.fromkeys(SMALL, b"new")
    write_folder(folder, other)

    assert read_folder(folder) == other
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_empty_folder_and_missing_parents_are_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    for where in (tmp_path / "empty", tmp_path / "a" / "b" / "model"):
        assert read_folder(write_folder(where, SMALL)) == SMALL


def test_current_folder_can_be_the_model(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_folder(".", SMALL)

    assert read_folder(tmp_path / "here") == SMALL


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_failed_writing_leaves_the_old_model(folder, monkeypatch, step):
    calls = []

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("no space left on device")
        return real(*arguments)

    if step == "fsync":
        real = artifact.os.fsync
        monkeypatch.setattr(artifact.os, "fsync", fail)
    else:
        monkeypatch.setattr("shelfwise.unfinished._exchanged", lambda building, path: False)
        real = artifact.Path.rename
        monkeypatch.setattr(artifact.Path, "rename", lambda path, target: fail(path, target))
    with pytest.raises(ModelError, match="no space left"):
        write_folder(folder, dict.fromkeys(SMALL, b"new"))

    assert len(calls) >= 2
    assert read_folder(folder) == SMALL
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(artifact.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "model", SMALL)

    assert list(tmp_path.iterdir()) == []


# -- mapping -------------------------------------------------------------------------------------------------


def arrays_in(folder, mapped=True):
    return artifact.from_safetensors(read_folder(folder, mapped)["views.safetensors"])


@pytest.fixture
def mapped(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.int32), "b": np.ones((2, 3), np.float16), "c": np.zeros(0, np.int8)}
    return write_folder(tmp_path / "model", {**SMALL, "views.safetensors": artifact.to_safetensors(arrays)})


@pytest.mark.parametrize("shared", [True, False])
def test_arrays_lie_in_what_was_read_and_nobody_can_write_to_them(mapped, shared):
    found = arrays_in(mapped, shared)

    assert found["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["b"].tolist() == [[1, 1, 1]] * 2
    assert found["c"].shape == (0,)
    for array in found.values():
        assert array.flags.aligned
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1


def test_what_was_mapped_stays_when_the_folder_is_replaced_or_removed(mapped):
    found = arrays_in(mapped)
    write_folder(mapped, SMALL)
    shutil.rmtree(mapped)

    assert found["a"].tolist() == [0, 1, 2, 3, 4, 5]


def test_what_was_read_stays_when_somebody_writes_into_the_file(mapped):
    found = arrays_in(mapped, mapped=False)
    (mapped / "views.safetensors").write_bytes(b"nothing")

    assert found["a"].tolist() == [0, 1, 2, 3, 4, 5]


def test_every_learned_array_of_a_loaded_model_is_read_only(saved):
    model = load(saved)
    text = model.views_.text
    for learner in text.linear.values():
        kept = learner.kept_
        every = [kept.tiles, kept.weights, kept.classes, kept.scales, kept.posts, kept.bias, kept.heavy_of]
        assert not any(array.flags.writeable for array in every)
    for array in (text.neighbours.rows_, text.neighbours.weights_, text.neighbours.y_):
        assert not array.flags.writeable
        assert not array.flags.owndata


@pytest.mark.parametrize("seed", range(50))
def test_a_flipped_bit_anywhere_in_a_model_is_noticed(saved, tmp_path, seed):
    """See benchmarks/bit_flips.py for a thousand of them."""
    copy = shutil.copytree(saved, tmp_path / "model")
    files = sorted(copy.iterdir())
    rng = np.random.default_rng(seed)
    bit = int(rng.integers(8 * sum(path.stat().st_size for path in files)))
    for path in files:
        if bit < 8 * path.stat().st_size:
            break
        bit -= 8 * path.stat().st_size
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(ModelError):
        read_folder(copy)


def header_of(**changes):
    entry = {"dtype": "I32", "shape": [2], "data_offsets": [0, 8], **changes}
    header = json.dumps({"a": entry}).encode()
    return len(header).to_bytes(8, "little") + header + b"\x01\0\0\0" * 2


def test_header_of_a_sound_file_is_read():
    assert artifact.from_safetensors(header_of())["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"1234567", b"\xff" * 8, (5).to_bytes(8, "little") + b"[]", (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b"null", (10**6).to_bytes(8, "little") + b"[" * 10**6,
        header_of(dtype="I128"), header_of(dtype=7), header_of(shape=[3]), header_of(shape=[-2]),
        header_of(shape=[-1, -2]), header_of(shape=[2.0]), header_of(shape=[10**30]), header_of(shape="2"),
        header_of(data_offsets=[4, 12]), header_of(data_offsets=[-8, 0]), header_of(data_offsets=[8, 0]),
        header_of(data_offsets=[0, 8, 8]), header_of(data_offsets=[0, 4]), header_of(data_offsets=None),
    ],
)  # fmt: skip
def test_arrays_that_do_not_lie_in_their_file_are_refused(content):
    with pytest.raises(ModelError, match="arrays are damaged"):
        artifact.from_safetensors(content)


# -- encoding ------------------------------------------------------------------------------------------------


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)))
def test_texts_survive_packing(texts):
    packed = pack_texts(texts)

    assert unpack_texts(artifact.from_safetensors(artifact.to_safetensors(packed))) == texts


def test_equal_values_are_equal_bytes():
    one, two = np.arange(6, dtype=np.int32), np.ones((2, 3), np.float32)

    assert artifact.to_json({"b": 1, "a": "ü"}) == artifact.to_json({"a": "ü", "b": 1})
    assert artifact.to_safetensors({"x": one, "y": two}) == artifact.to_safetensors({"y": two, "x": one})
    assert artifact.to_safetensors({"x": two.T}) == artifact.to_safetensors(
        {"x": np.ascontiguousarray(two.T)}
    )


def test_damaged_arrays_are_a_model_error():
    with pytest.raises(ModelError):
        artifact.from_safetensors(b"\x10\x00\x00\x00nonsense")
