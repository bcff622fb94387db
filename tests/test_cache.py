"""Vectors come back as they were rounded, from any process, or not at all when a byte of them has changed."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shelfwise.errors import EncoderError
from shelfwise.features import cache
from shelfwise.features.cache import VectorCache, as_keys, default_folder, key_of, rounded

PRINT = "f" * 64


def keys(*names):
    return as_keys(key_of(str(name).encode()) for name in names)


def some(count, width=7, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    return VectorCache(tmp_path)


def test_what_was_kept_is_found_rounded_and_nothing_else(store):
    vectors = some(3)
    store.of(PRINT, 7).keep(keys("a", "b", "c"), vectors)

    found, there = store.of(PRINT, 7).find(keys("c", "x", "a"))

    assert there.tolist() == [True, False, True]
    assert np.array_equal(found[[0, 2]], rounded(vectors)[[2, 0]])
    assert not found[1].any()


def test_each_encoder_has_its_own_vectors(store):
    store.of(PRINT, 7).keep(keys("a"), some(1))

    assert not store.of("e" * 64, 7).find(keys("a"))[1].any()


def test_a_fingerprint_cannot_leave_the_folder(store):
    store.of("../../outside", 7).keep(keys("a"), some(1))

    assert store.of("../../outside", 7).find(keys("a"))[1].all()
    assert not (store.folder.parent / "outside").exists()


floats = st.floats(-(2.0**126), 2.0**126, width=32)


@example(np.array([[3.9999, 0.00038170815]], np.float32))
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=floats))
def test_rounding_keeps_eleven_bits_and_is_done_once(vectors):
    once = rounded(vectors)

    assert np.array_equal(rounded(once), once)
    largest = np.abs(vectors).max(axis=1, keepdims=True).astype(np.float64)
    assert (np.abs(once.astype(np.float64) - vectors) <= largest * 2.0**-11).all()


def test_keys_that_end_in_zeros_are_told_apart(store):
    raw = [bytes([1] * 15 + [0]), bytes([1] * 14 + [0, 0]), bytes(16), bytes([0] * 15 + [1])]
    vectors = some(4)
    store.of(PRINT, 7).keep(as_keys(raw), vectors)

    found, there = store.of(PRINT, 7).find(as_keys(reversed(raw)))

    assert there.all()
    assert np.array_equal(found, rounded(vectors)[::-1])


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_changed_byte_is_noticed_and_the_vectors_are_made_anew(store, part):
    vectors = some(50)
    store.of(PRINT, 7).keep(keys(*range(50)), vectors)
    (path,) = store.folder.glob("*/*.safetensors")
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 0x10
    path.write_bytes(content)

    opened = store.of(PRINT, 7)
    found, there = opened.find(keys(*range(50)))

    assert np.array_equal(found[there], rounded(vectors)[there])  # never a wrong one
    if opened.notes:
        assert not there.any()
        assert "damaged" in opened.notes[0]
        assert path.with_name(path.name + ".damaged").exists()
    else:
        assert there.sum() == 49  # the byte was in a key: one content is not found
    opened.keep(keys(*range(50)), vectors)
    assert store.of(PRINT, 7).find(keys(*range(50)))[1].all()


@pytest.mark.parametrize("length", [0, 5, 100, 700])
def test_a_shard_cut_short_is_set_aside(store, length):
    store.of(PRINT, 7).keep(keys(*range(50)), some(50))
    (path,) = store.folder.glob("*/*.safetensors")
    path.write_bytes(path.read_bytes()[:length])

    opened = store.of(PRINT, 7)

    assert not opened.find(keys(*range(50)))[1].any()
    assert len(opened.notes) == 1


def test_vectors_of_another_width_are_set_aside(store):
    store.of(PRINT, 7).keep(keys("a"), some(1))

    opened = store.of(PRINT, 8)

    assert not opened.find(keys("a"))[1].any()
    assert "damaged" in opened.notes[0]


def test_many_small_shards_become_few(store, monkeypatch):
    monkeypatch.setattr(cache, "_MANY", 4)
    opened = store.of(PRINT, 7)
    vectors = some(20)
    for i in range(20):
        opened.keep(keys(i), vectors[i : i + 1])

    assert len(list(store.folder.glob("*/*.safetensors"))) <= 4
    for reader in (opened, store.of(PRINT, 7)):
        found, there = reader.find(keys(*range(20)))
        assert there.all()
        assert np.array_equal(found, rounded(vectors))


def write_some(folder, start):
    opened = VectorCache(folder).of(PRINT, 7)
    vectors = some(60)
    for i in range(start, start + 40):
        opened.keep(keys(i), vectors[i : i + 1])


def test_two_processes_at_once_lose_nothing(store):
    processes = [
        multiprocessing.get_context("spawn").Process(target=write_some, args=(store.folder, start))
        for start in (0, 20)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    opened = store.of(PRINT, 7)
    found, there = opened.find(keys(*range(60)))
    assert [process.exitcode for process in processes] == [0, 0]
    assert there.all()
    assert np.array_equal(found, rounded(some(60)))
    assert opened.notes == []
    assert not list(store.folder.glob("*/.*"))


def test_a_shard_merged_by_another_process_at_once_is_still_known(store, monkeypatch):
    opened = store.of(PRINT, 7)
    rename = os.replace

    def rename_and_lose(source, target):
        rename(source, target)
        os.unlink(target)

    monkeypatch.setattr(os, "replace", rename_and_lose)
    opened.keep(keys("a"), some(1))

    found, there = opened.find(keys("a"))
    assert there.all()
    assert np.array_equal(found, rounded(some(1)))


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(EncoderError, match="SHELFWISE_CACHE"):
        VectorCache(tmp_path / "file").of(PRINT, 7).keep(keys("a"), some(1))


def test_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path))
    assert default_folder() == tmp_path

    monkeypatch.delenv("SHELFWISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "x"))
    assert default_folder() == tmp_path / "x" / "shelfwise" / "vectors"
