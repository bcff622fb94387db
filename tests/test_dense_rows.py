"""`features.dense_rows`: the same rows in the same blocks, in memory and in files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.features import dense_rows
from shelfwise.features.dense_rows import DenseRows, Gathered, KnownRows, as_dense
from shelfwise.workspace import OWN, Workspace


def numbers(rows: int, width: int = 3) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, width)).astype(np.float32)


def joined(rows: DenseRows, size: int = dense_rows.BLOCK) -> np.ndarray:
    return np.concatenate([np.empty((0, rows.width), np.float32), *(part for _, part in rows.blocks(size))])


def gathered(pieces: list[np.ndarray], known: list[np.ndarray], limit: int | None) -> KnownRows:
    kept = Gathered(Workspace(limit))
    for vectors, there in zip(pieces, known, strict=True):
        kept.add(vectors, there)
    return kept.done()


@given(st.lists(st.lists(st.booleans(), max_size=9), max_size=5), st.sampled_from([None, OWN, OWN + 1000]))
def test_the_vectors_that_are_known_come_back_in_order_wherever_they_lie(known, limit):
    masks = [np.array(there, np.bool_) for there in known]
    pieces = [numbers(len(there) + 1)[1:] for there in masks]
    found = gathered(pieces, masks, limit)

    assert found.known.tolist() == [one for there in known for one in there]
    wanted = [row for vectors, there in zip(pieces, masks, strict=True) for row in vectors[there].tolist()]
    assert joined(found.rows).tolist() == wanted


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([None, OWN]), st.data())
def test_chosen_rows_are_those_of_an_array(count, size, limit, data):
    X = numbers(count)
    rows = gathered([X], [np.ones(count, bool)], limit).rows
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    some = data.draw(st.lists(st.integers(0, count - 1), max_size=20))

    assert joined(rows, size).tobytes() == X.tobytes()
    assert joined(rows.only(mask), size).tolist() == X[mask].tolist()
    twice = rows.only(np.array(some, np.int64))
    assert joined(twice, size).tolist() == X[some].tolist()
    again = np.arange(len(some))[::-2]
    assert joined(twice.only(again), size).tolist() == X[some][again].tolist()
    assert rows.take(np.array(some, np.int64)).tolist() == X[some].tolist()
    assert rows.filed == (limit is not None)
    assert twice.whole().tolist() == X[some].tolist()
    assert rows.take(slice(2, 5)).tolist() == X[2:5].tolist()


@pytest.mark.parametrize("limit", [None, OWN])
def test_what_is_made_of_rows_lies_where_there_is_room_and_is_the_same(limit, tmp_path):
    X, space = numbers(9000), Workspace(limit, tmp_path)
    rows = DenseRows(X, np.arange(9000)[::2], space)
    made = rows.changed(lambda part: part[:, :2] * 3, 2)
    half = made.changed(lambda part: part, kind=np.float16)

    assert joined(made).tobytes() == (X[::2, :2] * 3).tobytes()
    assert half.whole().dtype == np.float16
    assert half.filed == made.filed == (limit is not None)
    assert joined(half).tobytes() == (X[::2, :2] * 3).astype(np.float16).astype(np.float32).tobytes()
    assert space.filed == (0 if limit is None else 4500 * 2 * 6)
    assert list(tmp_path.iterdir()) == []


def test_known_rows_of_some_products():
    X, known = numbers(6), np.array([True, False, True, True, False, True])
    found = gathered([X], [known], None).only(np.array([True, True, False, True, False, False]))

    assert found.known.tolist() == [True, False, True]
    assert joined(found.rows).tolist() == X[[0, 3]].tolist()
    assert as_dense(found.rows) is found.rows


def test_no_vectors_at_all():
    found = gathered([np.zeros((3, 0), np.float32)], [np.zeros(3, bool)], OWN)
    assert (len(found.rows), found.known.tolist()) == (0, [False] * 3)


SCRIPT = """
import sys, numpy as np
from shelfwise.features.dense_rows import Gathered
from shelfwise.learners.head import NetworkLearner, NetworkOptions, SoftmaxLearner, SoftmaxOptions
from shelfwise.learners.cosine import CosineNeighbours
from shelfwise.workspace import OWN, Workspace
def told(name):
    return int(next(l for l in open("/proc/self/status") if l.startswith(name)).split()[1]) // 1024
def learn(rows, y):
    SoftmaxLearner(SoftmaxOptions(priors=(30.0,), steps=2, chosen_on=100)).fit(rows, y, 3)
    NetworkLearner(NetworkOptions(hidden=8, epochs=1, batch=256, members=1)).fit(rows, y, 3)
    CosineNeighbours(count=1).fit(rows, y, 3)
def some(rows, space):
    rng, kept = np.random.default_rng(0), Gathered(space)
    for _ in range(rows // 4000):
        kept.add(rng.standard_normal((4000, 400), dtype=np.float32), np.ones(4000, bool))
    return kept.done().rows, np.arange(rows, dtype=np.int32) % 3
learn(*some(4000, Workspace()))
before = told("VmRSS")
learn(*some(100_000, Workspace(OWN + 10**6, sys.argv[1])))
print(told("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell the peak of memory")
def test_learners_on_vectors_stay_within_their_room(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], capture_output=True, text=True)
    assert int(done.stdout) < 90, done.stderr  # MB, of 160 of vectors and 240 that are made of them
    assert list(tmp_path.iterdir()) == []
