"""Harvest: from an answer to a product, or to a code for why there is none, and to where the page leads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shelfwise.collect.links import Sight, look_at, look_at_data
from shelfwise.collect.page import tree_of
from shelfwise.collect.traps import absolute, is_paging

if TYPE_CHECKING:
    from shelfwise.collect.rules import Rules
    from shelfwise.collect.web import Answer

NO_PRODUCT, EMPTY = "no_product", "empty"
BUTTON = "button"  # a list whose button was not pressed
EVIDENCE = ("description", "images", "brand", "attributes")  # a product has one of these
TRIES = 5  # pages of a shape opened in a browser in vain, after which no more are
_CODES = (
    ("log in", "login"), ("wall", "wall"), ("not there", "soft_404"), ("several products", "list"),
    ("list or a category", "list"),
    ("first one", "list"), ("page is empty", EMPTY), ("could not be read", "unreadable"),
)  # fmt: skip
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})")
_HTML = re.compile(r"html|^$|text/plain|octet-stream")


@dataclass(frozen=True)
class Harvest:
    """row: the product, None where there is none to keep. reason: then why, as a code.

    sight: what else the page says.
    """

    row: dict[str, Any] | None
    reason: str | None
    sight: Sight


def harvest(answer: Answer, url: str, rules: Rules | None) -> Harvest:
    """Read an answer with status 200. Never raises on its bytes."""
    from shelfwise.collect.extraction import extract_tree

    headers = {name: answer.header(name) for name in ("x-robots-tag", "tdm-reservation", "link")}
    kind, _, more = answer.header("content-type").lower().partition(";")
    kind, charset = kind.strip(), _CHARSET.search(more)
    if "json" in kind:
        return Harvest(None, "list", look_at_data(answer.body, url))
    if not _HTML.search(kind):
        return Harvest(None, "not_html", Sight())
    # once: first the links are read from it, then the product
    root = tree_of(answer.body, url, charset.group(1) if charset else "")
    sight = look_at(root, url, headers)
    if sight.opt_out:
        return Harvest(None, sight.opt_out, sight)
    row = extract_tree(root, url, rules)
    if row["status"] != "ok":
        told = str(row["reason"] or "")
        return Harvest(None, next((code for part, code in _CODES if part in told), NO_PRODUCT), sight)
    if is_paging(url):  # a later page of a list, whatever it looks like
        return Harvest(None, "list", sight)
    if rules is None and not any(row[name] for name in EVIDENCE):  # a short list has titles and prices, too
        return Harvest(None, "list", sight)
    row["url"] = identity(sight.canonical, url)
    return Harvest(row, None, sight)


def identity(canonical: str | None, url: str) -> str:
    """The address that a product is known by: the one that its page names.

    Not where that is another site's, or the front page.
    """
    if canonical is None:
        return url
    own, named = url.split("/", 3), canonical.split("/", 3)
    if own[2].removeprefix("www.") != named[2].removeprefix("www.") or not named[3:] or not named[3]:
        return url
    return absolute(canonical, url) or url


def wants_browser(found: Harvest) -> bool:
    """Whether a page without a product should be opened in a browser: a script has to fill it."""
    return found.row is None and found.reason in (NO_PRODUCT, EMPTY) and found.sight.hollow


def has_silent_button(found: Harvest) -> bool:
    """Whether a page is a list that shows more by a button, and nothing says where that comes from."""
    return found.row is None and found.reason in ("list", NO_PRODUCT) and found.sight.button


def copy_of(found: Harvest, url: str) -> str | None:
    """The address that a page without a product names as its own, where it is the same page elsewhere.

    A page that is empty without its scripts is not opened in a browser under each of its addresses. Only one
    whose last part is the same is believed: applications name their front door on every page.
    """
    named = identity(found.sight.canonical, url)
    last, own = (urlsplit(one).path.rstrip("/").rpartition("/")[2].lower() for one in (named, url))
    return named if named != url and last == own and last else None


def in_vain(known: dict[str, int]) -> bool:
    """Whether a browser brought nothing for pages of a shape so far (`known`: see `Frontier.of_shape`)."""
    return known["helped"] == 0 and known["tried"] >= TRIES
