"""The confusion matrix as one picture (PNG): for trackers, mails and slides, where no script can run.

A row is what the products truly are, a column what was answered, and colour the share of the row: blue on the
diagonal is right, orange beside it is wrong. Where there are more categories than can be read, those of the
largest confusions are drawn and the caption says so.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shelfwise.evaluate.matrix import Matrix, build_matrix
from shelfwise.evaluate.outcome import Outcome

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

MOST_SHOWN = 40
Colour = tuple[int, int, int]
_PAPER: Colour = (255, 255, 255)
_EMPTY: Colour = (244, 245, 247)
_INK: Colour = (31, 41, 55)
_FAINT: Colour = (107, 114, 128)
_LINE: Colour = (209, 213, 219)
_RIGHT: tuple[Colour, Colour] = ((222, 235, 247), (8, 69, 148))  # at shares near 0 and 1
_WRONG: tuple[Colour, Colour] = ((254, 230, 206), (166, 54, 3))
_LABEL_WIDTH = 260  # pixels that a name may take
_GAP = 10
_LEGEND_WIDTH = 520
# Tried after Pillow's own font, which is Latin, for names in other scripts.
_FONTS = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "arialuni.ttf", "msyh.ttc")


@dataclass(frozen=True)
class _Sheet:
    """What is drawn: names `[m]`, shares of the rows float64 `[m, m]`, and where and how large."""

    names: tuple[str, ...]
    shares: NDArray[np.float64]
    cell: int
    left: int
    top: int

    @property
    def side(self) -> int:
        return self.cell * len(self.names)


def draw_confusion(outcome: Outcome, depth: int | None = None, limit: int = MOST_SHOWN) -> Image:
    """Draw the matrix of a level (1 = top, None = deepest) for at most `limit` categories; an RGB image.

    Names that no font at hand can write stand as numbers; `write_confusion` keeps all names in the file.
    """
    from PIL import Image, ImageDraw

    level = outcome.taxonomy.depth if depth is None else depth
    matrix = _most_confused(outcome, level, limit)
    names = _names(outcome, matrix)
    size = len(names)
    cell = int(np.clip(960 // max(size, 1), 22, 64))
    small = _font(names, 13 if cell >= 24 else 11)
    labels = [_fit(name, i, small) for i, name in enumerate(names)]
    longest = max((int(small.getlength(label)) for label in labels), default=0)
    sheet = _Sheet(tuple(labels), _shares(outcome, matrix), cell, longest + 52, longest + 104)
    width = max(sheet.left + max(sheet.side, _LEGEND_WIDTH) + 30, 620)
    image = Image.new("RGB", (width, sheet.top + sheet.side + 86), _PAPER)
    draw = ImageDraw.Draw(image)
    _write_head(draw, outcome, matrix, level)
    _draw_cells(draw, sheet)
    _draw_labels(image, draw, sheet, small)
    _draw_legend(draw, sheet)
    return image


def write_confusion(
    outcome: Outcome,
    path: str | os.PathLike[str],
    depth: int | None = None,
    limit: int = MOST_SHOWN,
) -> Path:
    """Write `draw_confusion` as a PNG; its text chunk `Categories` holds all names, numbered as drawn."""
    from PIL.PngImagePlugin import PngInfo

    level = outcome.taxonomy.depth if depth is None else depth
    names = _names(outcome, _most_confused(outcome, level, limit))
    told = PngInfo()
    told.add_itxt("Categories", "\n".join(f"{i} {name}" for i, name in enumerate(names, 1)))
    held = io.BytesIO()
    draw_confusion(outcome, depth, limit).save(held, "PNG", pnginfo=told, optimize=True)
    place = Path(path)
    place.write_bytes(held.getvalue())
    return place


def _most_confused(outcome: Outcome, depth: int, limit: int) -> Matrix:
    """Count a level's confusions between at most `limit` categories, chosen pair by pair, dearest first.

    Categories that err much, but each with others, would make a large and empty picture.
    """
    whole = build_matrix(outcome, depth, limit=len(outcome.taxonomy.nodes))
    if len(whole.nodes) <= limit:
        return whole
    chosen: dict[int, None] = {}
    wrong = np.flatnonzero(whole.true != whole.answer)
    for cell in wrong[np.argsort(-whole.rows[wrong], kind="stable")].tolist():
        pair = dict.fromkeys((int(whole.true[cell]), int(whole.answer[cell])))
        if len(chosen | pair) <= limit:
            chosen |= pair
    kept = np.array(sorted(chosen), np.int64)
    if len(kept) == 0:  # nothing is confused
        return build_matrix(outcome, depth, limit=limit)
    inside = np.isin(whole.true, kept) & np.isin(whole.answer, kept)
    true, answer = (np.searchsorted(kept, codes[inside]) for codes in (whole.true, whole.answer))
    rows = whole.rows[inside]
    shown = int(rows[true != answer].sum())
    return replace(whole, nodes=whole.nodes[kept], true=true, answer=answer, rows=rows, shown=shown)


def _names(outcome: Outcome, matrix: Matrix) -> list[str]:
    """Last level of each node shown, with the parent where two share it."""
    paths = [outcome.taxonomy.nodes[node] for node in matrix.nodes.tolist()]
    last = [path[-1] for path in paths]
    return [" › ".join(path[-2:]) if last.count(path[-1]) > 1 else path[-1] for path in paths]


def _shares(outcome: Outcome, matrix: Matrix) -> NDArray[np.float64]:
    """Share of each category's products in each cell; the products of cells not shown count as well."""
    tree, both = outcome.taxonomy, (outcome.y >= 0) & (outcome.answer >= 0)
    truth = tree.level(outcome.y[both], matrix.depth)
    totals = np.bincount(truth, minlength=len(tree.nodes))[matrix.nodes]
    shares = np.zeros((len(matrix.nodes), len(matrix.nodes)))
    shares[matrix.true, matrix.answer] = matrix.rows
    return shares / np.maximum(totals, 1)[:, None]


def _font(names: list[str], size: int) -> Font:
    """Pillow's own font, or the first one here that knows more of the names' letters."""
    from PIL import ImageFont

    own = ImageFont.load_default(size)
    letters = sorted({letter for name in names for letter in name if letter.isprintable()})
    best, unknown = own, len(_unknown(letters, own))
    for name in _FONTS if unknown else ():
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        left = len(_unknown(letters, font))
        if left < unknown:
            best, unknown = font, left
    return best


def _unknown(letters: list[str] | str, font: Font) -> set[str]:
    """Letters that a font draws as it draws one that no font has."""
    nothing = bytes(font.getmask("\U0010fffe"))
    return {c for c in set(letters) if not c.isspace() and bytes(font.getmask(c)) == nothing}


def _fit(name: str, place: int, font: Font) -> str:
    """Name cut to the width of a label; a number where the font cannot write it."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split()) or "(no name)"
    if _unknown(name, font):
        return f"no. {place + 1}"
    if font.getlength(name) <= _LABEL_WIDTH:
        return name
    while name and font.getlength(name + "…") > _LABEL_WIDTH:
        name = name[:-1]
    return name.rstrip() + "…"


def _blend(ends: tuple[Colour, Colour], share: float) -> Colour:
    # The square root makes small confusions visible beside large ones.
    part = float(np.sqrt(np.clip(share, 0.0, 1.0)))
    red, green, blue = (round(a + part * (b - a)) for a, b in zip(*ends, strict=True))
    return red, green, blue


def _write_head(draw: ImageDraw, outcome: Outcome, matrix: Matrix, depth: int) -> None:
    from PIL import ImageFont

    tree = outcome.taxonomy
    here = len(np.unique(tree.level(np.arange(len(tree.labels), dtype=np.int32), depth)))
    shown = len(matrix.nodes)
    which = f"{shown} categories" if shown == here else f"the {shown} most confused of {here} categories"
    draw.text((24, 18), f"Confusion on level {depth}", _INK, ImageFont.load_default(22))
    note = f"{which}; {outcome.rows:,} products, {matrix.errors:,} on a wrong shelf, {matrix.shown:,} shown"
    draw.text((24, 50), note, _FAINT, ImageFont.load_default(13))


def _draw_cells(draw: ImageDraw, sheet: _Sheet) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(11 if sheet.cell < 34 else 13)
    for row, column in np.ndindex(sheet.shares.shape):
        share = float(sheet.shares[row, column])
        x, y = sheet.left + column * sheet.cell, sheet.top + row * sheet.cell
        colour = _EMPTY if share == 0 else _blend(_RIGHT if row == column else _WRONG, share)
        draw.rectangle((x, y, x + sheet.cell - 2, y + sheet.cell - 2), fill=colour)
        if share >= 0.005:
            ink = _PAPER if share > 0.3 else _INK
            middle = (x + sheet.cell / 2 - 1, y + sheet.cell / 2 - 1)
            draw.text(middle, f"{100 * share:.0f}", ink, font, anchor="mm")


def _draw_labels(image: Image, draw: ImageDraw, sheet: _Sheet, font: Font) -> None:
    from PIL import Image, ImageDraw

    for place, name in enumerate(sheet.names):
        middle = place * sheet.cell + sheet.cell / 2 - 1
        draw.text((sheet.left - _GAP, sheet.top + middle), name, _INK, font, anchor="rm")
        strip = Image.new("RGB", (_LABEL_WIDTH + _GAP, 24), _PAPER)
        ImageDraw.Draw(strip).text((0, 12), name, _INK, font, anchor="lm")
        box = strip.crop((0, 0, int(font.getlength(name)) + 2, 24)).rotate(90, expand=True)
        image.paste(box, (int(sheet.left + middle - 12), sheet.top - _GAP + 2 - box.height))
    faint = _font(list(sheet.names), 12)
    tall = Image.new("RGB", (180, 18), _PAPER)
    ImageDraw.Draw(tall).text((90, 9), "what it is", _FAINT, faint, anchor="mm")
    image.paste(tall.rotate(90, expand=True), (14, max(sheet.top, sheet.top + sheet.side // 2 - 90)))


def _draw_legend(draw: ImageDraw, sheet: _Sheet) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(12)
    y = sheet.top + sheet.side + 12
    draw.text((sheet.left, y), "across: what was answered; numbers: per cent of the row", _FAINT, font)
    x = sheet.left
    for name, ends in (("right", _RIGHT), ("wrong", _WRONG)):
        draw.text((x, y + 42), name, _INK, font, anchor="lm")
        x += 40
        for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0):
            draw.rectangle((x, y + 28, x + 32, y + 54), fill=_blend(ends, share))
            ink = _PAPER if share > 0.3 else _INK
            draw.text((x + 16, y + 41), f"{100 * share:.0f}", ink, font, anchor="mm")
            x += 34
        x += 26
