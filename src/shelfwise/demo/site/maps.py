"""What the web shop tells crawlers: robots.txt and sitemaps."""

from __future__ import annotations

import gzip
import html

from shelfwise.demo.site import tree
from shelfwise.demo.site.stock import Stock

CRAWL_DELAY = 0.05  # seconds
SITEMAPS = {"en": "/sitemaps/en.xml", "de": "/sitemaps/de.xml.gz"}
CHANGED = "2026-10-01"
_SPACES = (
    'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml" '
    'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
)


def robots(stock: Stock) -> str:
    """Return robots.txt: some pages that are linked are forbidden, one of the forbidden folder is allowed."""
    return "\n".join(
        [
            "# Rules of the demo shop",
            "User-agent: *",
            "Disallow: /*/account",
            "Disallow: /*/cart",
            "Disallow: /*/search",
            "Disallow: /*/outlet/",
            "Allow: /*/outlet/terms$",
            "Disallow: /*?sort=",
            f"Crawl-delay: {CRAWL_DELAY}",
            "",
            "User-agent: GreedyBot",
            "Disallow: /",
            "",
            f"Sitemap: {stock.url('/sitemap.xml')}",
            "",
        ]
    )


def index(stock: Stock) -> str:
    """Return the index of sitemaps."""
    listed = "".join(
        f"<sitemap><loc>{stock.url(path)}</loc><lastmod>{CHANGED}</lastmod></sitemap>"
        for path in SITEMAPS.values()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<sitemapindex {_SPACES}>{listed}</sitemapindex>\n'


def sitemap(stock: Stock, language: str) -> bytes:
    """Return one language's pages: shelves and products, with the other language's page and the pictures."""
    entries = [
        f"<url><loc>{stock.url(stock.shelf_page(path, language))}</loc></url>"
        for path in sorted(stock.shelves[language])
    ]
    for item in stock.items.values():
        if language not in item.goods.wordings or not stock.listed(item):
            continue
        others = "".join(
            f'<xhtml:link rel="alternate" hreflang="{spoken}" href="{stock.url(stock.page(item, spoken))}"/>'
            for spoken in tree.LANGUAGES
            if spoken in item.goods.wordings
        )
        sheet = stock.sheet(item, language)
        shots = "".join(
            f"<image:image><image:loc>{html.escape(url)}</image:loc></image:image>" for url in sheet.images
        )
        entries.append(f"<url><loc>{sheet.url}</loc><lastmod>{CHANGED}</lastmod>{others}{shots}</url>")
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {_SPACES}>{"".join(entries)}</urlset>\n'
    data = text.encode()
    return gzip.compress(data, mtime=0) if SITEMAPS[language].endswith(".gz") else data
