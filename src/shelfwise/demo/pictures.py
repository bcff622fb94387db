"""Pictures of the demo shop's products: small drawings, with the faults of real ones.

The form belongs to the last level of the shelf and the colour, roughly, to the department: a boot for women
and one for men look the same, and so do the knives of the kitchen and those for camping. Some pictures show
a parcel, some are broken, some are missing, and a second seller saves the first one's picture again. So
pictures tell something that the words do not, and less than everything.
"""

from __future__ import annotations

import colorsys
import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shelfwise.demo.words import Shelf, vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

ENDING = ".jpg"
SIDE = 48  # pixels
MISSING_SHARE = 0.04
BROKEN_SHARE = 0.01
PARCEL_SHARE = 0.06  # pictures of the packaging
STRAY_COLOUR_SHARE = 0.35  # colours that any department has
BACKDROP_SHARE = 0.3  # not on white
NOISE = 6.0  # standard deviation, of 255
PAGE = b"<!doctype html><title>404 Not Found</title><p>The picture has moved.</p>"

_PARCEL = (181, 140, 99)

Colour = tuple[int, int, int]
Points = NDArray[np.float64]  # [corners, 2], within -1 and 1


@dataclass(frozen=True)
class Subject:
    """What a picture is of; `thing` is the same for all offers of one thing."""

    product_id: str
    shelf: Shelf
    thing: int


@dataclass(frozen=True)
class _Part:
    """One of the few shapes that a form is made of, in the first or the second colour."""

    points: Points
    second: bool


def write_pictures(folder: Path, subjects: Sequence[Subject], seed: int) -> None:
    """Write `folder/PRODUCT_ID.jpg` for each subject but those without a picture.

    Pictures of an earlier run are removed; the same subjects and seed make the same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"SKU-*{ENDING}"):
        old.unlink()
    seen: set[int] = set()
    for subject in subjects:
        chance = random.Random(f"{seed}/{subject.thing}")  # twins share what is drawn
        picture = draw(subject.shelf, chance)
        fate = random.Random(f"{seed}/{subject.product_id}")
        if subject.thing in seen:
            picture = picture.resize((SIDE - 4, SIDE - 4))
        seen.add(subject.thing)
        data = _saved(picture, fate)
        if data is not None:
            (folder / f"{subject.product_id}{ENDING}").write_bytes(data)


def _saved(picture: Image, chance: random.Random) -> bytes | None:
    """The bytes that the shop ends up with; None for no file."""
    draw = chance.random()
    if draw < MISSING_SHARE:
        return None
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=chance.choice((70, 80, 90)))
    data = buffer.getvalue()
    if draw < MISSING_SHARE + BROKEN_SHARE:
        return chance.choice((data[: len(data) // 3], PAGE, b""))
    return data


def draw(shelf: Shelf, chance: random.Random, side: int = SIDE) -> Image:
    """Return a picture of a thing that lies on a shelf, `side` x `side` pixels."""
    from PIL import Image, ImageDraw

    drawn = 2 * side  # twice as large, so that edges are smooth afterwards
    image = Image.new("RGB", (drawn, drawn), _ground(chance))
    brush = ImageDraw.Draw(image)
    colours = _colours(shelf.path[0], chance)
    turn, size = math.radians(chance.gauss(0, 9)), chance.uniform(0.68, 0.98)
    shift = np.array([chance.uniform(-0.14, 0.14), chance.uniform(-0.14, 0.14)])
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    parcel = chance.random() < PARCEL_SHARE
    for part in _form("parcel" if parcel else shelf.path[-1]):
        wobble = np.array([chance.uniform(0.9, 1.1), chance.uniform(0.9, 1.1)])
        corners = ((part.points * wobble * size) @ turned + shift + 1) * (drawn / 2)
        brush.polygon(
            [tuple(corner) for corner in corners.tolist()], _PARCEL if parcel else colours[part.second]
        )
    small = np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)
    noise = np.random.default_rng(chance.getrandbits(32)).standard_normal(small.shape, np.float32)
    return Image.fromarray(np.clip(small + NOISE * noise, 0, 255).astype(np.uint8), "RGB")


def _ground(chance: random.Random) -> Colour:
    if chance.random() < BACKDROP_SHARE:
        return _rgb(chance.random(), chance.uniform(0.05, 0.3), chance.uniform(0.6, 0.95))
    return (250, 250, 250)


def _colours(department: str, chance: random.Random) -> tuple[Colour, Colour]:
    """The two colours of a thing, mostly near those of its department."""
    departments = list(vocabulary().departments)
    usual = departments.index(department) / len(departments)
    hue = chance.random() if chance.random() < STRAY_COLOUR_SHARE else usual + chance.gauss(0, 0.06)
    first = _rgb(hue, chance.uniform(0.35, 0.95), chance.uniform(0.3, 0.85))
    return first, _rgb(
        hue + chance.choice((0.0, 0.08, 0.5)), chance.uniform(0.2, 0.6), chance.uniform(0.2, 0.95)
    )


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


@cache
def _form(name: str) -> tuple[_Part, ...]:
    """Three shapes that only things of that name are made of: a body, and two on it or beside it."""
    chance = random.Random(name)
    body = _shape(chance, (0.0, 0.0), chance.uniform(0.35, 0.85), chance.uniform(0.35, 0.85))
    parts = [_Part(body, second=False)]
    for second in (True, chance.random() < 0.5):
        place = chance.uniform(-0.55, 0.55), chance.uniform(-0.55, 0.55)
        parts.append(
            _Part(_shape(chance, place, chance.uniform(0.15, 0.5), chance.uniform(0.15, 0.5)), second)
        )
    return tuple(parts)


def _shape(chance: random.Random, place: tuple[float, float], width: float, height: float) -> Points:
    """A polygon, from triangles to what looks round, stretched and moved."""
    corners = chance.choice((3, 4, 4, 5, 6, 20))
    angles = 2 * math.pi * (np.arange(corners) / corners + chance.choice((0.0, 0.125, 0.25)))
    points: Points = np.stack([np.cos(angles) * width, np.sin(angles) * height], axis=1) + np.array(place)
    return points
