"""Kind: whether a page is one of a product, and if not, what it seems to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from shelfwise.collect.page import Element, Page, text_of
from shelfwise.collect.products import Facts
from shelfwise.collect.vocabulary import ASIDE, SOLD_OUT
from shelfwise.collect.wording import clean, marked
from shelfwise.collect.zones import Zones

# In the languages of shops: nothing there, a wall in front of it, a request to log in.
GONE = re.compile(
    r"\b404\b|page not found|not found|(?:page|product|item) (?:does not|doesn.t|no longer) exist|"
    r"no longer available|"
    r"seite nicht gefunden|nicht gefunden|page introuvable|introuvable|n.existe (?:pas|plus)|"
    r"página no encontrada|"
    r"no encontrad|não encontrad|pagina non trovata|non trovat|niet gevonden|страница не найдена|"
    r"не найден|не знайдено|"
    r"nie znaleziono|nenalezen|nenájden|nem található|nu a fost găsit|sivua ei löyd|ei löyt|"
    r"hittades inte|ikke fundet|"
    r"ikke funnet|bulunamadı|見つかりません|不存在|找不到|찾을 수 없|không tìm thấy|tidak ditemukan|"
    r"غير موجودة|לא נמצא",
    re.IGNORECASE,
)
WALL = re.compile(
    r"before you continue|avant de continuer|bevor (?:sie|du) (?:fort|weiter)|antes de continuar|"
    r"prima di continuare|"
    r"voordat je verder|your privacy|votre vie privée|ihre privatsphäre|deine privatsphäre|uw privacy|"
    r"access denied|"
    r"are you (?:a )?(?:human|robot)|verify you are|captcha|just a moment|attention required|"
    r"enable javascript and cookies|"
    r"robot check|pardon our interruption|checking your browser|доступ ограничен|确认您|安全验证|"
    r"security check|"
    r"service unavailable|bad gateway|maintenance mode|under construction|wartungsarbeiten",
    re.IGNORECASE,
)
LOGIN = re.compile(
    r"^\W*(?:log ?in|sign ?in|login|anmelden|anmeldung|connexion|se connecter|iniciar sesi|acceder|"
    r"entrar|accedi|"
    r"inloggen|вход|войти|увійти|вхід|zaloguj|logowanie|přihlášení|prihlásenie|bejelentkez|"
    r"autentificare|logga in|log ind|"
    r"logg inn|kirjaudu|giriş|ログイン|会員ログイン|登录|登錄|登入|로그인|đăng nhập|masuk|تسجيل الدخول|"
    r"התחברות|password)\b",
    re.IGNORECASE,
)
_CART = re.compile(
    r"/(?:cart|basket|checkout|panier|warenkorb|carrito|carrello|carrinho|winkelwagen|koszyk|kosik|kosar|cos|sepet|"
    r"varukorg|kurv|handlekurv|ostoskori|gio-hang|keranjang|korzina)(?:\.\w+)?/?$",
    re.IGNORECASE,
)
_CARD = re.compile(r"product|item|card|tile|artikel|tovar|goods|offer")


@dataclass(frozen=True)
class Evidence:
    """What was found on a page that speaks for a product."""

    title: str
    price: str
    path: bool
    state: bool


def why_no_product(page: Page, zones: Zones, facts: Facts, found: Evidence) -> str:
    """Why a page is not that of a product; nothing if it is one."""
    told = f"{page.title_tag} | {found.title}"
    words = text_of(page.body, 4_000)
    structured = any(node.get("offers") or node.get("sku") for node in facts.products)
    if not found.title and not words:
        return "the page is empty"
    if not structured and not zones.buys:
        if WALL.search(told) or (len(words) < 600 and WALL.search(words)):
            return "a wall (consent, robot check or maintenance) stands in place of the product"
        if GONE.search(told) or (len(words) < 600 and GONE.search(words)):
            return "the page says that what was asked for is not there"
        if LOGIN.search(found.title or page.title_tag) or (_asks_password(page) and not found.price):
            return "the page asks to log in"
    if structured or found.state:
        return ""
    if _CART.search(urlsplit(page.url).path):
        return "the page is a cart"
    typed = any("product" in text.lower() for text in page.said("og:type"))
    if _cards(page) >= 3 and not (typed and zones.buys) and not _buy_box(zones):
        return "the page lists several products"
    if facts.lists and not facts.products and not _buy_box(zones):
        return "the page is a list or a category"
    if urlsplit(page.url).path in ("", "/") and not urlsplit(page.url).query and not facts.products:
        return "the page is the shop's first one"
    if facts.products or typed or (found.title and found.price):
        return ""
    if found.title and (zones.buys or SOLD_OUT.search(words)):
        return ""
    return "no product was found: neither structured data, nor a price, nor a button to buy"


def _buy_box(zones: Zones) -> bool:
    """Whether a button to buy stands near the page's heading."""
    return zones.heading is not None and any(0 < buy - zones.heading < 150 for buy in zones.buys)


def _asks_password(page: Page) -> bool:
    return any((field.get("type") or "").lower() == "password" for field in page.root.iter("input"))


def _cards(page: Page) -> int:
    """The most like boxes under one parent that lead to other pages and show a number, outside of asides."""
    most = 0
    for element in page.elements:
        if (
            element.tag not in ("ul", "ol", "div", "section", "tbody", "main", "table")
            or not 3 <= len(element) <= 200
        ):
            continue
        if any(
            marked(ASIDE, page.marks(near)) for near in page.up(element, 1) if near.tag not in ("ul", "ol")
        ):
            continue
        names = [(child.tag, (child.get("class") or "").split()[:1]) for child in element]
        first = max(names, key=names.count)
        boxes = [child for child, name in zip(element, names, strict=True) if name == first][:12]
        if len(boxes) < 3 or len(boxes) <= most:
            continue
        count = sum(_leads_away(page, box) for box in boxes[:60])
        most = max(most, count)
        if most >= 3:
            break
    return most


def _leads_away(page: Page, box: Element) -> bool:
    text = clean(text_of(box, 400))
    links = [link for link in box.iter("a") if link.get("href") and not page.leads_here(link.get("href"))]
    return (
        bool(links)
        and bool(re.search(r"\d[.,]?\d", text))
        and bool(_CARD.search(page.marks(box)) or any(True for _ in box.iter("img")))
    )
