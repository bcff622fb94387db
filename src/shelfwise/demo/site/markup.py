"""How a page says the same facts: JSON-LD in three forms, microdata, Open Graph, a script's data."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from typing import Any

from shelfwise.demo.site.sheet import SEPARATOR, Sheet

STYLES = 3  # forms of JSON-LD
BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
Crumbs = Sequence[tuple[str, str]]  # name and address of each level, the home page first


def shown_price(price: str, language: str) -> str:
    """Return a price in euros as people read it: €1,249.90 or 1.249,90 €."""
    english = f"{float(price):,.2f}"
    if language == "en":
        return f"€{english}"
    return english.translate(str.maketrans(",.", ".,")) + " €"


def script(data: object) -> str:
    """Return data as a JSON-LD element; no text in it can end the element."""
    return f'<script type="application/ld+json">{safe_json(data)}</script>'


def safe_json(data: object) -> str:
    """Return JSON that can stand inside a script element."""
    return json.dumps(data, ensure_ascii=False).replace("</", "<\\/")


def json_ld(sheet: Sheet, crumbs: Crumbs, style: int) -> str:
    """Return the product and its way through the tree as JSON-LD.

    Args:
        sheet: What to say.
        crumbs: The levels above the product.
        style: 0 = two elements, 1 = one `@graph`, 2 = a list with other types of the same values.

    """
    product, way = _product(sheet, style), _breadcrumbs(sheet, crumbs, with_product=style != 1)
    if style == 0:
        return script({"@context": "https://schema.org", **product}) + script(
            {"@context": "https://schema.org", **way}
        )
    if style == 1:
        organisation = {"@type": "OnlineStore", "name": "Shelfwise demo shop"}
        return script({"@context": "https://schema.org", "@graph": [organisation, way, product]})
    context = {"@context": "http://schema.org/"}
    return script([{**context, **way}, {**context, **product}])


def _product(sheet: Sheet, style: int) -> dict[str, Any]:
    offer: dict[str, Any] = {
        "@type": "Offer",
        "priceCurrency": sheet.currency,
        "price": float(sheet.price) if style == 1 else sheet.price,
        "availability": "https://schema.org/InStock",
        "url": sheet.url,
    }
    images = [{"@type": "ImageObject", "contentUrl": url} for url in sheet.images]
    said: dict[str, Any] = {
        "@type": ["Product"] if style == 2 else "Product",
        "name": sheet.title,
        "sku": sheet.product_id,
        "url": sheet.url,
        "description": sheet.description,
        "image": images if style == 2 else list(sheet.images),
        "offers": [offer] if style == 2 else offer,
    }
    if sheet.brand:
        said["brand"] = sheet.brand if style == 2 else {"@type": "Brand", "name": sheet.brand}
    if sheet.rating:
        said["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": str(sheet.rating[0]) if style else sheet.rating[0],
            "reviewCount": sheet.rating[1],
        }
    if sheet.attributes:
        pairs = sheet.attributes.items()
        said["additionalProperty"] = [{"@type": "PropertyValue", "name": a, "value": b} for a, b in pairs]
    if sheet.audience:
        said["audience"] = {"@type": "PeopleAudience", "audienceType": sheet.audience}
    return said


def _breadcrumbs(sheet: Sheet, crumbs: Crumbs, with_product: bool) -> dict[str, Any]:
    """The way from the home page; many shops put the product itself at the end."""
    steps = [*crumbs, (sheet.title, sheet.url)] if with_product else list(crumbs)
    listed = [
        {"@type": "ListItem", "position": place, "name": name, "item": url}
        for place, (name, url) in enumerate(steps, start=1)
    ]
    return {"@type": "BreadcrumbList", "itemListElement": listed}


def open_graph(sheet: Sheet) -> str:
    """Return the meta elements that social networks read; they know neither ratings nor an audience."""
    pairs = [
        ("og:type", "product"), ("og:title", sheet.title), ("og:description", sheet.description),
        ("og:url", sheet.url), ("product:price:amount", sheet.price),
        ("product:price:currency", sheet.currency), ("product:retailer_item_id", sheet.product_id),
        ("product:category", SEPARATOR.join(sheet.category)),
        *(("og:image", url) for url in sheet.images),
    ]  # fmt: skip
    if sheet.brand:
        pairs.append(("product:brand", sheet.brand))
    return "".join(f'<meta property="{name}" content="{html.escape(value)}">' for name, value in pairs)


def microdata(sheet: Sheet, crumbs: Crumbs, lazy: bool) -> str:
    """Return the product's part of the page with schema.org's names on its elements.

    With `lazy`, pictures have a blank `src` and their address in `data-src`, as pages have that load them
    when they are scrolled to.
    """
    way = "".join(
        '<li itemprop="itemListElement" itemscope itemtype="https://schema.org/ListItem">'
        f'<a itemprop="item" href="{url}"><span itemprop="name">{html.escape(name)}</span></a>'
        f'<meta itemprop="position" content="{place}"></li>'
        for place, (name, url) in enumerate(crumbs, start=1)
    )
    return (
        f'<ol class="way" itemscope itemtype="https://schema.org/BreadcrumbList">{way}</ol>'
        f'<article itemscope itemtype="https://schema.org/Product">{_inside(sheet, _named, lazy)}</article>'
    )


def plain(sheet: Sheet, crumbs: Crumbs, lazy: bool) -> str:
    """Return the product's part of the page for people alone."""
    way = "".join(f'<li><a href="{url}">{html.escape(name)}</a></li>' for name, url in crumbs)
    return (
        f'<nav aria-label="breadcrumb"><ol class="way">{way}</ol></nav>'
        f"<article>{_inside(sheet, lambda _: '', lazy)}</article>"
    )


def _named(name: str) -> str:
    kinds = {
        "offers": "Offer", "brand": "Brand", "aggregateRating": "AggregateRating",
        "additionalProperty": "PropertyValue", "audience": "PeopleAudience",
    }  # fmt: skip
    inner = f' itemscope itemtype="https://schema.org/{kinds[name]}"' if name in kinds else ""
    return f' itemprop="{name}"{inner}'


def _inside(sheet: Sheet, prop: Callable[[str], str], lazy: bool) -> str:
    """The visible product; `prop` gives the attributes that mark an element, or nothing."""
    text = html.escape
    parts = [f"<h1{prop('name')}>{text(sheet.title)}</h1>", _gallery(sheet, prop, lazy)]
    if sheet.brand:
        parts.append(f"<p{prop('brand')}><b{prop('name')}>{text(sheet.brand)}</b></p>")
    if sheet.rating:
        stars, count = sheet.rating
        parts.append(
            f"<p{prop('aggregateRating')}><span{prop('ratingValue')}>{stars}</span> / 5 "
            f"(<span{prop('reviewCount')}>{count}</span>)</p>"
        )
    meta = f'<meta itemprop="priceCurrency" content="{sheet.currency}">' if prop("price") else ""
    exact = f' content="{sheet.price}"' if prop("price") else ""
    cost = shown_price(sheet.price, sheet.language)
    parts.append(
        f'<p class="price"{prop("offers")}><span{prop("price")}{exact}>{cost}</span>{meta}</p>'
        f'<p class="sku">Art. <span{prop("sku")}>{sheet.product_id}</span></p>'
        f'<div class="text"{prop("description")}>{text(sheet.description)}</div>'
    )
    rows = "".join(
        f"<tr{prop('additionalProperty')}><th{prop('name')}>{text(name)}</th>"
        f"<td{prop('value')}>{text(value)}</td></tr>"
        for name, value in sheet.attributes.items()
    )
    parts.append(f"<table>{rows}</table>" if rows else "")
    if sheet.audience:
        parts.append(f"<p{prop('audience')}><span{prop('audienceType')}>{text(sheet.audience)}</span></p>")
    return "\n".join(parts)


def _gallery(sheet: Sheet, prop: Callable[[str], str], lazy: bool) -> str:
    sources = 'src="{0}" srcset="{0} 2x"'
    if lazy:
        sources = f'src="{BLANK}" data-src="{{0}}" data-srcset="{{0}} 2x" loading="lazy"'
    shots = "".join(f'<img{prop("image")} {sources.format(url)} alt="">' for url in sheet.images)
    return f'<div class="gallery">{shots}</div>'


def for_script(sheet: Sheet, crumbs: Crumbs) -> dict[str, Any]:
    """Return the facts under the shop's own names, for the script that builds the page in the browser."""
    return {
        "no": sheet.product_id, "link": sheet.url, "label": sheet.title, "text": sheet.description,
        "maker": sheet.brand, "cost": sheet.price, "money": sheet.currency,
        "shownCost": shown_price(sheet.price, sheet.language), "stars": sheet.rating,
        "way": [list(step) for step in crumbs], "facts": [list(fact) for fact in sheet.attributes.items()],
        "shots": list(sheet.images), "whom": sheet.audience,
    }  # fmt: skip
