"""Encoding: every row has its vector or a reason, each content is encoded once, and a stopped run goes on."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.pictures import Picture
from shelfwise.errors import EncoderError
from shelfwise.features.cache import VectorCache, rounded
from shelfwise.features.encode import NO_PICTURE, NO_TEXT, encode_pictures, encode_texts
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from tiny_encoders import onnx_pictures, onnx_texts, picture_bytes


class Lengths:
    """An encoder of the user's own: a text becomes its length and its first character."""

    name, width = "lengths", 2

    def __init__(self, fingerprint=None):
        self.seen = []
        if fingerprint:
            self.fingerprint = fingerprint

    def encode(self, texts):
        self.seen += texts
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)


class Brightness:
    """An encoder of pictures: their mean colour."""

    name, width, fingerprint = "brightness", 3, "b" * 64

    def __init__(self):
        self.seen = 0

    def encode(self, images):
        self.seen += len(images)
        return np.stack([np.asarray(image, np.float32).mean(axis=(0, 1)) for image in images])


@given(st.lists(st.text(max_size=5), max_size=30))
def test_each_row_has_its_own_vector_or_a_reason(texts):
    encoder = Lengths()

    got = encode_texts(encoder, texts)

    assert len(encoder.seen) == len(set(encoder.seen)) == got.encoded
    for row, text in enumerate(texts):
        assert got.known[row] == bool(text.strip())
        assert got.reasons[row] == (None if text.strip() else NO_TEXT)
        expected = rounded(np.array([[len(text), ord(text[0])]], np.float32))[0] if text.strip() else [0, 0]
        assert np.array_equal(got.vectors[row], expected)


def test_a_second_run_encodes_nothing_and_gives_the_same(tmp_path):
    texts = ["boot", "red shoe", "boot", ""]
    cache = VectorCache(tmp_path)
    first = encode_texts(Lengths("a" * 64), texts, cache)
    encoder = Lengths("a" * 64)

    second = encode_texts(encoder, texts, cache)

    assert encoder.seen == []
    assert (second.encoded, second.cached) == (0, 2)
    assert np.array_equal(first.vectors, second.vectors)
    assert first.reasons == second.reasons


def test_an_encoder_without_a_fingerprint_is_not_cached_and_it_is_said(tmp_path):
    got = encode_texts(Lengths(), ["boot"], VectorCache(tmp_path))

    assert "no fingerprint" in got.notes[0]
    assert list(tmp_path.iterdir()) == []


def test_damage_to_the_cache_is_repaired_and_noted(tmp_path):
    cache = VectorCache(tmp_path)
    first = encode_texts(Lengths("a" * 64), ["boot", "shoe"], cache)
    (path,) = tmp_path.glob("*/*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])

    second = encode_texts(Lengths("a" * 64), ["boot", "shoe"], cache)

    assert (second.encoded, second.cached) == (2, 0)
    assert "encoded again" in second.notes[0]
    assert np.array_equal(first.vectors, second.vectors)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    class Stops(Lengths):
        batch_count = 0

        def encode(self, texts):
            self.batch_count += 1
            if self.batch_count == 3:
                raise KeyboardInterrupt
            return super().encode(texts)

    texts = [f"text number {i}" for i in range(200)]
    cache = VectorCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        encode_texts(Stops("a" * 64), texts, cache)
    encoder = Lengths("a" * 64)

    got = encode_texts(encoder, texts, cache)

    assert got.cached == 64  # two batches of 32
    assert len(encoder.seen) == 136
    assert got.known.all()


def test_memory_that_runs_out_halves_the_batch_down_to_one_row():
    sizes = []

    class Small(Lengths):
        def encode(self, texts):
            sizes.append(len(texts))
            if len(texts) > 4 or "huge" in texts:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().encode(texts)

    texts = [*(f"text {i:02}" for i in range(20)), "huge"]
    got = encode_texts(Small(), texts)

    assert got.known.tolist() == [True] * 20 + [False]
    assert "out of memory" in got.reasons[20]
    assert max(sizes) == 21
    assert np.array_equal(got.vectors[:20], rounded(np.array([[7, ord("t")]] * 20, np.float32)))


def test_a_vector_that_is_not_finite_costs_its_row_alone(tmp_path):
    class Broken(Lengths):
        def encode(self, texts):
            found = super().encode(texts)
            found[[text.startswith("nan") for text in texts], 1] = np.nan
            found[[text.startswith("inf") for text in texts], 0] = np.inf
            return found

    cache = VectorCache(tmp_path)
    got = encode_texts(Broken("a" * 64), ["nan", "boot", "inf", "nan"], cache)

    assert got.known.tolist() == [False, True, False, False]
    assert "not finite" in got.reasons[0]
    assert got.reasons[0] == got.reasons[2] == got.reasons[3]
    assert np.isfinite(got.vectors).all()
    assert encode_texts(Lengths("a" * 64), ["boot", "nan"], cache).cached == 1


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (2,)])
def test_arrays_of_a_wrong_shape_are_the_encoder_s_fault(shape):
    class Wrong(Lengths):
        def encode(self, texts):
            return np.zeros(shape, np.float32)

    with pytest.raises(EncoderError, match=r"lengths gave an array"):
        encode_texts(Wrong(), ["boot"])


def test_an_encoder_that_fails_is_named():
    class Fails(Lengths):
        def encode(self, texts):
            raise ValueError("no such layer")

    with pytest.raises(EncoderError, match="lengths failed: no such layer"):
        encode_texts(Fails(), ["boot"])


def test_pictures_that_cannot_be_decoded_have_a_reason_and_end_nothing(tmp_path):
    good = picture_bytes(1)
    (tmp_path / "a.png").write_bytes(good)
    pictures = [
        Picture("a", tmp_path / "a.png"),
        None,
        Picture("gone", tmp_path / "gone.png"),
        Picture("html", data=b"<html>404</html>"),
        Picture("cut", data=good[: len(good) // 2]),
        Picture("same bytes", data=good),
    ]
    encoder = Brightness()

    got = encode_pictures(encoder, pictures, VectorCache(tmp_path / "cache"), threads=2)

    assert got.known.tolist() == [True, False, False, False, False, True]
    assert got.reasons[0] is None
    assert got.reasons[1] == NO_PICTURE
    assert all(name in got.reasons[at] for at, name in ((2, "gone"), (3, "html"), (4, "cut")))
    assert encoder.seen == 1
    assert np.array_equal(got.vectors[0], got.vectors[5])
    again = encode_pictures(encoder, pictures, VectorCache(tmp_path / "cache"))
    assert (encoder.seen, again.cached) == (1, 1)
    assert again.reasons == got.reasons


def test_a_picture_s_vector_does_not_depend_on_its_batch_or_on_threads(tmp_path):
    pictures = [Picture(str(i), data=picture_bytes(i)) for i in range(11)]
    folder = onnx_pictures(tmp_path / "e")
    whole = encode_pictures(open_image_encoder(f"onnx:{folder}"), pictures)
    options = EncoderOptions(batch=3, threads=1)
    other = encode_pictures(open_image_encoder(f"onnx:{folder}", options), pictures[::-1], threads=3)

    assert np.array_equal(whole.vectors, other.vectors[::-1])
    assert len(np.unique(whole.vectors, axis=0)) == 11


def test_a_text_s_vector_does_not_depend_on_its_neighbours(tmp_path):
    folder = onnx_texts(tmp_path / "e")
    encoder = open_text_encoder(f"onnx:{folder}")
    texts = ["boot", "red boot", "blue steel watch", "lamp", "wool shoe red blue boot"]
    whole = encode_texts(encoder, texts)

    alone = np.concatenate([encode_texts(encoder, [text]).vectors for text in texts])

    assert np.array_equal(whole.vectors, alone)


def test_progress_says_how_far_how_fast_and_what_was_cached(tmp_path):
    said = []
    cache = VectorCache(tmp_path)
    encode_texts(Lengths("a" * 64), ["boot"], cache)

    encode_texts(Lengths("a" * 64), ["boot", "shoe", "lamp"], cache, said.append)

    assert said
    assert said[-1].startswith("encode texts: 2 of 2 (")
    assert "1 were in the cache" in said[-1]


def test_no_thread_is_left_behind():
    before = threading.active_count()

    encode_texts(Lengths(), ["boot", "shoe"])

    assert threading.active_count() == before


def test_nothing_to_encode():
    got = encode_texts(Lengths(), [])

    assert got.vectors.shape == (0, 2)
    assert encode_pictures(Brightness(), [None]).reasons == (NO_PICTURE,)


@pytest.mark.real
@pytest.mark.parametrize("name", ["efficientnet-lite0", "mobilenet-v2"])
def test_real_pictures_through_real_networks(real, tmp_path, name):
    folder = real.parent / "encoders" / name
    if not folder.is_dir():
        pytest.skip("the encoders are not here")
    encoder = open_image_encoder(f"onnx:{folder}")
    paths = sorted((real / "flipkart" / "images").iterdir())[:24]
    pictures = [Picture(path.name, path) for path in paths]

    first = encode_pictures(encoder, pictures, VectorCache(tmp_path))
    second = encode_pictures(encoder, pictures[::-1], VectorCache(tmp_path))
    alone = encode_pictures(encoder, pictures[5:6])

    assert first.vectors.shape == (24, 1280)
    assert first.known.all()
    assert second.encoded == 0
    assert np.array_equal(first.vectors, second.vectors[::-1])
    assert np.array_equal(first.vectors[5:6], alone.vectors)
