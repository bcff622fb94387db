"""Joint encoders: numpy gives what was trained, one side may be missing, and rows do not mind each other."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from finetune_bases import lesson, picture_base, settings, text_base
from shelfwise.catalogue.pictures import decode
from shelfwise.errors import EncoderError
from shelfwise.features.encode import encode_pictures, encode_texts
from shelfwise.features.encoders import EncoderOptions, ImageEncoder, TextEncoder
from shelfwise.features.joint import JointEncoder, JointProjection, open_joint_image, open_joint_text
from shelfwise.finetune import finetune
from shelfwise.finetune.network import _joined, _projection

torch = pytest.importorskip("torch")

OPTIONS = EncoderOptions(device="cpu", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("joint")
    text, picture = text_base(where / "t"), picture_base(where / "p")
    given = settings(text=text, picture=picture, epochs=1, width=7)
    finetune(lesson(12, pictures=True), given, where / "out")
    return where / "out"


def test_numpy_gives_what_torch_gave():
    torch.manual_seed(0)
    parts = _projection({"text": 5, "picture": 4}, 6)
    vectors = {"text": torch.randn(9, 5), "picture": torch.randn(9, 4)}
    known = {"text": torch.arange(9) % 2, "picture": (torch.arange(9) + 1) // 2 % 2}
    with torch.no_grad():
        expected = _joined(parts, vectors, {side: mask.float() for side, mask in known.items()}, 0.0).numpy()
    masks = {side: mask.numpy().astype(bool) for side, mask in known.items()}
    expected[~(masks["text"] | masks["picture"])] = 0
    projection = JointProjection({name: one.numpy() for name, one in parts.state_dict().items()})
    found = projection.joined({side: one.numpy() for side, one in vectors.items()}, masks)

    assert np.abs(found - expected).max() < 1e-5


def test_both_sides_and_one(folder):
    joint = JointEncoder.open(str(folder), OPTIONS)
    plain = lesson(12, pictures=True)
    images = [decode(picture.read()) for picture in plain.pictures]
    whole = joint.encode(plain.texts, images)
    said, seen = open_joint_text(str(folder), OPTIONS), open_joint_image(str(folder), OPTIONS)

    assert whole.shape == (12, joint.width) == (12, 7)
    assert np.allclose(said.encode(plain.texts), joint.encode(plain.texts, [None] * 12), atol=1e-6)
    assert np.allclose(seen.encode(images), joint.encode([""] * 12, images), atol=1e-6)
    assert not np.allclose(whole, said.encode(plain.texts), atol=1e-3)
    assert not joint.encode([""], [None]).any()
    assert np.array_equal(joint.encode(plain.texts[:1], images[:1]), whole[:1])


def test_sides_are_encoders_for_the_driver(folder):
    said, seen = open_joint_text(str(folder), OPTIONS), open_joint_image(str(folder), OPTIONS)
    plain = lesson(6, pictures=True)

    assert isinstance(said, TextEncoder)
    assert isinstance(seen, ImageEncoder)
    assert len({said.fingerprint, seen.fingerprint, JointEncoder.open(str(folder), OPTIONS).fingerprint}) == 3
    assert np.allclose(
        encode_texts(said, plain.texts).vectors, said.encode(plain.texts), rtol=1e-3, atol=1e-3
    )
    assert encode_pictures(seen, [*plain.pictures, None]).known.tolist() == [True] * 6 + [False]


def test_damage_is_said(folder, tmp_path):
    with pytest.raises(EncoderError, match="no joint encoder"):
        JointEncoder.open(str(tmp_path), OPTIONS)
    tensors = load_file(str(folder / "joint.safetensors"))
    save_file(
        {**tensors, "text_norm.bias": tensors["text_norm.bias"] * np.nan}, str(tmp_path / "joint.safetensors")
    )
    with pytest.raises(EncoderError, match="damaged"):
        JointEncoder.open(str(tmp_path), OPTIONS)
    del tensors["text_norm.bias"]
    save_file(tensors, str(tmp_path / "joint.safetensors"))
    with pytest.raises(EncoderError, match=r"text_norm\.bias"):
        JointEncoder.open(str(tmp_path), OPTIONS)
    with pytest.raises(EncoderError, match="give one of each"):
        JointEncoder.open(str(folder), OPTIONS).encode(["a"], [])
