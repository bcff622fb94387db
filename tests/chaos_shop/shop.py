"""The chaos shop: from a request to a reply, and its books."""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from chaos_shop import robots, traps
from chaos_shop.faults import Faults
from chaos_shop.ledger import Ledger
from chaos_shop.pages import FACETS, Pages, document
from chaos_shop.stock import Stock
from chaos_shop.wire import Reply, as_json, message

MISSING = b"<!doctype html><title>404</title><h1>There is no such page</h1>"
SOFT = document("Shop", "<h1>We could not find what you were looking for</h1>").encode()
CALM = ("/robots.txt", "/.well-known/tdmrep.json")  # never spoiled: their absence has a meaning of its own
XML = "application/xml"


class Books:
    """What the control port answers, for the shop and for the pictures.

    GET /stats, /hits, /requests, /truth.parquet[?agent=...]; POST /clear, /version?n=2, /stop.
    """

    def __init__(self, ledger, truth):
        self.ledger, self.truth, self.counts, self.version = ledger, truth, None, 1

    def answer(self, request):
        path, _, text = request.target.partition("?")
        query = dict(parse_qsl(text))
        if request.method == "POST":
            return self.do(path, query)
        if path == "/stats":
            return as_json({**self.ledger.summary(self.counts), "version": self.version})
        if path == "/hits":
            return as_json(self.ledger.hits())
        if path == "/requests":
            return as_json(self.ledger.requests)
        if path == "/truth.parquet":
            buffer = io.BytesIO()
            self.truth(self.version, query.get("agent")).write_parquet(buffer)
            return Reply(message(200, buffer.getvalue(), "application/octet-stream"))
        return as_json({"error": "no such page"}, 404)

    def do(self, path, query):
        if path == "/clear":
            self.ledger.clear()
            self.counts.most_open, self.counts.most_running = self.counts.open, self.counts.running
        elif path == "/version":
            self.version = int(query["n"])
        elif path == "/stop":
            for task in asyncio.all_tasks():
                task.cancel()
        else:
            return as_json({"error": "no such page"}, 404)
        return as_json({"version": self.version})


class Shop:
    """Answers requests; `address` is how it is reached."""

    def __init__(self, settings, address):
        self.settings = settings
        self.stock = Stock(settings, address)
        self.pages = Pages(self.stock)
        self.ledger, self.faults = Ledger(settings), Faults(settings)
        self.books = Books(
            self.ledger, lambda version, agent: self.stock.truth(version, agent or settings.agent)
        )
        self.books.version = settings.version
        self.robots_hits = 0
        free = (one for one in self.stock.products.values() if one.where == "/p/" and not one.policy)
        self.target = next(one.path for one in free if one.until > 1)

    @property
    def version(self):
        return self.books.version

    def answer(self, request):
        now = time.time()
        self.ledger.arrived(request, now)
        reply = self.reply(request)
        if reply.label != "trap" and request.target.split("?")[0] not in CALM:
            fault = self.faults.next(request.target)
            if fault:
                reply = self.faults.spoil(fault, request.target, reply, now)
        self.ledger.answered(request, reply, now)
        return reply

    def reply(self, request):
        """The answer without faults."""
        if request.method not in ("GET", "HEAD"):
            return Reply(message(405), "refused")
        path, _, text = request.target.partition("?")
        query = dict(parse_qsl(text))
        found = re.search(r"/([pP])/[^/]*?-(\d+)(-secret\.html|-SECRET\.HTML)?/?$", path)
        if found:
            return self.product(request, path, int(found[2]))
        if path.startswith("/c/") or path == "/":
            return self.level(path, query)
        if path.startswith("/sitemap"):
            return self.sitemap(path)
        if path == "/robots.txt":
            return self.robots()
        if path == "/.well-known/tdmrep.json":
            return as_json([{"location": "/reserved/*", "tdm-reservation": 1}])
        api = re.fullmatch(r"/api/(\d{1,9})\.json", path)
        if api and int(api[1]) in self.stock.products:
            facts = self.pages.facts(self.stock.products[int(api[1])], self.version)
            return Reply(message(200, json.dumps(facts).encode(), "application/json"), "api")
        caught = traps.trap(path, query, self.target) if self.settings.traps else None
        return caught or Reply(message(404, MISSING), "404")

    def product(self, request, path, number):
        one = self.stock.products.get(number)
        if one is None or number == 0:
            return Reply(message(200, SOFT), "soft-404")
        if not self.stock.there(one, self.version):
            return Reply(message(410 if number % 2 else 404, MISSING), "vanished")
        way = path.removesuffix("/").lower()
        session = re.match(r"/s/([0-9a-f]{8})/", way)
        own = one.path.lower()
        plain = way.removeprefix(f"/s/{session[1]}") if session else way
        shelf = self.pages.shelf_path(one.sheet.category)[:-1]
        if plain != own and (own.startswith("/p/") is False or plain != f"{shelf}{own}"):
            return Reply(message(404, MISSING), "404")
        data, tag, day = self.pages.product(one, self.version, session[1] if session else "")
        if unchanged(request, tag, day):
            return Reply(message(304, kind="", headers=[("ETag", tag)]), "304")
        return Reply(data, "product")

    def level(self, path, query):
        way = tuple(part for part in path.removeprefix("/c/").split("/") if part) if path != "/" else ()
        level = self.pages.slugs.get(way)
        number = query.get("page", "1")
        if level is None or not re.fullmatch(r"[1-9]\d{0,8}", number):
            return Reply(message(404, MISSING), "404")
        chosen = {name: value for name, value in query.items() if name in FACETS}
        if chosen and self.settings.traps:
            return Reply(message(200, self.pages.filtered(level, chosen, self.version).encode()), "facet")
        text = self.pages.shelf(level, int(number), self.version, self.settings.traps)
        if text is None:
            return Reply(message(404, MISSING), "404")
        if path == "/" and self.settings.traps:
            text = text.replace("</body>", f"{traps.entrance()}</body>")
        return Reply(message(200, text.encode()), "shelf")

    def sitemap(self, path):
        settings, pages = self.settings, self.pages
        if path == "/sitemap.xml" or (path == "/sitemaps/loop.xml" and settings.traps):
            return Reply(message(200, pages.sitemap_index(settings.traps), XML), "sitemap")
        if path == "/sitemaps/broken.xml" and settings.traps:
            return Reply(message(200, pages.sitemap(0, self.version)[:800], XML), "sitemap")
        if path == "/sitemaps/bomb.xml.gz" and settings.traps:
            return traps.trap(path, {}, self.target)
        found = re.fullmatch(r"/sitemaps/(\d{1,5})\.xml(\.gz)?", path)
        data = pages.sitemap(int(found[1]), self.version) if found else None
        if data is None or (int(found[1]) % 2 == 1) != bool(found[2]):
            return Reply(message(404, MISSING), "404")
        return Reply(message(200, data, "application/gzip" if found[2] else XML), "sitemap")

    def robots(self):
        """robots.txt in the state that was asked for."""
        self.robots_hits += 1
        state = self.settings.robots
        if state == "missing":
            return Reply(message(404, MISSING), "robots")
        if state == "error" or (state == "flaky" and self.robots_hits == 1):
            return Reply(message(503, b"later"), "robots")
        text = robots.text(self.settings, self.stock.address)
        return Reply(message(200, text.encode(), "text/plain; charset=utf-8"), "robots")


def unchanged(request, tag, day):
    """Whether a visitor has the page already: by its tag, or without one by its date (RFC 9110, 13.1)."""
    known = request.headers.get("if-none-match")
    if known is not None:
        return tag in known
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(since).timestamp() >= day
    except ValueError:
        return False
