"""From bytes to text."""

from __future__ import annotations

import pytest

from shelfwise.collect.charset import decode

GREEK = "Αυτόματο πότισμα για μπαλκόνια, πλήρες σύστημα"


def test_valid_utf8_wins_over_what_the_page_says():
    assert decode('<meta charset="iso-8859-1">Löffel'.encode()) == '<meta charset="iso-8859-1">Löffel'


@pytest.mark.parametrize("name", ["windows-1253", "utf-8", "utf-16"])
def test_declared_charsets(name):
    assert GREEK in decode(f'<meta charset="{name}">{GREEK}'.encode(name))


@pytest.mark.parametrize("name", ["shift_jis", "euc-jp", "gbk", "windows-1251"])
def test_charsets_that_nobody_declared(name):
    text = (
        "Смеситель для кухни однорычажный, хром"
        if name == "windows-1251"
        else "三徳包丁の専門店です。価格は税込です。" * 3
    )
    text = "美的电饭煲家用智能大容量多功能预约" * 4 if name == "gbk" else text

    assert text in decode(f"<p>{text}</p>".encode(name))


def test_a_wrong_declaration_is_seen_through():
    text = "Смеситель для кухни однорычажный, хром, гарантия десять лет"

    assert text in decode(f'<meta charset="utf-8"><p>{text}</p>'.encode("windows-1251"))


def test_marks_at_the_start_and_nothing():
    assert decode(b"\xef\xbb\xbfabc") == "abc"
    assert decode(b"") == ""
    assert decode(b"a\x00b") == "ab"
    assert decode(
        "ISO: 日本語のページ".encode("iso-2022-jp").join([b'<meta charset="iso-2022-jp">', b""])
    ).endswith("日本語のページ")


def test_latin_letters_by_country():
    text = "Książka dla dzieci, w której żółw i źrebię idą przez łąkę, wydanie trzecie z obrazkami. " * 3

    assert text in decode(f"<p>{text}</p>".encode("cp1250"), "https://sklep.pl/")
    assert "à mão" in decode("<p>à mão</p>".encode("cp1252"), "https://loja.example/")
