"""Traps: the one spelling of an address, its shape, and which addresses are not worth a request.

Shops have pages without end: calendars, filters in any combination, sessions in paths. A shape is what such
addresses have in common (`/calendar?month`, `?colour,size`); the frontier keeps count of what the pages of
each shape brought, and closes those that bring nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

LONGEST = 2000
DEEPEST = 15  # parts of a path
MOST_FILTERS = 2  # query parameters beside paging
_KEPT = 16_384  # links that are remembered: those of menus and neighbours come again on every page
_LONG = 300  # characters of a link that is not worth it
PAGING = frozenset(
    ("page", "p", "pg", "pagenumber", "paged", "seite", "start", "offset", "from", "cursor", "pageindex")
)
_TRACKING = re.compile(
    r"utm_\w+|gclid|fbclid|msclkid|dclid|yclid|gbraid|wbraid|mc_[ce]id|_ga|_gl|igshid|srsltid|ref_?src|"
    r"phpsessid|jsessionid|sid|sessionid|session_id",
    re.IGNORECASE,
)
_SORTING = frozenset(
    ("sort", "sortby", "sort_by", "order", "orderby", "order_by", "dir", "direction", "view", "mode", "limit",
     "perpage", "per_page", "pagesize", "page_size", "display",
     "print", "replytocom", "add-to-cart", "returnurl",
     "return_url", "redirect")
)  # fmt: skip
_ASIDE = frozenset(
    ("cart", "basket", "checkout", "login", "signin", "sign-in", "register", "logout", "wishlist", "compare",
     "warenkorb", "kasse", "anmelden", "merkzettel", "my-account", "wp-admin", "wp-json", "feed")
)  # fmt: skip
_FILES = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|svg|ico|css|js|mjs|map|json|pdf|zip|rar|7z|gz|tgz|docx?|xlsx?|"
    r"pptx?|csv|mp[34]|webm|mov|avi|woff2?|ttf|eot|rss|atom|apk|exe|dmg|ics)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_TOKEN = re.compile(r"(?=[^/]*\d)[0-9a-f]{6,}|[A-Za-z0-9_-]{24,}")
_PAGE_PATH = re.compile(r"/(?:page|seite|pagina)[/-]?\d+/?$", re.IGNORECASE)
_SAFE = "/%:@!$&'()*+,;=-._~"
_FROM_TOP = re.compile(r"/(?![/\t\r\n])")
_WHOLE = re.compile(r"https?://[0-9A-Za-z]")
_NO_PAGES = ("#", "javascript:", "mailto:", "tel:", "data:")


class _Traits(NamedTuple):
    """What is asked of an address again and again; see the functions of the same names."""

    host: str
    shape: str
    paging: bool
    filters: int
    why_not: str | None


def absolute(link: str, base: str) -> str | None:
    """The one spelling of the address that a link on a page leads to; None where it leads to no page.

    Fragments and the parameters of campaigns and sessions are dropped; parameters are sorted.
    """
    if len(link) <= _LONG:
        if _FROM_TOP.match(link):  # of the base it takes the host alone
            return _kept_spelling(link, "/".join(base.split("/", 3)[:3]))
        if _WHOLE.match(link):
            return _kept_spelling(link, "")
    return _spelling(link, base)


def _spelling(link: str, base: str) -> str | None:
    link = re.sub(r"[\t\r\n]", "", link.strip())
    if not link or len(link) > LONGEST or link.startswith(_NO_PAGES):
        return None
    try:
        parts = urlsplit(urljoin(base, link))
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    host = f"[{host}]" if ":" in host else host.lower()
    usual = {"http": 80, "https": 443}[parts.scheme]
    netloc = host if port in (None, usual) else f"{host}:{port}"
    path = re.sub(r";jsessionid=[^/]*", "", parts.path, flags=re.IGNORECASE)
    pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=None)
    kept = sorted((name, value) for name, value in pairs if not _TRACKING.fullmatch(name))
    url = urlunsplit((parts.scheme, netloc, quote(path or "/", _SAFE), urlencode(kept), ""))
    return url if len(url) <= LONGEST else None


_kept_spelling = lru_cache(maxsize=_KEPT)(_spelling)


def host_of(url: str) -> str:
    """Host and port of an address in its one spelling."""
    return _traits(url).host


def same_site(host: str, other: str) -> bool:
    """Whether two hosts are one shop: the same but for a www. before it."""
    return host.removeprefix("www.") == other.removeprefix("www.")


def shape(url: str) -> str:
    """What an address has in common with others of its kind.

    Numbers and tokens in its path are `#`, its last part is `*`. Filters in the query stand without the path:
    the same filters on each shelf are one shape.
    """
    return _traits(url).shape


def is_paging(url: str) -> bool:
    """Whether an address is a later page of something, and nothing else."""
    return _traits(url).paging


def filters(url: str) -> int:
    """How many parameters beside those of paging an address has."""
    return _traits(url).filters


def why_not(url: str) -> str | None:
    """Why a link is not worth a request, as a code; None where it may be."""
    return _traits(url).why_not


def _traits(url: str) -> _Traits:
    return _kept_traits(url) if len(url) <= _LONG else _read(url)


def _read(url: str) -> _Traits:
    """The traits of an address in its one spelling, which is taken apart by hand: there are millions."""
    whole, _, query = url.partition("#")[0].partition("?")
    host, slash, rest = whole.partition("//")[2].partition("/")
    path = slash + rest
    names = [name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)] if query else []
    named = set(names)
    chosen = sum(name not in PAGING for name in names) if names else 0
    paging = bool(named and named <= PAGING) or (not named and bool(_PAGE_PATH.search(path)))
    form = _shape(host, path, sorted(named))
    return _Traits(host, form, paging, chosen, _why(path, named, chosen))


_kept_traits = lru_cache(maxsize=_KEPT)(_read)


def _shape(netloc: str, path: str, names: list[str]) -> str:
    chosen = [name for name in names if name not in PAGING]
    if chosen:
        return f"{netloc}?{','.join(chosen)}"[:200]
    shelves = path.strip("/").split("/")[:-1][:6]
    pieces = [_TOKEN.sub("#", _NUMBER.sub("#", _TOKEN.sub("#", one))) for one in shelves]
    last = "*/" if path.endswith("/") else "*"
    query = "?" + ",".join(names) if names else ""
    return f"{netloc}/{'/'.join([*pieces, last])}{query}"[:200]


def _why(path: str, names: set[str], chosen: int) -> str | None:
    pieces = [one.lower() for one in path.split("/") if one]
    if names & _SORTING:
        return "sorting"
    if chosen > MOST_FILTERS:
        return "filters"
    if _FILES.search(path):
        return "file"
    if _ASIDE & set(pieces):
        return "aside"
    if len(pieces) > DEEPEST or (len(pieces) > 2 and any(pieces.count(one) > 2 for one in pieces)):
        return "too_deep"
    return None
