"""The chaos shop's ordinary pages, with what is wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from dataclasses import replace
from email.utils import formatdate

from chaos_shop.faults import draw, pick
from chaos_shop.furniture import Furniture
from chaos_shop.wire import message
from shelfwise.demo.site import markup, tree

PER_PAGE = 24
PER_MAP = 1000
FIRST = 1_790_000_000  # seconds since 1970 of the shop's first version; a day for each that follows
PAGING = {"honest": 60, "repeats": 20, "endless": 20}
DETOURS = {"": 60, "tracking": 8, "slash": 8, "capitals": 6, "fragment": 6, "shelf": 6, "session": 6}
FACETS = {"colour": ("red", "blue", "black"), "size": ("s", "m", "l"), "material": ("wool", "wood")}
SCRIPT = (
    "const p=document.getElementById('p').dataset.url;fetch(p).then(a=>a.json()).then(d=>{"
    "const s=document.createElement('script');s.type='application/ld+json';s.textContent=d.ld;"
    "document.head.append(s);const h=document.createElement('h1');h.textContent=d.title;"
    "document.getElementById('p').replaceChildren(h);document.title=d.title})"
)


def priced(price, form):
    """A decimal price as shops in five places write it."""
    number = f"{float(price):,.2f}"
    return {
        "plain": price,
        "german": number.translate(str.maketrans(",.", ".,")),
        "english": number,
        "french": number.translate(str.maketrans(",.", "\u00a0,")),
        "swiss": number.replace(",", "'"),
    }[form]


def document(title, body, head="", language="en"):
    return (
        f'<!doctype html><html lang="{language}"><head><title>{html.escape(title)}</title>{head}</head>'
        f"<body>{body}</body></html>"
    )


class Pages:
    """Builds pages; those of products are kept."""

    def __init__(self, stock):
        self.stock, self.seed, self.address = stock, stock.settings.seed, stock.address
        self.slugs = {tuple(map(tree.slug, path)): path for path in stock.shelves}
        self.kept = {}
        self.furniture = Furniture(stock, self.shelf_path) if stock.settings.furniture else None

    # -- products --------------------------------------------------------------------------------------------

    def product(self, one, version, session=""):
        """The answer for a product's page, its entity tag and its date; `session` stands in its links."""
        key = one.number, version
        if session or key not in self.kept:
            made = self._product(one, version, session)
            if session:
                return made
            self.kept[key] = made
        return self.kept[key]

    def _product(self, one, version, session):
        sheet = self.stock.sheet(one, version)
        head, body = self._told(one, sheet, self._crumbs(sheet))
        canonical = f'<link rel="canonical" href="{sheet.url}">'
        robots = {"noindex-meta": "robots", "tdm-meta": "tdm-reservation"}.get(one.where)
        value = "noindex, follow" if robots == "robots" else "1"
        meta = f'<meta name="{robots}" content="{value}">' if robots else ""
        by_header = one.number % 10 == 0
        body += self._related(one, version, session)
        text = document(
            sheet.title if one.form != "script" else "Loading",
            body if self.furniture is None else self.furniture.around(one, version, body),
            ("" if by_header else canonical) + meta + head,
            sheet.language,
        )
        data, kind = encoded(text, one.charset)
        headers = [("Link", f'<{sheet.url}>; rel="canonical"')] if by_header else []
        headers += {
            "noindex-header": [("X-Robots-Tag", "noindex")],
            "tdm-header": [("tdm-reservation", "1")],
        }.get(one.where, [])
        day = FIRST + 86_400 * self.stock.changed(one, version)
        tag = f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'
        if self.furniture is not None:
            data = gzip.compress(data, 1, mtime=0)
            headers.append(("Content-Encoding", "gzip"))
        headers += [("ETag", tag), ("Last-Modified", formatdate(day, usegmt=True))]
        return message(200, data, kind, headers), tag, day

    def _crumbs(self, sheet):
        """Names and addresses of the levels that lead to a product."""
        return [("Home", f"{self.address}/")] + [
            (name, self.address + self.shelf_path(sheet.category[: depth + 1]))
            for depth, name in enumerate(sheet.category)
        ]

    def _told(self, one, sheet, crumbs):
        """Head and body that tell the facts in the product's form, with its faults."""
        shown = replace(sheet, price=priced(sheet.price, one.price_form))
        if one.form == "script":
            return "", f'<div id="p" data-url="/api/{one.number}.json">Loading</div><script>{SCRIPT}</script>'
        if one.form == "microdata":
            exact = re.compile(r'(<span itemprop="price") content="[^"]*">[^<]*<')
            text = markup.microdata(sheet, crumbs, lazy=one.number % 3 == 0)
            return "", exact.sub(lambda found: f"{found[1]}>{shown.price} €<", text)
        body = markup.plain(sheet, crumbs, lazy=one.number % 3 == 0)
        if one.form == "open-graph":
            return markup.open_graph(shown), body
        style = {"graph": 1, "list": 2}.get(one.json_fault, 0)
        return broken(markup.json_ld(sheet if style == 1 else shown, crumbs, style), one.json_fault), body

    def facts(self, one, version):
        """What the script of a page without facts asks for."""
        sheet = self.stock.sheet(one, version)
        ld = markup.json_ld(sheet, self._crumbs(sheet), 1).removeprefix('<script type="application/ld+json">')
        return {"title": sheet.title, "ld": ld.removesuffix("</script>")}

    def _related(self, one, version, session):
        """Links to the products before and after; under a session they carry the next session."""
        prefix = f"/s/{abs(hash_of(session)) % 16**8:08x}" if session else ""
        links = []
        for number in (one.number - 1, one.number + 1):
            other = self.stock.products.get(number)
            if other is not None and "links" in other.found and self.stock.there(other, version):
                way = f"{prefix}{other.path}" if other.where == "/p/" else other.path
                links.append(f'<a href="{way}">{html.escape(other.sheet.title)}</a>')
        return f'<p>{" ".join(links)} <a href="/">Home</a> <a href="/cart">Cart</a></p>'

    # -- shelves ---------------------------------------------------------------------------------------------

    def shelf_path(self, path):
        return f"/c/{'/'.join(map(tree.slug, path))}/" if path else "/"

    def listed(self, path, version):
        return [one for one in self.stock.shelves[path] if self.stock.there(one, version)]

    def children(self, path):
        return sorted(
            one for one in self.stock.shelves if len(one) == len(path) + 1 and one[: len(path)] == path
        )

    def shelf(self, path, number, version, traps=True):
        """The n-th page of a level; 0 products and None where honest paging ends."""
        items = self.listed(path, version)
        last = max(1, -(-len(items) // PER_PAGE))
        paging = pick(PAGING, self.seed, "paging", path) if traps else "honest"
        children = self.children(path)
        if number > last and (paging == "honest" or children):
            return None
        shown = min(number, last) if paging == "repeats" else number
        here = self.shelf_path(path)
        parts = [f"<h1>{html.escape(path[-1] if path else 'Home')}</h1><ul>"]
        parts += [
            f'<li><a href="{self.shelf_path(child)}">{html.escape(child[-1])}</a></li>' for child in children
        ]
        if not children:
            page = items[PER_PAGE * (shown - 1) : PER_PAGE * shown]
            parts += [
                f'<li><a href="{self.link(one)}">{html.escape(one.sheet.title)}</a></li>' for one in page
            ]
            if number < last or paging != "honest":
                parts.append(f'</ul><a rel="next" href="{here}?page={number + 1}">Next</a><ul>')
            if traps:
                parts.append(f"</ul>{self.facets(here, {})}<ul>")
        parts.append(f'</ul><a href="{here}?sort=price">Cheapest first</a>')
        return document(path[-1] if path else "Home", "".join(parts), '<meta charset="utf-8">')

    def facets(self, here, chosen):
        """Links to all combinations of filters that are one step away, in the order of choosing."""
        links = []
        for name, values in FACETS.items():
            for value in values:
                taken = {**chosen, name: value}
                links.append(
                    f'<a href="{here}?{"&amp;".join(f"{k}={v}" for k, v in taken.items())}">{value}</a>'
                )
        return " ".join(links)

    def filtered(self, path, chosen, version):
        """A level with filters: a few of its products again, and more filters."""
        here = self.shelf_path(path)
        page = self.listed(path, version)[:3]
        items = "".join(f'<li><a href="{one.path}">{html.escape(one.sheet.title)}</a></li>' for one in page)
        return document("Filtered", f"<ul>{items}</ul>{self.facets(here, chosen)}", '<meta charset="utf-8">')

    def link(self, one):
        """The address that a list has for a product: often another one than its own."""
        if one.where != "/p/":
            return one.path
        detour = pick(DETOURS, self.seed, "detour", one.number)
        return {
            "": one.path,
            "tracking": f"{one.path}?utm_source=list&amp;gclid={one.number}",
            "slash": f"{one.path}/",
            "capitals": "/P/" + one.path[3:].upper(),
            "fragment": f"{one.path}#reviews",
            "shelf": f"{self.shelf_path(one.sheet.category)}{one.path[1:]}",
            "session": f"/s/{one.number * 2654435761 % 16**8:08x}{one.path}",
        }[detour]

    # -- sitemaps --------------------------------------------------------------------------------------------

    def mapped(self):
        """Products in the sitemap; those that vanished stay in it, as in real shops."""
        return [one for one in self.stock.products.values() if "sitemap" in one.found]

    def sitemap_index(self, traps):
        count = -(-len(self.mapped()) // PER_MAP)
        names = [f"{number}.xml{'.gz' if number % 2 else ''}" for number in range(count)]
        names += ["missing.xml", "loop.xml", "broken.xml", "bomb.xml.gz"] if traps else []
        listed = "".join(f"<sitemap><loc>{self.address}/sitemaps/{name}</loc></sitemap>" for name in names)
        return f'<?xml version="1.0"?><sitemapindex xmlns="{SPACE}">{listed}</sitemapindex>'.encode()

    def sitemap(self, number, version):
        part = self.mapped()[PER_MAP * number : PER_MAP * (number + 1)]
        if not part:
            return None
        shown = [one for one in part if one.since <= version]
        entries = "".join(f"<url><loc>{one.sheet.url}</loc></url>" for one in shown)
        text = f'<?xml version="1.0"?><urlset xmlns="{SPACE}">{entries}</urlset>'.encode()
        return gzip.compress(text, 6, mtime=0) if number % 2 else text


SPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def hash_of(text):
    return int(draw("session", text) * 2**32)


def encoded(text, charset):
    """The bytes of a page and what its header says they are."""
    html_kind, meta = "text/html", "<head>"
    if charset == "utf-8":
        return text.replace(meta, '<head><meta charset="utf-8">', 1).encode(), "text/html; charset=utf-8"
    if charset == "lying-utf-8":
        said = text.replace(meta, '<head><meta charset="utf-8">', 1)
        return said.encode("windows-1251", "xmlcharrefreplace"), "text/html; charset=utf-8"
    if charset == "header-wrong":
        return text.replace(meta, '<head><meta charset="utf-8">', 1).encode(), "text/html; charset=iso-8859-1"
    if charset == "meta-wrong":
        return text.replace(
            meta, '<head><meta charset="windows-1252">', 1
        ).encode(), "text/html; charset=utf-8"
    if charset == "meta-only":
        said = text.replace(meta, '<head><meta charset="windows-1252">', 1)
        return said.encode("windows-1252", "xmlcharrefreplace"), html_kind  # neighbours may be Russian
    if charset == "bom":
        return text.encode("utf-16"), html_kind
    return text.encode(), html_kind


def broken(elements, fault):
    """JSON-LD elements with a fault that real shops have; what is meant stays plain to see."""
    if fault == "trailing-comma":
        return re.sub(r"([}\]])(?=</script>)", r",\1", elements)
    if fault == "entities":
        return re.sub(
            r"(<script[^>]*>)(.*?)(</script>)",
            lambda found: found[1] + html.escape(found[2]) + found[3],
            elements,
        )
    if fault == "comments":
        return elements.replace('{"@context"', '/* product data */ {"@context"').replace(
            '"sku":', '\n// number\n"sku":'
        )
    if fault == "newline":
        return elements.replace('"description": "', '"description": "\n\t')
    if fault == "cdata":
        return re.sub(r"(<script[^>]*>)(.*?)(</script>)", r"\1//<![CDATA[\n\2\n//]]>\3", elements)
    return elements
