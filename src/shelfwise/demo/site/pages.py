"""The web shop's pages as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shelfwise.demo.site import markup, tree
from shelfwise.demo.site.stock import PER_PAGE, Item, Path, Stock

BROKEN = '<div class="promo"><p>Only today<b>!<table><tr><td>{}<tr><td></div></span><a href="#top" href="#">'
GONE = {
    "en": "Sorry, this product is not available any more.",
    "de": "Dieses Produkt gibt es leider nicht mehr.",
}
MORE = {"en": "Show more", "de": "Mehr anzeigen"}
NEXT = {"en": "Next page", "de": "Nächste Seite"}
CHEAP = {"en": "Cheapest first", "de": "Günstigste zuerst"}
FOOT = ("about", "account", "cart", "search")
"""Pages in every footer; robots.txt forbids all but the first."""


@dataclass(frozen=True)
class Page:
    """What a page needs beside its own content.

    path: its canonical path. others: paths of the same page by language. head: more for the head element.
    """

    title: str
    language: str
    path: str
    others: Mapping[str, str] = field(default_factory=dict)
    head: str = ""


def render(stock: Stock, page: Page, content: str) -> str:
    """Return a whole document."""
    alternates = "".join(
        f'<link rel="alternate" hreflang="{language}" href="{stock.url(path)}">'
        for language, path in page.others.items()
    )
    switch = " ".join(f'<a href="{path}">{language}</a>' for language, path in page.others.items())
    foot = " ".join(f'<a href="/{page.language}/{name}">{name.title()}</a>' for name in FOOT)
    return (
        f'<!doctype html>\n<html lang="{page.language}"><head><meta charset="utf-8">'
        f"<title>{html.escape(page.title)}</title>"
        f'<link rel="canonical" href="{stock.url(page.path)}">{alternates}'
        '<link rel="stylesheet" href="/static/shop.css"><script src="/static/shop.js" defer></script>'
        f'{page.head}</head>\n<body><header><a href="/{page.language}/">Demo shop</a> {switch}</header>\n'
        f"<main>{content}</main>\n<footer>{foot}</footer></body></html>\n"
    )


def product(stock: Stock, item: Item, language: str) -> str:
    """Return a product's page in the form that it has."""
    sheet = stock.sheet(item, language)
    crumbs = stock.crumbs(sheet.category, language)
    others = {spoken: stock.page(item, spoken) for spoken in item.goods.wordings}
    page = Page(sheet.title, language, stock.page(item, language), others)
    lazy = item.style % 10 < 3
    if item.fate == "soft-404":
        return render(stock, Page(GONE[language], language, page.path), f"<h1>{GONE[language]}</h1>")
    if item.form == "script":
        address = f"/api/product/{language}/{item.goods.number}.json"
        waiting = Page("…", language, page.path, others)
        return render(stock, waiting, f'<div id="product" data-product="{address}">…</div>')
    if item.form == "script-data":
        data = markup.safe_json(markup.for_script(sheet, crumbs))
        waiting = Page("…", language, page.path, others, f"<script>window.shopState = {data};</script>")
        return render(stock, waiting, '<div id="product">…</div>')
    if item.form == "microdata":
        return render(stock, page, _spoiled(item, markup.microdata(sheet, crumbs, lazy)))
    head = markup.open_graph(sheet) if item.form == "open-graph" else ""
    if item.form == "json-ld":
        head = markup.json_ld(sheet, crumbs, item.style % markup.STYLES)
    whole = Page(page.title, language, page.path, others, head)
    return render(stock, whole, _spoiled(item, markup.plain(sheet, crumbs, lazy)))


def _spoiled(item: Item, content: str) -> str:
    """The content with markup before it that is not closed, where the page has that quirk."""
    return f"{BROKEN.format(item.goods.number)}{content}" if item.quirk == "broken" else content


def shelf(stock: Stock, path: Path, language: str, number: int) -> str:
    """Return the `number`-th page of a level: what is below it and, on a shelf, its products."""
    items = stock.shelves[language][path]
    start = PER_PAGE * (number - 1)
    here = stock.shelf_page(path, language)
    name = path[-1] if path else tree.HOME[language]
    crumbs = stock.crumbs(path, language)[:-1]
    way = "".join(f'<li><a href="{url}">{html.escape(step)}</a></li>' for step, url in crumbs)
    inner = "".join(
        f'<li><a href="{stock.shelf_page(child, language)}">{html.escape(child[-1])}</a></li>'
        for child in stock.children(path, language)
    )
    parts = [f'<ol class="way">{way}</ol><h1>{html.escape(name)}</h1><ul class="levels">{inner}</ul>']
    parts.append(f'<p><a href="{here}?sort=price">{CHEAP[language]}</a></p>' if path else "")
    parts.append(_products(stock, items[start : start + PER_PAGE], language))
    head = ""
    if stock.is_shelf(path, language) and start + PER_PAGE < len(items):
        if stock.has_button(path):
            more = f"/api/more?shelf={here}&amp;start={start + PER_PAGE}"
            told = "" if stock.is_silent(path) else f' data-next="{more}"'
            parts.append(f'<button id="more"{told}>{MORE[language]}</button>')
        else:
            following = f"{here}?page={number + 1}"
            parts.append(f'<p><a rel="next" href="{following}">{NEXT[language]}</a></p>')
            head = f'<link rel="next" href="{stock.url(following)}">'
    own = here if number == 1 else f"{here}?page={number}"
    others = _front() if not path else {}
    return render(stock, Page(name, language, own, others, head), "\n".join(parts))


def _front() -> dict[str, str]:
    return {language: f"/{language}/" for language in tree.LANGUAGES}


def _products(stock: Stock, items: Sequence[Item], language: str) -> str:
    """A list of products; their pictures are shown when they are scrolled to."""
    entries = []
    for item in items:
        entry = listing(stock, item, language)
        shot = f'<img src="{markup.BLANK}" data-src="{entry["shot"]}" loading="lazy" alt="">'
        link = f'<a href="{html.escape(entry["link"])}">{shot}{html.escape(entry["label"])}</a>'
        entries.append(f"<li>{link}<span>{entry['cost']}</span></li>")
    return f'<ul id="list">{"".join(entries)}</ul>'


def listing(stock: Stock, item: Item, language: str) -> dict[str, str]:
    """Return what a list says of a product: its link, which may be a detour, its name, price and picture."""
    path = stock.page(item, language)
    detours = {
        0: f"{path}?utm_source=list&utm_campaign=demo",
        1: f"/{language}/deal/{item.goods.number}",
        2: f"{path}/",
        3: f"{path}#reviews",
    }
    return {
        "link": detours.get(item.style % 20, path),
        "label": item.goods.wordings[language].title,
        "cost": markup.shown_price(item.goods.price, language),
        "shot": stock.picture(item.goods, 1, "-small.jpg"),
    }


def simple(stock: Stock, language: str, name: str, text: str) -> str:
    """Return a page with a heading and a sentence."""
    return render(stock, Page(name, language, f"/{language}/{name}"), f"<h1>{name.title()}</h1><p>{text}</p>")
