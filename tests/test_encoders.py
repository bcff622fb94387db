"""Opening encoders by name, checking that one is still the same, and encoders that others bring along."""

from __future__ import annotations

import importlib.metadata
import sys
import types

import numpy as np
import pytest

from shelfwise.errors import EncoderError, RecipeError
from shelfwise.features.encoders import (
    EncoderOptions,
    ImageEncoder,
    TextEncoder,
    check_same,
    fingerprint_of,
    open_image_encoder,
    open_text_encoder,
    takes_gpu,
)
from tiny_encoders import onnx_pictures, onnx_texts


class Mine:
    name, width = "mine", 2

    def encode(self, texts):
        return np.zeros((len(texts), 2), np.float32)


@pytest.mark.parametrize("spec", ["", "bert", "onnx", "onnx:", "nothing:x", ":x", "timm:resnet18", "pixels"])
def test_a_spec_that_names_no_text_encoder_lists_the_forms(spec):
    with pytest.raises(EncoderError, match=r"onnx:FOLDER, hf:NAME_OR_FOLDER or st:NAME_OR_FOLDER"):
        open_text_encoder(spec)


def test_a_bare_folder_is_answered_with_how_to_give_it(tmp_path):
    with pytest.raises(EncoderError, match=rf"write hf:{tmp_path}"):
        open_text_encoder(str(tmp_path))


def test_sentence_transformers_are_for_texts():
    with pytest.raises(EncoderError, match="encodes texts"):
        open_image_encoder("st:x")


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"max_tokens": 1}, {"pooling": "max"}, {"half": True}, {"threads": -1}]
)
def test_options_are_checked(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        EncoderOptions(**wrong)


def test_opened_encoders_keep_the_protocol(tmp_path):
    text = open_text_encoder(f"onnx:{onnx_texts(tmp_path / 't')}")
    image = open_image_encoder(f"onnx:{onnx_pictures(tmp_path / 'i')}")

    assert isinstance(text, TextEncoder)
    assert isinstance(image, ImageEncoder)
    assert isinstance(Mine(), TextEncoder)
    assert fingerprint_of(Mine()) is None
    assert len(fingerprint_of(text)) == 64


def test_check_same_takes_a_copy_and_refuses_a_change(tmp_path):
    first = open_text_encoder(f"onnx:{onnx_texts(tmp_path / 'a')}")
    copy = open_text_encoder(f"onnx:{onnx_texts(tmp_path / 'b')}")
    other = open_text_encoder(f"onnx:{onnx_texts(tmp_path / 'c', seed=1)}")
    wider = open_text_encoder(f"onnx:{onnx_texts(tmp_path / 'd', width=9)}")
    shorter = open_text_encoder(f"onnx:{tmp_path / 'a'}", EncoderOptions(max_tokens=4))
    busier = open_text_encoder(f"onnx:{tmp_path / 'a'}", EncoderOptions(batch=3, threads=1))

    check_same(copy, first.fingerprint, 6)
    check_same(busier, first.fingerprint, 6)
    with pytest.raises(EncoderError, match="files or options have changed"):
        check_same(other, first.fingerprint, 6)
    with pytest.raises(EncoderError, match="files or options have changed"):
        check_same(shorter, first.fingerprint, 6)
    with pytest.raises(EncoderError, match="vectors of 9 numbers; the model was trained with 6"):
        check_same(wider, first.fingerprint, 6)
    check_same(Mine(), None, 2)


class Entry:
    value = "shop.encoders"

    def __init__(self, found):
        self.found = found

    def load(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def plug_in(monkeypatch):
    def offer(found):
        def entry_points(group, name):
            assert group == "shelfwise.encoders"
            return [Entry(found)] if name == "shop" else []

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    return offer


def test_a_plug_in_opens_what_it_offers(plug_in):
    asked = []
    plug_in(
        types.SimpleNamespace(open_text_encoder=lambda name, options: asked.append((name, options)) or Mine())
    )

    opened = open_text_encoder("shop:large", EncoderOptions(batch=5))

    assert opened.name == "mine"
    assert asked == [("large", EncoderOptions(batch=5))]
    with pytest.raises(EncoderError, match="no image encoder"):
        open_image_encoder("shop:large")


def test_a_plug_in_that_breaks_is_named(plug_in):
    plug_in(ImportError("no module shop"))
    with pytest.raises(
        EncoderError, match=r"plug-in 'shop' \(shop.encoders\) cannot be loaded: no module shop"
    ):
        open_text_encoder("shop:x")

    def broken(name, options):
        raise KeyError(name)

    plug_in(types.SimpleNamespace(open_text_encoder=broken))
    with pytest.raises(EncoderError, match="plug-in 'shop' cannot open 'x'"):
        open_text_encoder("shop:x")

    plug_in(types.SimpleNamespace(open_text_encoder=lambda name, options: object()))
    with pytest.raises(EncoderError, match="lacks name, width or encode"):
        open_text_encoder("shop:x")


def test_importing_the_seam_loads_nothing_heavy():
    import subprocess

    code = "import sys, shelfwise.features.encoders as e; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"torch", "transformers", "onnxruntime", "PIL", "tokenizers"} & set(done.stdout.split())


def test_encoders_of_torch_run_on_a_gpu_where_there_is_one():
    assert all(map(takes_gpu, ["hf:a", "st:a/b", "timm:resnet18", "joint:folder"]))
    assert not any(map(takes_gpu, ["onnx:hf", "pixels", "none", "", "house:v1"]))
