"""The pictures of products: where they are, and how a row of the catalogue comes to its own.

A product's picture is found, in this order, by

1. bytes in the catalogue (the column `picture`, see `products.clean`);
2. a path in the column `image`: relative to the folder of pictures or to the catalogue's own folder, or by
   its last parts, or by its file name;
3. a file whose name is the product's id, with any ending and at any depth;
4. an address in the column `image`: by the last parts of its path, or by its file name. It comes after the
   id, because file names of addresses repeat from product to product ("1.jpg"). Where `shelfwise images`
   wrote the folder, its index knows the file of the whole address, and that comes before the id.

Nothing outside the folder of pictures and the catalogue's own folder is ever opened. A path that climbs out
of them with ".." is refused. So is an absolute path elsewhere, unless a file of that name is in the folder of
pictures: catalogues are often written on another machine. Links that lead out are refused as well.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote, unquote, urlsplit

import polars as pl

from shelfwise.catalogue.decoding import LIMITS, Limits, decode
from shelfwise.catalogue.picture_index import ADDRESS, NAME, PATH, STEM, TAIL, PictureIndex
from shelfwise.errors import PictureError

if TYPE_CHECKING:
    from shelfwise.catalogue.read import Source

__all__ = ["Limits", "Picture", "PictureFolder", "decode"]

_ADDRESS = re.compile(r"(?i)^(?:[a-z][a-z0-9+.\-]+:)?//|^(?:data|www\.)[:\w]")
_BESIDE = "c"  # a kind of key of its own: a path in the catalogue's own folder
_NO_ID = "no product id"  # what `products.clean` says of a row whose id is only its number


@dataclass(frozen=True)
class Picture:
    """A picture somewhere: a file or bytes in hand. Nothing is read until asked.

    Attributes
    ----------
    name
        For messages: the path as the catalogue has it, or the product's id.
    path, data
        The file, or the bytes.
    problem
        Why there is nothing to read, as (code, message): the catalogue names a file that is not there or that
        may not be opened.
    file
        Number of the file in its folder, -1 for all others.
    shared
        Files that were found for the product; the first was taken.

    """

    name: str
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    problem: tuple[str, str] | None = None
    file: int = -1
    shared: int = 1

    def read(self, limits: Limits = LIMITS) -> bytes:
        """Return the bytes.

        Raises
        ------
        PictureError
            With the code "missing", "unreadable", "empty" or "too_large".

        """
        if self.problem is not None:
            raise PictureError(*self.problem)
        if self.data is None and self.path is None:
            raise PictureError("missing", f"{self.name} has no picture")
        data = self.data if self.path is None else _read_file(self.path, self.name, limits.size)
        assert data is not None
        if not data:
            raise PictureError("empty", f"{self.name} is empty (0 bytes)")
        if len(data) > limits.size:
            raise PictureError("too_large", _too_large(self.name, len(data), limits.size))
        return data

    def digest(self) -> str:
        """Return the SHA-256 of the bytes in hexadecimal: the same content, the same digest."""
        return hashlib.sha256(self.read()).hexdigest()


def _read_file(path: Path, name: str, limit: int) -> bytes:
    try:
        # Without waiting: a pipe with a picture's name would hang the run.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise PictureError("unreadable", f"{name} is no regular file")
            if about.st_size > limit:
                raise PictureError("too_large", _too_large(name, about.st_size, limit))
            return file.read(limit + 1)
    except FileNotFoundError as error:
        raise PictureError("missing", f"{name} is not there") from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise PictureError("unreadable", f"{name} cannot be read: {said}") from error


def _too_large(name: str, size: int, limit: int) -> str:
    return f"{name} has {size:,} bytes; up to {limit:,} are read. Save it smaller"


class _Try(NamedTuple):
    """Keys under which a product's picture may be found, from surest to least sure."""

    keys: list[str]
    named: str = ""
    """What the catalogue calls the picture; "" where it names none."""
    refused: bool = False
    """The name leads out of the folders: unreadable if no key is found."""


class PictureFolder:
    """Pictures of products: in a folder, beside the catalogue, or in the catalogue itself.

    Parameters
    ----------
    folder
        The folder of pictures, indexed once; None: there is none.
    catalogue
        The catalogue's own folder (or its file), for paths that are relative to it. It is not indexed.

    Raises
    ------
    CatalogueError
        `folder` does not exist or cannot be listed.

    """

    def __init__(self, folder: Path | str | None, catalogue: Path | str | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self.index = None if self.folder is None else PictureIndex(self.folder)
        self._beside = _own_folder(catalogue)
        # A path may be written with the folder's links or without them.
        roots = [] if self.index is None else [os.path.abspath(str(folder)), str(self.index.folder)]
        self._roots = [root.replace(os.sep, "/") for root in dict.fromkeys(roots)]

    @classmethod
    def of(cls, source: Source, images: Path | str | None = None) -> Self:
        """Return the pictures of an opened catalogue; a folder of pictures brings its own."""
        own = source.folder if source.format == "pictures" and images is None else None
        return cls(images if images is not None else own, source.folder)

    def find(self, products: pl.DataFrame) -> list[Picture | None]:
        """Return each product's picture; None where there is none. A row's answer depends on that row alone.

        A picture that the catalogue names but that is not there, or may not be opened, is a `Picture` too:
        its `problem` says why, and reading it raises that.

        Parameters
        ----------
        products
            Clean products with `product_id`, `image` or `picture`, whichever there are.

        """
        count = products.height
        ids, images, data = (_listed(products, name, count) for name in ("product_id", "image", "picture"))
        reasons = _listed(products, "reason", count)
        rows = products["row"].to_list() if "row" in products.columns else range(count)
        ids = [None if (why or "").find(_NO_ID) >= 0 else one for one, why in zip(ids, reasons, strict=True)]
        if self.index is None and self._beside is None:
            tries = [_Try([])] * count
        else:
            tries = [
                _Try([]) if inside is not None else self._try(one, image)
                for one, image, inside in zip(ids, images, data, strict=True)
            ]
        hits = self._hits([key for each in tries for key in each.keys])
        return [
            Picture(str(one or f"row {row}"), data=inside) if inside is not None else self._first(each, hits)
            for row, one, inside, each in zip(rows, ids, data, tries, strict=True)
        ]

    # -- keys ------------------------------------------------------------------------------------------------

    def _try(self, product_id: str | None, image: str | None) -> _Try:
        by_id = _id_keys(product_id) if product_id else []
        named = (image or "").strip()
        if not named:
            return _Try(by_id)
        if _ADDRESS.match(named):
            keys = [ADDRESS + named, *by_id, *_end_keys(_address_path(named))]
            return _Try(keys, named if self.index is not None else "")
        path, outside = self._inside(named)
        if path is None:
            return _Try([], named, refused=True)
        keys = [PATH + path]
        if self._beside is not None and not outside:
            through = self._through_beside(path)
            keys += [_BESIDE + path] if through is None else [PATH + through]
        keys += _end_keys(path)
        if re.search(r"[\\%?#]", path):  # written for Windows or for a browser
            keys += _end_keys(_address_path(path.replace("\\", "/")))
        return _Try([*keys, *by_id], named, refused=outside)

    def _inside(self, named: str) -> tuple[str | None, bool]:
        """Return a path relative to one of the folders, and whether it is an absolute one elsewhere.

        None for a path that climbs out of both folders.
        """
        plain = posixpath.normpath(named.replace("\\", "/") if re.match(r"^[A-Za-z]:[\\/]", named) else named)
        if re.match(r"^[A-Za-z]:/", plain):
            return plain[3:], True
        if plain.startswith("/"):
            for root in [*self._roots, *self._beside_roots()]:
                if plain.startswith(root + "/"):
                    return plain[len(root) + 1 :], False
            return plain.lstrip("/"), True
        if not plain.startswith(".."):
            return plain, False
        if self._beside is not None:  # "../images/1.jpg" may well come back into the folder of pictures
            whole = posixpath.normpath(posixpath.join(self._beside.as_posix(), plain))
            for root in self._roots:
                if whole.startswith(root + "/"):
                    return whole[len(root) + 1 :], False
        return None, True

    def _beside_roots(self) -> list[str]:
        return [] if self._beside is None else [self._beside.as_posix()]

    def _through_beside(self, path: str) -> str | None:
        """Return a path relative to the catalogue's folder as one relative to that of the pictures."""
        if self._beside is None:
            return None
        whole = f"{self._beside.as_posix()}/{path}"
        return next((whole[len(root) + 1 :] for root in self._roots if whole.startswith(root + "/")), None)

    # -- files -----------------------------------------------------------------------------------------------

    def _hits(self, keys: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Return key, file (-1: none) and number of files for all keys of all rows in one go."""
        if self.index is None or not keys:
            return iter([(key, -1, 0) for key in keys])
        files, counts = self.index.look_up(keys)
        return zip(keys, files.tolist(), counts.tolist(), strict=True)

    def _first(self, tried: _Try, hits: Iterator[tuple[str, int, int]]) -> Picture | None:
        """Return what the first key finds; takes the row's own hits, all of them."""
        found: Picture | None = None
        for _ in tried.keys:
            key, file, count = next(hits)
            if found is not None:
                continue
            if key[0] == _BESIDE:
                found = self._in_catalogue_folder(key[1:])
            elif file >= 0:
                found = self._file(file, count)
        if found is not None or not tried.named:
            return found
        shown = tried.named[:200]
        if tried.refused:
            told = f"{shown} leads out of the folder of pictures and is not opened"
            return Picture(shown, problem=("unreadable", told))
        where = self.folder if self.folder is not None else self._beside
        return Picture(shown, problem=("missing", f"{shown} is not in {where}"))

    def _file(self, file: int, count: int) -> Picture:
        assert self.index is not None
        path = self.index.paths[file]
        if file in self.index.outside:
            told = f"{path} is a link out of the folder of pictures and is not opened"
            return Picture(path, problem=("unreadable", told), file=file, shared=count)
        return Picture(path, self.index.folder / path, file=file, shared=count)

    def _in_catalogue_folder(self, path: str) -> Picture | None:
        assert self._beside is not None
        whole = self._beside / path
        try:
            if not whole.exists():
                return None
            real = os.path.realpath(whole)
        except (OSError, ValueError):  # a name that no file can have
            return None
        if not real.startswith(os.path.join(os.path.realpath(self._beside), "")):
            told = f"{path[:200]} is a link out of the catalogue's folder and is not opened"
            return Picture(path[:200], problem=("unreadable", told))
        return Picture(path, Path(real)) if os.path.isfile(real) else None


def _own_folder(catalogue: Path | str | None) -> Path | None:
    if catalogue is None:
        return None
    path = Path(os.path.abspath(catalogue))
    return path.parent if path.is_file() else path


def _listed(products: pl.DataFrame, name: str, count: int) -> list[Any]:
    return products[name].to_list() if name in products.columns else [None] * count


def _id_keys(product_id: str) -> list[str]:
    """Keys of files that are named by the id; signs that no file name can hold are replaced in two ways."""
    keys = [STEM + product_id, NAME + product_id]
    if re.search(r'[/\\:*?"<>|%\s]', product_id):
        keys += [STEM + quote(product_id, safe=""), STEM + re.sub(r'[/\\:*?"<>|]', "_", product_id)]
    return keys


def _end_keys(path: str) -> list[str]:
    """Keys of a path's ends, from long to short: as in the folder, its last two parts, its name."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if not parts:
        return []
    ends = ["/".join(parts[start:]) for start in range(max(0, len(parts) - 8), len(parts))]
    tail = [TAIL + ends[-2]] if len(ends) > 1 else []
    name = parts[-1]
    return [
        *(PATH + end for end in ends[:-1]),
        *tail,
        NAME + name,
        STEM + name,
        STEM + posixpath.splitext(name)[0],
    ]


def _address_path(address: str) -> str:
    try:
        path = urlsplit(address).path
    except ValueError:  # such as an unclosed bracket
        path = re.sub(r"[?#].*$", "", address)
    return unquote(path, errors="replace")
