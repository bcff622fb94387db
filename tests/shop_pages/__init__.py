"""Pages of shops, written as their platforms write them, each with what is true of it.

A file is one page: a block of TOML between two lines of `+++`, then the page. `seen` are pages that the
rules of thumb in `shelfwise.collect` were made with; `held` were written first and kept apart until those
were done.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ShopPage:
    """A page and its truth: title, price, currency, brand, path, image, language; kind `other` is no
    product."""

    name: str
    group: str
    url: str
    html: bytes
    truth: dict[str, object]


def shop_pages(group: str) -> list[ShopPage]:
    """The pages of a group (`seen`, `held`), by name."""
    pages = []
    for path in sorted((HERE / group).glob("*.html")):
        _, head, body = path.read_text(encoding="utf-8").split("+++\n", 2)
        truth = tomllib.loads(head)
        html = body.encode(str(truth.pop("charset", "utf-8")), "xmlcharrefreplace")
        pages.append(ShopPage(path.stem, group, str(truth.pop("url")), html, truth))
    return pages
