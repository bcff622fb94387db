"""Charset: from the bytes of a page to its text, whatever the page says of itself.

Bytes that are valid UTF-8 are UTF-8: other encodings hardly ever look like it, and pages lie about
themselves. Nothing else is read as UTF-8, except where most of a page is: then the bytes that are not are
read by themselves. Otherwise every charset is weighed (see `charset_guess`): by what the bytes look like in
it, what the server and a meta tag say (names as browsers understand them, by w3lib), the language that the
page declares, and the country of its address. Where even the best fits badly a detector is asked, too
(charset-normalizer, which is slow, and seldom right about few words).
"""

from __future__ import annotations

import codecs
import re
from urllib.parse import urlsplit

import charset_normalizer
from w3lib.encoding import html_body_declared_encoding, html_to_unicode, read_bom, resolve_encoding

from shelfwise.collect.charset_guess import Hints, fits, guess, letters_beyond

_ESCAPES = re.compile(rb"\x1b\$[@B(]|~\{")  # ISO-2022-JP and HZ look like ASCII
_SAMPLE = 1 << 12
_TELLING = re.compile(r"big5|gb|euc|shift|cp932|cp949|cp125[1356]|koi8|cp866|iso8859_[5678]|mac_(?:cyr|gre)")
_PAIRED = re.compile(r"gb|cp9[345]|euc|shift|johab")  # hardly anything else reads as pairs of bytes
_DETECTED = 0.2  # how much a detector's word counts beside the page's own
_LANGUAGE = re.compile(
    rb"<html\b[^>]{0,300}?\blang\s*=\s*[\"']?\s*([A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})?)", re.IGNORECASE
)
_UTF8 = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+")
_CUT = re.compile(  # a letter that a program cut in two
    rb"(?<![\x80-\xff])(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})(?![\x80-\xffA-Za-z])"
)
_NO_CHARSETS = frozenset(("undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape"))
_BLANK = bytes.maketrans(bytes(range(128)), b" " * 128)
_RUBBISH = 0.02  # of the bytes beyond ASCII that a charset which was declared may leave unread
_CONTRADICTING = 24  # letters from which on a charset that fits is believed against a declared one
_LOOKED_AT = 1 << 20
_MOSTLY, _ENOUGH = 0.6, 8  # share of the bytes beyond ASCII, and letters, from which a page is UTF-8
_USUAL = re.compile("[\xa0-\u017f\u0400-\u045f\u2010-\u20ac\u2122]*")  # what few letters of UTF-8 are


def decode(html: bytes, url: str = "", charset: str = "") -> str:
    """The text of a page; `charset`: what its server says.

    Never fails: what cannot be read becomes U+FFFD, and NUL is dropped.
    """
    return _decode(html, url, charset).replace("\x00", "")


def _decode(html: bytes, url: str, charset: str) -> str:
    encoding, mark = read_bom(html)
    if encoding and mark:
        return html[len(mark) :].decode(encoding, errors="replace")
    declared = html_body_declared_encoding(html) or ""
    if declared.startswith(("iso2022", "iso-2022", "hz")) and _ESCAPES.search(html):
        return str(html_to_unicode(None, html, default_encoding="utf-8")[1])
    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if not _is_utf8(html[:_LOOKED_AT]):
        return html.decode(_guessed(html, url, (declared, charset)), errors="replace")
    if len(html) > _LOOKED_AT:
        return html.decode("utf-8", errors="replace")
    rest = _CUT.sub(b" ", _UTF8.sub(b" ", html))
    return _in_pieces(html, _guessed(rest, url, (declared, charset)))


def _is_utf8(html: bytes) -> bool:
    """Whether a page is UTF-8 but for some bytes: letters of East Asia can look like it by chance."""
    beyond = html.translate(_BLANK).split()
    pieces = _UTF8.findall(b" ".join(beyond))
    if sum(map(len, pieces)) < _MOSTLY * sum(map(len, beyond)):
        return False
    letters = b"".join(pieces).decode("utf-8", errors="ignore")
    return len(letters) >= _ENOUGH or bool(_USUAL.fullmatch(letters))


def _in_pieces(html: bytes, other: str) -> str:
    """A page of UTF-8 in which something else was pasted: each is read as what it is."""
    pieces: list[str] = []
    at = 0
    for match in _UTF8.finditer(html):
        pieces += [_CUT.sub(b"", html[at : match.start()]).decode(other, errors="replace")]
        pieces += [match.group().decode("utf-8", errors="replace")]
        at = match.end()
    return "".join([*pieces, _CUT.sub(b"", html[at:]).decode(other, errors="replace")])


def _guessed(html: bytes, url: str, declared: tuple[str, ...]) -> str:
    """The charset that the bytes are most likely written in; never UTF-8."""
    named = [(name, 1.0) for name in map(_canonical, declared) if name and not name.startswith("utf")]
    only = named[0][0] if len(set(named)) == 1 else ""
    if only and fits(html, only):
        return only
    found = _LANGUAGE.search(html[:4096])
    language = found.group(1).decode("ascii") if found else ""
    country = _country(url)
    name = guess(html, Hints(tuple(named), language, country))
    odd = only and _reads(html, only)
    if odd and (_PAIRED.match(only) or letters_beyond(html) < _CONTRADICTING or not fits(html, name)):
        return only  # signs among English words, a letter that was cut: odd, and still what it says
    if fits(html, name):
        return name
    detected = _detected(html)  # slow, and seldom right about few words
    return guess(html, Hints((*named, (detected, _DETECTED)), language, country)) if detected else name


def _country(url: str) -> str:
    """The ending of the host's name."""
    try:
        return (urlsplit(url).hostname or "").rsplit(".", 1)[-1]
    except ValueError:  # no address at all
        return ""


def _reads(html: bytes, charset: str) -> bool:
    """Whether (nearly) all bytes mean something in a charset."""
    part = html[:_LOOKED_AT]
    unread = part.decode(charset, errors="replace").count("\ufffd")
    return unread <= max(_RUBBISH * len(part.translate(_BLANK).replace(b" ", b"")), 1)


def _detected(html: bytes) -> str:
    words = re.findall(rb"[^<>\x00-\x08]{0,80}[\x80-\xff][^<>]{0,80}", html[: 32 * _SAMPLE])
    best = charset_normalizer.from_bytes(b" ".join(words)[:_SAMPLE]).best() if words else None
    name = _canonical(best.encoding) if best else ""
    return name if _TELLING.search(name) else ""


def _canonical(name: str) -> str:
    """A charset as Python calls it, as browsers understand its name; nothing where there is none."""
    try:
        found = codecs.lookup(resolve_encoding(name) or name)
    except (LookupError, ValueError):
        return ""
    called = found.name.replace("-", "_")
    if not found._is_text_encoding or called in _NO_CHARSETS:  # Python calls packed bytes an encoding, too
        return ""
    same = {"big5": "cp950", "euc_kr": "cp949", "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030",
            "iso8859_1": "cp1252", "iso8859_9": "cp1254", "iso8859_11": "cp874", "tis_620": "cp874",
            "ascii": "", "latin_1": "cp1252"}  # fmt: skip
    return same.get(called, called)
