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


def test_words_of_another_charset_in_a_page_of_utf8():
    page = "<p>Café ™</p>".encode() + b"<h1>L\xf6ffel \xe0 la carte</h1>" + "<p>Größe</p>".encode()

    assert decode(page) == "<p>Café ™</p><h1>Löffel à la carte</h1><p>Größe</p>"


def test_a_letter_that_was_cut_in_two_is_none():
    assert decode("<p>Größe ändern: Kaff".encode() + b"\xc3...") == "<p>Größe ändern: Kaff..."
    assert decode("<p>Größe, три".encode() + b"\xe2\x84</p>") == "<p>Größe, три</p>"


def test_two_letters_that_look_like_utf8_by_chance():
    for word, name in (("茶杯", "gb18030"), ("包丁", "shift_jis"), ("椅子", "big5")):
        assert word in decode(f"<h1>{word}</h1>".encode(name)), name


ONE_WORD = [
    ("Смеситель", "windows-1251", "ru"), ("книга", "koi8-r", "ru"), ("Світильник", "windows-1251", "uk"),
    ("Książka", "windows-1250", "pl"), ("Žehlička", "windows-1250", "cs"), ("Fűnyíró", "windows-1250", "hu"),
    ("Mąka pszenna", "iso-8859-2", "pl"), ("Işıklı ayna", "windows-1254", "tr"), ("Küche", "windows-1252", "de"),
    ("Šaukštas", "windows-1257", "lt"), ("Λάμπα", "windows-1253", "el"), ("מנורה", "windows-1255", "he"),
    ("مصباح", "windows-1256", "ar"), ("โคมไฟ", "cp874", "th"), ("電気ケトル", "shift_jis", "ja"),
    ("電気ケトル", "euc-jp", "ja"), ("电饭煲", "gb18030", "zh-CN"), ("手機殼", "big5", "zh-TW"),
    ("전기밥솥", "euc-kr", "ko"),
]  # fmt: skip
COUNTRIES = {
    "uk": "ua",
    "cs": "cz",
    "el": "gr",
    "he": "il",
    "ar": "ae",
    "ja": "jp",
    "zh-CN": "cn",
    "zh-TW": "tw",
    "ko": "kr",
}
ENGLISH = "A sturdy thing for every kitchen, made to last for many years. Free shipping on all orders. "


def shop_page(word, name, language="en", said="utf-8"):
    """A page in English with one foreign word, in a charset that it does not admit."""
    meta = f'<meta charset="{said}">' if said else ""
    return f'<html lang="{language}"><head>{meta}</head><h1>{word}</h1>{ENGLISH * 20}'.encode(name)


@pytest.mark.parametrize("said", ["utf-8", ""])
@pytest.mark.parametrize(("word", "name", "language"), ONE_WORD, ids=lambda value: str(value))
def test_one_foreign_word_in_a_page_that_lies(word, name, language, said):
    ending = COUNTRIES.get(language, language)

    assert f"<h1>{word}</h1>" in decode(shop_page(word, name, language, said), "https://shop.example/")
    assert f"<h1>{word}</h1>" in decode(shop_page(word, name, "en", said), f"https://shop.{ending}/")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Смеситель", "windows-1251"),
        ("Κουζίνα", "windows-1253"),
        ("電気ケトル", "shift_jis"),
        ("Küche", "windows-1252"),
    ],
)
def test_one_foreign_word_and_nothing_that_hints_at_it(word, name):
    assert f"<h1>{word}</h1>" in decode(shop_page(word, name))


def test_what_the_server_says_counts_and_can_be_a_lie():
    few, many = "чай", "Смеситель для кухни однорычажный, хром, гарантия десять лет"

    assert few in decode(f"<p>{few}</p>".encode("koi8-r"), charset="koi8-r")
    assert few in decode(f"<p>{few}</p>".encode("windows-1251"), charset="windows-1251")
    assert many in decode(f"<p>{many}</p>".encode("windows-1251"), charset="iso-8859-1")
    assert many in decode(f"<p>{many}</p>".encode("koi8-r"), charset="windows-1251")
    assert "Löffel" in decode("<p>Löffel</p>".encode(), charset="windows-1251")


def test_what_a_page_says_of_its_latin_letters_is_kept():
    for name in ("iso-8859-15", "macintosh", "windows-1250", "windows-1254", "iso-8859-2"):
        page = f'<meta charset="{name}"><p>Größe: 40 mm, Öl, café'.encode(
            "mac_roman" if name == "macintosh" else name
        )

        assert "Größe: 40 mm, Öl, café" in decode(page), name


WORDS = [
    ("ru", "ru", "cp1251 koi8-r cp866", "Смеситель|чайник|Кабель|Лампа настольная|ЧАЙ|книга"),
    ("uk", "ua", "cp1251 koi8-u", "Обприскувач|зошит|їжак|Світильник"),
    ("bg", "bg", "cp1251", "Лампа за маса|чаша|Пералня|къща"),
    ("pl", "pl", "cp1250 iso8859-2", "Książka|żółw|łóżko|Mąka pszenna"),
    ("cs", "cz", "cp1250 iso8859-2", "Žehlička|židle|Koště na listí|křeslo"),
    ("sk", "sk", "cp1250", "Žiarovka|ľadnička|stôl"),
    ("hu", "hu", "cp1250 iso8859-2", "Fűnyíró|szőnyeg|csésze"),
    ("ro", "ro", "cp1250", "Mașină|lampă|frână"),
    ("hr", "hr", "cp1250", "Stolica češalj|žarulja|šešir"),
    ("tr", "tr", "cp1254", "Işıklı ayna|çanta|Gömlek düğmesi|şapka|ağaç"),
    ("de", "de", "cp1252", "Löffel|Straße|Küchenmaschine|Ölkännchen"),
    ("fr", "fr", "cp1252", "théière|Bouilloire électrique|forêt|à louer"),
    ("es", "es", "cp1252", "España|sillón|Cañón"),
    ("pt", "pt", "cp1252", "Colchão|pão|coração"),
    ("sv", "se", "cp1252", "Hårfön|kök"),
    ("da", "dk", "cp1252", "Brødrister|køkken"),
    ("ja", "jp", "shift_jis euc_jp", "電気ケトル|包丁|カバン|やかん"),
    ("zh-CN", "cn", "gb18030", "电饭煲|茶杯|手机壳|椅子"),
    ("zh-TW", "tw", "big5", "電鍋|茶杯|手機殼|椅子"),
    ("ko", "kr", "euc_kr", "전기밥솥|가방|냄비|의자"),
    ("el", "gr", "cp1253", "Λάμπα|βιβλίο|Καρέκλα"),
    ("he", "il", "cp1255", "מנורה|כיסא"),
    ("ar", "ae", "cp1256", "مصباح|كرسي"),
    ("th", "th", "cp874", "โคมไฟ|เก้าอี้"),
    ("lt", "lt", "cp1257", "Šaukštas|kėdė"),
    ("lv", "lv", "cp1257", "Krēsls|galds ķēde"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "least"), [("none", 90), ("country", 110), ("language", 111)])
def test_single_words_of_many_languages(hint, least):
    right = every = 0
    for language, country, names, words in WORDS:
        for name in names.split():
            for word in words.split("|"):
                if word.encode(name, "replace").decode(name) != word:
                    continue
                page = shop_page(word, name, language if hint == "language" else "en")
                url = f"https://shop.{country if hint == 'country' else 'example'}/"
                right += f"<h1>{word}</h1>" in decode(page, url)
                every += 1

    assert every == 116
    assert right >= least


@pytest.mark.parametrize(("words", "language"), [
    ("it\u00b4s don\u00b4t you\u00b4ll", "en"), ("l\u00b4huile d\u00b4olive", "fr"), ("99\u00a2 50\u00a2 25\u00a2", "en"),
    (" ".join(f"{n}\u00b5m" for n in range(9)), "de"), (" ".join(f"{n}\u00be" for n in range(1, 6)), ""),
    ("novel\u00b7la col\u00b7lecci\u00f3", "ca"),
])  # fmt: skip
def test_signs_among_plain_words_leave_a_declared_charset_as_it_is(words, language):
    html = f'<html lang="{language}"><meta charset="iso-8859-1"><p>{words}</p>'
    assert words in decode(html.encode("latin-1"))
    bare = f"<html><p>{words}</p>".encode("latin-1")
    assert words in decode(bare, charset="iso-8859-1")


def test_a_letter_that_was_cut_does_not_change_a_declared_charset():
    words = " ".join("\u5bb6\u5177\u684c\u5b50\u6905\u5b50"[n % 5 :] for n in range(15))
    html = f'<html lang="zh"><meta charset="gb2312"><p>{words}</p><p>'.encode("gb2312")
    html += "\u684c\u5b50\u6905\u5b50\u5bb6\u5177".encode("gb2312")[:-1] + b"...</p>"
    assert words in decode(html)


@pytest.mark.parametrize(
    "name", ["base64", "hex", "zlib", "rot13", "undefined", "idna", "punycode", "no-such"]
)
def test_names_that_are_no_charset_of_a_page_count_for_nothing(name):
    html = f'<meta charset="{name}"><p>caf\u00e9</p>'.encode("cp1252")
    assert "caf\u00e9" in decode(html, charset=name)


def test_an_address_that_is_none_has_no_country():
    assert "caf\u00e9" in decode("<p>caf\u00e9</p>".encode("cp1252"), "http://[bad/")
