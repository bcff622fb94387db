"""What stands around a product on the page of a real shop: menus, other products, reviews, a foot, scripts.

With it a page weighs about 100 kB and has 1,400 elements and 290 links, most of them the same on every page.
None of it says anything of the product but the button that puts it into the cart.
"""

from __future__ import annotations

import html
import json

from chaos_shop.faults import draw

CARDS = 24  # other products on a page
REVIEWS = 16
ABOUT, MAKERS, COUNTRIES = 36, 110, 60  # links of the foot, and what can be chosen there
ICON = '<svg class="icon" viewBox="0 0 24 24"><path d="M12 2 22 20H2zM4 4h16v16H4z"/></svg>'
BUY = (
    '<form class="buy" action="/cart"><input type="number" name="count" value="1">'
    '<button type="submit" class="buy__button">Add to cart</button></form>'
)
WORDS = (
    "It came in two days and is just as it was shown. The colour is a little darker than in the picture, the "
    "rest is fine. My daughter uses it every day since. I would take it again, and told two friends so."
)


def listed(kind, texts):
    """A list of things with the same class."""
    items = "".join(f'<li class="{kind}__item">{text}</li>' for text in texts)
    return f'<ul class="{kind}">{items}</ul>'


def link(kind, address, text, before=""):
    """A link as themes write them."""
    return f'<a class="{kind}__link" href="{address}">{before}<span class="{kind}__name">{text}</span></a>'


class Furniture:
    """Builds it for the pages of one shop."""

    def __init__(self, stock, shelf_path):
        self.stock, self.shelf_path = stock, shelf_path
        self.top, self.foot, self.script = self._top(), self._foot(), self._script()

    def around(self, one, version, body):
        """The body of a product's page with everything around it."""
        return (
            f'{self.top}<main id="content" class="layout layout--product"><div class="container">'
            f'<div class="row"><div class="col col-12">{body}{BUY}</div></div>'
            f"{self._reviews(one)}{self._others(one, version)}</div></main>{self.foot}{self.script}"
        )

    def _top(self):
        """Bar, search and a menu of all levels."""
        paths = sorted(self.stock.shelves)
        worlds = []
        for world in (path for path in paths if len(path) == 1):
            below = [path for path in paths if path[:1] == world and len(path) > 1]
            flyout = listed(
                "flyout", (link("menu", self.shelf_path(path), html.escape(path[-1])) for path in below)
            )
            worlds.append(link("menu", self.shelf_path(world), html.escape(world[0]), ICON) + flyout)
        own = (link("own", f"/{name}", name, ICON) for name in ("login", "wishlist", "compare", "cart"))
        return (
            '<header class="header"><div class="header__bar"><p class="usp">Free delivery from 49 €</p>'
            '<a class="logo" href="/"><img src="/static/logo.svg" alt="Shop"></a><form action="/search">'
            '<input type="search" name="q" placeholder="Search"><button type="submit">Search</button></form>'
            f'{listed("own", own)}</div><nav class="menu-bar">{listed("menu", worlds)}</nav></header>'
        )

    def _foot(self):
        pages = (link("footer", f"https://about.example/{n}", f"Page {n}") for n in range(ABOUT))
        makers = (link("makers", f"/search?maker={n}&amp;sort=name", f"Maker {n}") for n in range(MAKERS))
        countries = "".join(f'<option value="{n}">Country {n}</option>' for n in range(COUNTRIES))
        ways = "".join(f'<img class="pay" src="/static/pay-{n}.svg" alt="way to pay {n}">' for n in range(8))
        return (
            f'<footer class="footer">{listed("footer", pages)}{listed("makers", makers)}'
            f'<select name="country">{countries}</select><div class="footer__pay">{ways}</div>'
            '<form class="newsletter"><label>News <input type="email" name="email"></label>'
            "<button>Yes</button></form><p>© 2026 Shop</p></footer>"
        )

    def _script(self):
        """Settings and programs, as shops have them in the page itself."""
        told = {
            f"setting_{n}": {"on": bool(n % 2), "name": f"feature {n}", "share": n / 7} for n in range(160)
        }
        steps = "".join(
            f"function step{n}(a,b){{var c=a.length*{n};for(var i=0;i<c;i++){{b.push(a[i%c]+{n})}}return b}}"
            for n in range(240)
        )
        return (
            f"<script>window.config = {json.dumps(told)};</script><script>(function(){{{steps}}})()</script>"
        )

    def _others(self, one, version):
        """A row of other products, with their pictures and prices."""
        cards = []
        for step in range(1, 4 * CARDS):
            other = self.stock.products.get(1 + (one.number + step * 17) % len(self.stock.products))
            shown = other is not None and other.number != one.number and "links" in other.found
            if shown and other.where == "/p/" and self.stock.there(other, version):
                cards.append(card(other))
        return (
            f'<section class="related"><h2>You may also like</h2>{listed("slider", cards[:CARDS])}</section>'
        )

    def _reviews(self, one):
        words, told = WORDS.split(), []
        for number in range(REVIEWS):
            length = 12 + int(60 * draw("review", one.number, number))
            text = " ".join(words[(number + place) % len(words)] for place in range(length))
            stars = "".join(f'<i class="star star--{place < 4}"></i>' for place in range(5))
            month = 1 + number % 9
            told.append(
                f'<article class="review"><header class="review__head"><span class="stars">{stars}</span>'
                f'<strong class="review__name">Buyer {number}</strong><time datetime="2026-0{month}-11">'
                f'11.0{month}.2026</time></header><p class="review__text">{text}</p>'
                '<footer class="review__foot"><button type="button">Helpful</button></footer></article>'
            )
        return f'<section class="reviews" id="reviews"><h2>What buyers say</h2>{"".join(told)}</section>'


def card(other):
    """Another product, as lists show it."""
    sheet, title = other.sheet, html.escape(other.sheet.title)
    return (
        f'<div class="card" data-id="{other.number}"><a class="card__link" href="{other.path}">'
        f'<picture class="card__picture"><source srcset="/pictures/{other.number}.webp"><img loading="lazy" '
        f'src="/pictures/{other.number}.jpg" alt="{title}" width="180"></picture>'
        f'<span class="card__brand">{html.escape(sheet.brand or "")}</span>'
        f'<span class="card__name">{title}</span></a><div class="card__foot">'
        f'<span class="card__price">{float(sheet.price):.2f} €</span>'
        f'<button class="card__more" type="button">{ICON}<span class="sr">More</span></button></div></div>'
    )
