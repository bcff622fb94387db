"""In which encoding a text file is written: by its mark, else UTF-8 if all is valid, else a guess."""

from __future__ import annotations

import codecs
import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

HEAD = 256 * 1024
"""Bytes from the start of a file that tell its delimiter and header."""

_BLOCK = 4 * 2**20
_SAMPLE = 64 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FREQUENT = {
    "cp1251": "оеаинтсрвлк",
    "koi8_r": "оеаинтсрвлк",
    "cp866": "оеаинтсрвлк",
    "cp1253": "αοιετσνηυρπ",
}
"""Encodings of alphabets whose letters are all above ASCII, with the most frequent letters."""

_LATIN = ("cp1252", "cp1250")
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")


@dataclass(frozen=True)
class Charset:
    """An encoding by Python's name; `note` is for the user where it was a guess or something is broken."""

    name: str
    note: str = ""

    @property
    def is_utf8(self) -> bool:
        """Whether the whole file is valid UTF-8."""
        return self.name in ("utf-8", "utf-8-sig") and not self.note


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading; gzip is opened too, by its first two bytes."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def find_charset(path: Path) -> Charset:
    """Return a text file's encoding.

    A mark at the start decides. Else the whole file is tried as UTF-8, in a stream, because an old encoding
    is seldom valid UTF-8 and a sample would be wrong about a lone accent at the end of a long file. What is
    not UTF-8 is guessed from its words with non-ASCII bytes: in Cyrillic and Greek words nearly all letters
    are such bytes, in Latin words few; which encoding of the alphabet it is, the letters tell (`_fitness`).
    General detectors do worse here: they want long running text, and product names are short.
    """
    with open_binary(path) as file:
        head = file.read(HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Charset(name)
    wide = _wide(head)
    if wide:
        return Charset(wide, f"{wide} by its zero bytes")
    if _valid_utf8(path):
        return Charset("utf-8")
    return _guess(_telling_lines(path))


def _wide(head: bytes) -> str | None:
    """Return UTF-16 without a mark: every second byte of Latin text is zero."""
    if len(head) < 4 or head.count(0) < 0.2 * len(head):
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < 4 * min(even, odd) + 1:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _valid_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        with open_binary(path) as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _telling_lines(path: Path) -> list[bytes]:
    """Return the first lines with non-ASCII bytes, a bounded number of them."""
    lines, size = [], 0
    with open_binary(path) as file:
        while size < _SAMPLE and (line := file.readline(_SAMPLE)):
            if not line.isascii():
                lines.append(line)
                size += len(line)
    return lines


def _guess(lines: list[bytes]) -> Charset:
    valid = sum(_is_utf8(line) for line in lines)
    if valid >= 0.8 * len(lines):
        return Charset(
            "utf-8", f"UTF-8 with broken characters ({len(lines) - valid} of {len(lines)} lines looked at)"
        )
    text = b"".join(lines)
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    high = sum(byte > 0x7F for word in words for byte in word)
    candidates = tuple(_FREQUENT) if high > 0.7 * sum(map(len, words)) else _LATIN
    name = max(candidates, key=lambda name: (_fitness(b" ".join(words), name), -candidates.index(name)))
    return Charset(name, f"not UTF-8: read as {name}")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _fitness(words: bytes, name: str) -> float:
    """Return how well the words of a text fit an encoding, to 1 %.

    In an alphabet above ASCII: the share of its most frequent small letters. In Latin text: the share of high
    characters that are letters at all, which is low where Polish or Czech is read as a western encoding.
    """
    text = words.decode(name, "replace")
    high = [c for c in text if not c.isascii()]
    frequent = _FREQUENT.get(name)
    fit = sum(c in frequent for c in high) if frequent else sum(c.isalpha() for c in high)
    return round(fit / max(len(high), 1), 2)
