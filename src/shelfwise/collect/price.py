"""Price: what a buyer pays now, where structured data and the page itself do not always agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from shelfwise.collect.amount import by_machine, written
from shelfwise.collect.currencies import OF_COUNTRY, WHOLE, iso, resolve
from shelfwise.collect.offers import Stated
from shelfwise.collect.page import Page
from shelfwise.collect.shown_price import Shown, shown_prices
from shelfwise.collect.state import StateProduct
from shelfwise.collect.zones import Zones

_RATES = "5 5.5 6 7 7.7 8 8.1 9 10 12 13 14 15 16 17 18 19 20 21 22 23 24 25 25.5 27"
_TAXES = [Decimal(rate) for rate in _RATES.split()]  # per cent
_BY_TAX = 1.5  # what a net price in structured data adds to the shown price that it is with tax
_GOOD = 1.0  # a shown price that reaches this score is believed on its own
_CODES = (
    "data-currency",
    "data-currency-code",
    "data-pricecurrency",
    "data-micro-price-currency",
    "data-currency-iso",
)


@dataclass
class _Choice:
    """One value with all that speaks for it."""

    value: Decimal
    shown: float | None = None
    stated: float = 0.0
    flagged: bool = False
    reduced: bool = False
    symbols: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Where a page is for: its language and its country (two letters, may be empty)."""

    language: str
    country: str


def find_price(
    page: Page, zones: Zones, stated: list[Stated], state: list[StateProduct], place: Place
) -> tuple[str, str]:
    """The price of now and its currency: decimal text and ISO code; nothing where there is none.

    A price counts by what marks and words near it say and by how near it is to the product's name and the
    button to buy it, and for more if structured data says the same. What structured data says alone counts
    only if the page shows no price that could be it: an old, a net or a member's price is often what stands
    there.
    """
    told = [*stated, *_of_state(state)]
    values = {reading for price in told for reading in price.readings}
    shown = [price for price in shown_prices(page, zones, values) if price.readings]
    choices = _gathered(shown, told)
    if not choices:
        return "", ""
    best = _lower_twin(max(choices, key=_standing), choices)
    currency = _currency_of(page, best, told, shown, place)
    value = best.value
    if currency in WHOLE and value != value.to_integral_value() and value < 1000:
        longer = next(
            (p.readings for p in shown if best.value in p.readings and len(p.readings) > 1), (value,)
        )
        value = max(longer)
    return written(value, currency), currency


def _of_state(state: list[StateProduct]) -> list[Stated]:
    found = []
    for product in state:
        currency = iso(product.currency)
        numbers = by_machine(product.price, currency)
        if isinstance(product.price, int) and product.price >= 100:
            numbers = (*numbers, Decimal(product.price) / 100)  # some shops count in cents
        if numbers:
            found.append(Stated(numbers, currency, 1.6 if product.agrees >= 0.95 else 1.0))
    return found


def _gathered(shown: list[Shown], told: list[Stated]) -> list[_Choice]:
    choices: dict[Decimal, _Choice] = {}
    known = {reading for price in told for reading in price.readings}
    for price in shown:
        value = next((reading for reading in price.readings if _near(reading, known)), price.readings[0])
        if price.kind == "unit" and _near(value, known):
            continue  # of a kilogram where the piece weighs one; says nothing against it
        choice = choices.setdefault(value, _Choice(value))
        if choice.shown is None or price.score > choice.shown:
            choice.shown, choice.flagged = price.score, price.flagged
            choice.reduced = price.kind == "reduced"
        if price.symbol:
            choice.symbols.append(price.symbol)
    for statement in told:
        match = next((v for reading in statement.readings for v in choices if _near(reading, {v})), None)
        value = match if match is not None else statement.readings[0]
        choice = choices.setdefault(value, _Choice(value))
        value = statement.readings[0]
        weight = statement.weight * (0.2 if statement.kind else 1.0)
        if statement.kind == "net":
            taxed = [one for one in choices.values() if one.shown is not None and _is_taxed(one.value, value)]
            for one in taxed:
                one.stated = max(one.stated, _BY_TAX)
        choice.stated = max(choice.stated, weight) + (0.3 if choice.stated else 0.0)
        if statement.currency:
            choice.codes.append(statement.currency)
    return list(choices.values())


def _is_taxed(value: Decimal, net: Decimal) -> bool:
    """Whether a price is a net price with one of the world's value added taxes on it, up to rounding."""
    return any(abs(value - net * (1 + rate / 100)) < Decimal("0.02") for rate in _TAXES)


def _near(reading: Decimal, values: set[Decimal]) -> bool:
    """Whether a value is one of others, up to rounding to cents."""
    return reading in values or any(abs(reading - value) < Decimal("0.006") for value in values)


def _standing(choice: _Choice) -> float:
    """How much speaks for a value. One that is only stated stands below a good one that is shown."""
    if choice.shown is None:
        return _GOOD - 0.5 + 0.3 * choice.stated - 0.9
    return choice.shown + choice.stated


def _lower_twin(best: _Choice, choices: list[_Choice]) -> _Choice:
    """Of two prices that stand alike, the lower one: only the style sheet strikes out the other.

    Of two currencies neither is lower. In a box that is called reduced it is the lower one whatever
    structured data says: often the old price.
    """
    twins = [
        choice
        for choice in choices
        if choice.shown is not None
        and not choice.flagged
        and (not choice.symbols or not best.symbols or not set(best.symbols).isdisjoint(choice.symbols))
        and (
            _standing(choice) > _standing(best) - 0.7
            or (
                choice.reduced and best.reduced and best.shown is not None and choice.shown > best.shown - 0.7
            )
        )
        and best.value * Decimal("0.4") < choice.value <= best.value
    ]
    return min(twins, key=lambda choice: choice.value, default=best)


def _currency_of(page: Page, best: _Choice, told: list[Stated], shown: list[Shown], place: Place) -> str:
    stated = best.codes or [price.currency for price in told if price.currency]
    for symbol in best.symbols:
        code = resolve(symbol, place.country, place.language, next(iter(stated), ""))
        if code:
            return code
    if stated:
        return stated[0]
    for element in page.elements:
        for name in _CODES:
            code = iso(element.get(name) or "") if element.get(name) else ""
            if code:
                return code
    for price in shown:
        code = resolve(price.symbol, place.country, place.language) if price.symbol else ""
        if code:
            return code
    return OF_COUNTRY.get(place.country, "")


def country_of(page: Page, region: str) -> str:
    """The country that a page is for: by its address, its language's region, its meta tags.

    Two letters or none.
    """
    parts = urlsplit(page.url)
    host = (parts.hostname or "").lower().split(".")
    ending = host[-1] if host else ""
    generic = {"io", "co", "me", "tv", "ai", "cc", "eu", "to", "fm", "ly", "gg", "am", "st", "ws"}
    spanish = (page.root.get("lang") or "").lower().startswith("es")
    if ending == "co" and (spanish or host[-2:-1] in (["com"], ["net"], ["edu"])):
        return "co"  # otherwise an ending of start-ups everywhere
    if len(ending) == 2 and ending not in generic:
        return "gb" if ending == "uk" else ending
    for piece in parts.path.lower().split("/")[1:3]:
        codes = piece.replace("_", "-").split("-")
        if len(codes) == 2 and all(len(code) == 2 for code in codes):
            for code in reversed(codes):
                if code in OF_COUNTRY and code == (region or code):
                    return code
        if (
            len(piece) == 2
            and piece in OF_COUNTRY
            and piece in ("us", "uk", "gb", "se", "dk", "jp", "ca", "au", "ch", "at", "hk", "tw", "nz")
        ):
            return "gb" if piece == "uk" else piece
    return region
