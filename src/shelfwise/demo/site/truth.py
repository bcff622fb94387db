"""What a perfect scrape of the web shop brings home, and what it has to leave."""

from __future__ import annotations

import polars as pl

from shelfwise.demo.site import photos, tree
from shelfwise.demo.site.pages import FOOT
from shelfwise.demo.site.sheet import SEPARATOR, to_frame
from shelfwise.demo.site.stock import Stock


def truth(stock: Stock) -> pl.DataFrame:
    """Return one row for each product page that a scraper may take, a product in two languages has two.

    The columns are those of `sheet.COLUMNS`, and:

        true_category_path   the right shelf, where the shop's own is planted wrong
        form                 how the page tells its facts (`stock.FORMS`); script forms need JavaScript
        found_by             "sitemap", "links" (in no sitemap), "button" (that names where more is) or
                             "press" (a button that has to be pressed: only its script knows)
        quirk                `stock.QUIRKS`
        images_fine          those of `images` that are pictures
    """
    told = [
        (item, language)
        for item in stock.items.values()
        if not item.fate
        for language in tree.LANGUAGES
        if language in item.goods.wordings
    ]
    frame = to_frame([stock.sheet(item, language) for item, language in told])
    return frame.with_columns(
        pl.Series(
            "true_category_path", [SEPARATOR.join(tree.names(one.goods.true, spoken)) for one, spoken in told]
        ),
        pl.Series("form", [item.form for item, _ in told]),
        pl.Series("found_by", [stock.found_by(item, language) for item, language in told]),
        pl.Series("quirk", [item.quirk for item, _ in told]),
        pl.Series(
            "images_fine",
            [
                [
                    stock.url(stock.picture(item.goods, place))
                    for place in range(1, item.goods.pictures + 1)
                    if photos.fate(item.goods, place, stock.seed) == "fine"
                ]
                for item, _ in told
            ],
            dtype=pl.List(pl.String),
        ),
    )


def hazards(stock: Stock) -> pl.DataFrame:
    """Return the addresses that must not become products or pictures: `url`, `kind`.

    Kinds: "forbidden" (by robots.txt, though linked), "gone" (410), "soft-404" (a page that says so, with
    status 200), and for pictures "missing" (404), "page" (HTML) and "truncated".
    """
    rows = [
        (stock.url(f"/{language}/{name}"), "forbidden") for language in tree.LANGUAGES for name in FOOT[1:]
    ]
    for item in stock.items.values():
        kind = "forbidden" if item.fate == "outlet" else item.fate
        if kind:
            rows += [(stock.url(stock.page(item, language)), kind) for language in item.goods.wordings]
        for place in range(1, item.goods.pictures + 1):
            became = photos.fate(item.goods, place, stock.seed)
            if became != "fine":
                rows.append((stock.url(stock.picture(item.goods, place)), became))
    return pl.DataFrame(rows, schema={"url": pl.String, "kind": pl.String}, orient="row")
