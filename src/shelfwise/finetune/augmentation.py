"""Pictures of products as another camera would have taken them: mirrored, turned, cut and lit differently.

Mild on purpose: a product fills its picture, and colour may tell a category. Pillow alone; the same seed
gives the same picture on any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

DEGREES = 10.0
LEAST_SIDE = 0.8
COLOUR = 0.15


def augmented(image: Image, rng: np.random.Generator, background: tuple[int, int, int]) -> Image:
    """A picture flipped (every other one), turned, cropped and recoloured at random.

    Parameters
    ----------
    image
        RGB.
    rng
        Where chance comes from.
    background
        Fills the corners that turning uncovers.

    """
    from PIL import Image as Pillow
    from PIL import ImageEnhance

    if rng.random() < 0.5:
        image = image.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        angle = float(rng.uniform(-DEGREES, DEGREES))
        image = image.rotate(angle, Pillow.Resampling.BILINEAR, fillcolor=background)
    side = float(rng.uniform(LEAST_SIDE, 1))
    width, height = max(round(image.width * side), 1), max(round(image.height * side), 1)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    image = image.crop((left, top, left + width, top + height))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(float(rng.uniform(1 - COLOUR, 1 + COLOUR)))
    return image
