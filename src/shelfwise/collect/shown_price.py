"""Prices that a page shows, each with how likely it is what the buyer pays now."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from shelfwise.collect import price_words as words
from shelfwise.collect.amount import Amount, amounts, by_machine
from shelfwise.collect.page import Element, Page, figures_of, is_cents
from shelfwise.collect.wording import clean, marked
from shelfwise.collect.zones import CLEAR, NO_PRICES, Zones, in_card

_DIGIT, _NO_DIGIT = re.compile(r"\d"), re.compile(r"\D")
_MACHINE = ("content", "value", "data-price", "data-price-amount", "data-value")
_WORDS = re.compile(r"[^\W\d_]{4}")  # longer than any currency that stands apart from its number
_STRUCK = frozenset(("s", "del", "strike"))
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_LINE_THROUGH = re.compile(r"line-through")
_MOST = 400
_LEVELS = 5
_LONGEST = 120
_BRACKET, _PART = re.compile(r"\s*[(（][^)）]*[)）]"), re.compile(r"[^(（,;|·•]*[(（,;|·•]")
_CENTS_TEXT = re.compile(r"\D{0,4}\d\d\D{0,8}$")
_OF_NORMAL = 6.0  # what being called the normal price takes, as there is another then


@dataclass(frozen=True)
class Shown:
    """A price that the page shows.

    readings: what the number can mean, likeliest first; symbol: the currency as written, or nothing; score:
    how likely it is the price of now (below 0: hardly); flagged: whether something says that it is another
    price; kind: `member`, `regular` or `unit` where words or names say so, `reduced` in a box of such.
    """

    readings: tuple[Decimal, ...]
    symbol: str
    score: float
    flagged: bool
    text: str = ""
    kind: str = ""


def shown_prices(page: Page, zones: Zones, stated: set[Decimal]) -> list[Shown]:
    """All prices of the product's part of a page, likeliest first.

    Args:
        page: the page.
        zones: which part is the product's.
        stated: prices of structured data; a bare number counts only if it is one of them, or marked as a
        price.

    """
    found: list[Shown] = []
    done: set[tuple[Element, int]] = set()
    for at, element in enumerate(page.elements):
        if zones.levels[at] > NO_PRICES or element.tag in ("option", "title", "head"):
            continue
        for node, holder in ((element.text, element), *((inner.tail, element) for inner in element)):
            if node and _DIGIT.search(node) and len(node) < 4000:
                for shown in _of_text(page, zones, (node, holder), stated, done):
                    found.append(shown)
        if len(found) > _MOST:
            break
    return sorted(_normal_beside_members(found), key=lambda shown: -shown.score)


def _normal_beside_members(found: list[Shown]) -> list[Shown]:
    """What is called the normal price is that of now where the only lower ones are for members."""
    members = [price for price in found if price.kind == "member"]
    normal = [price for price in found if price.kind == "regular" and price.readings]
    if not members or not normal:
        return found
    plain = [price.readings[0] for price in found if not price.flagged and price.score > 0 and price.readings]
    lower = [
        price for price in normal
        if not any(price.readings[0] * Decimal("0.4") < value < price.readings[0] for value in plain)
    ]  # fmt: skip
    return [
        replace(price, score=price.score + _OF_NORMAL, flagged=False) if price in lower else price
        for price in found
    ]


def _of_text(
    page: Page, zones: Zones, place: tuple[str, Element], stated: set[Decimal], done: set[tuple[Element, int]]
) -> list[Shown]:
    """The prices in one text of an element.

    Where the currency stands in another one, they are read together.
    """
    text, holder = place
    own = [amount for amount in amounts(text[:1000]) if amount.symbol]
    if own and _CENTS_TEXT.match(text) and is_cents(holder) and _digit_before(holder):
        return []  # `24<sup>99 €</sup>` is read with what stands before it
    if own:
        return [
            _judged(page, zones, holder, (text, amount), _parted(text, own, at))
            for at, amount in enumerate(own[:6]) if amount.readings
        ]  # fmt: skip
    if len(text.strip()) > 24 or _WORDS.search(text):
        return []
    climbed = holder
    for _ in range(4):
        whole = figures_of(climbed, _LONGEST)
        if len(whole.strip()) > _LONGEST - 20 or climbed.tag in ("body", "html"):
            break
        both = [amount for amount in amounts(whole) if amount.symbol]
        if both and not any(_holds(whole[amount.start : amount.end], text) for amount in both):
            break  # the currency belongs to other numbers
        if both:
            fresh = [amount for amount in both[:4] if amount.readings and (climbed, amount.start) not in done]
            done.update((climbed, amount.start) for amount in fresh)
            return [_judged(page, zones, climbed, (whole, amount)) for amount in fresh]
        climbed = climbed.getparent()
        if climbed is None:
            break
    return _bare(page, zones, holder, stated, done)


def _parted(text: str, own: list[Amount], at: int) -> tuple[str | None, str | None]:
    """The words before and after one of several prices in a text, None where no other price bounds them.

    Words between two prices belong to the second, but for those in brackets, before a comma, and where the
    text begins with a price and ends with words: `12 € net 15 € gross`.
    """
    behind = not text[: own[0].start].strip() and bool(text[own[-1].end :].strip())

    def halves(gap: str) -> tuple[str, str]:
        bracket = _BRACKET.match(gap) or _PART.match(gap)
        if bracket:
            return bracket.group(), gap[bracket.end() :]
        return (gap, "") if behind else ("", gap)

    before = halves(text[own[at - 1].end : own[at].start])[1] if at else None
    after = halves(text[own[at].end : own[at + 1].start])[0] if at + 1 < len(own) else None
    return before, after


def _digit_before(element: Element) -> bool:
    """Whether a number stands right before an element."""
    sibling, parent = element.getprevious(), element.getparent()
    text = sibling.tail if sibling is not None and (sibling.tail or "").strip() else None
    if text is None:
        text = figures_of(sibling, 40) if sibling is not None else (parent.text if parent is not None else "")
    return (text or "").rstrip()[-1:].isdigit()


def _holds(found: str, text: str) -> bool:
    """Whether a written amount holds the digits of a piece of text."""
    return _NO_DIGIT.sub("", text) in _NO_DIGIT.sub("", found)


def _bare(
    page: Page, zones: Zones, holder: Element, stated: set[Decimal], done: set[tuple[Element, int]]
) -> list[Shown]:
    """A number without a currency: one that structured data states, or in an element marked as a price."""
    element, best = holder, None
    priced = any(marked(words.MARKS_PRICE, page.marks(near)) for near in page.up(holder, 2))
    for _ in range(3):
        whole = figures_of(element, 40).strip()
        numbers = list(amounts(whole)) if len(whole) < 24 else []
        if len(numbers) != 1 or numbers[0].symbol:
            break
        known = any(reading in stated for reading in numbers[0].readings)
        known = known or any(reading in numbers[0].readings for reading in _by_attribute(element))
        if known or (priced and re.search(r"[.,]\d\d\s?\*?$|\d{3,}", whole)):
            best = (element, whole, numbers[0], known)
        element = element.getparent()
        if element is None or element.tag in ("body", "html"):
            break
    if best is None or (best[0], -1) in done:
        return []
    element, whole, number, known = best
    done.add((element, -1))
    judged = _judged(page, zones, element, (whole, number))
    return [replace(judged, symbol="", score=judged.score - (0.5 if known else 1.5), text=whole)]


def _by_attribute(element: Element) -> tuple[Decimal, ...]:
    """What an element's attribute for machines says that its price is."""
    return next((by_machine(element.get(name)) for name in _MACHINE if element.get(name)), ())


def _judged(
    page: Page,
    zones: Zones,
    element: Element,
    found: tuple[str, Amount],
    words_near: tuple[str | None, str | None] = (None, None),
) -> Shown:
    """One price with its score: what marks and words near it say, and how near it is to name and button."""
    text, amount = found
    near = page.up(element, _LEVELS)
    near = [one for one in near if one is element or one not in zones.holders]
    if in_card(page, near):  # another product's; nothing else matters
        return Shown(tuple(n for n in amount.readings if n > 0), amount.symbol, -9.0, True, clean(text)[:80])
    score, flagged, kind = _by_marks(page, near, amount)
    before, after = (
        told if told is not None else seen
        for told, seen in zip(words_near, _context(page, element, text, amount), strict=True)
    )
    by_words, said, told = _by_words(before, after)
    score += by_words + _by_place(page, zones, element)
    if zones.levels[page.order[element]] != CLEAR:
        score -= 4
    readings = tuple(n for n in amount.readings if n > 0)
    return Shown(readings, amount.symbol, score, flagged or said, clean(text)[:80], told or kind)


def _by_marks(page: Page, near: list[Element], amount: Amount) -> tuple[float, bool, str]:
    """What the names of the nearest elements say of a price; fully where they hold no other price.

    Its score, whether it is another price than that of now, and which (see `Shown`).
    """
    score, flagged, priced, alone, kind = 0.0, False, False, True, ""
    for distance, element in enumerate(near):
        marks = page.marks(element)
        if (
            element.tag in _STRUCK
            or _LINE_THROUGH.search(element.get("style") or "")
            or element.get("data-a-strike")
        ):
            score, flagged = score - 8, True
        if _HIDDEN.search(element.get("style") or "") or element.get("hidden") is not None:
            score -= 2.5
        if not marks:
            continue
        alone = alone and (distance == 0 or _holds_only(element, amount))
        if marked(words.MARKS_PRICE, marks) and not priced:
            score, priced = score + (2.0 if distance < 3 else 1.2), True
        off = _off(marks)
        if off:
            score, flagged = score - off * (1.0 if alone else 0.12), flagged or alone
            kind = "member" if alone and marked(words.MARKS_MEMBER, marks) else kind
        if distance < 3 and alone and not off and marked(words.MARKS_NOW, marks):
            score += 1.2 if distance < 2 else 0.8
        if distance < 3 and alone and marked(words.MARKS_REGULAR, marks):
            score -= 0.8
        if not alone and not kind and marked(words.MARKS_REDUCED, marks):
            kind = "reduced"
        if distance < 3 and alone and marked(words.MARKS_RETAIL, marks):
            score -= 1.5
    return score, flagged, kind


def _holds_only(element: Element, amount: Amount) -> bool:
    """Whether an element shows no other price than this one."""
    whole = figures_of(element, 240)
    return len(whole) < 200 and all(
        set(other.readings) & set(amount.readings) for other in amounts(whole) if other.symbol
    )


def _off(marks: str) -> float:
    """What an element's names take from a price: they say that it is another one than that of now."""
    for pattern, weight in (
        (words.MARKS_UNIT, 5.0), (words.MARKS_RATE, 6.0), (words.MARKS_SHIP, 6.0), (words.MARKS_SAVE, 5.0),
        (words.MARKS_MEMBER, 5.0), (words.MARKS_NET, 5.0), (words.MARKS_OTHER, 4.0), (words.MARKS_OLD, 6.0),
    ):  # fmt: skip
        if marked(pattern, marks):
            return weight
    return 0.0


def _context(page: Page, element: Element, text: str, amount: Amount) -> tuple[str, str]:
    """What stands right before and after a price: in its text, then in its neighbours on the same line."""
    before, after = text[: amount.start], text[amount.end :]
    if len(before) > 60 or len(after) > 60:
        return before[-60:], after[:60]
    current = element
    for _ in range(3):
        sibling = current.getprevious()
        text_before = (sibling.tail or "") if sibling is not None else (_text_before(current) or "")
        if not text_before.strip() and sibling is not None and _small(sibling):
            text_before = figures_of(sibling, 60)
        if text_before.strip() and not _DIGIT.search(text_before):
            before = f"{text_before.strip()} {before}"
            break
        if sibling is not None and _DIGIT.search(figures_of(sibling, 60)):
            break
        parent = current.getparent()
        if parent is None or parent.tag in ("body", "html"):
            break
        current = parent
    following = element.getnext()
    tail = (element.tail or "").strip()
    if tail and not amount.end < len(text.rstrip()):
        after += " " + tail[:60]
    elif (
        following is not None
        and _small(following)
        and following.tag not in ("button", "form", "a", "del", "s")
    ):
        told = figures_of(following, 80)
        if not _DIGIT.search(told):
            after += " " + told[:60]
    return before[-80:], after[:80]


def _text_before(element: Element) -> str:
    parent = element.getparent()
    if parent is None or (len(parent) and parent[0] is not element):
        return ""
    return parent.text or ""


def _small(element: Element) -> bool:
    return len(figures_of(element, 90).strip()) < 60


def _by_words(before: str, after: str) -> tuple[float, bool, str]:
    """What words say: the score, whether it is another price than that of now, and which (see `Shown`)."""
    score, said, kind = 0.0, False, ""
    if words.SAYS_UNIT.search(after) or words.SAYS_UNIT_BEFORE.search(before[-40:]):
        return -6.0, True, "unit"
    if words.SAYS_REGULAR.search(before[-48:]) or words.SAYS_REGULAR.search(after[:40]):
        return -_OF_NORMAL, True, "regular"
    for pattern, weight in (
        (words.SAYS_OLD, 6.0), (words.SAYS_RATE, 6.0), (words.SAYS_SHIP, 6.0), (words.SAYS_SAVE, 5.0),
        (words.SAYS_MEMBER, 5.0), (words.SAYS_NET, 5.0), (words.SAYS_OTHER, 4.0),
    ):  # fmt: skip
        in_front = pattern.search(before[-48:])
        behind = pattern.search(after[:40])
        if (
            pattern is words.SAYS_SHIP
            and not in_front
            and behind
            and re.search(r"plus|zzgl|inkl|incl|\+|hors|excl", after[:40])
        ):
            continue  # "plus shipping" speaks of what comes on top
        if in_front or behind:
            score, said = score - weight, True
            kind = "member" if pattern is words.SAYS_MEMBER else kind
    if words.SAYS_NOW.search(before[-30:]):
        score += 1.5
    return score, said, kind


def _by_place(page: Page, zones: Zones, element: Element) -> float:
    at = page.order[element]
    score = 0.0
    if zones.heading is not None:
        away = at - zones.heading
        score += -min(4.0, away / 120) if away >= 0 else -0.6 - min(4.0, -away / 80)
    if zones.buys:
        nearest = min(abs(at - buy) for buy in zones.buys)
        score += 1.0 - min(3.0, nearest / 60)
    if element.tag in ("h1", "h2", "h3", "h4", "strong", "b", "big", "ins"):
        score += 0.4
    return score
