"""`learners.cells`: an index of vectors: what it finds, its bits, its cache, and damage to it."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.errors import ModelError
from shelfwise.features.dense_rows import DenseRows
from shelfwise.learners import cells
from shelfwise.learners.cells import CellIndex, Cells, kept_cells

pytest.importorskip("faiss")


def clustered(rows: int, seed: int = 0, width: int = 24) -> np.ndarray:
    """Rows of length 1 around a hundred middles."""
    middles = np.random.default_rng(5).standard_normal((100, width))
    rng = np.random.default_rng(seed)
    X = middles[rng.integers(0, 100, rows)] + 0.6 * rng.standard_normal((rows, width))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def rows() -> DenseRows:
    return DenseRows(clustered(5000).astype(np.float16))


@pytest.fixture(scope="module")
def found(rows) -> Cells:
    return Cells.of(rows)


def content(one: Cells) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in one.tensors().items()}


def test_every_row_lies_in_the_cell_of_the_middle_most_like_it(rows, found):
    X = rows.whole().astype(np.float32)
    alike = X @ found.middles.T

    assert len(found.middles) == round(4 * np.sqrt(5000))
    own = alike[np.arange(5000), found.cell]
    np.testing.assert_allclose(own, alike.max(axis=1), atol=1e-6)
    assert own.mean() > 0.8


def test_the_index_names_nearly_all_of_the_nearest(rows, found):
    asked = clustered(200, seed=1)
    named = CellIndex(rows, found).candidates(asked, 60)
    exact = np.argsort(-(asked @ rows.whole().astype(np.float32).T), axis=1)[:, :10]
    recall = np.mean([np.isin(right, some).mean() for right, some in zip(exact, named, strict=True)])

    assert named.shape == (200, 60)
    assert recall > 0.97


def test_what_a_query_gets_depends_neither_on_the_others_nor_on_threads(rows, found, monkeypatch):
    monkeypatch.setattr(cells, "_QUERIES", 16)
    asked, index = clustered(100, seed=2), CellIndex(rows, found)
    whole = index.candidates(asked, 20)

    assert index.candidates(asked, 20, threads=3).tolist() == whole.tolist()
    one_by_one = [index.candidates(asked[at : at + 1], 20) for at in range(100)]
    assert np.concatenate(one_by_one).tolist() == whole.tolist()
    assert index.candidates(asked[:0], 20).shape == (0, 20)


def test_the_same_bits_again_and_for_any_number_of_threads(rows, found):
    assert content(Cells.of(rows, threads=2)) == content(found)


def test_what_is_kept_finds_the_same(rows, found):
    again = Cells.restore({name: array.copy() for name, array in found.tensors().items()}, 5000, 24)
    asked = clustered(50, seed=3)

    assert content(again) == content(found)
    assert (CellIndex(rows, again).candidates(asked, 9) == CellIndex(rows, found).candidates(asked, 9)).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cell", lambda a: a[:-1]), ("cell", lambda a: a - 1), ("cell", lambda a: a + len(a)),
        ("middles", lambda a: a[:1]), ("middles", lambda a: a[:, 1:]), ("low", lambda a: a[1:]),
        ("span", lambda a: a * np.float32(np.nan)), ("middles", lambda a: a.ravel()),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(found, name, change):
    with pytest.raises(ModelError, match="do not fit"):
        Cells.restore(found.tensors() | {name: change(found.tensors()[name])}, 5000, 24)


# -- the cache -----------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path))
    return tmp_path / "index-cells"


@pytest.fixture
def made(monkeypatch) -> list[int]:
    """How many rows cells were made of, each time."""
    told, real = [], Cells.of
    monkeypatch.setattr(Cells, "of", lambda rows, threads=1: told.append(len(rows)) or real(rows, threads))
    return told


def test_cells_are_made_once_for_the_same_rows_wherever_they_lie(cache, made):
    few = clustered(400).astype(np.float16)
    first, _ = kept_cells(DenseRows(few))
    again, note = kept_cells(DenseRows(np.concatenate([few, few]), np.arange(400, 800)))

    assert (made, note, content(again)) == ([400], None, content(first))
    kept_cells(DenseRows(few[:399]))
    kept_cells(DenseRows(-few))
    assert made == [400, 399, 400]
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "another"])
def test_a_damaged_file_is_told_and_made_again(cache, made, damage):
    rows = DenseRows(clustered(400).astype(np.float16))
    first, _ = kept_cells(rows)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    if damage == "another":  # whole, but of other rows
        kept_cells(DenseRows(clustered(300).astype(np.float16)))
        other = next(path for path in cache.iterdir() if path != file)
        file.write_bytes(other.read_bytes())
    else:
        half = len(whole) // 2
        file.write_bytes(
            {"flipped": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
             "cut": whole[:half], "empty": b""}[damage]
        )  # fmt: skip
    made.clear()
    again, note = kept_cells(rows)

    assert made == [400]
    assert str(file) in note
    assert "damaged" in note
    assert content(again) == content(first)
    assert file.read_bytes() == whole
    assert kept_cells(rows)[1] is None


def test_a_cache_that_cannot_be_written_to_costs_only_time(tmp_path, monkeypatch, made):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path / "file"))
    rows = DenseRows(clustered(300).astype(np.float16))

    assert content(kept_cells(rows)[0]) == content(kept_cells(rows)[0])
    assert made == [300, 300]
