"""Embedded state: what a page's programs are told of the product.

Next, Nuxt, Redux, data layers, attributes. Only objects whose name agrees with the product's title count:
such data also holds related products, menus and carts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shelfwise.collect.folded_state import folded
from shelfwise.collect.jsonish import first_value, values
from shelfwise.collect.page import Page
from shelfwise.collect.structured import listed
from shelfwise.collect.wording import alike, clean, same

_LIKELY = re.compile(r"price|preis|product|item_name|brand", re.IGNORECASE)
_LIKELY_WORDS = ("price", "preis", "product", "item_name", "brand")
_ASSIGNED = re.compile(r"[\w$\])]\s{0,3}=\s{0,3}(?=[{\[])")
_CALLED = re.compile(
    r"(?:push|gtag|fbq|track|dataLayer|ecommerce|Ecommerce|[pP]roduct|init|init\w{1,20}|"
    r"ga4\w{1,20})\s{0,2}\(\s{0,4}"
    r"(?:['\"][\w .:-]{0,40}['\"]\s{0,3},\s{0,4}){0,3}(?={)"
)
_QUOTED = re.compile(r"JSON\.parse\(\s{0,4}(?=\")")
_ATTEMPTS = 40
_MOST = 60_000
_DEEPEST = 40
_NAMES = (
    "name",
    "title",
    "productname",
    "product_name",
    "item_name",
    "displayname",
    "producttitle",
    "goodsname",
)
_NOW = (
    *(
        "finalprice",
        "final_price",
        "saleprice",
        "sale_price",
        "specialprice",
        "special_price",
        "currentprice",
    ),
    *("current_price", "sellingprice", "selling_price", "salesprice", "discountedprice", "discountprice"),
    *("priceasnumber", "pricenow", "nowprice", "actualprice", "pricewithtax", "productpricekdvincluded"),
    *(
        "current",
        "now",
        "sale",
        "final",
        "selling",
        "actual",
        "price",
        "prices",
        "priceinfo",
        "pricing",
        "price_info",
    ),
    *("amount", "value", "gross", "formatted", "offers", "priceamount", "price_amount"),
)
_PRICED = frozenset(
    (*_NOW[: _NOW.index("current")], "price", "prices", "priceinfo", "pricing", "price_info", "offers")
)
_CURRENCIES = ("currency", "currencycode", "pricecurrency", "currency_code", "currencyiso", "currencyisocode")
_BRANDS = (
    "brand",
    "brandname",
    "brand_name",
    "item_brand",
    "vendor",
    "manufacturer",
    "manufacturername",
    "marca",
)
_PICTURES = (
    "image",
    "images",
    "imageurl",
    "image_url",
    "media",
    "gallery",
    "pictures",
    "photos",
    "mainimage",
    "img",
)
_PATHS = (
    "breadcrumbs",
    "breadcrumb",
    "categorypath",
    "category_path",
    "categories",
    "category",
    "item_category",
)
_PICTURE = re.compile(r"^(?:https?:)?//\S+$|^/\S+\.(?:jpe?g|png|webp|avif|gif)\S*$", re.IGNORECASE)


@dataclass(frozen=True)
class StateProduct:
    """What embedded state says of the product; `price` is as found, a number or a text."""

    name: str
    agrees: float
    price: object = None
    currency: str = ""
    brand: str = ""
    number: str = ""
    pictures: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)


def read_state(page: Page, titles: list[str]) -> list[StateProduct]:
    """What the page's programs are told of the product with one of these titles, best agreement first."""
    if not titles:
        return []
    found: list[StateProduct] = []
    left = _MOST
    for value in _objects(page):
        for node in _dicts(value, [left]):
            left -= 1
            product = _product(node, titles)
            if product:
                found.append(product)
    return sorted(found, key=lambda product: -product.agrees)[:12]


def _objects(page: Page) -> Iterator[Any]:
    attempts = _ATTEMPTS
    yield from folded([script.text for script in page.scripts])
    for script in page.scripts:
        if "ld+json" in script.kind or not _likely(script.text):
            continue
        if "json" in script.kind or script.kind == "text/x-magento-init" or script.text.lstrip()[:1] in "{[":
            for value in values(script.text):
                yield _revived(value) if "nuxt" in script.name else value
            continue
        places = [
            match.end()
            for pattern in (_CALLED, _ASSIGNED, _QUOTED)
            for match in pattern.finditer(script.text)
        ]
        done = -1
        for at in sorted(places)[:200]:
            if at < done or attempts <= 0 or not _LIKELY.search(script.text, at, at + 20_000):
                continue
            attempts -= 1
            value = _at(script.text, at)
            if value is not None:
                done = at + 1
                yield value
    for text in page.root.xpath(
        "//@*[string-length(.) > 60 and (starts-with(., '{') or starts-with(., '['))]"
    )[:60]:
        if _LIKELY.search(text):
            yield from values(str(text))


def _likely(text: str) -> bool:
    """Whether a whole script may speak of a product: as `_LIKELY`, and quick with programs of any length."""
    lowered = text.lower()
    return any(word in lowered for word in _LIKELY_WORDS)


def _at(text: str, at: int) -> Any:  # noqa: ANN401
    """The value at a place of a program; of a quoted one what it quotes."""
    if text[at : at + 1] != '"':
        return first_value(text, at)
    match = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at)
    inner = values(match.group()) if match else []
    return next(iter(values(inner[0])), None) if inner and isinstance(inner[0], str) else None


def _revived(value: object) -> Any:  # noqa: ANN401
    """Nuxt 3 keeps a flat list in which members point at one another by number: the nested value again."""
    if not isinstance(value, list):
        return value
    budget = [_MOST]

    def revive(index: object, deep: int) -> Any:  # noqa: ANN401
        budget[0] -= 1
        if deep > 20 or budget[0] <= 0 or not isinstance(index, int) or not 0 <= index < len(value):
            return None
        entry = value[index]
        if isinstance(entry, dict):
            return {key: revive(inner, deep + 1) for key, inner in entry.items()}
        if isinstance(entry, list):
            inner = entry[1:] if entry and isinstance(entry[0], str) else entry
            return [revive(part, deep + 1) for part in inner]
        return entry

    return revive(0, 0)


def _dicts(value: object, budget: list[int]) -> Iterator[dict[str, Any]]:
    """The dicts in a value with lower-case keys, within a budget; without recursion, as states are deep."""
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack and budget[0] > 0:
        current, deep = stack.pop()
        budget[0] -= 1
        if deep > _DEEPEST:
            continue
        if isinstance(current, dict):
            lowered = {str(key).lower(): inner for key, inner in current.items()}
            yield lowered
            stack += [
                (inner, deep + 1) for inner in reversed(lowered.values()) if isinstance(inner, dict | list)
            ]
        elif isinstance(current, list):
            stack += [(inner, deep + 1) for inner in reversed(current) if isinstance(inner, dict | list)]


def _product(node: dict[str, Any], titles: list[str]) -> StateProduct | None:
    name = next(
        (clean(node[key]) for key in _NAMES if isinstance(node.get(key), str) and node[key].strip()), ""
    )
    if not name or not (_PRICED & node.keys() or any(key in node for key in (*_BRANDS, "sku"))):
        return None
    agrees = max(1.0 if same(name, title) else alike(name, title) for title in titles)
    if agrees < 0.7:
        return None
    return StateProduct(
        name=name,
        agrees=agrees,
        price=_price(node),
        currency=_currency(node),
        brand=next((text for key in _BRANDS if (text := _named(node.get(key)))), ""),
        number=next(
            (
                clean(node[k])
                for k in ("sku", "item_id", "productid", "id")
                if isinstance(node.get(k), str | int)
            ),
            "",
        ),
        pictures=_pictures(node),
        path=_path(node),
    )


def _price(value: object, deep: int = 0) -> object:
    """The price of now in a node: a number or a text, or None."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    if deep > 4:
        return None
    if isinstance(value, list):
        return _price(value[0], deep + 1) if value and isinstance(value[0], dict) else None
    if not isinstance(value, dict):
        return None
    node = {str(key).lower(): inner for key, inner in value.items()}
    for key in _NOW if deep else [key for key in _NOW if key in _PRICED]:
        found = _price(node.get(key), deep + 1)
        if found not in (None, "", 0):
            return found
    return None


def _currency(node: object, deep: int = 0) -> str:
    if not isinstance(node, dict) or deep > 3:
        return ""
    lowered = {str(key).lower(): inner for key, inner in node.items()}
    for key in _CURRENCIES:
        value = lowered.get(key)
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, dict):
            return _named({str(k).lower(): v for k, v in value.items()}, "code", "isocode", "iso")
    for key, inner in lowered.items():
        if "price" in key or key in ("current", "value", "offers"):
            found = _currency(inner[0] if isinstance(inner, list) and inner else inner, deep + 1)
            if found:
                return found
    return ""


def _named(value: object, *keys: str) -> str:
    """A text, or the name in a dict."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        lowered = {str(key).lower(): inner for key, inner in value.items()}
        for key in keys or ("name", "label", "title", "displayname", "value"):
            if isinstance(lowered.get(key), str):
                return clean(lowered[key])
    return ""


def _pictures(node: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for key in _PICTURES:
        _gather_pictures(node.get(key), found, 0)
    return list(dict.fromkeys(found))[:20]


def _gather_pictures(value: object, found: list[str], deep: int) -> None:
    if deep > 4 or len(found) > 40:
        return
    if isinstance(value, str):
        if _PICTURE.match(value.strip()):
            found.append(value.strip())
    elif isinstance(value, dict):
        lowered = {str(key).lower(): inner for key, inner in value.items()}
        for key in (
            "full",
            "original",
            "large",
            "big",
            "zoom",
            "src",
            "url",
            "href",
            "image",
            "images",
            "gallery",
            "items",
        ):
            before = len(found)
            _gather_pictures(lowered.get(key), found, deep + 1)
            if len(found) > before:
                return
    else:
        for inner in listed(value)[:20] if isinstance(value, list) else []:
            _gather_pictures(inner, found, deep + 1)


def _path(node: dict[str, Any]) -> list[str]:
    for key in _PATHS:
        value = node.get(key)
        if isinstance(value, list) and all(isinstance(part, dict | str) for part in value):
            names = [_named(part) for part in value]
            if len(names) > 1 or key.startswith("bread"):
                return [name for name in names if name]
        if isinstance(value, str) and value.strip():
            more = [node.get(f"{key}{number}") for number in range(2, 7)]
            parts = [part for part in re.split(r"\s*[>›»/|]\s*", clean(value)) if part]
            return parts + [clean(part) for part in more if isinstance(part, str) and part.strip()]
    return []
