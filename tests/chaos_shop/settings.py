"""What can be chosen, and how options of the command line become it."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, dataclass, field, fields


def option(default, meaning):
    """A setting with its meaning."""
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Common:
    """What both servers know."""

    seed: int = option(0, "the same seed gives the same shop and the same faults")
    port: int = option(0, "port of the shop; 0 takes a free one")
    control_port: int = option(0, "port of the books; 0 takes a free one")
    faults: float = option(0.3, "share of answers that are 429, 503, reset, slow or truncated")
    faults_in_row: int = option(3, "the same address never fails more often than that one after the other")
    retry_after: int = option(1, "seconds that a Retry-After asks for")
    retry_after_share: float = option(0.1, "share of 429 and 503 that carry a Retry-After")
    grace: float = option(
        0.25, "seconds after a Retry-After was sent in which requests may have been on the way"
    )
    slow: float = option(0.5, "seconds that a slow answer takes")
    latency: float = option(0.0, "seconds that every answer takes; concurrency can be seen with it")
    hang: float = option(60.0, "seconds after which endless answers are given up")


@dataclass(frozen=True)
class ShopSettings(Common):
    """What the shop knows beside."""

    products: int = option(10_000, "products, at least 300")
    javascript: float = option(0.0, "share of products whose page is empty without JavaScript")
    furniture: bool = option(
        False, "pages as heavy as those of real shops: menus, other products, reviews, scripts; sent as gzip"
    )
    traps: bool = option(True, "endless calendars, facets, pages and sessions, redirects, bombs, tarpits")
    robots: str = option("ok", "robots.txt: ok, missing (404), error (503), flaky (503 once), long (600 KB)")
    agent: str = option("shelfwise", "product token that has a group of its own in robots.txt")
    crawl_delay: float = option(0.0, "Crawl-delay in that group, in seconds; 0 says none")
    version: int = option(1, "state of the shop; from 2 on some products changed, vanished or are new")


@dataclass(frozen=True)
class PictureSettings(Common):
    """What the server of pictures knows beside."""

    faults: float = option(0.05, "share of answers of good addresses that are 429 or 503")
    pictures: int = option(10_000, "addresses")
    side: int = option(256, "width and height of the pictures in pixels")
    bases: int = option(64, "pictures that are drawn; the others have the same pixels and other bytes")
    dead: float = option(0.2, "share of addresses that never give a picture")
    twins: float = option(0.05, "share of addresses that give the bytes of an earlier one")
    reserved: float = option(0.02, "share of addresses with X-Robots-Tag: noai")
    endless: int = option(64, "megabytes after which an endless picture is given up")


def parser_of(kind, **about):
    """An argument parser with an option for each field of a settings class."""
    parser = argparse.ArgumentParser(**about)
    for entry in fields(kind):
        name, default = f"--{entry.name.replace('_', '-')}", entry.default
        assert default is not MISSING
        words = f"{entry.metadata['help']} (default {default})"
        if isinstance(default, bool):
            parser.add_argument(name, default=default, action=argparse.BooleanOptionalAction, help=words)
        else:
            parser.add_argument(name, default=default, type=type(default), help=words)
    return parser


def arguments(settings):
    """The words of a command line that give these settings."""
    words = []
    for entry in fields(settings):
        value, name = getattr(settings, entry.name), entry.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name}", str(value)]
    return words
