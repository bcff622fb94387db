"""Encoding a catalogue: each text or picture once, batched, from the cache where it is known, to the end.

Decoding, resizing and tokenising happen on threads ahead of the encoder. What is encoded is kept as it goes,
so a run that is stopped goes on where it was. What cannot be encoded costs its own row, with a reason.

All vectors are rounded to the cache's precision, so that it makes no difference whether one was cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shelfwise.catalogue.pictures import Picture, decode
from shelfwise.errors import PictureError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.cache import VectorCache, key_of
from shelfwise.features.encoders import EncoderOptions, ImageEncoder, TextEncoder
from shelfwise.features.encoding import Encoded, Encoding, Failed, batched

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "NO_PICTURE", "NO_TEXT", "Encoded", "PreparedPicture", "encode_pictures", "encode_texts", "size_needed",
]  # fmt: skip

_NAME = "\0"  # stands for a picture's name in reasons
NO_TEXT, NO_PICTURE = "no text", "no picture"
_TEXTS_AHEAD = 64  # batches whose texts are sorted by length together


@dataclass(frozen=True)
class PreparedPicture(Picture):
    """A picture that was decoded and prepared before, elsewhere.

    items: what the encoders' `prepare` made of it, by their names. data: anything that only the same picture
    has as well.
    """

    items: Mapping[str, Any] = field(default_factory=dict, repr=False)


def size_needed(runner: BatchedEncoder[Image, Any]) -> int | None:
    """Pixels that both sides of a picture are needed at, see `decode`; None for all that there are."""
    preprocessing = getattr(runner, "preprocessing", None)
    return None if preprocessing is None else 2 * max(preprocessing.size)  # a half is left to good filters


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[str],
    cache: VectorCache | None = None,
    notify: Callable[[str], None] | None = None,
) -> Encoded:
    """Vectors of texts; a row with nothing but blanks is not known.

    Parameters
    ----------
    encoder
        See `open_text_encoder`.
    texts
        One a row; repeated ones are encoded once.
    cache
        Where vectors are looked up and kept; needs an encoder with a fingerprint.
    notify
        Told about once a second how far it is, how fast and how long it will take.

    Raises
    ------
    EncoderError
        The encoder fails as such, not at one text, or gives arrays of a wrong shape.

    """
    keys = [key_of(text.encode("utf-8", "surrogatepass")) if text.strip() else None for text in texts]
    reasons = [NO_TEXT if key is None else None for key in keys]
    work = Encoding(encoder, batched(encoder), "texts", cache, notify)

    def prepare(rows: Sequence[int]) -> list[Any]:
        return work.runner.prepare([texts[row] for row in rows])

    def chunks(rows: list[int]) -> Iterator[list[int]]:
        rows.sort(key=lambda row: len(texts[row]), reverse=True)  # the longest first: memory shows at once
        return _slices(rows, work.runner.batch * _TEXTS_AHEAD)

    return work.done(keys, reasons, chunks, prepare)


def encode_pictures(
    encoder: ImageEncoder,
    pictures: Sequence[Picture | None],
    cache: VectorCache | None = None,
    threads: int = 0,
    notify: Callable[[str], None] | None = None,
) -> Encoded:
    """Vectors of pictures; one that cannot be read or decoded is not known, and its reason says why.

    Parameters
    ----------
    encoder
        See `open_image_encoder`.
    pictures
        One a row; the same bytes are encoded once, under whatever name they come.
    cache, notify
        See `encode_texts`.
    threads
        How many read and decode; 0 for as many as there are processors.

    Raises
    ------
    EncoderError
        See `encode_texts`.

    """
    threads = threads or EncoderOptions().cores
    reasons: list[str | None] = [None] * len(pictures)
    work = Encoding(encoder, batched(encoder), "pictures", cache, notify, threads)
    with ThreadPoolExecutor(threads) as pool:
        keys = list(pool.map(_picture_key, pictures, range(len(pictures)), [reasons] * len(pictures)))

    def prepare(rows: Sequence[int]) -> list[Any]:
        return [_prepared(work.runner, pictures[row], keys[row]) for row in rows]

    done = work.done(keys, reasons, lambda rows: _slices(rows, work.runner.batch), prepare)
    # The same bytes are decoded once, under whatever name: each row is told its own.
    named = zip(done.reasons, pictures, strict=True)
    told = tuple(why.replace(_NAME, one.name) if why and one is not None else why for why, one in named)
    return replace(done, reasons=told)


def _picture_key(picture: Picture | None, row: int, reasons: list[str | None]) -> bytes | None:
    if picture is None:
        reasons[row] = NO_PICTURE
        return None
    try:
        return key_of(picture.read())
    except PictureError as error:
        reasons[row] = str(error)
        return None


def _prepared(runner: BatchedEncoder[Image, Any], picture: Picture | None, key: bytes | None) -> Any:  # noqa: ANN401
    """A picture as the encoder wants it, or `Failed`."""
    assert picture is not None  # rows without a key are never prepared
    if isinstance(picture, PreparedPicture):
        return picture.items[runner.name]
    try:
        data = picture.read()
        if key_of(data) != key:
            return Failed(f"{_NAME} changed while it was being read")
        return runner.prepare([decode(data, _NAME, size_hint=size_needed(runner))])[0]
    except PictureError as error:
        return Failed(str(error))
    except MemoryError:
        return Failed(f"{_NAME} does not fit into memory")


def _slices(rows: list[int], size: int) -> Iterator[list[int]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
