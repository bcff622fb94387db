"""`st:` encoders: a folder of sentence-transformers, with its pooling, without pickles or code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shelfwise.errors import EncoderError, RecipeError
from shelfwise.features.encoders import EncoderOptions, open_text_encoder
from tiny_encoders import bert

pytest.importorskip("sentence_transformers")
CPU = EncoderOptions(device="cpu")


@pytest.fixture
def folder(tmp_path):
    bert(tmp_path)
    package = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{package}.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{package}.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{package}.Normalize"},
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 9}))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "2_Normalize").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return tmp_path


def test_is_the_transformer_s_mean_at_length_one(folder):
    ours = open_text_encoder(f"st:{folder}", CPU)
    plain = open_text_encoder(f"hf:{folder}", CPU)
    texts = ["red boot", "lamp", "blue steel watch"]

    expected = plain.encode(texts)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    assert ours.width == 32
    assert np.allclose(ours.encode(texts), expected, atol=1e-5)
    assert ours.fingerprint != plain.fingerprint


def test_alone_as_among_others_and_cut_at_the_limit(folder):
    encoder = open_text_encoder(f"st:{folder}", CPU)
    texts = ["boot", "red boot", "lamp " * 500, "blue steel watch"]

    assert [item.tokens for item in encoder.prepare(texts)] == [3, 4, 9, 5]
    whole = encoder.encode(texts)
    assert np.array_equal(whole, np.concatenate([encoder.encode([text]) for text in texts]))


def test_its_pooling_is_its_own(folder):
    with pytest.raises(RecipeError, match="hf:"):
        open_text_encoder(f"st:{folder}", EncoderOptions(pooling="cls"))


def test_a_single_word_is_a_model_of_its_makers(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(EncoderError, match="hf download sentence-transformers/no-such-model"):
        open_text_encoder("st:no-such-model")


def test_what_is_missing_or_unsafe_is_refused(folder, tmp_path_factory):
    with pytest.raises(EncoderError, match=r"neither modules.json nor config.json"):
        open_text_encoder(f"st:{tmp_path_factory.mktemp('empty')}")
    (folder / "1_Pooling" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(EncoderError, match="is a pickle"):
        open_text_encoder(f"st:{folder}")
    (folder / "1_Pooling" / "pytorch_model.bin").unlink()
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="no weights"):
        open_text_encoder(f"st:{folder}")


def test_a_wrong_width_in_its_configuration_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))

    with pytest.raises(EncoderError, match="cannot be loaded"):
        open_text_encoder(f"st:{folder}")
