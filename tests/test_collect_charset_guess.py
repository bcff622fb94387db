"""Charsets by what their bytes would mean."""

from __future__ import annotations

import pytest

from shelfwise.collect.charset_guess import Hints, fits, guess, likelihood


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Смеситель для кухни", "cp1251"), ("Смеситель для кухни", "koi8_r"), ("Смеситель для кухни", "cp866"),
        ("Książka dla dzieci, żółw i źrebię", "cp1250"), ("Küche, Löffel, Straße", "cp1252"),
        ("Işıklı ayna, düğme, gömlek", "cp1254"), ("電気ケトル、包丁の専門店", "cp932"), ("电饭煲 茶杯 手机壳", "gb18030"),
        ("전기밥솥 냄비 의자", "cp949"), ("Καρέκλα και λάμπα", "cp1253"), ("Mąka, łyżka, śliwki", "iso8859_2"),
    ],
)  # fmt: skip
def test_some_words(text, name):
    assert guess(text.encode(name), Hints()) == name


def test_hints_decide_where_bytes_do_not():
    data = "ò".encode("cp1252")  # or a letter of many others

    assert guess(data, Hints(language="it")) == "cp1252"
    assert guess(data, Hints(language="ru-RU")) == "cp1251"
    assert guess(data, Hints(country="gr")) == "cp1253"
    assert guess(data, Hints((("cp1257", 1.0),))) == "cp1257"
    assert guess(data, Hints((("cp1250", 0.2), ("koi8_r", 1.0)))) == "koi8_r"


def test_many_words_overrule_a_belief():
    data = "Смеситель для кухни однорычажный, хром, гарантия".encode("cp1251")

    assert guess(data, Hints((("cp1252", 1.0),), "de", "de")) == "cp1251"


def test_unknown_charsets_and_bytes_of_none_do_no_harm():
    assert guess("Löffel".encode("cp1252"), Hints((("no_such", 1.0),))) == "cp1252"
    assert guess(b"", Hints()) in ("cp1252", "cp1251")
    assert guess(b"\xff\xfe\xfd" * 50, Hints())
    assert guess("Größe".encode("mac_roman"), Hints((("mac_roman", 1.0),))) == "mac_roman"


def test_a_long_word_may_be_cut_within_a_letter():
    assert guess(("電気ケトル専門店" * 9).encode("cp932"), Hints()) == "cp932"


def test_likelihood_knows_how_words_are_written():
    assert likelihood("чайник", "ru") > likelihood("ЧАЙНИК", "ru") > likelihood("чАЙНИК", "ru")
    assert likelihood("Löffel", "de") > likelihood("Lцffel", "ru")
    assert likelihood("Löffel", "de") > likelihood("Löffel", "pl")
    assert likelihood("İğne", "tr") > likelihood("Ýðne", "en")
    assert likelihood("1²", "de") > likelihood("a²b", "de")
    assert likelihood("茶杯", "zh") > likelihood("豭脰", "zh")
    assert likelihood("やかん、", "ja") > likelihood("鑿龜豭、", "ja")
    assert likelihood("가방", "ko") > likelihood("꿱괸", "ko")
    assert likelihood("手機", "tw") > likelihood("鑿龘", "tw")


def test_what_reads_well_needs_no_other():
    russian = "Смеситель для кухни однорычажный, хром, гарантия".encode("cp1251")

    assert fits(russian, "cp1251")
    assert fits("Küche – „Größe“, Straße, café".encode("cp1252"), "cp1252")
    assert fits("電気ケトル、包丁の専門店".encode("cp932"), "cp932")
    assert not any(
        fits(russian, name) for name in ("cp1252", "koi8_r", "cp866", "gb18030", "cp932", "no_such")
    )
