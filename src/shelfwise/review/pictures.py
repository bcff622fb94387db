"""The products' pictures for the page: found as everywhere, decoded safely, made small, encoded anew as JPEG.

Bytes of a shop's picture never reach the browser: what is sent was written here. Only pictures that
`shelfwise.catalogue.pictures` finds for a product are opened, so no address can name a file.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.decoding import LIMITS, decode
from shelfwise.catalogue.pictures import Picture, PictureFolder
from shelfwise.errors import PictureError
from shelfwise.review.products import Products

SIZES = (160, 640)
"""Longest sides in pixels that are served."""

NONE, THERE, GONE = 0, 1, 2
"""A product names no picture; it has one; it names one that is not there or may not be opened."""

_BATCH = 20_000
_SAMPLE = 200  # pictures beside the catalogue that are looked for, before all are
_AT_ONCE = 2  # pictures that are decoded at a time: each may take hundreds of megabytes
_CACHE_BYTES = 64 * 2**20


class Pictures:
    """Pictures of a catalogue's products by their place in `Products.frame`.

    Parameters
    ----------
    products
        The products.
    images
        The folder of pictures; "": those in the catalogue or beside it.

    Attributes
    ----------
    state
        int8 [places]: `NONE`, `THERE` or `GONE`.

    Raises
    ------
    CatalogueError
        There is no such folder.

    """

    def __init__(self, products: Products, images: str) -> None:
        self._products = products
        self._folder = PictureFolder.of(products.source, images or None)
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()
        self._turn = threading.BoundedSemaphore(_AT_ONCE)
        self.state = self._look()

    def _look(self) -> NDArray[np.int8]:
        frame, embedded = self._products.frame, self._products.embedded
        state = np.zeros(frame.height, np.int8)
        if embedded is None and self._folder.folder is None and not self._any_beside():
            return state  # pictures that were never downloaded are nothing to complain about
        for start in range(0, frame.height, _BATCH):
            found = self._folder.find(frame.slice(start, _BATCH))
            for place, picture in enumerate(found, start):
                if picture is not None:
                    state[place] = THERE if picture.problem is None else GONE
        if embedded is not None:
            sizes = np.array([len(embedded.read(place)) for place in range(frame.height)])
            state[sizes > 0] = THERE
        return state

    def _any_beside(self) -> bool:
        """Whether some of the pictures that the catalogue names lie beside it."""
        few = self._products.frame.filter(pl.col("image") != "").head(_SAMPLE)
        return any(picture is not None and picture.problem is None for picture in self._folder.find(few))

    def note(self) -> str | None:
        """Say how many pictures have vanished, None where none has."""
        gone = int((self.state == GONE).sum())
        if not gone:
            return None
        where = self._folder.folder or "the catalogue's folder"
        named = int((self.state != NONE).sum())
        return f"{gone:,} of {named:,} pictures are not in {where}; those products are shown without."

    def jpeg(self, place: int, size: int) -> bytes:
        """Return a product's picture as JPEG, no side longer than `size` pixels.

        Raises
        ------
        PictureError
            There is none, or it cannot be used; the code says why.

        """
        with self._lock:
            if (place, size) in self._cache:
                self._cache.move_to_end((place, size))
                return self._cache[place, size]
        data = self._make(place, size)
        with self._lock:
            if (place, size) not in self._cache:
                self._cache[place, size] = data
                self._held += len(data)
            while self._held > _CACHE_BYTES:
                self._held -= len(self._cache.popitem(last=False)[1])
        return data

    def _make(self, place: int, size: int) -> bytes:
        picture = self._find(place)
        with self._turn:
            data = picture.read(LIMITS)
            image = decode(data, picture.name, LIMITS, size_hint=size)
            image.thumbnail((size, size))
            written = io.BytesIO()
            image.save(written, "JPEG", quality=85)
        return written.getvalue()

    def _find(self, place: int) -> Picture:
        embedded = self._products.embedded
        name = str(self._products.frame["product_id"][place])
        if embedded is not None and (data := embedded.read(place)):
            return Picture(name, data=data)
        found = self._folder.find(self._products.frame.slice(place, 1))[0]
        if found is None:
            raise PictureError("missing", f"{name} has no picture")
        return found
