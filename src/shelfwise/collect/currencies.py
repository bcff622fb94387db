"""Currencies: from symbols, words and countries to ISO codes."""

from __future__ import annotations

CODES = frozenset(
    [
        "AED",
        "AFN",
        "ALL",
        "AMD",
        "ANG",
        "AOA",
        "ARS",
        "AUD",
        "AWG",
        "AZN",
        "BAM",
        "BBD",
        "BDT",
        "BGN",
        "BHD",
        "BIF",
        "BMD",
        "BND",
        "BOB",
        "BRL",
        "BSD",
        "BTN",
        "BWP",
        "BYN",
        "BZD",
        "CAD",
        "CDF",
        "CHF",
        "CLP",
        "CNY",
        "COP",
        "CRC",
        "CUP",
        "CVE",
        "CZK",
        "DJF",
        "DKK",
        "DOP",
        "DZD",
        "EGP",
        "ERN",
        "ETB",
        "EUR",
        "FJD",
        "GBP",
        "GEL",
        "GHS",
        "GMD",
        "GNF",
        "GTQ",
        "GYD",
        "HKD",
        "HNL",
        "HRK",
        "HTG",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "IQD",
        "IRR",
        "ISK",
        "JMD",
        "JOD",
        "JPY",
        "KES",
        "KGS",
        "KHR",
        "KMF",
        "KRW",
        "KWD",
        "KYD",
        "KZT",
        "LAK",
        "LBP",
        "LKR",
        "LRD",
        "LYD",
        "MAD",
        "MDL",
        "MGA",
        "MKD",
        "MMK",
        "MNT",
        "MOP",
        "MRU",
        "MUR",
        "MVR",
        "MWK",
        "MXN",
        "MYR",
        "MZN",
        "NAD",
        "NGN",
        "NIO",
        "NOK",
        "NPR",
        "NZD",
        "OMR",
        "PAB",
        "PEN",
        "PGK",
        "PHP",
        "PKR",
        "PLN",
        "PYG",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SBD",
        "SCR",
        "SDG",
        "SEK",
        "SGD",
        "SOS",
        "SRD",
        "SYP",
        "SZL",
        "THB",
        "TJS",
        "TMT",
        "TND",
        "TOP",
        "TRY",
        "TTD",
        "TWD",
        "TZS",
        "UAH",
        "UGX",
        "USD",
        "UYU",
        "UZS",
        "VES",
        "VND",
        "VUV",
        "WST",
        "XAF",
        "XCD",
        "XOF",
        "XPF",
        "YER",
        "ZAR",
        "ZMW",
    ]
)
WHOLE = frozenset(
    [
        "CLP",
        "COP",
        "CRC",
        "HUF",
        "IDR",
        "IQD",
        "IRR",
        "ISK",
        "JPY",
        "KRW",
        "LAK",
        "LBP",
        "MMK",
        "PYG",
        "RSD",
        "UGX",
        "UZS",
        "VND",
        "XAF",
        "XOF",
        "XPF",
        "TZS",
    ]
)
THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))

# Symbol or word (case does not matter, except where two letters would be too common) to a code, or to `*NAME`
# where only the country tells which one.
SYMBOLS = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "ευρώ": "EUR", "£": "GBP", "gbp": "GBP",
    "us$": "USD", "usd": "USD", "us $": "USD", "u$s": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD",
    "ca$": "CAD",
    "cad$": "CAD", "nz$": "NZD", "hk$": "HKD", "nt$": "TWD", "s$": "SGD", "sg$": "SGD", "mx$": "MXN",
    "r$": "BRL",
    "ar$": "ARS", "clp$": "CLP", "col$": "COP", "rd$": "DOP", "s/": "PEN", "s/.": "PEN", "bs.": "BOB",
    "$b": "BOB",
    "$u": "UYU", "j$": "JMD", "b/.": "PAB", "₡": "CRC", "₲": "PYG", "gs.": "PYG", "$": "*dollar",
    "＄": "*dollar",
    "zł": "PLN", "zl": "PLN", "złotych": "PLN", "kč": "CZK", "kc": "CZK", "ft": "HUF", "ft.": "HUF",
    "forint": "HUF",
    "₽": "RUB", "руб": "RUB", "руб.": "RUB", "рублей": "RUB", "р.": "RUB", "р": "RUB", "rur": "RUB",
    "₴": "UAH",
    "грн": "UAH",
    "грн.": "UAH", "₸": "KZT", "тг": "KZT", "тг.": "KZT", "тенге": "KZT", "сум": "UZS", "so'm": "UZS",
    "сом": "KGS", "₼": "AZN", "manat": "AZN", "₾": "GEL", "֏": "AMD", "бел. руб.": "BYN", "byn": "BYN",
    "лв": "BGN", "лв.": "BGN", "lei": "*leu", "ron": "RON", "leu": "*leu", "ден": "MKD", "ден.": "MKD",
    "дин": "RSD", "dinara": "RSD", "динара": "RSD",
    "дин.": "RSD", "din": "RSD", "din.": "RSD", "rsd": "RSD", "рсд": "RSD", "km": "BAM", "kn": "HRK",
    "₺": "TRY",
    "tl": "TRY", "try": "TRY", "ytl": "TRY", "₪": "ILS", "ש״ח": "ILS", 'ש"ח': "ILS", "nis": "ILS", "₹": "INR",
    "rs.": "*rupee", "rs": "*rupee", "₨": "*rupee", "inr": "INR", "रु": "INR", "৳": "BDT", "tk": "BDT",
    "tk.": "BDT", "¥": "*yen", "￥": "*yen", "yen": "JPY", "円": "JPY", "税込": "JPY", "元": "*yuan",
    "rmb": "CNY",
    "₩": "KRW", "￦": "KRW", "원": "KRW", "฿": "THB", "บาท": "THB", "baht": "THB", "₫": "VND", "đ": "VND",
    "vnđ": "VND", "rp": "IDR", "rp.": "IDR", "rm": "MYR", "₱": "PHP", "php": "PHP", "kr": "*krone",
    "kr.": "*krone",
    ":-": "*krone", ",-": "*dash", "sfr": "CHF", "sfr.": "CHF", "fr.": "CHF", "chf": "CHF", "dkk": "DKK",
    "nok": "NOK", "sek": "SEK", "ر.س": "SAR", "ر.س.": "SAR", "ريال": "*riyal", "sr": "SAR", "د.إ": "AED",
    "درهم": "*dirham", "dhs": "AED", "dh": "*dirham", "aed": "AED", "د.ك": "KWD", "kd": "KWD", "ر.ق": "QAR",
    "د.ب": "BHD", "ر.ع": "OMR", "ر.ع.": "OMR", "ج.م": "EGP", "جنيه": "EGP", "egp": "EGP", "جن": "EGP",
    "le": "EGP", "د.م.": "MAD",
    "د.ت": "TND", "د.ج": "DZD", "د.ا": "JOD", "ل.ل": "LBP", "تومان": "IRR", "ریال": "IRR", "₦": "NGN",
    "ksh": "KES",
    "ksh.": "KES", "r": "ZAR", "gh₵": "GHS", "₵": "GHS", "fcfa": "XOF", "cfa": "XOF", "f cfa": "XOF",
    "₮": "MNT",
}  # fmt: skip
# Symbols of one or two Latin letters are only read with capitals as given, right beside a number.
CASED = {"R": "ZAR", "KM": "BAM", "RM": "MYR", "SR": "SAR", "KD": "KWD", "LE": "EGP", "DH": "MAD"}
_SHAKY = {key.casefold() for key in CASED} | {"le", "sr", "kd", "km", "dh"}

_BY_COUNTRY = {
    "*dollar": {
        "us": "USD", "ca": "CAD", "au": "AUD", "nz": "NZD", "sg": "SGD", "hk": "HKD", "tw": "TWD",
        "mx": "MXN",
        "ar": "ARS", "cl": "CLP", "co": "COP", "uy": "UYU", "do": "DOP", "br": "BRL", "jm": "JMD",
        "tt": "TTD",
        "ec": "USD", "sv": "USD", "pa": "USD", "pr": "USD", "bs": "BSD", "bb": "BBD", "bn": "BND",
        "bz": "BZD",
        "na": "NAD", "fj": "FJD",
    },
    "*krone": {"se": "SEK", "no": "NOK", "dk": "DKK", "is": "ISK", "fo": "DKK", "gl": "DKK"},
    "*dash": {"se": "SEK", "no": "NOK", "dk": "DKK", "cz": "CZK", "ch": "CHF", "de": "EUR", "at": "EUR",
    "nl": "EUR",
              "be": "EUR", "is": "ISK", "hu": "HUF"},
    "*yen": {"jp": "JPY", "cn": "CNY"},
    "*yuan": {"tw": "TWD", "cn": "CNY", "hk": "HKD"},
    "*rupee": {"in": "INR", "pk": "PKR", "lk": "LKR", "np": "NPR", "mu": "MUR", "id": "IDR"},
    "*riyal": {"sa": "SAR", "qa": "QAR", "om": "OMR", "ye": "YER", "ir": "IRR"},
    "*dirham": {"ae": "AED", "ma": "MAD"},
    "*leu": {"ro": "RON", "md": "MDL"},
}  # fmt: skip
_BY_LANGUAGE = {
    "sv": "se", "no": "no", "da": "dk", "is": "is", "ja": "jp", "zh": "cn", "cs": "cz", "hi": "in",
    "ur": "pk",
    "si": "lk", "ne": "np", "pt": "br", "ar": "sa", "fr": "fr", "de": "de", "nl": "nl", "hu": "hu",
    "en": "us",
    "fo": "dk",
}  # fmt: skip
OF_COUNTRY = {
    "us": "USD", "gb": "GBP", "uk": "GBP", "ie": "EUR", "de": "EUR", "at": "EUR", "fr": "EUR", "it": "EUR",
    "es": "EUR", "pt": "EUR", "nl": "EUR", "be": "EUR", "lu": "EUR", "fi": "EUR", "ee": "EUR", "lv": "EUR",
    "lt": "EUR", "sk": "EUR", "si": "EUR", "gr": "EUR", "cy": "EUR", "mt": "EUR", "hr": "EUR", "ch": "CHF",
    "li": "CHF", "se": "SEK", "no": "NOK", "dk": "DKK", "is": "ISK", "pl": "PLN", "cz": "CZK", "hu": "HUF",
    "ro": "RON", "bg": "BGN", "rs": "RSD", "ba": "BAM", "mk": "MKD", "al": "ALL", "ua": "UAH", "ru": "RUB",
    "by": "BYN", "kz": "KZT", "uz": "UZS", "md": "MDL", "ge": "GEL", "am": "AMD", "az": "AZN", "tr": "TRY",
    "il": "ILS", "ae": "AED", "sa": "SAR", "qa": "QAR", "kw": "KWD", "bh": "BHD", "om": "OMR", "eg": "EGP",
    "ma": "MAD", "tn": "TND", "za": "ZAR", "ng": "NGN", "ke": "KES", "in": "INR", "pk": "PKR", "bd": "BDT",
    "lk": "LKR", "np": "NPR", "cn": "CNY", "hk": "HKD", "tw": "TWD", "jp": "JPY", "kr": "KRW", "th": "THB",
    "vn": "VND", "id": "IDR", "my": "MYR", "sg": "SGD", "ph": "PHP", "au": "AUD", "nz": "NZD", "ca": "CAD",
    "mx": "MXN", "br": "BRL", "ar": "ARS", "cl": "CLP", "co": "COP", "pe": "PEN", "uy": "UYU", "py": "PYG",
    "bo": "BOB", "cr": "CRC", "do": "DOP", "ir": "IRR",
}  # fmt: skip


def iso(text: str) -> str:
    """The ISO code that a text of a machine means ("eur", "RUR", "TL", "€"), or nothing."""
    text = (text or "").strip()
    code = text.upper()
    if code in CODES:
        return code
    known = {"RUR": "RUB", "NTD": "TWD", "RMB": "CNY", "CNH": "CNY", "BYR": "BYN", "NIS": "ILS"}.get(code)
    symbol = known or SYMBOLS.get(text.casefold(), "")
    return symbol if not symbol.startswith("*") else ""


def resolve(symbol: str, country: str, language: str, stated: str = "") -> str:
    """The code of a symbol as shown on a page of a country and language.

    `stated`: what the page says by code. What the page says wins where the symbol can mean it.
    """
    code = SYMBOLS.get(symbol.strip().casefold(), "") or iso(symbol)
    if not code.startswith("*"):
        return code
    choices = _BY_COUNTRY[code]
    if stated and (stated in choices.values() or code == "*dash"):
        return stated
    if country in choices:
        return choices[country]
    usual = choices.get(_BY_LANGUAGE.get(language, ""), "")
    if usual:
        return usual
    return stated or {
        "*dollar": "USD",
        "*yen": "JPY",
        "*yuan": "CNY",
        "*riyal": "SAR",
        "*rupee": "INR",
        "*leu": "RON",
    }.get(code, "")


def symbol_at(text: str, at: int) -> str:
    """The longest symbol, word or code of a currency that begins at a place of a text, or nothing."""
    if not text[at : at + 1].strip() or text[at : at + 1].isdigit():
        return ""
    for length in range(min(_LONGEST, len(text) - at), 0, -1):
        piece = text[at : at + length]
        if _known(piece) and not (piece[-1].isalpha() and text[at + length : at + length + 1].isalpha()):
            return piece
    return ""


def symbol_before(text: str, at: int) -> str:
    """The longest symbol, word or code of a currency that ends at a place of a text, or nothing."""
    for length in range(min(_LONGEST, at), 0, -1):
        piece = text[at - length : at]
        if _known(piece) and not (piece[0].isalpha() and text[at - length - 1 : at - length].isalpha()):
            return piece
    return ""


_LONGEST = max(len(word) for word in SYMBOLS)
_USUAL = frozenset(
    [
        "eur",
        "usd",
        "gbp",
        "chf",
        "pln",
        "czk",
        "huf",
        "ron",
        "sek",
        "nok",
        "dkk",
        "rub",
        "uah",
        "jpy",
        "cny",
        "inr",
        "aud",
        "cad",
        "nzd",
        "brl",
        "zar",
        "krw",
    ]
)


def _known(piece: str) -> bool:
    """Whether a piece of text is a currency as people write it; codes and shaky letters in capitals."""
    if piece in CASED or piece in CODES:
        return True
    lowered = piece.casefold()
    return lowered in _USUAL or (
        lowered in SYMBOLS and lowered not in _SHAKY and lowered not in ("r", "税込")
    )
