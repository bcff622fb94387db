"""Levels: from the steps of a breadcrumb to categories, without home, ways back, doubles and the product."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from shelfwise.collect.page import Page
from shelfwise.collect.vocabulary import BACK, BACK_START, HERE, HOME
from shelfwise.collect.wording import alike, clean, fold, same, tokens, within

_SPLIT = re.compile(r"\s*(?:>|›|»|→|\s/\s|\s\|\s)\s*")
_SLASHED = re.compile(r"\s*[>›»|/]\s*")
_LANGUAGES = (
    "en|de|fr|es|it|nl|pt|pl|cs|sk|sv|da|no|nb|fi|hu|ro|bg|el|tr|ru|uk|ja|zh|ko|ar|he|hr|sl|sr|lt|lv|et|th"
)
_LOCALE = re.compile(
    rf"^/?(?:[a-z]{{2}}(?:[-_][a-z]{{2,4}})?)?(?:/(?:{_LANGUAGES}))?/?(?:index\.\w+|home|default\.\w+)?$",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\s*\(\d{1,6}\)$")
MOST_ITEMS = 14
LONGEST_ITEM = 160


@dataclass(frozen=True)
class Crumb:
    """One step: its text, its address (may be empty), whether it is marked as the current one."""

    text: str
    link: str = ""
    current: bool = False


def path_from_text(page: Page, text: str, titles: list[str], shops: list[str]) -> list[str]:
    """Levels from one text such as `Shoes > Boots`, `Home/Shoes/Boots` or `["Shoes", "Boots"]`."""
    if text.startswith("[") and text.endswith("]"):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = [piece.strip(" \"'") for piece in text[1:-1].split(",")]
        return path_from_names(page, [name for name in listed if isinstance(name, str)], titles, shops)
    pieces = _SPLIT.split(text) if _SPLIT.search(text) else _SLASHED.split(text)
    return levels_of(page, [Crumb(piece) for piece in pieces], titles, shops)


def path_from_names(page: Page, names: list[str], titles: list[str], shops: list[str]) -> list[str]:
    """Levels from names that embedded state lists in order."""
    return levels_of(page, [Crumb(name) for name in names], titles, shops)


def levels_of(page: Page, steps: list[Crumb], titles: list[str], shops: list[str]) -> list[str]:
    """The levels: without labels, home, ways back, doubles and the product."""
    kept: list[Crumb] = []
    rest = _to_product(_from_home(page, steps), titles)
    home = len(rest) < len(steps) and fold(steps[0].text) in HOME
    for step in rest:
        text = _COUNT.sub("", clean(step.text))
        folded = fold(text)
        if (
            len(text) > LONGEST_ITEM
            or (folded in HERE and not step.link)
            or folded in BACK
            or BACK_START.match(text)
        ):
            continue
        first = not kept and not home
        if first and step is rest[0] and folded in HOME and _is_department(page, rest, 0):
            kept.append(Crumb(text, step.link, step.current))
            continue
        root = bool(step.link) and is_root(page, step.link)
        if first and (root or _is_home(folded, shops, bool(step.link))):
            home = True
            continue
        if not kept and folded in HOME and (root or not home or not step.link):
            continue  # where home came before, a category may be called so too
        if folded and not (kept and fold(kept[-1].text) == folded):
            kept.append(Crumb(text, step.link, step.current))
    while kept and _is_product(page, kept, titles):
        kept.pop()
    levels = [step.text for step in kept]
    if len(levels) != len({fold(level) for level in levels}):
        halves = levels[: len(levels) // 2]
        if [fold(level) for level in halves] == [fold(level) for level in levels[len(levels) // 2 :]]:
            levels = halves  # the same way twice, for large and small screens
    return levels[:MOST_ITEMS]


def _from_home(page: Page, steps: list[Crumb]) -> list[Crumb]:
    """The steps behind home, where it is one of the first: labels stand before it."""
    at = next((at for at, step in enumerate(steps[:3]) if fold(step.text) in HOME), -1)
    if at >= 0 and _is_department(page, steps, at):
        return steps[at:]
    if (
        at < 0
        and steps
        and not steps[0].link
        and steps[0].text.rstrip().endswith((":", "："))
        and len(steps) > 1
    ):
        at = 0
    return steps[at + 1 :]


def _is_department(page: Page, steps: list[Crumb], at: int) -> bool:
    """Whether a step called home is a department of that name: what follows lies below its address."""
    path = urlsplit(page.absolute(steps[at].link)).path.rstrip("/") if steps[at].link else ""
    if not path.lower().endswith("home") or at + 1 >= len(steps):
        return False
    following = urlsplit(page.absolute(steps[at + 1].link)).path if steps[at + 1].link else ""
    return following.startswith(f"{path}/")


def _to_product(steps: list[Crumb], titles: list[str]) -> list[Crumb]:
    """The steps up to the product where it is one of them: numbers and buttons stand behind it."""
    for at, step in enumerate(steps):
        if not step.link and any(same(step.text, title) for title in titles):
            return steps[: at + 1]
    return steps


def _is_home(folded: str, shops: list[str], linked: bool) -> bool:
    """Whether a first step names the shop: `Allegro`, `Interneto parduotuvė X`, `Start X`.

    One with a link to another page than the first may be a category that the shop is named after.
    """
    if not folded:
        return True
    return any(
        folded == fold(shop)
        or (not linked and len(fold(shop)) > 3 and len(folded.split()) < 6 and tokens(shop) < tokens(folded))
        for shop in shops
    )


def _is_product(page: Page, steps: list[Crumb], titles: list[str]) -> bool:
    """Whether the last step is the product itself."""
    last, before = steps[-1], steps[:-1]
    if any(same(last.text, title) for title in titles):
        return True
    here = bool(last.link) and not last.link.startswith("#") and page.leads_here(last.link)
    here = here and not (last.link.startswith("?") and _differs(page, last.link))
    if here:
        return True
    likeness = max((alike(last.text, title) for title in titles), default=0.0)
    if likeness >= 0.8:
        return True
    short = last.text.rstrip(".… ")
    if last.text.endswith(("...", "…")) and any(fold(title).startswith(fold(short)) for title in titles):
        return True
    linked = [step for step in before if step.link]
    if last.link and not last.current:
        return likeness >= 0.7 and len(tokens(last.text)) > 2
    if linked and not last.link:
        inside = max((within(last.text, title) for title in titles), default=0.0)
        named = any(within(title, last.text) >= 0.99 and re.search(r"\d|\w.*\s", title) for title in titles)
        return likeness >= 0.34 or (inside >= 0.99 and len(tokens(last.text)) > 1) or named
    return likeness >= 0.6


def _differs(page: Page, address: str) -> bool:
    """Whether an address that differs only in its query names another thing than the page's own."""
    own, other = parse_qs(urlsplit(page.url).query), parse_qs(urlsplit(address).query)
    return any(name in other and other[name] != value for name, value in own.items())


def is_root(page: Page, address: str) -> bool:
    """Whether an address is that of the shop's first page."""
    full = page.absolute(address)
    if not full:
        return False
    parts = urlsplit(full)
    same_host = (parts.hostname or "").removeprefix("www.") == (
        urlsplit(page.url).hostname or ""
    ).removeprefix("www.")
    return same_host and bool(_LOCALE.match(parts.path)) and not parts.query


def bare(text: str) -> str:
    """A step's text without the separators that stand in it."""
    return clean(text).strip(" >›»/\\|→▸:❯＞·•«‹<-–—").strip() if fold(text) else ""
