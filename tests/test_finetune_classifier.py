"""The classifier of a folder: what was trained, row by row the same."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from finetune_bases import KINDS, lesson, settings, text_base
from shelfwise.errors import EncoderError
from shelfwise.features.encoders import EncoderOptions
from shelfwise.finetune import FinetunedClassifier, finetune
from shelfwise.finetune.classifier import Head

OPTIONS = EncoderOptions(device="cpu", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("classifier")
    finetune(lesson(), settings(text=text_base(where / "base"), epochs=8), where / "out")
    return where / "out"


def test_it_answers_as_it_was_trained(folder):
    classifier = FinetunedClassifier.open(str(folder), OPTIONS)
    plain = lesson()
    found, known = classifier.probabilities([*plain.texts, ""])

    assert classifier.classes == KINDS
    assert (found[:-1].argmax(axis=1) == plain.y).mean() > 0.9
    assert found.sum(axis=1) == pytest.approx(np.ones(61), abs=1e-6)
    assert found[-1] == pytest.approx([1 / 3] * 3)
    assert known.tolist() == [True] * 60 + [False]
    assert found.dtype == np.float32


def test_a_row_does_not_depend_on_the_others(folder):
    head = Head.open(folder)
    vectors = np.random.default_rng(0).normal(size=(600, 16)).astype(np.float32)
    whole = head.scores(vectors)

    for start, stop in ((0, 1), (5, 260), (599, 600)):
        assert np.array_equal(head.scores(vectors[start:stop]), whole[start:stop])


def test_the_temperature_is_used(folder):
    head = Head.open(folder)
    vectors = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
    odds = np.exp((vectors @ head.weight.T + head.bias) / head.temperature)

    assert head.scores(vectors) == pytest.approx(odds / odds.sum(axis=1, keepdims=True), abs=1e-6)


def test_what_it_needs_is_said(folder, tmp_path):
    classifier = FinetunedClassifier.open(str(folder), OPTIONS)
    with pytest.raises(EncoderError, match="needs texts"):
        classifier.probabilities(pictures=[None])
    with pytest.raises(EncoderError, match="does not exist"):
        FinetunedClassifier.open(str(tmp_path / "none"), OPTIONS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"shelfwise\.json"):
        FinetunedClassifier.open(str(tmp_path / "empty"), OPTIONS)


def test_a_head_that_does_not_fit_is_refused(folder, tmp_path):
    (tmp_path / "shelfwise.json").write_bytes((folder / "shelfwise.json").read_bytes())
    with pytest.raises(EncoderError, match=r"head\.safetensors"):
        Head.open(tmp_path)
    tensors = load_file(str(folder / "head.safetensors"))
    save_file({**tensors, "bias": tensors["bias"][:2]}, str(tmp_path / "head.safetensors"))
    with pytest.raises(EncoderError, match="does not fit"):
        Head.open(tmp_path)
