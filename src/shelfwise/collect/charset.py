"""Charset: from the bytes of a page to its text, whatever the page says of itself.

Bytes that are valid UTF-8 are UTF-8: other encodings hardly ever look like it, and pages lie about
themselves. Otherwise the page's own word counts (a mark at the start, a meta tag; names as browsers
understand them, by w3lib), and where following it gives rubbish, the bytes are looked at
(charset-normalizer).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import charset_normalizer
from w3lib.encoding import html_body_declared_encoding, html_to_unicode, read_bom

_ESCAPES = re.compile(rb"\x1b\$[@B(]|~\{")  # ISO-2022-JP and HZ look like ASCII
_SAMPLE = 1 << 16
_TELLING = re.compile(
    r"big5|gb|euc|shift|cp932|cp949|johab|hz|iso2022|cp125[1356]|koi8|cp866|iso8859_[5678]|mac_(?:cyr|"
    r"gre)|utf"
)
_KANA = re.compile("[\u3041-\u3093\u30a1-\u30f6]")
_OF_COUNTRY = {
    **dict.fromkeys(("pl", "cz", "sk", "hu", "si", "hr", "ro", "ba"), "cp1250"),
    **dict.fromkeys(("lt", "lv", "ee"), "cp1257"),
    "tr": "cp1254",
    "vn": "cp1258",
}
_RUBBISH = 0.02  # share of unreadable characters among those that are not ASCII


def decode(html: bytes, url: str = "") -> str:
    """The text of a page. Never fails: what cannot be read becomes U+FFFD, and NUL is dropped."""
    return _decode(html, url).replace("\x00", "")


def _decode(html: bytes, url: str) -> str:
    encoding, mark = read_bom(html)
    if encoding and mark:
        return html[len(mark) :].decode(encoding, errors="replace")
    declared = html_body_declared_encoding(html) or ""
    if not (declared.startswith(("iso2022", "iso-2022", "hz")) and _ESCAPES.search(html)):
        try:
            return html.decode("utf-8")
        except UnicodeDecodeError:
            pass
    _, text = html_to_unicode(None, html, default_encoding="utf-8")
    part = text[:_SAMPLE]
    beyond = len(part) - len(part.encode("ascii", "ignore"))
    if declared and part.count("�") <= _RUBBISH * beyond:
        return text
    return _looked_at(html, url)


def _looked_at(html: bytes, url: str) -> str:
    """The text by what the bytes look like.

    The alphabets of Latin letters, which look alike, by the country.
    """
    telling = b" ".join(re.findall(rb"[^<>\x00-\x08]{0,80}[\x80-\xff][^<>]{0,80}", html[: 8 * _SAMPLE]))
    sample = telling[:_SAMPLE] or html[:_SAMPLE]
    for name in ("euc_jp", "cp932"):
        kana = len(_KANA.findall(sample.decode(name, errors="ignore")))
        if kana > 8 and kana > 0.2 * len(re.findall(rb"[\x80-\xff]", sample)) / 2:
            return html.decode(name, errors="replace")
    best = charset_normalizer.from_bytes(sample).best()
    name = best.encoding if best else ""
    if not name or not _TELLING.search(name):
        ending = (urlsplit(url).hostname or "").rsplit(".", 1)[-1]
        name = _OF_COUNTRY.get(ending, "cp1252")
    return html.decode(name, errors="replace")
