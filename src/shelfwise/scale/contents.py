"""The unit of work of encoding: a shard of texts or pictures in, a shard of vectors out.

A pure function of the encoder and the contents, as `shards` is one of the model and the rows. Contents are
those that differ and have no vector yet, so nothing has to be looked up: who began the run asks the cache,
and keeps what comes back. A worker needs the encoder, and the pictures where they are files.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.pictures import Picture, decode
from shelfwise.errors import CatalogueError, EncoderError, PictureError
from shelfwise.features.cache import key_of
from shelfwise.features.encode import encode_pictures, encode_texts
from shelfwise.features.encoders import fingerprint_of
from shelfwise.features.encoding import Encoded
from shelfwise.features.vectors import NamedEncoder
from shelfwise.scale.digests import check_program, digest_of, digest_program, pack, unpack
from shelfwise.scale.engine import Failed, Shard, failing, unseen
from shelfwise.scale.place import open_place
from shelfwise.scale.shards import file_of

Floats = NDArray[np.float32]

_FOLDERS = ("onnx", "hf", "st", "joint")
_EXAMPLES = 5
_CHANGED = "changed"
"""The code of a picture whose bytes are others than those that were looked at."""
_BYTES = 64_000_000  # of the pictures of a shard


@dataclass(frozen=True)
class MarkedEncoder:
    """An encoder with what tells it from others: a worker opens the same one, or none.

    name: for messages, as it was given; `named` holds in any working folder.
    """

    name: str
    named: NamedEncoder
    fingerprint: str
    width: int

    @classmethod
    def of(cls, named: NamedEncoder, encoder: Any) -> MarkedEncoder:  # noqa: ANN401 - either kind of encoder
        """Mark an opened encoder; EncoderError where it has no fingerprint to keep its vectors under."""
        mark = fingerprint_of(encoder)
        if mark is None:
            raise EncoderError(
                f"the encoder {encoder.name} has no fingerprint, so its vectors cannot be kept for later: "
                "give it one, or leave it out here"
            )
        return cls(named.spec, replace(named, spec=_anywhere(named.spec)), mark, encoder.width)


@dataclass(frozen=True)
class EncodeJob:
    """What all shards of a run have in common; plain values, that pass to other processes and machines.

    encoders: all of them; a shard is for one. work: place of the shards. threads: of one worker; vectors do
    not depend on them. gpu: whether an encoder runs on a GPU where there is one.
    """

    encoders: tuple[MarkedEncoder, ...]
    work: str
    threads: int = 1
    gpu: bool = False
    program: str = field(default_factory=digest_program)

    def do(self, task: Contents) -> Made | Failed:
        """Encode a shard: read its contents, write vectors and, for those that have none, reasons."""
        return failing(task, lambda: _work(self, task))


@dataclass(frozen=True)
class Contents(Shard):
    """A shard of texts or pictures for one encoder: its place in the job's list, and the file's digest."""

    encoder: int
    sent: str


@dataclass(frozen=True)
class Made:
    """An encoded shard: the digest of its file, contents without a vector by code, and some of the reasons.

    Codes are those of `PictureError`, and "encoder" where the encoder itself has no vector for a content.
    """

    number: int
    height: int
    digest: str
    failed: dict[str, int]
    examples: tuple[str, ...]


def send_texts(job: EncodeJob, number: int, encoder: int, texts: Sequence[str]) -> Contents:
    """Put texts where a worker finds them."""
    return _send(job, number, encoder, pl.DataFrame({"text": pl.Series(list(texts), dtype=pl.String)}))


def send_pictures(
    job: EncodeJob, number: int, encoder: int, pictures: Sequence[Picture], keys: Sequence[bytes]
) -> Contents:
    """Put pictures where a worker finds them: bytes of the catalogue as such, files by their names."""
    told = {
        "key": pl.Series(list(keys), dtype=pl.Binary),
        "name": pl.Series([one.name for one in pictures], dtype=pl.String),
        "path": pl.Series([one.path and os.path.abspath(one.path) for one in pictures], dtype=pl.String),
        "data": pl.Series([one.data for one in pictures], dtype=pl.Binary),
    }
    return _send(job, number, encoder, pl.DataFrame(told))


def look(picture: Picture) -> tuple[bytes, int] | PictureError:
    """The key and the size of a picture's bytes, or why it cannot be read."""
    try:
        data = picture.read()
    except PictureError as error:
        return error
    return key_of(data), len(data)


def cut(rows: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Rows in runs of not too many bytes, one row at least."""
    part: list[int] = []
    filled = 0
    for row in rows:
        if part and filled + sizes[row] > _BYTES:
            yield part
            part, filled = [], 0
        part.append(row)
        filled += sizes[row]
    if part:
        yield part


def _send(job: EncodeJob, number: int, encoder: int, frame: pl.DataFrame) -> Contents:
    content = pack(frame)
    open_place(job.work).write(file_of(number, "in"), content)
    return Contents(number, encoder, digest_of(content))


def read_vectors(job: EncodeJob, made: Made) -> tuple[Floats, NDArray[np.bool_]]:
    """Vectors float32 [contents, width] of a shard, and which contents have one; its files are removed."""
    place = open_place(job.work)
    content = place.read(file_of(made.number, "out"))
    if content is None or digest_of(content) != made.digest:
        raise CatalogueError(
            f"{job.work}: shard {made.number} is not as it was written. Does another run use that folder?"
        )
    table = unpack(content)
    for ending in ("in", "out"):
        place.delete(file_of(made.number, ending))
    vectors = np.ascontiguousarray(table["vector"].to_numpy(), np.float32).reshape(made.height, -1)
    return vectors, table["known"].to_numpy()


# -- at work -----------------------------------------------------------------------------------------------

_kept: dict[tuple[MarkedEncoder, int], Any] = {}
"""The encoders that this process works with: each is opened once for all shards."""


def keep(job: EncodeJob, opened: Sequence[Any]) -> None:
    """Have opened encoders at hand for the work in this process, in the order of the job."""
    _kept.clear()
    for marked, encoder in zip(job.encoders, opened, strict=True):
        _kept[marked, job.threads] = encoder


def forget() -> None:
    """Have no encoders at hand any more: the run is over."""
    _kept.clear()


def opened(job: EncodeJob, number: int) -> Any:  # noqa: ANN401 - either kind of encoder
    """An encoder of a job, opened when it is first needed; EncoderError if it is another one here."""
    marked = job.encoders[number]
    if (marked, job.threads) not in _kept:
        check_program(job.program)
        for known in [one for one in _kept if one[0] not in job.encoders]:
            del _kept[known]  # of another run in the same process
        named = replace(marked.named, options=replace(marked.named.options, threads=job.threads))
        _check_seen(named.spec)
        try:
            encoder = named.open()
        except EncoderError as error:
            raise EncoderError(f"{socket.gethostname()}: {error}") from error
        if (fingerprint_of(encoder), encoder.width) != (marked.fingerprint, marked.width):
            raise EncoderError(
                f"{socket.gethostname()} has another encoder {named.spec} than the machine that began the "
                "run: copy the same files to all, or name a folder that all see"
            )
        _kept[marked, job.threads] = encoder
    return _kept[marked, job.threads]


def _work(job: EncodeJob, task: Contents) -> Made:
    place = open_place(job.work)
    content = place.read(file_of(task.number, "in"))
    if content is None:
        raise CatalogueError(unseen("the shards", job.work))
    if digest_of(content) != task.sent:
        raise CatalogueError(f"{job.work} was changed while it was worked on: does another run use it?")
    encoder, sent = opened(job, task.encoder), unpack(content)
    if "text" in sent.columns:
        done, failures = _texts(encoder, sent["text"].to_list())
    else:
        done, failures = _pictures(encoder, sent, job.threads)
    width = job.encoders[task.encoder].width
    vectors = pl.Series("vector", done.vectors, dtype=pl.Array(pl.Float32, width))
    out = pack(pl.DataFrame([vectors, pl.Series("known", done.known)]))
    place.write(file_of(task.number, "out"), out)
    codes = dict(sorted(Counter(code for code, _ in failures).items()))
    examples = tuple(reason for _, reason in failures[:_EXAMPLES])
    return Made(task.number, sent.height, digest_of(out), codes, examples)


def _texts(encoder: Any, texts: list[str]) -> tuple[Encoded, list[tuple[str, str]]]:  # noqa: ANN401
    done = encode_texts(encoder, texts)
    return done, [("encoder", reason) for reason in done.reasons if reason is not None]


def _pictures(
    encoder: Any,  # noqa: ANN401 - an encoder of pictures
    sent: pl.DataFrame,
    threads: int,
) -> tuple[Encoded, list[tuple[str, str]]]:
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        loaded = list(pool.map(_load, sent.iter_rows(named=True)))
    gone = [one for one in loaded if isinstance(one, PictureError)]
    if len(gone) == len(loaded) and gone[0].code != _CHANGED:
        where = unseen("the pictures that the machine that began the run sees", _folder_of(sent))
        raise CatalogueError(f"{where} ({gone[0]})")
    done = encode_pictures(
        encoder, [None if isinstance(one, PictureError) else one for one in loaded], threads=threads
    )
    failed = [at for at, reason in enumerate(done.reasons) if reason is not None]
    return done, [_failure(loaded[at], str(done.reasons[at])) for at in failed]


def _folder_of(sent: pl.DataFrame) -> str:
    """Where the first of some pictures lies."""
    return os.path.dirname(next((path for path in sent["path"] if path), ""))


def _load(row: dict[str, Any]) -> Picture | PictureError:
    """A picture with its bytes; an error if they cannot be read, or are not the ones that were sent."""
    picture = Picture(row["name"], row["path"] and Path(row["path"]), row["data"])
    try:
        data = picture.read()
    except PictureError as error:
        return error
    if key_of(data) != row["key"]:
        return PictureError(_CHANGED, f"{picture.name} was changed during the run; run it again")
    return Picture(picture.name, data=data)


def _failure(picture: Picture | PictureError, reason: str) -> tuple[str, str]:
    """The code of why a picture has no vector, and the reason."""
    return (picture.code, str(picture)) if isinstance(picture, PictureError) else (_code(picture), reason)


def _code(picture: Picture) -> str:
    """The code of why the encoder has no vector of a picture."""
    try:
        decode(picture.read(), picture.name)
    except PictureError as error:
        return error.code
    except MemoryError:
        return "too_many_pixels"
    return "encoder"


def _anywhere(spec: str) -> str:
    """A specification that means the same in any working folder."""
    scheme, _, name = spec.partition(":")
    folder = Path(name).expanduser()
    return f"{scheme}:{os.path.abspath(folder)}" if scheme in _FOLDERS and folder.is_dir() else spec


def _check_seen(spec: str) -> None:
    """Raise EncoderError where a folder of the machine that began the run is not there."""
    scheme, _, name = spec.partition(":")
    if scheme in _FOLDERS and os.path.isabs(name) and not os.path.isdir(name):
        raise EncoderError(unseen("the encoder", name))
