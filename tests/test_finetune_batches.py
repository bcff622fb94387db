"""Products as tensors: the same on any number of threads, and a lost picture is a missing one."""

from __future__ import annotations

import numpy as np
import pytest

from finetune_bases import lesson, picture_base, settings, text_base
from shelfwise.catalogue.pictures import Picture
from shelfwise.finetune.batches import Batches, tokens_of
from shelfwise.finetune.lesson import prepare
from shelfwise.finetune.towers import open_tower

torch = pytest.importorskip("torch")

ROWS = np.arange(6)
PARTS = [(ROWS[:4], np.ones(4, np.float32)), (ROWS[4:], np.array([1, 0], np.float32))]


def pictures(tmp_path, threads=1, shown=None):
    from dataclasses import replace

    plain = lesson(6, texts=False, pictures=True)
    if shown is not None:
        plain = replace(plain, pictures=shown)
    tower = open_tower("picture", settings(picture=picture_base(tmp_path / "base")))
    return Batches(plain, prepare(plain, "picture", 0.2, 0, 1), {"picture": tower}, 5, threads)


def test_threads_change_nothing_and_epochs_do(tmp_path):
    one, many = (
        [batch["picture"]["pixel_values"] for batch in pictures(tmp_path, threads).stream(PARTS, 0)]
        for threads in (1, 3)
    )
    plain = [batch["picture"]["pixel_values"] for batch in pictures(tmp_path).stream(PARTS, -1)]

    assert all(torch.equal(a, b) for a, b in zip(one, many, strict=True))
    assert not torch.equal(one[0], plain[0])
    assert [len(part) for part in one] == [4, 2]


def test_what_a_batch_holds(tmp_path):
    _, last = list(pictures(tmp_path).stream(PARTS, -1))

    assert last["y"].tolist() == [1, 2]
    assert last["rows"].tolist() == [1, 0]
    assert last["known"]["picture"].tolist() == [1, 1]


def test_a_picture_that_vanishes_costs_one_product(tmp_path):
    file = tmp_path / "one.png"
    shown = lesson(6, texts=False, pictures=True).pictures
    file.write_bytes(shown[0].data)
    batches = pictures(tmp_path, shown=[Picture("one.png", path=file), *shown[1:]])
    file.unlink()
    first, _ = list(batches.stream(PARTS, 0))

    assert batches.lost == {0}
    assert first["rows"].tolist() == [0, 1, 1, 1]
    assert not first["picture"]["pixel_values"][0].any()


def test_tokens_are_cut_padded_and_never_none_at_all(tmp_path):
    tower = open_tower("text", settings(text=text_base(tmp_path), max_tokens=5))
    found = tokens_of(tower, ["boot", "birch " * 50, "", "\udcff"])

    assert found["input_ids"].shape == (4, 5)
    assert found["attention_mask"].sum(dim=1).tolist() == [3, 5, 2, 3]
    assert sorted(found) == ["attention_mask", "input_ids", "token_type_ids"]


def test_stream_may_be_left_early(tmp_path):
    stream = pictures(tmp_path).stream(PARTS, 0)
    next(stream)
    stream.close()
