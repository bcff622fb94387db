"""How products and pictures come together, in numbers, and what a sample of the pictures is like."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

from shelfwise.catalogue.decoding import decode, picture_format
from shelfwise.catalogue.pictures import Picture, PictureFolder
from shelfwise.errors import PictureError

DECODED = 500
"""Pictures of a catalogue that are decoded to see what they are like."""
COMPARED = 20_000
"""Pictures of a catalogue that are read to see which are the same."""

_FIRST = 10  # ids and files that a report names
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class PictureReport:
    """How products and pictures came together.

    `found` of `products` have a picture to read (whether it can be decoded is found later); `missing` name
    one that is not there, `refused` one that may not be opened, and `without` name none. `several` had more
    than one file, of which the first was taken. `unused` of the folder's `files` belong to no product.
    """

    products: int = 0
    found: int = 0
    missing: int = 0
    refused: int = 0
    without: int = 0
    several: int = 0
    files: int = 0
    unused: int = 0
    first_missing: tuple[str, ...] = ()
    first_refused: tuple[str, ...] = ()
    first_without: tuple[str, ...] = ()
    first_unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class PictureTally:
    """Counts over the batches of a catalogue how its products and the pictures come together."""

    def __init__(self, folder: PictureFolder) -> None:
        self.folder = folder
        self._used = np.zeros(0 if folder.index is None else len(folder.index), bool)
        self._counts = dict.fromkeys(("products", "found", "missing", "refused", "without", "several"), 0)
        self._first: dict[str, list[str]] = {"missing": [], "refused": [], "without": []}

    def add(self, products: pl.DataFrame) -> list[Picture | None]:
        """Take a batch of products; returns their pictures."""
        found = self.folder.find(products)
        for one, picture in zip(products["product_id"].to_list(), found, strict=True):
            self._counts["products"] += 1
            kind = _kind(picture)
            self._counts[kind] += 1
            if kind in self._first and len(self._first[kind]) < _FIRST:
                self._first[kind].append(str(one))
            if picture is not None and picture.file >= 0:
                self._used[picture.file] = True
                self._counts["several"] += picture.shared > 1
        return found

    def report(self) -> PictureReport:
        """Return the counts so far."""
        unused = np.flatnonzero(~self._used)
        index = self.folder.index
        return PictureReport(
            **self._counts,
            files=len(self._used),
            unused=len(unused),
            first_missing=tuple(self._first["missing"]),
            first_refused=tuple(self._first["refused"]),
            first_without=tuple(self._first["without"]),
            first_unused=() if index is None else tuple(index.paths[unused[:_FIRST].tolist()].to_list()),
            notes=() if index is None else tuple(index.notes),
        )


def _kind(picture: Picture | None) -> str:
    if picture is None:
        return "without"
    if picture.problem is None:
        return "found"
    return "missing" if picture.problem[0] == "missing" else "refused"


@dataclass(frozen=True)
class PictureInspection:
    """The pictures of a catalogue.

    Attributes
    ----------
    report
        How products and pictures came together, over all rows.
    decoded
        Pictures that were decoded, spread over all rows; the next four are about them.
    unreadable
        (code, pictures) of those that cannot be used, most frequent first; `first_unreadable` are messages.
    formats
        (format, pictures), most frequent first.
    widths, heights
        Quantiles 0, 25, 50, 75 and 100 % in pixels, upright; empty where none was decoded.
    compared
        Pictures that were read and compared, spread over all rows; the last three are about them.
    repeated, repeated_rows
        Pictures that several products share, byte by byte, and the rows of those products.
    conflicting
        Of those, the ones whose products are in more than one category.

    """

    report: PictureReport
    decoded: int
    unreadable: tuple[tuple[str, int], ...]
    first_unreadable: tuple[str, ...]
    formats: tuple[tuple[str, int], ...]
    widths: tuple[int, ...]
    heights: tuple[int, ...]
    compared: int
    repeated: int
    repeated_rows: int
    conflicting: int

    def warnings(self) -> list[str]:
        """Return what a person should know, each with what to do."""
        told, said = self.report, []
        if told.products and not told.found:
            hint = (
                f" Of {told.files:,} files the first is {told.first_unused[0]}." if told.first_unused else ""
            )
            return [
                "No product has a picture: files are found by product id, or by the column of pictures."
                f"{hint} Is it the right folder, and the right id column?"
            ]
        if told.missing:
            named = ", ".join(told.first_missing[:3])
            said.append(
                f"Of {told.products:,} products {told.missing:,} name a picture that is not there "
                f"(first: {named}): without it only their text counts. Fetch the pictures again."
            )
        if told.refused:
            named = ", ".join(told.first_refused[:3])
            said.append(
                f"{told.refused:,} products name a picture outside the folder of pictures (first: {named}): "
                "it is not opened. Mend the paths."
            )
        return [*said, *self._sample_warnings(), *(f"{note}." for note in told.notes)]

    def _sample_warnings(self) -> list[str]:
        said = []
        if self.unreadable:
            codes = ", ".join(f"{code} {count:,}" for code, count in self.unreadable)
            count = sum(count for _, count in self.unreadable)
            said.append(
                f"{count:,} of {self.decoded:,} pictures that were tried "
                f"cannot be used ({codes}). The first: {self.first_unreadable[0]}."
            )
        if self.conflicting:
            said.append(
                f"{self.conflicting:,} pictures are on products of more than one category: placeholders, or "
                "label noise. Review them."
            )
        return said


class PictureInspector:
    """Looks at the pictures of a catalogue, batch by batch: all are looked up, some read, a few decoded."""

    def __init__(self, folder: PictureFolder, rows: int) -> None:
        self._tally = PictureTally(folder)
        self._decode_step = max(1, rows // DECODED)
        self._compare_step = max(1, rows // COMPARED)
        self._row = 0
        self._decoded = 0
        self._codes: Counter[str] = Counter()
        self._messages: list[str] = []
        self._formats: Counter[str] = Counter()
        self._sizes: list[tuple[int, int]] = []
        self._labels: dict[str, list[str | None]] = {}

    def add(self, products: pl.DataFrame) -> None:
        """Take a batch of products."""
        labels = products["label"].to_list()
        for picture, label in zip(self._tally.add(products), labels, strict=True):
            if picture is not None and picture.problem is None:
                self._look(picture, label)
            self._row += 1

    def _look(self, picture: Picture, label: str | None) -> None:
        decoding = self._row % self._decode_step == 0
        if not decoding and self._row % self._compare_step:
            return
        self._decoded += decoding
        try:
            self._labels.setdefault(picture.digest(), []).append(label)
            if decoding:
                data = picture.read()
                self._sizes.append(decode(data, picture.name).size)
                self._formats[picture_format(data) or ""] += 1
        except PictureError as error:
            if decoding:
                self._codes[error.code] += 1
                self._messages = [*self._messages, str(error)][:_FIRST]

    def finish(self) -> PictureInspection:
        """Return the whole."""
        shared = [labels for labels in self._labels.values() if len(labels) > 1]
        return PictureInspection(
            report=self._tally.report(),
            decoded=self._decoded,
            unreadable=_ranked(self._codes),
            first_unreadable=tuple(self._messages),
            formats=_ranked(self._formats),
            widths=_quantiles([width for width, _ in self._sizes]),
            heights=_quantiles([height for _, height in self._sizes]),
            compared=sum(map(len, self._labels.values())),
            repeated=len(shared),
            repeated_rows=sum(map(len, shared)),
            conflicting=sum(len(set(labels) - {None}) > 1 for labels in shared),
        )


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _quantiles(values: list[int]) -> tuple[int, ...]:
    if not values:
        return ()
    return tuple(int(v) for v in np.quantile(values, _QUANTILES, method="nearest"))
