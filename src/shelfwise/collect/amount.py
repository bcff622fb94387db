"""Amounts: numbers with a currency as the world's shops write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from shelfwise.collect.currencies import SYMBOLS, THREE_DECIMALS, WHOLE, symbol_at, symbol_before

_NUMBER = re.compile(
    r"\d{1,3}(?:[ '’.,]\d{3})+(?!\d)(?:[.,] ?\d{2}(?!\d)|[.,]\d{1,6})?"  # thousands marked
    r"|\d{1,3}(?:,\d{2})+,\d{3}(?!\d)(?:\.\d{1,2})?"  # as in India
    r"|\d{1,6}[.,] \d{2}(?![\d.,])"  # a space where nobody wants one
    r"|\d+(?:[.,]\d{1,20})?|(?<![\d.,])[.,]\d{2}(?!\d)"
)
_CENTS_BEHIND = re.compile(r"\s?(\d\d)(?![\d.,€$£])")
_WHOLE_MARK = re.compile(r"(?:[,.]|:)\s?[-–—]{1,2}")
_PER_CENT = re.compile(r"\s?%")
_TOUCHES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Letters that stand right before a number which is none of their word: `促銷價3,290元`."""
_CENTS_OF = ("€", "£", "$", "CHF")
_LARGEST = Decimal(10) ** 11
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007\u2008\u2005\u2006\u200a"), " ")
_POINTS = {
    ord("٫"): ",",
    ord("٬"): "'",
    ord("，"): ",",
    ord("．"): ".",
    ord("´"): "'",
    ord("`"): "'",
    ord("＇"): "'",
}


@dataclass(frozen=True)
class Amount:
    """A number found in a text.

    readings: what it can mean, likeliest first; symbol: the currency beside it as written, or nothing; start,
    end: where it stands, the currency included.
    """

    readings: tuple[Decimal, ...]
    symbol: str
    start: int
    end: int


def western(text: str) -> str:
    """Text with its digits, spaces and separators as they are in the West, character by character."""
    text = text.translate(_SPACES).translate(_POINTS)
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(character))
        if not character.isascii() and character.isdecimal()
        else character
        for character in text
    )


def readings(number: str, currency: str = "", by_machine: bool = False) -> tuple[Decimal, ...]:
    """What a written number can mean, likeliest first.

    One separator before exactly three digits is a thousands separator to people, and the decimal point to
    machines (a point, that is), but for currencies without or with three decimals.
    """
    digits = re.sub(r"[\s'’]", "", western(number).strip())
    found: list[str] = []
    marks = re.findall(r"[.,]", digits)
    if not marks:
        found = [digits]
    elif len(set(marks)) == 2:
        last = marks[-1]
        other = "," if last == "." else "."
        plain = digits.replace(other, "")
        found = [plain.replace(last, ".") if marks.count(last) == 1 else re.sub(r"[.,]", "", digits)]
    elif len(marks) > 1:
        found = [re.sub(r"[.,]", "", digits)]
    else:
        found = _single(digits, marks[0], currency, by_machine)
    values: list[Decimal] = []
    for text in found:
        try:
            value = Decimal(text)
        except InvalidOperation:
            continue
        if value < _LARGEST and value not in values:
            values.append(value)
    return tuple(values)


def _single(digits: str, mark: str, currency: str, by_machine: bool) -> list[str]:
    whole, fraction = digits.split(mark)
    decimal, thousands = f"{whole or '0'}.{fraction}", whole + fraction
    if len(fraction) != 3 or whole in ("", "0") or len(whole) > 3:
        return [decimal]
    if currency in THREE_DECIMALS or (by_machine and mark == "." and currency not in WHOLE):
        return [decimal, thousands]
    return [thousands, decimal]


def amounts(text: str) -> Iterator[Amount]:
    """All amounts of a text in order, with the currency that stands beside each."""
    text = western(text)
    done = taken = 0
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if start < done:
            continue
        mark = _WHOLE_MARK.match(text, end)
        stop = mark.end() if mark else end
        before, behind = _before(text, start, taken), _behind(text, stop)
        if _in_word(text, start) and not (before and text[start - 1] == before[-1]):
            continue  # a part of a word, such as a model's name
        symbol, begin, after = _currency(text, (start, stop), before, behind)
        if not symbol and mark:
            symbol = ":-" if ":" in mark.group() else ",-"
        if _PER_CENT.match(text, after) or (after == end and text[end : end + 1].isalpha() and not symbol):
            continue
        number = match.group()
        cents = (
            _CENTS_BEHIND.match(text, after)
            if number.isdigit() and symbol in _CENTS_OF and after > end
            else None
        )
        if cents:  # 35€99
            number, after = f"{number}.{cents.group(1)}", cents.end()
        done = taken = after
        code = SYMBOLS.get(symbol.casefold(), symbol.upper())
        yield Amount(readings(number, code), symbol, begin, after)


def _before(text: str, start: int, taken: int) -> str:
    """The currency in front of a number, unless the number before has taken it."""
    at = start
    while at > taken and start - at < 3 and text[at - 1].isspace():
        at -= 1
    found = symbol_before(text, at) if at > taken else ""
    return text[at - len(found) : start] if found and at - len(found) >= taken else ""


def _behind(text: str, stop: int) -> str:
    """The currency behind a number, with the spaces in front of it."""
    at = stop
    while at - stop < 3 and text[at : at + 1] and (text[at].isspace() or text[at] == "*"):
        at += 1
    found = symbol_at(text, at)
    return text[stop : at + len(found)] if found else ""


def _currency(text: str, span: tuple[int, int], before: str, behind: str) -> tuple[str, int, int]:
    """Which of the two currencies beside a number is its own, and where number and currency begin and end.

    One in front wins where it touches the number or is of those that stand in front; otherwise the one
    behind, as in `5 kr 6 kr`. A code behind a sign belongs to it (`$24.00 USD`).
    """
    start, stop = span
    sign, code = before.strip(), behind.strip(" *\t\n\r\x0b\x0c")
    if before and (not behind or sign in ("$", "€", "£") or not before[-1].isspace()):
        if len(code) == 3 and code.isascii() and code.isupper():
            return code, start - len(before), stop + len(behind)
        return sign, start - len(before), stop
    if behind:
        return code, start, stop + len(behind)
    return "", start, stop


def _in_word(text: str, start: int) -> bool:
    """Whether a number goes on from a word, as in `MX500` and `MG-218`."""
    before = text[max(0, start - 2) : start]
    if _TOUCHES.match(before[-1:]):
        return False
    return before[-1:].isalpha() or (before[-1:] in "-_" and before[:1].isalpha() and len(before) == 2)


def written(value: Decimal, currency: str) -> str:
    """An amount as decimal text: two decimals (three where the currency has them), none where it is whole."""
    places = Decimal("0.001") if currency in THREE_DECIMALS else Decimal("0.01")
    rounded = value.quantize(places)
    if rounded == rounded.to_integral_value() and (currency in WHOLE or value == value.to_integral_value()):
        return str(int(rounded)) if currency in WHOLE or value.as_tuple().exponent == 0 else str(rounded)
    return str(rounded)


def by_machine(value: object, currency: str = "") -> tuple[Decimal, ...]:
    """What a price in structured data can mean, likeliest first; empty for `{}`, 0, text without a number."""
    if isinstance(value, bool) or value is None:
        return ()
    if isinstance(value, int | float):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return ()
        return (number,) if number.is_finite() and 0 < number < _LARGEST else ()
    if isinstance(value, list):
        return by_machine(value[0], currency) if value else ()
    if not isinstance(value, str):
        return ()
    text = western(value.strip()[:80])
    match = _NUMBER.search(text)
    if not match:
        return ()
    plain = match.span() == (0, len(text))
    return tuple(n for n in readings(match.group(), currency, by_machine=plain) if n > 0)
