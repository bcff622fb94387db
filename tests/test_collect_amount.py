"""Amounts of money in the ways of the world."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.collect.amount import amounts, by_machine, readings, western, written

WAYS = {
    "1.234,56 €": ("1234.56", "€"),
    "1\u202f234,56 zł": ("1234.56", "zł"),
    "CHF 1'234.50": ("1234.50", "CHF"),
    "CHF 1'725.–": ("1725", "CHF"),
    "₹1,23,456.00": ("123456.00", "₹"),
    "٣٤٩٫٠٠ ر.س": ("349.00", "ر.س"),
    "12.990 ₫": ("12990", "₫"),
    "Rp89.000": ("89000", "Rp"),
    "149:-": ("149", ":-"),
    "12,-": ("12", ",-"),
    "$24.00 USD": ("24.00", "USD"),
    "18,700円": ("18700", "円"),
    "促銷價3,290元": ("3290", "元"),
    "판매가32,000원": ("32000", "원"),
    "284,99lei": ("284.99", "lei"),
    "35€99": ("35.99", "€"),
    "1.837, 32 €": ("1837.32", "€"),
    ".75 €": ("0.75", "€"),
    "423.923 KD": ("423.923", "KD"),
    "R$ 599,90": ("599.90", "R$"),
}


@pytest.mark.parametrize(("text", "expected"), WAYS.items(), ids=WAYS.keys())
def test_ways_to_write_an_amount(text, expected):
    found = list(amounts(text))

    assert [(str(one.readings[0]), one.symbol) for one in found] == [expected]


def test_several_amounts_keep_their_own_currencies():
    assert [(str(a.readings[0]), a.symbol) for a in amounts("69,99€89,99€ 5 kr 6 kr £2 £3")] == [
        ("69.99", "€"), ("89.99", "€"), ("5", "kr"), ("6", "kr"), ("2", "£"), ("3", "£"),
    ]  # fmt: skip


def test_names_and_shares_are_no_amounts():
    assert [a for a in amounts("MG-218 MX500 20 % 30% 5kg") if a.readings] == []


SEPARATORS = [(".", ","), (" ", ","), ("'", "."), (",", "."), ("\u00a0", ","), ("", ","), ("", ".")]


@given(st.decimals("0.01", "9999999", places=2), st.sampled_from(SEPARATORS))
def test_what_is_written_is_read(number, marks):
    thousands, point = marks
    text = f"{number:,.2f}".replace(",", "T").replace(".", point).replace("T", thousands)

    assert next(amounts(f"{text} €")).readings[0] == number


@given(st.text(max_size=60))
def test_no_text_raises_and_places_are_in_order(text):
    places = [(one.start, one.end) for one in amounts(text)]

    assert places == sorted(places)
    assert len(western(text)) == len(text)


@pytest.mark.parametrize(
    "value", [{}, [], "", None, 0, "0", "0.00", "free", True, float("nan"), float("inf"), [{}]]
)
def test_what_is_no_price_to_machines(value):
    assert by_machine(value) == ()


def test_machines_write_points_and_people_do_not():
    assert [str(n) for n in by_machine("12.990", "EUR")] == ["12.990", "12990"]
    assert [str(n) for n in by_machine("12.990", "VND")] == ["12990", "12.990"]
    assert [str(n) for n in readings("12.990", "EUR")] == ["12990", "12.990"]
    assert by_machine("1.890.000₫", "VND") == (Decimal(1890000),)


def test_written_amounts():
    assert [written(Decimal(text), code) for text, code in (("24.9", "EUR"), ("12990", "JPY"), ("1.5", "KWD"))] == [
        "24.90", "12990", "1.500",
    ]  # fmt: skip
