"""Title: what the page's product is called, and where the page shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote, urlsplit

from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.structured import Node, words_of
from shelfwise.collect.vocabulary import ASIDE
from shelfwise.collect.wording import alike, clean, fold, marked, same, within

_NAMED = re.compile(
    r"product[-_ ]?(?:name|title|heading|headline)|prod[-_]?name|item[-_ ]?(?:name|title)|"
    r"goods[-_]?name|pdp[-_]?(?:title|name)|"
    r"title__|name__|page-?title|detail[-_]?(?:title|name)|\bname\b|\btitle\b|artikelname|producttitle|"
    r"productname|artdet__name"
)
_NOT_NAME = re.compile(
    r"brand|vendor|manufactur|marke\b|marque|marca|\bsku|\bcode|artnr|article-?n|badge|\blabel|\btag\b|"
    r"rating|review|stock|"
    r"subtitle|sub-title|\bref\b|wish|share|favou?rite|sticker|flag|tooltip|appendix|edit\b|copy"
)
_JOINTS = re.compile(r"\s+[|–—·•»:›/<>~-]\s+|\s*[|｜•»]\s*|\s+::\s+|\s[-–—]{2}\s|:\s+|,\s+(?=\S+$)")
_BRACKETED = re.compile(r"^【([^】]{1,40})】|【([^】]{1,40})】$")
_EDGE = " |–—·•»:›/-~,，：、_"
_DOMAIN = re.compile(r"^(?:www\.)?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,14}$", re.IGNORECASE)
_LOGO = re.compile(r"\b(?:logo|home(?:page)?|startseite|zur startseite.*|online ?shop|shop)\b", re.IGNORECASE)
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|copyright|ⓒ)\s*(?:©|\(c\))?\s*(?:\d{4}\s*[-–]?\s*(?:\d{4})?,?)?\s*([^.|©\n]{2,40})",
    re.IGNORECASE,
)
_SELLING_BEFORE = re.compile(
    r"^(?:buy|shop|order|purchase|купить|заказать|купити|comprar|compra|acheter|achat|acquista|kup|koupit|"
    r"köp|køb|kjøp|osta|cumpără|vásárlás|mua|beli|jual|購入|购买)\s+(?=\S+\s)",
    re.IGNORECASE,
)
_SELLING_AFTER = re.compile(
    r"(?:\s*[-–—|,:]\s*|\s+)(?:(?:online\s+)?(?:günstig\s+)?(?:online\s+)?(?:kaufen|bestellen|kopen)\b.*|"
    r"online at (?:the )?(?:best|low).*|(?:at|for) (?:the )?best price.*|online (?:in|at|from) [\w ]+|"
    r"купить (?:в|по|недорого|с|онлайн|со).*|купить|купити (?:в|за|онлайн).*|(?:цена|ціна)[ ,:].*|"
    r"au meilleur prix.*|pas cher.*|al (?:mejor|miglior) pre.*|(?:al )?mejor precio.*|cena,? .*opinie.*|"
    r"ceny i opinie.*|(?:fiyatı|fiyatları)\b.*|im online[- ]?shop.*|giá (?:rẻ|tốt).*)$",
    re.IGNORECASE,
)
_PATH_JOINTS = re.compile(r"\s*(?:::|»|›|\s>\s|\s\|\s|\s[–—]\s|\s-\s|\s/\s)\s*")
_OF_PATHS = re.compile(r"::|[»›]|\s>\s")
_PRICED = re.compile(r"[$€£¥₽₴₹₺]\s?\d|\d\s?(?:[$€£¥₽₴₹₺]|eur\b|usd\b|руб|zł|kč|kr\b|円)", re.IGNORECASE)
_BOLD = frozenset(("b", "strong", "font", "big"))
_LONGEST = 300
_HEADINGS = {"h1": 2.0, "h2": 0.5, "h3": 0.2, "h4": 0.1}
_FORMS = (" GmbH", " Ltd", " LLC", " Inc", " AG", " SA", " S.r.l")


@dataclass(frozen=True)
class Heading:
    """The element that shows the product's name, what it shows, and how sure that is (above 0)."""

    element: Element
    text: str
    score: float


def shop_names(page: Page, stated: list[str]) -> list[str]:
    """What the shop may be called: by its own words, its address, its logo, its copyright line."""
    names = [
        *page.said("og:site_name", "application-name", "author", "copyright", "apple-mobile-web-app-title"),
        *stated,
    ]
    host = (urlsplit(page.url).hostname or "").removeprefix("www.")
    labels = host.split(".")
    names += [host] + ([max(labels[:-1], key=len)] if len(labels) > 1 else [])
    for image in page.root.iter("img"):
        marks = f"{page.marks(image)} {image.get('src') or ''}".lower()
        if "logo" in marks and image.get("alt"):
            names.append(clean(_LOGO.sub("", clean(image.get("alt")))).strip(_EDGE))
    for element in page.elements[-400:]:
        for text in (element.text, element.tail):
            found = _COPYRIGHT.search(text) if text and len(text) < 300 else None
            if found:
                names.append(clean(found.group(1)).strip(_EDGE))
    for name in list(names):
        names += [name.removesuffix(end).strip() for end in _FORMS if name.endswith(end)]
        names.append(re.sub(r"^https?://(?:www\.)?|/$", "", name))
    return [name for name in dict.fromkeys(names) if len(fold(name)) > 1]


def without_shop(text: str, shops: list[str]) -> str:
    """A title without the shop's name before or after it."""
    changed = True
    while changed and text:
        changed = False
        bracket = _BRACKETED.search(text)
        if (
            bracket
            and _is_shop(bracket.group(1) or bracket.group(2), shops)
            and fold(_BRACKETED.sub("", text))
        ):
            text = (text[: bracket.start()] + text[bracket.end() :]).strip()
        pieces = [(m.start(), m.end()) for m in _JOINTS.finditer(text)]
        if pieces:
            first, last = text[: pieces[0][0]], text[pieces[-1][1] :]
            if _is_shop(last, shops) and fold(text[: pieces[-1][0]]):
                text, changed = text[: pieces[-1][0]], True
            elif _is_shop(first, shops) and fold(text[pieces[0][1] :]):
                text, changed = text[pieces[0][1] :], True
        if not changed:
            shorter = _cut(text, shops)
            text, changed = shorter, shorter != text
    return text.strip().strip("|–—·•»›~").strip()


def _is_shop(piece: str, shops: list[str]) -> bool:
    piece = piece.strip()
    if not fold(piece):
        return True
    return bool(_DOMAIN.match(piece)) or any(
        same(piece, shop) or (len(fold(shop)) > 3 and alike(piece, shop) >= 0.6) for shop in shops
    )


def _cut(text: str, shops: list[str]) -> str:
    """A title without a shop's name that only a comma or a hyphen parts from it."""
    lowered = text.casefold()
    for shop in shops:
        name = shop.casefold()
        if len(name) < 2 or len(name) >= len(text) - 2:
            continue
        before, after = text[: -len(name)].rstrip(), text[len(name) :].lstrip()
        if lowered.endswith(name) and before[-1:] in _EDGE and before.rstrip(_EDGE):
            return before.rstrip(_EDGE)
        if lowered.startswith(name) and after[:1] in "|–—·•»:›：.," and after.lstrip(_EDGE + "."):
            return after.lstrip(_EDGE + ".")
    return text


def find_heading(page: Page, names: list[str], shops: list[str]) -> Heading | None:
    """Find the element that shows the product's name.

    Args:
        page: the page.
        names: what structured data and meta tags call it.
        shops: what the shop may be called.

    """
    told = [without_shop(text, shops) for text in names]
    tag = page.title_tag
    best: Heading | None = None
    count = 0
    for at, element in enumerate(page.elements):
        base = _base(page, element)
        if base <= 0:
            continue
        count += 1
        if count > 400:
            break
        text = _shown(page, element, told)
        if not 1 < len(text) < _LONGEST or not fold(text):
            continue
        score = (
            base
            + 2.5 * within(text, tag) * min(1.0, len(fold(text)) / 6)
            + 2.5 * max((alike(text, name) for name in told), default=0)
        )
        score -= 3 * _is_shop(text, shops) + 2.5 * _elsewhere(page, element) + at / 20_000
        if best is None or score > best.score:
            best = Heading(element, text, score)
    if best is None or best.score < 2.2:
        best = _exact(page, [*told, *_segments(tag, shops)]) or best
    if best is None and not names:
        best = _emphasised(page)
    return best


def _base(page: Page, element: Element) -> float:
    """How much an element looks like a heading, before its text is read."""
    tag = element.tag
    score = _HEADINGS.get(tag, 0.0)
    marks = page.marks(element)
    if (
        marks
        and tag not in ("meta", "input", "a", "link", "body", "html", "form", "img", "button", "select")
        and marked(_NAMED, marks)
    ):
        score += 0.8 if len(element) < 6 else 0.1
    return score


def _elsewhere(page: Page, element: Element) -> float:
    """How much speaks for an element belonging to another product or to the shop, 0 to 1."""
    for link in page.up(element, 4):
        if link.tag == "a" and link.get("href") and not page.leads_here(link.get("href")):
            return 1.0
        if link.tag in ("footer", "nav") or marked(ASIDE, page.marks(link)):
            return 0.9
    for link in islice(element.iter("a"), 5):
        if (
            link.get("href")
            and not page.leads_here(link.get("href"))
            and same(text_of(link, 300), text_of(element, 300))
        ):
            return 1.0
    return 0.0


def _shown(page: Page, element: Element, told: list[str]) -> str:
    """The text of a heading.

    Without badges, numbers and brand lines in it, unless they belong to the name.
    """
    whole = text_of(element, 2 * _LONGEST)
    inside = list(islice(element.iterdescendants(), 60))
    if len(whole) > 1.5 * _LONGEST or (not inside and any(same(whole, name) for name in told)):
        return whole
    extras = [inner for inner in inside if marked(_NOT_NAME, page.marks(inner))]
    rest = whole
    for inner in extras:
        part = text_of(inner, 300)
        if part and len(part) < len(rest) and not (inner.tag == "span" and same(part, whole)):
            rest = clean(rest.replace(part, " ", 1))
    if any(same(whole, name) for name in told) and not any(same(rest, name) for name in told):
        return whole
    if len(fold(rest)) > 2:
        whole = rest
    for inner in inside:
        text = text_of(inner, 400)
        if (
            len(fold(text)) > 3
            and any(same(text, name) for name in told)
            and not marked(_NOT_NAME, page.marks(inner))
        ):
            return text
    return whole


def _segments(tag: str, shops: list[str]) -> list[str]:
    whole = without_shop(tag, shops)
    pieces = [part for piece in _JOINTS.split(whole) for part in re.split("[【】]", piece)]
    return [piece.strip() for piece in [whole, *pieces] if len(fold(piece)) > 3]


def _exact(page: Page, names: list[str]) -> Heading | None:
    """An element that shows just one of the names: pages without headings have one."""
    wanted = {fold(name).replace(" ", "") for name in names if len(fold(name)) > 3}
    if not wanted:
        return None
    for element in page.elements:
        text = element.text
        if not text or not 3 < len(text) < _LONGEST or element.tag in ("title", "option", "a", "script"):
            continue
        if fold(clean(text)).replace(" ", "") in wanted and not _elsewhere(page, element):
            return Heading(element, clean(text), 2.2)
    return None


def product_names(nodes: list[Node]) -> list[str]:
    """The names of all products in structured data, without doubles."""
    found = [
        text for node in nodes if {"product", "productgroup", "individualproduct"} & set(node["@type"])
        for text in words_of(node.get("name"))
    ]  # fmt: skip
    return list(dict.fromkeys(found))[:50]


def choose_title(heading: Heading | None, named: list[str], page: Page, shops: list[str]) -> str:
    """The product's name: what the page shows where other sources agree, otherwise what they say.

    Args:
        heading: where the page seems to show it.
        named: what structured data calls the page's product.
        page: the page.
        shops: what the shop may be called.

    """
    names = [text for text in (without_shop(clean(name), shops) for name in named) if fold(text)]
    others = [
        _named_by(page, without_selling(without_shop(text, shops)))
        for text in page.said("og:title", "twitter:title")
    ]
    tag = _named_by(page, without_selling(without_shop(page.title_tag, shops)))
    if heading and (heading.score >= 2.2 or not names):
        text = without_shop(heading.text, shops)
        if names and (text.endswith(("...", "…")) or _is_shop(text, shops)):
            return names[0]
        if text and fold(text):
            return _spaced(text, [*names, *page.said("og:title"), page.title_tag])
    for text in names:
        return text
    agreed = [text for text in others if text and (within(text, page.title_tag) >= 0.6 or not tag)]
    return next((text for text in [*agreed, tag, *others] if fold(text)), "")


def _spaced(text: str, told: list[str]) -> str:
    """A heading with the spaces that other sources have in it: those of two elements may run together."""
    bare = text.replace(" ", "")
    for other in told:
        at = other.replace(" ", "").find(bare)
        if at < 0 or text in other:
            continue
        places = [place for place, letter in enumerate(other) if letter != " "]
        spelled = other[places[at] : places[at + len(bare) - 1] + 1]
        if spelled.count(" ") > text.count(" "):
            return spelled
    return text


def without_selling(text: str) -> str:
    """A page's title without what shops add to sell: `Buy ... online`, `... kaufen`, `... купить, цена`."""
    short = _SELLING_AFTER.sub("", _SELLING_BEFORE.sub("", text)).strip(" ,;:|–—-")
    return short if len(fold(short)) > 3 else text


def _named_by(page: Page, text: str) -> str:
    """The piece of a title that the page's address names, where the title lists categories too."""
    pieces = [piece.strip() for piece in _PATH_JOINTS.split(text) if fold(piece)]
    last = next((part for part in reversed(urlsplit(page.canonical).path.split("/")) if part), "")
    address = " ".join(re.split(r"[-_.+]", unquote(last)))
    if len(pieces) < (2 if _OF_PATHS.search(text) else 3) or not fold(address):
        return text
    shares = [within(piece, address) for piece in pieces]
    best = max(shares)
    return pieces[shares.index(best)] if best >= 0.5 and shares.count(best) == 1 else text


def _emphasised(page: Page) -> Heading | None:
    """The first text in large or bold type that is no link, where a page has neither headings nor names.

    It has to stand before a price and behind the first picture or link, as hand-written pages have it.
    """
    bold: Heading | None = None
    for element in page.elements:
        text = clean(element.text or "") if element.tag in _BOLD else ""
        if _PRICED.search(element.text or "") and bold is not None:
            return bold
        if not 4 < len(text) < 150 or text.endswith((":", "：")) or _PRICED.search(text):
            continue
        if any(one.tag in ("a", "footer", "nav", "form") for one in element.iterancestors()):
            continue
        size = (element.get("size") or "").strip("+")
        large = element.tag == "big" or (
            size.isdigit() and int(size) >= (1 if "+" in element.get("size") else 4)
        )
        if large:
            return Heading(element, text, 1.0)
        if bold is None and element.tag in ("b", "strong"):
            bold = Heading(element, text, 1.0)
    return None
