"""Texts become tokens: cut where the model says so, padded where it was trained so, whatever they hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import EncoderError
from shelfwise.features.tokens import Tokenizer, limits, stacked
from tiny_encoders import write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(made)
    return made


@given(st.lists(st.text(st.characters(codec=None), max_size=40), min_size=1, max_size=4))
def test_any_text_is_taken(folder, texts):
    tokens = Tokenizer(folder, "t", 6)(texts)

    assert len(tokens) == len(texts)
    assert all(2 <= len(item) <= 6 for item in tokens)


def test_half_a_surrogate_pair_is_taken(folder):
    assert len(Tokenizer(folder, "t", 6)(["\ud800"])[0]) == 3


def test_the_shorter_limit_counts(folder):
    assert len(Tokenizer(folder, "t", 100)(["red " * 99])[0]) == 12
    assert len(Tokenizer(folder, "t", 5)(["red " * 99])[0]) == 5


def test_padding_where_it_is_asked_for(folder):
    first, second = Tokenizer(folder, "t", 6, padded=True)(["red", "red boot lamp wool"])
    feeds = stacked([first, second])

    assert feeds["input_ids"].shape == (2, 6)
    assert feeds["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert feeds["input_ids"][0, 3:].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (256, False)),
        ({"max_position_embeddings": 77}, (77, False)),
        ({"model_type": "roberta", "max_position_embeddings": 130}, (128, False)),
        ({"model_type": "clip", "text_config": {"max_position_embeddings": 77}}, (77, False)),
        ({"model_type": "siglip", "text_config": {"max_position_embeddings": 64}}, (64, True)),
        ({"max_position_embeddings": "many"}, (256, False)),
    ],
)
def test_limits_of_models(tmp_path, config, expected):
    assert limits(tmp_path, "t", config, 256) == expected


def test_a_sentence_model_s_own_limit(tmp_path):
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 20}))

    assert limits(tmp_path, "t", {}, 256) == (20, False)


def test_a_tokenizer_that_cannot_be_read(tmp_path):
    with pytest.raises(EncoderError, match=r"no tokenizer.json"):
        Tokenizer(tmp_path, "t", 6)
    (tmp_path / "tokenizer.json").write_text("[]")
    with pytest.raises(EncoderError, match="cannot be read"):
        Tokenizer(tmp_path, "t", 6)
