"""Checkpoints: whole or not at all, of one training only."""

from __future__ import annotations

import pytest

from shelfwise.errors import EncoderError
from shelfwise.finetune.checkpoints import Checkpoints, checkpoint_folder, discard

torch = pytest.importorskip("torch")

RUN = {"the settings": "a", "the data": "b"}


@pytest.fixture
def checkpoints(tmp_path):
    made = Checkpoints(checkpoint_folder(tmp_path / "out"), RUN)
    made.open()
    return made


def test_there_and_back_and_only_the_last_is_kept(checkpoints):
    weights = torch.randn(3, 4)
    assert checkpoints.load() is None
    checkpoints.save(5, {"step": 5}, {"w": torch.zeros(2)})
    checkpoints.save(10, {"step": 10}, {"w": weights.T, "same": weights.T})
    plain, tensors = checkpoints.load()

    assert plain == {"step": 10}
    assert torch.equal(tensors["w"], weights.T)
    assert [path.name for path in checkpoints.folder.glob("step-*")] == ["step-00000010-0000"]


def test_a_half_written_one_is_no_checkpoint(checkpoints):
    checkpoints.save(5, {"step": 5}, {"w": torch.zeros(2)})
    (checkpoints.folder / "step-00000009-0000.part").mkdir()
    checkpoints.open()

    assert checkpoints.load()[0] == {"step": 5}
    checkpoints.save(9, {"step": 9}, {"w": torch.zeros(2)})
    assert checkpoints.load()[0] == {"step": 9}


def test_another_training_is_refused_by_name(checkpoints):
    with pytest.raises(EncoderError, match=r"the data differs.*--restart"):
        Checkpoints(checkpoints.folder, {**RUN, "the data": "c"}).open()
    discard(checkpoints.folder.parent / "out")
    Checkpoints(checkpoints.folder, {**RUN, "the data": "c"}).open()


def test_damage_is_said(checkpoints):
    checkpoints.save(5, {"step": 5}, {"w": torch.zeros(2)})
    (checkpoints.folder / "step-00000005-0000" / "state.safetensors").write_bytes(b"no")

    with pytest.raises(EncoderError, match="damaged"):
        checkpoints.load()


def test_best_weights(checkpoints):
    for epoch in (1, 2, 2):
        checkpoints.save_best(epoch, {"w": torch.full((2,), float(epoch))})
    checkpoints.forget_others(2)

    assert [path.name for path in checkpoints.folder.glob("best-*")] == ["best-0002.safetensors"]


def test_a_full_disk_is_an_error_for_people(checkpoints, monkeypatch):
    import shelfwise.finetune.checkpoints as module

    def full(path, tensors):
        raise OSError(28, "No space left on device")

    checkpoints.save(5, {"step": 5}, {"w": torch.zeros(2)})
    monkeypatch.setattr(module, "write_tensors", full)
    with pytest.raises(EncoderError, match="No space left"):
        checkpoints.save(6, {"step": 6}, {"w": torch.zeros(2)})
    assert checkpoints.load()[0] == {"step": 5}
