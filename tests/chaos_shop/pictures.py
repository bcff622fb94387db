"""A server of pictures in four formats, many of whose addresses are dead, each in one of twelve ways."""

from __future__ import annotations

import hashlib
import io
import random
import socket
import time
import zlib
from functools import lru_cache

import polars as pl

from chaos_shop.faults import Faults, draw, pick
from chaos_shop.ledger import Ledger
from chaos_shop.shop import Books
from chaos_shop.wire import Reply, message

FORMATS = {"jpeg": 60, "png": 15, "webp": 15, "gif": 10}
DEAD = (
    "404", "410", "403", "unknown-host", "refused", "reset", "timeout", "page", "empty", "truncated",
    "endless", "loop",
)  # fmt: skip
PAGE = b"<!doctype html><title>Not here</title><p>The picture has moved.</p>"
SORRY = {"404": b"gone", "410": b"gone for good", "403": b"no hotlinking"}
MIX = {"429": 1, "503": 1}


class Gallery:
    """A server of pictures: /pictures/N.EXT for N from 0; /truth.parquet of the books lists the addresses."""

    def __init__(self, settings, address):
        self.settings, self.address = settings, address
        self.closed = socket.socket()  # bound and not listening: who connects is refused
        self.closed.bind(("127.0.0.1", 0))
        self.ledger, self.faults = Ledger(settings), Faults(settings, MIX)
        self.books = Books(self.ledger, lambda *_: self.truth())
        self.bases = {
            form: [drawn(form, number, settings) for number in range(settings.bases)] for form in FORMATS
        }

    def fate(self, number):
        """What an address gives: "ok", "noai", or one of DEAD."""
        settings = self.settings
        if draw(settings.seed, "dead", number) < settings.dead:
            return pick(dict.fromkeys(DEAD, 1), settings.seed, "way", number)
        return "noai" if draw(settings.seed, "noai", number) < settings.reserved else "ok"

    def source(self, number):
        """The number whose bytes an address gives: its own, or an earlier one's."""
        settings = self.settings
        if number and draw(settings.seed, "twin", number) < settings.twins:
            return int(draw(settings.seed, "of", number) * number)
        return number

    def form(self, number):
        return pick(FORMATS, self.settings.seed, "format", number)

    def url(self, number):
        """The address of a picture; a twin has the format of what it repeats, and so its ending."""
        fate, name = self.fate(number), f"{number}.{self.form(self.source(number))}"
        if fate == "unknown-host":
            return f"http://pictures-{number}.invalid/{name}"
        if fate == "refused":
            return f"http://127.0.0.1:{self.closed.getsockname()[1]}/pictures/{name}"
        return f"{self.address}/pictures/{name}"

    def data(self, number):
        """The bytes of a picture: those of a drawn one with its number in a comment."""
        source = self.source(number)
        form = self.form(source)
        before, after = self.bases[form][source % self.settings.bases]
        return spliced(form, before, after, f"picture {self.settings.seed}/{source}".encode())

    def truth(self):
        """One row an address: `url`, `fate`, `format`, and of pictures `sha256` and `bytes`."""
        rows = []
        for number in range(self.settings.pictures):
            fate = self.fate(number)
            data = self.data(number) if fate in ("ok", "noai") else None
            rows.append(
                (
                    self.url(number), fate, self.form(self.source(number)),
                    hashlib.sha256(data).hexdigest() if data else None, len(data) if data else None,
                )
            )  # fmt: skip
        schema = {
            "url": pl.String,
            "fate": pl.String,
            "format": pl.String,
            "sha256": pl.String,
            "bytes": pl.Int64,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def answer(self, request):
        now = time.time()
        self.ledger.arrived(request, now)
        reply = self.reply(request)
        if reply.label in ("picture", "noai"):
            fault = self.faults.next(request.target)
            if fault:
                reply = self.faults.spoil(fault, request.target, reply, now)
        self.ledger.answered(request, reply, now)
        return reply

    def reply(self, request):
        """The answer without faults."""
        stem, _, ending = request.target.removeprefix("/pictures/").partition(".")
        if not stem.isdecimal() or len(stem) > 9 or int(stem) >= self.settings.pictures:
            return Reply(message(404, SORRY["404"]), "404")
        number = int(stem)
        form, fate = self.form(self.source(number)), self.fate(number)
        if ending != form and not (fate == "loop" and ending == f"{form}?again"):
            return Reply(message(404, SORRY["404"]), "404")
        if fate in ("ok", "noai"):
            return self.picture(request, number, form, fate)
        return self.dead(number, form, fate)

    def picture(self, request, number, form, fate):
        tag = f'"{self.settings.seed}-{self.source(number)}"'
        headers = [("ETag", tag), ("Last-Modified", "Thu, 01 Oct 2026 00:00:00 GMT")]
        if fate == "noai":
            headers.append(("X-Robots-Tag", "noai, noimageai"))
        if tag in request.headers.get("if-none-match", ""):
            return Reply(message(304, kind="", headers=headers), "304")
        label = "noai" if fate == "noai" else "picture"
        return Reply(message(200, self.data(number), f"image/{form}", headers), label)

    def dead(self, number, form, fate):
        kind, data = f"image/{form}", self.data(number)
        if fate in SORRY:
            return Reply(message(int(fate), SORRY[fate], "text/plain"), fate)
        if fate == "loop":
            again = f"{self.address}/pictures/{number}.{form}?again"
            return Reply(message(302, headers=[("Location", again)]), fate)
        return {
            "reset": lambda: Reply(
                message(200, data[: len(data) // 2], kind, length=len(data)), fate, 0.02, "reset"
            ),
            "timeout": lambda: Reply(b"", fate, end="hang"),
            "page": lambda: Reply(message(200, PAGE, kind), fate),
            "empty": lambda: Reply(message(200, b"", kind), fate),
            "truncated": lambda: Reply(message(200, data[: len(data) // 3], kind), fate),
            "endless": lambda: Reply(endless(kind) + data, fate, end="flood"),
        }[fate]()


def endless(kind):
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()


@lru_cache
def drawn(form, number, settings):
    """A drawn picture in two parts, between which a comment may stand."""
    from PIL import Image, ImageDraw

    chance = random.Random(f"{settings.seed}/{form}/{number}")
    side = settings.side
    image = Image.new("RGB", (side, side), tuple(chance.randrange(256) for _ in range(3)))
    brush = ImageDraw.Draw(image)
    for _ in range(12):
        corners = [(chance.randrange(side), chance.randrange(side)) for _ in range(chance.randint(3, 6))]
        brush.polygon(corners, tuple(chance.randrange(256) for _ in range(3)))
    buffer = io.BytesIO()
    image.save(buffer, form.upper(), **({"quality": 85} if form in ("jpeg", "webp") else {}))
    data = buffer.getvalue()
    cut = {"jpeg": 2, "png": len(data) - 12, "webp": len(data), "gif": len(data) - 1}[form]
    return data[:cut], data[cut:]


def spliced(form, before, after, comment):
    """A picture with a comment: other bytes, the same pixels."""
    if form == "jpeg":
        return before + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + after
    if form == "png":
        part = b"tEXt" + b"Comment\0" + comment
        return (
            before + (len(part) - 4).to_bytes(4, "big") + part + zlib.crc32(part).to_bytes(4, "big") + after
        )
    if form == "gif":
        return before + b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0" + after
    padded = comment + b"\0" * (len(comment) % 2)
    whole = before + b"NOTE" + len(comment).to_bytes(4, "little") + padded
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
