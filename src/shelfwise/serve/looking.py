"""Looking at pictures before the model does: decoded elsewhere, made ready for its encoders, and then small.

What waits for the model is what its encoders will read, a few kilobytes, and no picture any more. The steps
are those of `encode_pictures`, so the vectors are the library's.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from shelfwise.catalogue.decoding import LIMITS, Limits
from shelfwise.catalogue.pictures import Picture, PictureFolder
from shelfwise.errors import PictureError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.encode import PreparedPicture, size_needed

if TYPE_CHECKING:
    from PIL.Image import Image

    from shelfwise.serve.limits import Limits as ServerLimits
    from shelfwise.serve.offers import Offer

_NAME = "\0"  # stands for a picture's name
_KEY = secrets.token_bytes(32)  # nobody can send what stands for another's picture


class Decode(Protocol):
    """How bytes become a picture: `decoding.decode`, or `Decoders.decode` where they are a stranger's."""

    def __call__(self, data: bytes, name: str, limits: Limits, size_hint: int | None) -> Image:
        """Return the picture; PictureError where there is none."""


@dataclass(frozen=True)
class Look:
    """What came of a look at a picture: items by the names of encoders, or (code, message) of why not."""

    items: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: tuple[str, str] | None = None

    def message(self, name: str) -> str:
        """Why the picture cannot be used, with its name."""
        return "" if self.problem is None else self.problem[1].replace(_NAME, name)


class Looker:
    """Looks at pictures for the encoders of one model; on any thread.

    Parameters
    ----------
    encoders: of the model.
    limits: of the server; where the library's are narrower, they hold.
    decode: makes pictures of bytes.

    """

    def __init__(
        self, encoders: Sequence[BatchedEncoder[Any, Any]], limits: ServerLimits, decode: Decode
    ) -> None:
        self._encoders, self._decode = encoders, decode
        self._limits = Limits(min(limits.pixels, LIMITS.pixels), min(limits.picture, LIMITS.size))

    def look(self, data: bytes) -> Look:
        """Decode a picture once for each size that encoders want, and prepare it."""
        images: dict[int | None, Image] = {}
        items: dict[str, Any] = {}
        try:
            for encoder in self._encoders:
                size = size_needed(encoder)
                if size not in images:
                    images[size] = self._decode(data, _NAME, self._limits, size)
                items[encoder.name] = encoder.prepare([images[size]])[0]
        except PictureError as error:
            return Look(problem=(error.code, str(error)))
        except MemoryError:
            return Look(problem=("too_many_pixels", f"{_NAME} does not fit into memory"))
        return Look(items)

    def take(self, offer: Offer) -> None:
        """Look at an offer's picture; from then on a few bytes stand for one that could be used."""
        if offer.picture is None:
            return
        offer.look = self.look(offer.picture)
        if offer.look.problem is None:
            offer.picture = b"\0" + hashlib.blake2b(offer.picture, key=_KEY).digest()
        else:
            offer.note = offer.look.problem[0], offer.look.message(offer.product_id or "the picture")


class LookedFolder(PictureFolder):
    """The pictures of products as they were looked at; one that was not yet is looked at now.

    Attributes
    ----------
    looker: of the model.
    known: looks by what stands for the picture.

    """

    def __init__(self) -> None:
        super().__init__(None)
        self.looker: Looker | None = None
        self.known: Mapping[bytes, Look] = {}

    def find(self, products: pl.DataFrame) -> list[Picture | None]:
        """Return each product's picture, prepared, or with the problem that it has; None: there is none."""
        return [
            picture if picture is None or picture.data is None else self._seen(picture.name, picture.data)
            for picture in super().find(products)
        ]

    def _seen(self, name: str, data: bytes) -> Picture:
        look = self.known.get(data)
        if look is None:
            assert self.looker is not None
            look = self.looker.look(data)
        if look.problem is not None:
            return Picture(name, problem=(look.problem[0], look.message(name)))
        return PreparedPicture(name, data=data, items=look.items)
