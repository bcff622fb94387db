"""Crawl: from the address of a shop to the file of its catalogue."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import shelfwise
from shelfwise.addresses import Rules as Guard
from shelfwise.addresses import read as read_address
from shelfwise.collect.catalogue_file import check_file, write_catalogue
from shelfwise.collect.first_look import Vain, rules_in_vain
from shelfwise.collect.frontier import Frontier, FrontierError
from shelfwise.collect.job import Job, Settings
from shelfwise.collect.polite import Pace
from shelfwise.collect.traps import absolute, host_of
from shelfwise.collect.web import Web
from shelfwise.errors import AddressError, MissingExtraError, ShelfwiseError

CONTACT = "https://github.com/shelfwise/shelfwise"
TOKEN = "shelfwise"  # how robots.txt calls this crawler
LOOKED_AT = 1000  # products of which missing fields are counted
ENDING = ".crawl"  # of the file that keeps the state of a crawl, beside the catalogue
_WHY = {
    "robots": "its robots.txt forbids it",
    "robots_unreachable": "its server fails to give its robots.txt, which forbids everything for now",
    "no_answer": "nothing answers there, or there is no such host; is the address right?",
    "private_address": "it is no address on the public internet; --allow-private lets it be asked",
    "no_such_host": "there is no host of that name",
    "refused": "nothing answers there",
    "timeout": "it did not answer in time",
    "tls": "its certificate cannot be trusted",
    "login": "it asks to log in",
    "wall": "a consent wall or a robot check stands before it",
    "redirect_elsewhere": "it leads to another site; scrape that one",
    "needs_browser": "a script has to fill its pages, and no browser may be used or was found",
    "tdm_reserved": "it reserves text and data mining",
    "noindex": "it asks not to be indexed",
    "http_403": "it forbids the request (403)",
    "http_404": "there is no such page (404); is the address right?",
    "http_410": "there is no such page any more (410)",
    "soft_404": "it says that there is no such page; is the address right?",
}


class ScrapeError(ShelfwiseError):
    """A shop cannot be scraped as it was asked for. resumable: the same command may go on later."""

    def __init__(self, message: str, resumable: bool = False) -> None:
        super().__init__(message)
        self.resumable = resumable


@dataclass(frozen=True)
class Options:
    """How to scrape. urls: take these pages and look for no others. limit: products at most, 0 for all.

    delay: seconds between requests to a host. contact: where whoever runs a shop can write to.
    """

    urls: Path | None = None
    rules: Path | None = None
    limit: int = 0
    delay: float = 1.0
    browser: str = "auto"
    allow_private: bool = False
    contact: str = CONTACT


@dataclass(frozen=True)
class Scraped:
    """What came of it.

    products: in the file. run: number of the crawl. tally: new, changed, unchanged, gone, not_seen.
    pages: how many addresses are in each state, by reason. complete: nothing is left to ask for. stopped: why
    it ended early ("limit", "interrupted", "asked_to_wait"), or "". missing: of the first thousand products,
    those without a field. rules_in_vain: rules that matched nothing on some products' pages.
    """

    output: str
    products: int
    run: int
    tally: dict[str, int]
    pages: dict[str, dict[str, int]]
    requests: int
    browser_pages: int
    seconds: float
    complete: bool
    stopped: str
    missing: dict[str, int] = field(default_factory=dict)
    rules_in_vain: list[Vain] = field(default_factory=list)

    @property
    def unrendered(self) -> int:
        """Pages that would have needed a browser."""
        return sum(self.pages.get(state, {}).get("needs_browser", 0) for state in ("failed", "done"))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def scrape(
    url: str, output: Path, options: Options | None = None, tell: Callable[[str], None] = print
) -> Scraped:
    """Scrape a shop into a Parquet file.

    A crawl that was ended early goes on; one that was complete looks for changes.

    Once a process, because the event loop of the engine cannot be started again.

    Raises:
        ScrapeError: nothing can be taken from there, and why.
        MissingExtraError: the extra `collect` is not installed.

    """
    options = options or Options()
    check_file(output)
    settings = _settings(url, options)
    try:
        from shelfwise.collect import engine
        from shelfwise.collect.browser import HOW, find_chromium
    except ModuleNotFoundError as error:
        raise MissingExtraError("scraping shops", "collect") from error
    chromium = find_chromium() if options.browser != "never" else ""
    if not chromium and options.browser == "always":
        raise ScrapeError(f"--browser always: {HOW.partition('.')[0]}; {HOW.partition('. ')[2]}")
    with _state(output) as frontier:
        look = _begin(frontier, settings, tell)
        job = _job(settings, frontier, options, look)
        job.chromium, job.tell = chromium, tell
        began = time.monotonic()
        engine.run(job)
        result = _result(job, output, time.monotonic() - began)
        if not chromium and options.browser == "auto" and result.unrendered:
            tell(HOW)
        return result


@contextmanager
def _state(output: Path) -> Iterator[Frontier]:
    """The state of a crawl. A new one that nothing came of, and that cannot go on, leaves nothing behind."""
    path = state_file(output)
    fresh = not path.exists()
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        frontier = Frontier(path)
    except FrontierError:
        _remove_folders(made)
        raise
    try:
        yield frontier
    except ScrapeError as error:
        if fresh and not error.resumable:
            frontier.discard()
            _remove_folders(made)
        raise
    finally:
        frontier.close()


def _remove_folders(made: list[Path]) -> None:
    for folder in made:
        with contextlib.suppress(OSError):  # somebody put something there meanwhile
            folder.rmdir()


def state_file(output: Path) -> Path:
    """The file that keeps the state of the crawl whose catalogue this is."""
    return output.with_name(output.name + ENDING)


def _settings(url: str, options: Options) -> Settings:
    seeds = [_address(url, "URL")]
    if options.urls is not None:
        try:
            lines = options.urls.read_text(encoding="utf-8-sig").split()
        except (OSError, UnicodeDecodeError) as error:
            raise ScrapeError(f"{options.urls}: cannot be read: {error}") from error
        if not lines:
            raise ScrapeError(f"{options.urls}: there is no address in it; one stands on each line")
        seeds = [_address(line, f"{options.urls}, address {number}") for number, line in enumerate(lines, 1)]
    rules = None
    if options.rules is not None:
        from shelfwise.collect import read_rules

        rules = read_rules(options.rules)
    return Settings(
        tuple(dict.fromkeys(seeds)),
        options.limit,
        options.delay,
        options.browser,
        options.urls is None,
        rules,
    )


def _address(text: str, where: str) -> str:
    text = text.strip()
    led = absolute(text if "://" in text else f"https://{text}", "")
    if led is None:
        raise ScrapeError(
            f"{where}: {text!r} is no address of a page: give one such as https://shop.example/"
        )
    return led


def _begin(frontier: Frontier, settings: Settings, tell: Callable[[str], None]) -> bool:
    """Go on with the crawl that is there, look for changes, or begin; whether the rules are others."""
    known = frontier.about("shop")
    site = host_of(settings.seeds[0])
    if known and known != site:
        raise ScrapeError(
            f"{frontier.path} is the state of a crawl of {known}, not of {site}: give another --output"
        )
    rules = "" if settings.rules is None else repr(sorted(settings.rules.hosts.items()))
    changed = bool(known) and rules != frontier.about("rules")
    if not known:
        frontier.note("shop", site)
    elif changed or not frontier.unfinished():
        frontier.begin_again(afresh=changed)
    if changed:
        tell("The rules are others than before: every page is read again.")
    if changed or not known:
        frontier.note("rules", rules)
    return changed


def _job(settings: Settings, frontier: Frontier, options: Options, look: bool) -> Job:
    hosts = list(dict.fromkeys(map(host_of, settings.seeds)))
    ports = {urlsplit(url).port for url in settings.seeds} - {None}
    named = [*hosts, *(one.removeprefix("www.") if one.startswith("www.") else f"www.{one}" for one in hosts)]
    if options.allow_private:
        named = [one for one in named if not (one.startswith("www.") and one[4:5].isdigit())]
        guard = Guard(hosts=tuple(one for one in named if "[" not in one or one.startswith("[")))
    else:
        guard = Guard(ports=(80, 443, *(port for port in ports if port)))
    for url in settings.seeds:
        try:
            read_address(url, guard)
        except AddressError as error:
            raise ScrapeError(
                f"{url}: {error}; --allow-private lets hosts of your own network be asked"
            ) from error
    agent = f"{TOKEN}/{shelfwise.__version__} (+{options.contact})"
    return Job(settings, frontier, Web(guard, Pace(options.delay), agent), TOKEN, look=look)


def _result(job: Job, output: Path, seconds: float) -> Scraped:
    """Write the file and tell what came of it."""
    frontier = job.frontier
    pages = frontier.counts()
    if not frontier.products.count() and not frontier.products.tally(frontier.run)["gone"]:
        raise ScrapeError(_why_nothing(job, pages), job.stopped in ("interrupted", "asked_to_wait"))
    products = write_catalogue(frontier.products, output)
    rows = frontier.products.first(LOOKED_AT)
    missing = {
        name: sum(not row.get(name) for row in rows) for name in ("title", "price", "images", "category_path")
    }
    vain = []
    if job.settings.rules is not None:
        vain = rules_in_vain(row for piece in frontier.products.pieces(LOOKED_AT) for row in piece)
    return Scraped(
        str(output), products, frontier.run, frontier.products.tally(frontier.run), pages, job.asked,
        job.rendered, round(seconds, 3), not frontier.unfinished(), job.stopped, missing, vain,
    )  # fmt: skip


def _why_nothing(job: Job, pages: dict[str, dict[str, int]]) -> str:
    """Why no product was found, as far as the addresses that were given tell it."""
    if job.stopped == "asked_to_wait":
        return f"{job.settings.seeds[0]}: the shop asks to come back later (Retry-After); do so"
    if job.stopped == "interrupted":
        return "interrupted before a product was found; run the same command again to go on"
    seeds = set(job.settings.seeds)
    for one in job.frontier.listed(("failed", "skipped", "later")):
        if one["url"] in seeds:
            failing = f"its server fails ({one['reason'][5:]}); try later"
            usual = failing if one["reason"].startswith("http_5") else f"the reason is {one['reason']}"
            why = _WHY.get(one["reason"], usual)
            return f"{one['url']}: nothing can be taken from there: {why}"
    counts = ", ".join(
        f"{why or 'other'} {count}" for state in pages.values() for why, count in state.items()
    )
    return (
        f"{job.settings.seeds[0]}: no product was found on {job.asked} pages ({counts}). "
        "Is it the address of a shop? Pages that are unusual can be read with --rules."
    )
