"""A job: one crawl of a shop. What is done with each answer, free of any engine.

The engine (Scrapy) asks `claim` for addresses and hands back what it got to `answered` or `failed`; all else
is in the frontier.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shelfwise.collect.buttons import next_page
from shelfwise.collect.first_look import FIRST_LOOK, first_look
from shelfwise.collect.frontier import SITEMAP, End, Frontier, New, Row
from shelfwise.collect.harvest import (
    BUTTON,
    Harvest,
    copy_of,
    harvest,
    has_silent_button,
    in_vain,
    wants_browser,
)
from shelfwise.collect.links import Link
from shelfwise.collect.polite import Pace
from shelfwise.collect.robots import Robots, Told
from shelfwise.collect.rules import Rules
from shelfwise.collect.sitemap import read_sitemap
from shelfwise.collect.traps import absolute, host_of, is_paging, same_site, why_not
from shelfwise.collect.web import Answer, FetchError, Web

NONE_YET = 100  # requests without a product after which it says so
PATIENCE = 600.0  # seconds of a Retry-After that a crawl waits for
MOST_HOPS = 10
MOST_BARREN = 25  # pages of a list one after the other that lead to nothing new
_TEMPORARY = frozenset(
    ("timeout", "too_slow", "reset", "truncated", "refused", "no_such_host", "browser", "bad_answer")
)
_UNSEEN = frozenset(("needs_browser", "login", "wall", "unreadable"))  # says nothing about the product
_OPTED_OUT = frozenset(("noindex", "tdm_reserved"))


@dataclass(frozen=True)
class Settings:
    """What was asked for. browser: "auto", "never" or "always". follow: look for more than the seeds."""

    seeds: tuple[str, ...]
    limit: int = 0
    delay: float = 1.0
    browser: str = "auto"
    follow: bool = True
    rules: Rules | None = None


@dataclass(frozen=True)
class Led:
    """Where a page leads. marks: a number for its links. barren: pages of a list that led to nothing new.

    added: addresses that are new. again: it is the page before once more, or one too many.
    """

    marks: int | None = None
    barren: int = 0
    added: int = 0
    again: bool = False


@dataclass
class Job:
    """The crawl.

    chromium: the browser's path, "" where there is none. tell: hears what happens, in words. look: tell
    what the first products look like though some are known.
    """

    settings: Settings
    frontier: Frontier
    web: Web
    agent: str
    chromium: str = ""
    tell: Callable[[str], None] = print
    look: bool = False
    stopped: str = ""
    error: Exception | None = None
    active: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    rendered: int = 0
    robots: Robots = field(init=False)
    hosts: set[str] = field(init=False)
    _kept: int = field(init=False)
    _looked: bool = field(init=False)
    _warned: bool = False

    def __post_init__(self) -> None:
        self.robots = Robots(self._ask, self.agent)
        self.hosts = {host_of(url) for url in self.settings.seeds}
        self._kept = self.frontier.products.seen(self.frontier.run)
        self._looked = not self.look and self.frontier.products.count() > 0
        for host, until in self.frontier.held().items():
            self.pace.hold(host, until)

    @property
    def pace(self) -> Pace:
        """When hosts may be asked."""
        return self.web.pace

    # -- what is asked for -----------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Add the seeds, and the sitemaps that robots.txt names."""
        fresh = self.frontier.is_empty()
        self.frontier.add([New(url, seed=True) for url in self.settings.seeds])
        if not fresh or not self.settings.follow:
            return
        for seed in self.settings.seeds:
            rules = await self.robots.rules(seed)
            parts = urlsplit(seed)
            named = rules.sitemaps or (f"{parts.scheme}://{parts.netloc}/sitemap.xml",)
            found = [led for one in named if (led := absolute(one, seed)) and self._ours(led)]
            if not rules.why:
                self.frontier.add([New(one, kind=SITEMAP, seed=True) for one in found])

    def claim(self, at_once: int) -> Row | None:
        """The next address to ask for; `at_once`: most that a host is asked for at the same time."""
        if self.stopped:
            return None
        row = self.frontier.claim(lambda host: self.active[host] < at_once and self._soon(host))
        while row is not None and row.browser and in_vain(self.frontier.of_shape(row)):
            self.frontier.finish(row, End("done", "browser_in_vain", 200))
            row = self.frontier.claim(lambda host: self.active[host] < at_once and self._soon(host))
        if row is not None:
            self.active[row.host] += 1
        elif not self.active.total() and self.frontier.unfinished() and self._all_held():
            self.stopped = "asked_to_wait"
        return row

    def _soon(self, host: str) -> bool:
        return self.pace.held(host) - time.time() < PATIENCE

    def _all_held(self) -> bool:
        held = [host for host in self.hosts if not self._soon(host)]
        return bool(held) and len(held) == len(self.hosts)

    async def fetch(self, row: Row) -> Answer:
        """Ask for an address without a browser.

        Raises:
            FetchError: it may not be asked for, or there is no answer.

        """
        await self.allow(row.url)
        headers = {}
        if row.etag:
            headers["If-None-Match"] = row.etag
        if row.modified:
            headers["If-Modified-Since"] = row.modified
        self.asked += 1
        return await self.web.get(row.url, headers)

    async def allow(self, url: str) -> None:
        """Raise FetchError where robots.txt or a reservation forbids an address."""
        why = (await self.robots.rules(url)).forbids(url)
        if why:
            raise FetchError(why)

    async def _ask(self, url: str) -> Told:
        try:
            answer = await self.web.get(url)
        except FetchError:
            return Told(0)
        if url.endswith("/robots.txt") and answer.status == 200:
            from shelfwise.collect.robots import parse

            self.pace.ask_less(host_of(url), parse(answer.body, b"", self.agent).delay)
        return Told(answer.status, answer.body, answer.header("location"))

    # -- what came of it -------------------------------------------------------------------------------------

    def answered(self, row: Row, answer: Answer, rendered: bool = False) -> None:
        """Keep what an answer brings."""
        self.active[row.host] -= 1
        if self.stopped:
            self.frontier.give_back(row)
            return
        with self.frontier.transaction():
            self._answered(row, answer, rendered)
        self._look()

    def _answered(self, row: Row, answer: Answer, rendered: bool) -> None:
        status = answer.status
        if status in (429, 408) or status >= 500:
            held = self.pace.held(row.host)
            if held > time.time():
                self.frontier.hold(row.host, held)
            self._later(row, f"http_{status}", status)
        elif status == 304:
            known = self.frontier.products.unchanged(row.id, self.frontier.run)
            self.frontier.finish(row, End("done", "unchanged", status, fruitful=known))
            self._count(known)
        elif status in (301, 302, 303, 307, 308):
            self._moved(row, answer)
        elif status in (404, 410):
            self.frontier.products.vanish(row.id, f"http_{status}", self.frontier.run)
            self.frontier.finish(row, End("skipped" if row.parent else "failed", f"http_{status}", status))
            self._press_instead(row)
        elif status != 200:
            code = "login" if status == 401 else f"http_{status}"
            self.frontier.finish(row, End("failed", code, status))
        elif row.kind == SITEMAP:
            self._sitemap(row, answer)
        else:
            self._page(row, answer, rendered)

    def failed(self, row: Row, code: str) -> None:
        """There was no answer, or none was asked for."""
        self.active[row.host] -= 1
        if self.stopped:
            self.frontier.give_back(row)
            return
        if code in _TEMPORARY:
            self._later(row, code, None)
            return
        with self.frontier.transaction():
            if code in _OPTED_OUT or code == "robots":
                self.frontier.products.vanish(row.id, code, self.frontier.run)
            refused = code in _OPTED_OUT or code in ("robots", "private_address")
            seed = row.parent is None
            self.frontier.finish(row, End("skipped" if refused and not seed else "failed", code))

    def _later(self, row: Row, reason: str, status: int | None) -> None:
        wait = min(max(self.settings.delay, 0.1) * 2 ** (row.attempts - 1), 300.0)
        due = max(time.time() + wait, self.pace.held(row.host))
        self.frontier.try_again(row, due, reason, status)

    def _moved(self, row: Row, answer: Answer) -> None:
        led = absolute(answer.header("location"), row.url)
        reason = "redirect"
        if led is None:
            reason = "redirect_nowhere"
        elif not self._ours(led):
            if row.parent is None and same_site(host_of(led), row.host):
                self.hosts.add(host_of(led))
            else:
                reason = "redirect_elsewhere"
                if row.parent is None:
                    self.tell(f"{row.url} leads to {led}")
        elif row.hops >= MOST_HOPS:
            reason = "redirect_chain"
        if reason == "redirect" and led is not None:
            new = New(led, row.kind, row.hops + 1, seed=row.parent is None)
            if not self.frontier.add([new], row) and led == row.url:
                reason = "redirect_loop"
        state = "done" if reason == "redirect" else "failed"
        self.frontier.finish(row, End(state, reason, answer.status))
        self._press_instead(row)

    def _sitemap(self, row: Row, answer: Answer) -> None:
        found = read_sitemap(answer.body, row.url)
        maps = [New(one, SITEMAP) for one in found.maps if self._ours(one)] if row.depth < 5 else []
        pages = [New(one) for one in found.pages if self._ours(one) and not why_not(one)]
        self.frontier.add(maps + pages, row)
        reason = None if found.whole else "sitemap_damaged"
        self.frontier.finish(row, End("done", reason, 200, *_validators(answer)))

    def _page(self, row: Row, answer: Answer, rendered: bool) -> None:
        found = harvest(answer, row.url, self.settings.rules)
        if not rendered and wants_browser(found):
            copied = copy_of(found, row.url)
            if copied is not None and self.settings.follow:
                self.frontier.add([New(copied)], row)
                self.frontier.finish(row, End("done", "duplicate", 200))
                return
            if self._may_render:
                self.frontier.open_in_browser(row)
                return
            found = Harvest(None, "needs_browser", found.sight)
        end, kept = "done", ""
        if found.row is not None:
            kept = self._keep(row, found)
        elif found.reason in _OPTED_OUT:
            end = "skipped"
        elif found.reason in _UNSEEN:
            end = "failed"
        if found.row is None and found.reason not in _UNSEEN:
            self.frontier.products.vanish(row.id, found.reason or "", self.frontier.run)
        fruitful = kept not in ("", "duplicate")
        led = self._follow(row, found, kept)
        if rendered:
            self.frontier.opened(row, found.row is not None or led.added > 0)
        reason = "duplicate" if kept == "duplicate" else found.reason
        if not rendered and not led.again and self.settings.follow and has_silent_button(found):
            self.frontier.add([New(next_page(row.url), paging=True)], row)
            reason = BUTTON
        tags = _validators(answer) if end == "done" and reason != BUTTON else (None, None)
        self.frontier.finish(row, End(end, reason, 200, *tags, led.marks, led.barren, fruitful))
        if led.again:
            self._press_instead(row)

    @property
    def _may_render(self) -> bool:
        return self.settings.browser == "auto" and bool(self.chromium)

    def _press_instead(self, row: Row) -> None:
        """A later page of a list is none: where its address was a guess, the list's button is pressed."""
        if row.paging:
            self.frontier.press(row, self._may_render)

    def _keep(self, row: Row, found: Harvest) -> str:
        assert found.row is not None
        moment = (self.frontier.run, time.time())
        kept = self.frontier.products.keep(found.row, row.url, row.id, moment)
        if found.row["url"] != row.url:
            self.frontier.settle(found.row["url"], row)
        self._count(kept != "duplicate")
        return kept

    def _count(self, product: bool) -> None:
        self._kept += product
        if product and self.settings.limit and self._kept >= self.settings.limit:
            self.stopped = "limit"

    def _follow(self, row: Row, found: Harvest, kept: str) -> Led:
        """Add where a page leads.

        The copy of a product under another address leads on to more copies: its links are left alone.
        """
        sight = found.sight
        elsewhere = found.row is not None and found.row["url"] != row.url
        if not self.settings.follow or not sight.follow or elsewhere or kept == "duplicate":
            return Led()
        links = [link for link in sight.links if self._ours(link.url) and not why_not(link.url)]
        plain = sorted(link.url for link in links if not link.paging and not is_paging(link.url))
        marks = hash_of(plain)
        before, barren = self.frontier.parent_marks(row) if row.paging else (None, 0)
        added = self.frontier.add([_new(link) for link in links if not link.paging], row)
        barren = 0 if added or not row.paging else barren + 1
        again = (row.paging and before == marks) or barren >= MOST_BARREN
        if not again:
            added += self.frontier.add([_new(link) for link in links if link.paging], row)
        return Led(marks, barren, added, again)

    def _ours(self, url: str) -> bool:
        return host_of(url) in self.hosts

    # -- what is told ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        """After the first products of an unknown shop: tell what was found, and what is missing."""
        enough = self._kept >= FIRST_LOOK
        if self._looked or not (enough or (not self._kept and not self._warned and self.asked >= NONE_YET)):
            return
        self._looked, self._warned = enough, True
        self.tell(first_look(self.frontier, self.asked, self.settings.rules))


def hash_of(urls: list[str]) -> int:
    """A number for a set of addresses that are sorted."""
    import hashlib

    digest = hashlib.blake2b("\n".join(urls).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _new(link: Link) -> New:
    return New(link.url, paging=link.paging or is_paging(link.url), weak=link.weak)


def _validators(answer: Answer) -> tuple[str | None, str | None]:
    return answer.header("etag") or None, answer.header("last-modified") or None
