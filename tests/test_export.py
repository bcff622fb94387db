"""Export: the graph is the encoder, 8 bits are smaller and close, and the report is measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shelfwise.errors import EncoderError
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from shelfwise.features.export import export_encoder
from tiny_encoders import WORDS, bert, onnx_pictures, onnx_texts, picture

pytest.importorskip("torch")
pytest.importorskip("onnx")

CPU = EncoderOptions(device="cpu", half="off")
TEXTS = [f"{WORDS[i % 8]} {WORDS[i * 3 % 7]}" + f" {WORDS[i % 5]}" * (i % 4) for i in range(40)]


def test_texts_of_any_length_keep_their_vectors(tmp_path):
    spec = f"hf:{bert(tmp_path / 'bert')}"

    found = export_encoder("text", spec, tmp_path / "out", TEXTS, "float32")

    exported = open_text_encoder(f"onnx:{tmp_path / 'out'}", CPU)
    texts = ["lamp", *TEXTS[:5], "wool " * 30]
    assert np.allclose(exported.encode(texts), open_text_encoder(spec, CPU).encode(texts), atol=1e-4)
    assert found.cosine_least > 0.99999
    assert found.rows == 20


def test_eight_bits_are_smaller_close_and_alone_as_among_others(tmp_path):
    spec = f"hf:{bert(tmp_path / 'bert', hidden_size=64, intermediate_size=512)}"

    found = export_encoder("text", spec, tmp_path / "out", TEXTS)

    assert found.megabytes < 0.5 * found.megabytes_before
    assert 0.9 < found.cosine < 1
    assert found.cosine_least <= found.cosine
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    assert told["cosine"] == found.cosine
    assert told["source"] == spec
    exported = open_text_encoder(f"onnx:{tmp_path / 'out'}", CPU)
    whole = exported.encode(TEXTS)
    assert np.array_equal(whole, np.concatenate([exported.encode([text]) for text in TEXTS]))
    likeness = (whole * open_text_encoder(spec, CPU).encode(TEXTS)).sum(axis=1)
    assert (likeness > 0).all()


def test_pictures_are_quantised_on_one_half_and_measured_on_the_other(tmp_path):
    spec = f"onnx:{onnx_pictures(tmp_path / 'in')}"
    images = [picture(seed, (12, 10)) for seed in range(40)]

    found = export_encoder("image", spec, tmp_path / "out", images)

    exported = open_image_encoder(f"onnx:{tmp_path / 'out'}", CPU)
    got, expected = exported.encode(images), open_image_encoder(spec, CPU).encode(images)
    assert not np.array_equal(got, expected)
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.99
    assert found.cosine > 0.98
    assert np.array_equal(got[:1], exported.encode(images[:1]))


def test_what_cannot_be_exported_is_said_and_leaves_nothing(tmp_path):
    spec = f"onnx:{onnx_texts(tmp_path / 'in')}"
    with pytest.raises(EncoderError, match="at least 16 rows, not 2"):
        export_encoder("text", spec, tmp_path / "out", ["a", "b"])
    with pytest.raises(EncoderError, match="exists"):
        export_encoder("text", spec, tmp_path / "in", TEXTS)
    with pytest.raises(EncoderError, match="does not exist"):
        export_encoder("text", f"onnx:{tmp_path / 'no'}", tmp_path / "out", TEXTS)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
