"""`features.pixels`: what the descriptors see, what they do not care about, and that they never fail."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

Image = pytest.importorskip("PIL.Image")

from shelfwise.features.pixels import PixelsEncoder  # noqa: E402


def drawn(kind: str, colour=(200, 30, 30), size=(60, 80)):
    """A shape on white."""
    from PIL import ImageDraw

    image = Image.new("RGB", size, (255, 255, 255))
    box = [size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4]
    draw = ImageDraw.Draw(image)
    (draw.ellipse if kind == "disc" else draw.rectangle)(box, fill=colour)
    return image


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def encoder():
    return PixelsEncoder()


def test_it_is_an_image_encoder(encoder):
    vectors = encoder.encode([drawn("disc"), None])
    assert encoder.name == "pixels"
    assert len(encoder.fingerprint) == 64
    assert vectors.shape == (2, encoder.width)
    assert vectors.dtype == np.float32
    assert vectors[0].any()
    assert not vectors[1].any()
    assert encoder.encode([]).shape == (0, encoder.width)


def test_shape_and_colour_are_told_apart(encoder):
    disc, box, blue = encoder.encode([drawn("disc"), drawn("box"), drawn("disc", (30, 30, 200))])
    larger = encoder.encode([drawn("disc", size=(120, 160))])[0]
    assert cosine(disc, larger) > 0.95
    edges, colours = slice(0, 64 * 31), slice(80 * 31, 80 * 31 + 288)
    assert cosine(disc[colours], blue[colours]) < 0.9 < cosine(disc[colours], larger[colours])
    assert cosine(disc[edges], blue[edges]) > 0.9 > cosine(disc[edges], box[edges])


def test_texture_is_seen(encoder):
    rng = np.random.default_rng(0)
    smooth = Image.new("RGB", (64, 64), (120, 120, 120))
    rough = Image.fromarray(np.repeat(rng.integers(60, 180, (64, 64, 1), np.uint8), 3, axis=2))
    stripes = Image.fromarray(
        np.repeat(np.tile([90, 90, 150, 150], (64, 16))[:, :, None], 3, axis=2).astype(np.uint8)
    )
    texture = slice(-(2 * 4 * 59 + 192 + 2), -(192 + 2))
    a, b, c = encoder.encode([smooth, rough, stripes])[:, texture]
    assert max(cosine(a, b), cosine(b, c), cosine(a, c)) < 0.8


def test_a_vector_does_not_depend_on_the_batch(encoder):
    pictures = [drawn("disc"), drawn("box"), None, drawn("disc", (1, 2, 3))]
    whole = encoder.encode(pictures)
    assert np.concatenate([encoder.encode([picture]) for picture in pictures]).tobytes() == whole.tobytes()


def test_the_same_bits_in_another_process(encoder):
    code = (
        "import sys, numpy as np\nfrom PIL import Image\n"
        "from shelfwise.features.pixels import PixelsEncoder\n"
        "pixels = (np.arange(40 * 30 * 3) * 7919 % 256).astype(np.uint8).reshape(40, 30, 3)\n"
        "sys.stdout.buffer.write(PixelsEncoder().encode([Image.fromarray(pixels)]).tobytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    pixels = (np.arange(40 * 30 * 3) * 7919 % 256).astype(np.uint8).reshape(40, 30, 3)
    assert done.stdout == encoder.encode([Image.fromarray(pixels)]).tobytes()


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["RGB", "L", "RGBA", "P", "1", "CMYK"]))
def test_any_size_and_mode_gives_finite_values(width, height, mode):
    rng = np.random.default_rng(width * 100 + height)
    image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)
    vector = PixelsEncoder().encode([image])[0]
    assert np.isfinite(vector).all()
    assert vector.any()


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1)])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0)])
def test_extreme_pictures(encoder, size, colour):
    assert np.isfinite(encoder.encode([Image.new("RGB", size, colour)])).all()
