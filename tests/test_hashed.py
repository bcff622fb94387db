"""`features.hashed`: rows made of hashes are those of `ngrams`, wherever the hashes lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.features.hashed import GramRows, HashedRows, hash_into
from shelfwise.features.ngrams import FieldGrams, HashedNgrams
from shelfwise.workspace import OWN, Workspace

FIELDS = [FieldGrams("title"), FieldGrams("brand", weight=0.5)]
TITLES = [f"red shoe {row % 5} größe {row}" if row % 11 else "" for row in range(60)]
BRANDS = [("Acme", "Bolt", "")[row % 3] for row in range(60)]


def hasher(threads: int = 1) -> HashedNgrams:
    return HashedNgrams(FIELDS, bits=18, threads=threads)


def hashed(space: Workspace, sizes=(25, 35), titles=TITLES, brands=BRANDS) -> HashedRows:
    store, start = HashedRows(2, space, 0.5), 0
    for size in sizes:
        hash_into(store, hasher(), [titles[start : start + size], brands[start : start + size]])
        start += size
    return store


def bits_of(matrix) -> tuple[bytes, ...]:
    return (
        matrix.data.tobytes(),
        matrix.indices.tobytes(),
        matrix.indptr.tobytes(),
        str(matrix.shape).encode(),
    )


@pytest.mark.parametrize("limit", [None, OWN, OWN + 20_000], ids=["memory", "file", "hashes in memory"])
@pytest.mark.parametrize("threads", [1, 3])
def test_rows_are_those_of_a_matrix_made_at_once(tmp_path, limit, threads):
    space, usual = Workspace(limit, tmp_path), hasher()
    whole = usual.fit_transform([TITLES, BRANDS])
    fitted = hasher(threads)
    rows = GramRows(hashed(space), fitted, None, 0.01)

    assert (rows.whole is None) == (limit is not None)
    assert rows.shape == whole.shape
    assert (fitted.kept_.tolist(), fitted.idf_.tolist()) == (usual.kept_.tolist(), usual.idf_.tolist())
    assert rows.lengths.tolist() == np.diff(whole.indptr).tolist()
    assert bits_of(rows.take(np.arange(60))) == bits_of(whole)
    some = np.array([0, 24, 25, 26, 59])
    assert bits_of(rows.take(some)) == bits_of(whole[some])


@given(st.lists(st.booleans(), min_size=60, max_size=60), st.booleans())
def test_features_are_chosen_by_the_chosen_rows_alone(chosen, filed):
    space, mask = Workspace(OWN if filed else None), np.array(chosen)
    usual, fitted = hasher(), hasher()
    whole = usual.fit_transform(
        [[t for t, c in zip(part, chosen, strict=True) if c] for part in (TITLES, BRANDS)]
    )
    rows = GramRows(hashed(space), fitted, mask, 0.01)

    assert fitted.kept_.tolist() == usual.kept_.tolist()
    assert bits_of(rows.take(np.arange(mask.sum()))) == bits_of(whole)
    half = np.arange(0, mask.sum(), 2)
    assert bits_of(rows.take(half)) == bits_of(whole[half])


@given(st.lists(st.integers(0, 5), min_size=60, max_size=60), st.booleans())
def test_rows_that_lie_by_class_are_the_same_rows(y, some):
    codes, chosen = np.array(y, np.int32), np.arange(60) % 4 != 1 if some else None
    plain = GramRows(hashed(Workspace()), hasher(), chosen, 1e-9)
    laid = hashed(Workspace(OWN)).arranged(codes)
    rows = GramRows(laid, hasher(), chosen, 1e-9)

    assert plain.order is None
    assert codes[laid.order].tolist() == sorted(y)  # few rows: every class is a shelf of its own
    assert rows.lengths.tolist() == plain.lengths.tolist()
    assert bits_of(rows.take(np.array([0, 7, 30, 44]))) == bits_of(plain.take(np.array([0, 7, 30, 44])))
    lying, matrix = rows.gather(np.arange(rows.shape[0]))
    assert lying.tolist() == rows.order.tolist()
    assert bits_of(matrix) == bits_of(plain.take(np.arange(rows.shape[0]))[lying])


def test_rows_in_memory_are_left_where_they_are():
    store = hashed(Workspace())
    assert store.arranged(np.zeros(60, np.int32)) is store


def test_no_rows_at_all():
    space = Workspace()
    rows = GramRows(HashedRows(2, space, 0.5), hasher(), None, 0.5)
    assert rows.shape == (0, 0)
    assert rows.take(np.arange(0)).shape == (0, 0)


SCRIPT = """
import sys
import numpy as np
from shelfwise.features.hashed import GramRows, HashedRows, hash_into
from shelfwise.features.ngrams import FieldGrams, HashedNgrams
from shelfwise.workspace import OWN, Workspace
space = Workspace(int(sys.argv[1]) or None, sys.argv[2])
hasher, random = HashedNgrams([FieldGrams("title")]), np.random.default_rng(0)
store = HashedRows(1, space, 0.2)
for _ in range(40):
    words = random.integers(0, 10**6, (1000, 60)).tolist()
    hash_into(store, hasher, [[" ".join(map(str, row)) for row in words]])
rows = GramRows(store, hasher, None, 0.2)
total = sum(rows.take(np.arange(start, start + 500)).nnz for start in range(0, 40_000, 500))
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
print(total == rows.lengths.sum(), peak // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell the peak of memory")
def test_hashes_and_rows_of_a_large_catalogue_stay_within_the_limit(tmp_path):
    def peak(limit: int) -> int:
        command = [sys.executable, "-c", SCRIPT, str(limit), str(tmp_path)]
        right, told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert right == "True"
        return int(told)

    free, bounded = peak(0), peak(OWN + 20_000_000)
    assert bounded < OWN // 2**20  # what the program itself is granted
    assert free > bounded + 300  # MB: of some forty million hashes and weights
