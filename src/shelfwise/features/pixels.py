"""`pixels`: colour, edge and texture descriptors, built in, so that pictures count without a download.

A picture is padded to a square (by its own border, so that no edge is invented), scaled to 64 x 64, and
described by

- histograms of oriented gradients at cells of 8 and 16 pixels, in the 31-dimensional form of Felzenszwalb et
  al. 2010 ("Object Detection with Discriminatively Trained Part-Based Models"): what shape it has;
- hue and lightness histograms in CIE Lab on a grid of 4 x 4, hues weighted by chroma: which colours
  are where;
- uniform local binary patterns (Ojala et al. 2002) on a grid of 2 x 2, at two scales: which texture it has;
- a thumbnail of 8 x 8 in Lab, and the shape of the picture itself.

Colours and textures are square-rooted (the Hellinger kernel of Arandjelovic and Zisserman 2012), and every
group is brought to length 1. A pretrained network sees more; this is for a shop that has none at hand, and a
second opinion beside one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.compiled import compiled

if TYPE_CHECKING:
    from PIL.Image import Image

_VERSION = "pixels 1"
_Square = tuple[NDArray[np.uint8], tuple[float, float]]
_SIDE = 64
_ORIENTATIONS = 9
_HUES, _TONES, _GRID = 12, 6, 4
_THUMB = 8
_FINE, _COARSE = _SIDE // 8, _SIDE // 16
_HOG = 3 * _ORIENTATIONS + 4
_WIDTHS = (
    _FINE * _FINE * _HOG,
    _COARSE * _COARSE * _HOG,
    _GRID * _GRID * (_HUES + _TONES),
    2 * 4 * 59,
    3 * _THUMB * _THUMB,
    2,
)
_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.3)


class PixelsEncoder(BatchedEncoder["Image", _Square]):
    """An `ImageEncoder` without learned weights: nothing to download, nothing to fit.

    Attributes: `name`, `width` (values a picture) and `fingerprint` (sha256 of the descriptors' version).
    """

    name = "pixels"
    width = sum(_WIDTHS)
    batch = 32

    def __init__(self) -> None:
        self.fingerprint = hashlib.sha256(f"{_VERSION} {_SIDE} {_WIDTHS} {_WEIGHTS}".encode()).hexdigest()

    def prepare(self, values: Sequence[Image]) -> list[_Square]:
        """Scale pictures to squares."""
        return [_square(image) for image in values]

    def run(self, items: Sequence[_Square]) -> NDArray[np.float32]:
        """Describe squares, float32 [items, width]."""
        out = np.zeros((len(items), self.width), np.float32)
        for row, (square, shape) in zip(out, items, strict=True):
            _describe(square, row)
            row[-2:] = shape
            _normalise(row)
        return out


def _square(image: Image) -> _Square:
    """The picture as uint8 [64, 64, 3], padded by its border; how much wider and higher, 0..1."""
    from PIL import Image as pillow

    width, height = image.size
    scale = _SIDE / max(width, height)
    inner = (max(round(width * scale), 1), max(round(height * scale), 1))
    colours = image if image.mode == "RGB" else image.convert("RGB")
    small = np.asarray(colours.resize(inner, pillow.Resampling.BILINEAR, reducing_gap=2.0))
    left, top = (_SIDE - inner[0]) // 2, (_SIDE - inner[1]) // 2
    rows = np.clip(np.arange(_SIDE) - top, 0, inner[1] - 1)
    columns = np.clip(np.arange(_SIDE) - left, 0, inner[0] - 1)
    return small[rows[:, None], columns], (1 - min(height / width, 1), 1 - min(width / height, 1))


def _starts() -> NDArray[np.int64]:
    return np.cumsum((0, *_WIDTHS)).astype(np.int64)


def _linear_light() -> NDArray[np.float32]:
    """Table from an sRGB byte to linear light (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _cube_roots() -> NDArray[np.float32]:
    """Table of CIE Lab's f(t) for t = 0..1 in 4,096 steps: nobody sees the difference, and it is quick."""
    t = np.arange(4097) / 4096
    return np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116).astype(np.float32)


def _uniform_patterns() -> NDArray[np.int64]:
    """Bin of each of the 256 patterns: one for each with at most two changes, the last for the rest."""
    bins = np.full(256, 58, np.int64)
    number = 0
    for pattern in range(256):
        turned = (pattern >> 1) | ((pattern & 1) << 7)
        if (pattern ^ turned).bit_count() <= 2:
            bins[pattern] = number
            number += 1
    return bins


_LIGHT, _ROOTS, _PATTERNS, _STARTS = _linear_light(), _cube_roots(), _uniform_patterns(), _starts()
_ANGLES = np.pi * np.arange(_ORIENTATIONS) / _ORIENTATIONS
_COS, _SIN = np.cos(_ANGLES).astype(np.float32), np.sin(_ANGLES).astype(np.float32)


def _describe(square: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
    lab = np.empty((_SIDE, _SIDE, 3), np.float32)
    _to_lab(square, _LIGHT, _ROOTS, lab)
    light = np.ascontiguousarray(lab[:, :, 0])
    half = light.reshape(_SIDE // 2, 2, _SIDE // 2, 2).mean(axis=(1, 3), dtype=np.float32)
    groups = [out[a:b] for a, b in pairwise(_STARTS)]
    _edges(light, _COS, _SIN, groups[0].reshape(_FINE, _FINE, _HOG))
    _edges(half, _COS, _SIN, groups[1].reshape(_COARSE, _COARSE, _HOG))
    _colours(lab, groups[2].reshape(_GRID, _GRID, _HUES + _TONES))
    _texture(light, _PATTERNS, groups[3][: 4 * 59].reshape(2, 2, 59))
    _texture(half, _PATTERNS, groups[3][4 * 59 :].reshape(2, 2, 59))
    step = _SIDE // _THUMB
    small = lab.reshape(_THUMB, step, _THUMB, step, 3).mean(axis=(1, 3), dtype=np.float32)
    groups[4][:] = (small * np.float32(0.01)).ravel()


def _normalise(row: NDArray[np.float32]) -> None:
    """Square roots (histograms alone: the signed thumbnail stays) and length times weight, group by group."""
    for number, weight in enumerate(_WEIGHTS[:-1]):
        group = row[_STARTS[number] : _STARTS[number + 1]]
        if number in (2, 3):
            np.sqrt(group, out=group)
        length = np.sqrt(np.square(group).sum())
        if length > 0:
            group *= np.float32(weight) / length
    row[_STARTS[-2] :] *= np.float32(_WEIGHTS[-1])


@compiled
def _to_lab(
    square: NDArray[np.uint8],
    light: NDArray[np.float32],
    roots: NDArray[np.float32],
    lab: NDArray[np.float32],
) -> None:
    """CIE Lab (D65), L 0..100."""
    for y in range(square.shape[0]):
        for x in range(square.shape[1]):
            r, g, b = light[square[y, x, 0]], light[square[y, x, 1]], light[square[y, x, 2]]
            fx = roots[int((0.43394 * r + 0.37620 * g + 0.18984 * b) * 4096)]
            fy = roots[int((0.21264 * r + 0.71517 * g + 0.07219 * b) * 4096)]
            fz = roots[int((0.01776 * r + 0.10947 * g + 0.87276 * b) * 4096)]
            lab[y, x, 0] = 116 * fy - 16
            lab[y, x, 1] = 500 * (fx - fy)
            lab[y, x, 2] = 200 * (fy - fz)


@compiled
def _edges(
    light: NDArray[np.float32], cos: NDArray[np.float32], sin: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Histograms of oriented gradients in cells of 8 pixels: 18 signed, 9 unsigned, 4 of overall strength."""
    side, cells, bins = light.shape[0], out.shape[0], len(cos)
    cell = np.zeros((cells, cells, 2 * bins), np.float32)
    for y in range(side):
        for x in range(side):
            dx = light[y, min(x + 1, side - 1)] - light[y, max(x - 1, 0)]
            dy = light[min(y + 1, side - 1), x] - light[max(y - 1, 0), x]
            size = np.sqrt(dx * dx + dy * dy)
            if size == 0:
                continue
            best, which = np.float32(0), 0
            for o in range(bins):
                dot = cos[o] * dx + sin[o] * dy
                if dot > best:
                    best, which = dot, o
                elif -dot > best:
                    best, which = -dot, o + bins
            cy, cx = (y + 0.5) / 8 - 0.5, (x + 0.5) / 8 - 0.5
            y0, x0 = int(np.floor(cy)), int(np.floor(cx))
            for j in range(2):
                for i in range(2):
                    if 0 <= y0 + j < cells and 0 <= x0 + i < cells:
                        share = (1 - abs(cy - y0 - j)) * (1 - abs(cx - x0 - i))
                        cell[y0 + j, x0 + i, which] += np.float32(size * share)
    energy = np.zeros((cells, cells), np.float32)
    for y in range(cells):
        for x in range(cells):
            for o in range(bins):
                unsigned = cell[y, x, o] + cell[y, x, o + bins]
                energy[y, x] += unsigned * unsigned
    for y in range(cells):
        for x in range(cells):
            out[y, x, :] = 0
            for corner in range(4):
                y1 = min(max(y + (corner // 2) * 2 - 1, 0), cells - 1)
                x1 = min(max(x + (corner % 2) * 2 - 1, 0), cells - 1)
                around = energy[y, x] + energy[y1, x] + energy[y, x1] + energy[y1, x1]
                scale = 1 / np.sqrt(around + np.float32(50))
                strength = np.float32(0)
                for o in range(2 * bins):
                    value = min(cell[y, x, o] * scale, np.float32(0.2))
                    out[y, x, o] += np.float32(0.5) * value
                    strength += value
                for o in range(bins):
                    both = (cell[y, x, o] + cell[y, x, o + bins]) * scale
                    out[y, x, 2 * bins + o] += np.float32(0.5) * min(both, np.float32(0.2))
                out[y, x, 3 * bins + corner] = np.float32(0.2357) * strength


@compiled
def _colours(lab: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Hues weighted by chroma and lightness weighted by greyness, each shared by the two nearest bins."""
    side, grid = lab.shape[0], out.shape[0]
    hues = 12
    tones = out.shape[2] - hues
    for y in range(side):
        for x in range(side):
            a, b = lab[y, x, 1], lab[y, x, 2]
            chroma = np.sqrt(a * a + b * b)
            vivid = min(chroma / 40, 1.0)
            cell = out[y * grid // side, x * grid // side]
            at = (np.arctan2(b, a) / (2 * np.pi) + 1) * hues
            low = int(np.floor(at))
            cell[low % hues] += np.float32(vivid * (1 - (at - low)))
            cell[(low + 1) % hues] += np.float32(vivid * (at - low))
            at = min(max(lab[y, x, 0] / 100, 0.0), 1.0) * (tones - 1)
            low = min(int(np.floor(at)), tones - 2)
            cell[hues + low] += np.float32((1 - 0.5 * vivid) * (1 - (at - low)))
            cell[hues + low + 1] += np.float32((1 - 0.5 * vivid) * (at - low))


@compiled
def _texture(light: NDArray[np.float32], patterns: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Uniform local binary patterns; a neighbour counts as lighter from 1 of 100 on, against noise."""
    side, grid = light.shape[0], out.shape[0]
    for y in range(1, side - 1):
        for x in range(1, side - 1):
            centre = light[y, x] + np.float32(1)
            pattern = (
                (light[y - 1, x - 1] > centre) | (light[y - 1, x] > centre) << 1
                | (light[y - 1, x + 1] > centre) << 2 | (light[y, x + 1] > centre) << 3
                | (light[y + 1, x + 1] > centre) << 4 | (light[y + 1, x] > centre) << 5
                | (light[y + 1, x - 1] > centre) << 6 | (light[y, x - 1] > centre) << 7
            )  # fmt: skip
            out[y * grid // side, x * grid // side, patterns[pattern]] += np.float32(1)
