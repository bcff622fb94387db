"""Buttons: lists that show more when a button is pressed or the page is scrolled, seen and in a browser."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lxml import etree

from shelfwise.collect.traps import PAGING, absolute
from shelfwise.collect.wording import clean

MOST = 30  # times that a button is pressed
SECONDS = 45.0  # that pressing it may take in all
PATIENCE = 5.0  # seconds that a pressed button may take to bring something
# Written so that JavaScript reads it as well.
WORDS = (
    "^(?:[+↓▼⌄] ?)?(?:"
    "(?:load|show|view|see) (?:[0-9]+ )?more(?: (?!filter|option|detail|review|info|text)[^ ]+)?|"
    "more (?:products|items|articles|results)|"
    "mehr (?:[^ ]+ )?(?:anzeigen|laden)|mehr (?:produkte|artikel|ergebnisse)|"
    "weitere (?:[0-9]+ )?(?:produkte|artikel|ergebnisse)(?: (?:anzeigen|laden))?|"
    "(?:afficher|voir|charger) (?:[0-9]+ )?plus(?: de (?:produits|résultats|articles))?|"
    "(?:cargar|ver|mostrar) más(?: (?:productos|resultados|artículos))?|"
    "(?:carica|mostra|vedi) (?:altri|altro|di più|più)(?: (?:prodotti|articoli|risultati))?|"
    "(?:laad|toon|bekijk) meer(?: (?:producten|artikelen|resultaten))?|meer (?:laden|tonen|producten)|"
    "(?:carregar|ver|mostrar) mais(?: (?:produtos|resultados))?|"
    "(?:pokaż|załaduj|zobacz) więcej(?: produktów)?|(?:načíst|zobrazit) další(?: produkty)?|"
    "(?:visa|ladda) (?:fler|mer)(?: (?:produkter|artiklar))?|"
    "(?:vis|hent|last inn) (?:flere|mer)(?: produkter)?|"
    "(?:näytä|lataa) lisää(?: tuotteita)?|(?:показать|загрузить) ещ[её](?: товар[а-я]*)?|"
    "(?:показати|завантажити) (?:ще|більше)|daha fazla(?: (?:ürün|göster|yükle))*|"
    "további termékek.*|több (?:termék )?(?:betöltése|mutatása)|"
    "(?:încarcă|vezi|arată) mai multe(?: produse)?|"
    "(?:muat|lihat) lebih banyak|xem thêm(?: sản phẩm)?|"
    "もっと見る|さらに(?:表示|読み込む)|加载更多|查看更多|載入更多|"
    "더 ?보기|عرض المزيد|تحميل المزيد|(?:טען|הצג) עוד)[ .…>›↓▼⌄+]*$"
)
NAMES = "load-?_?more|more-?_?products"  # of an element that may show an arrow and no words
GROWS = (  # of an element of a list that grows where somebody scrolls to its end
    "infinit[ey][-_ ]?(?:scroll|load|list|ajax)|endless[-_ ]?scroll|load[-_]?on[-_]?scroll|jscroll|"
    "scroll[-_]?(?:sentinel|trigger|loader)"
)
_SAYS, _NAMED = re.compile(WORDS, re.IGNORECASE), re.compile(NAMES, re.IGNORECASE)
_GROWS = re.compile(GROWS, re.IGNORECASE)
_MAY_GROW = etree.XPath(
    "//*[contains(@class, 'nfinit') or contains(@id, 'nfinit') or contains(@class, 'ndless') "
    "or contains(@class, 'croll')]"
)
_NEXT = re.compile(
    r"""["']?\b(?:next|next_?page|next_?url|next_?page_?url|load_?more_?url|more_?url)["']?\s*:\s*"""
    r"""["']((?:https?:)?(?:\\?/|\?)[^"'\s<>]{1,500})["']""",
    re.IGNORECASE,
)
_LONGEST = 400_000  # characters of a script that are looked at
_COLLECT = """() => {
  const known = (window.__seen ??= new Set());
  for (const link of document.querySelectorAll("a[href]")) known.add(link.href);
  return known.size;
}"""
_PRESS = """([words, names]) => {
  const says = new RegExp(words, "iu"), named = new RegExp(names, "i");
  if (document.querySelector('meta[property="og:type"][content*="product"]')) return "none";
  for (const one of document.querySelectorAll("button, a, [role=button], input[type=button]")) {
    if (one.closest("header, nav, footer")) continue;
    if (one.tagName === "A" && !/^(#|javascript:|$)/i.test(one.getAttribute("href") ?? "")) continue;
    const text = (one.value || one.textContent || "").trim().replace(/\\s+/g, " ");
    const name = `${one.id} ${one.getAttribute("class") ?? ""}`;
    if (text.length > 60 || !(says.test(text) || named.test(name))) continue;
    if (one.disabled || one.getAttribute("aria-busy") === "true") return "busy";
    one.click();
    return "pressed";
  }
  return "none";
}"""
_SCROLL = """(names) => {
  if (document.querySelector('meta[property="og:type"][content*="product"]')) return false;
  const grows = new RegExp(names, "i");
  for (const one of document.querySelectorAll("[class], [id]")) {
    if (!grows.test(`${one.id} ${one.getAttribute("class") ?? ""}`)) continue;
    one.scrollTop = one.scrollHeight;
    window.scrollTo(0, document.documentElement.scrollHeight);
    return true;
  }
  return false;
}"""
_KEEP = """() => {
  const shown = new Set([...document.querySelectorAll("a[href]")].map((link) => link.href));
  const list = document.createElement("nav");
  for (const address of window.__seen ?? []) {
    if (shown.has(address)) continue;
    const link = document.createElement("a");
    link.href = address;
    list.append(link);
  }
  if (list.children.length) document.body.append(list);
}"""


def is_more(element: Any) -> bool:  # noqa: ANN401 - lxml has no types
    """Whether an element of a page is a button that shows more of a list."""
    if element.tag == "input":
        text = element.get("value") or ""
    elif element.tag in ("a", "button") or element.get("role") == "button":
        text = "".join(element.itertext())
    else:
        return False
    text = clean(text[:200])
    name = f"{element.get('id') or ''} {element.get('class') or ''}"
    return len(text) <= 60 and bool(_SAYS.match(text) or _NAMED.search(name))


def grows(root: Any) -> bool:  # noqa: ANN401
    """Whether a page has a list that shows more when it is scrolled to its end."""
    return any(
        _GROWS.search(f"{one.get('id') or ''} {one.get('class') or ''}") is not None
        for one in _MAY_GROW(root)
    )


def addresses_of(element: Any, base: str) -> list[str]:  # noqa: ANN401
    """The addresses that stand in any attribute of a button, the links' own aside."""
    found = (
        absolute(value, base)
        for name, value in element.items()
        if name not in ("href", "class", "id", "style") and value.startswith(("/", "http", "?"))
    )
    return [led for led in found if led and led != base]


def next_in_script(text: str, base: str) -> Iterator[str]:
    """The next page of a list as a script of the page names it."""
    text = text[:_LONGEST]
    lowered = text.lower()
    if "next" not in lowered and "more" not in lowered:  # most scripts; the pattern takes its time with each
        return
    for match in _NEXT.finditer(text):
        led = absolute(match[1].replace("\\/", "/").replace("\\u0026", "&").replace("&amp;", "&"), base)
        if led:
            yield led


def next_page(url: str) -> str:
    """The address that the next page of a list has in most shops: `?page=2`, and so on."""
    parts = urlsplit(url)
    pairs = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = next((one for one in pairs if one.lower() in PAGING and pairs[one].isdecimal()), "page")
    pairs[name] = str(int(pairs.get(name, "1")) + 1)
    return urlunsplit((*parts[:3], urlencode(sorted(pairs.items())), ""))


async def press(page: Any, gap: float) -> None:  # noqa: ANN401 - playwright's page
    """Press the button of a list, or scroll to its end, until nothing more comes; other pages stay as is.

    What each press showed stays on the page as links, also where the next one took it away. gap: seconds
    between two requests to the host.
    """
    from playwright.async_api import Error

    end, patience = time.monotonic() + SECONDS, PATIENCE + 3 * gap
    try:
        known = await page.evaluate(_COLLECT)
        for _ in range(MOST):
            pressed = await _pressed(page, min(end, time.monotonic() + patience))
            if not (pressed or await page.evaluate(_SCROLL, GROWS)):
                break
            found = await _grown(page, known, min(end, time.monotonic() + patience))
            if found <= known:
                break
            known = found
        await page.evaluate(_KEEP)
    except Error:  # the button led to another page: its links are as good
        return


async def _pressed(page: Any, end: float) -> bool:  # noqa: ANN401
    """Whether there was a button to press; one that is busy is waited for."""
    while True:
        told = await page.evaluate(_PRESS, [WORDS, NAMES])
        if told != "busy" or time.monotonic() > end:
            return bool(told == "pressed")
        await asyncio.sleep(0.05)


async def _grown(page: Any, known: int, end: float) -> int:  # noqa: ANN401
    """How many links were seen on the page, as soon as they are more than before or time is up."""
    found: int = await page.evaluate(_COLLECT)
    while found <= known and time.monotonic() < end:
        await asyncio.sleep(0.05)
        found = await page.evaluate(_COLLECT)
    return found
