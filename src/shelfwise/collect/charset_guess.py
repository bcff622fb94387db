"""Charset guess: what bytes are most likely written in, when they are few and the page lies about them.

A page in English with one foreign word gives a detector too little. So every charset that shops use is tried
on the words that hold bytes beyond ASCII, and weighed by how likely its letters are in the languages that are
written in it, as logarithms of probabilities: letters by their frequency, capitals by where they stand, words
of two scripts as what they are, rare. What the page says of itself, the language that it declares and the
country of its address are added as beliefs, which many words overrule and few do not.
"""

from __future__ import annotations

import codecs
import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import filterfalse
from typing import NamedTuple

_BETWEEN = bytes.maketrans(b"<>\"'=;&", b" " * 7)  # no charset has these bytes within a letter
_MOST_WORDS, _LONGEST, _SAMPLE = 150, 60, 1 << 19
_BROKEN = -15.0  # for each byte beyond ASCII of a word that is none in a charset
_DECLARED, _BY_LANGUAGE, _BY_COUNTRY = 8.0, 5.0, 3.0
_OTHER, _CONTROL, _SIGN, _ASCII = -8.0, -12.0, -9.0, -2.8
_FITTING, _WIDER = -5.0, -3.5  # for each letter beyond ASCII; with words of a wrong charset it is far less
_MIXED = -5.0  # letters of two scripts side by side
_EDGES = frozenset("\xa0«»“”„‘’‚‹›–—…•·°®©™€£¥§±²³½¼¾×№“”´¢µ¦¬¯¨")
_APOSTROPHES = frozenset("’”»…´·")
_WIDE = frozenset("　、。，．・：；？！（）［］【】「」『』《》〈〉〜～／％＋－＝￥＆＃＊①②③④⑤★☆●○◆■→↓※")

_WEST = {
    "de": "üäößé", "fr": "éèàçêôûîùâëïœ", "es": "óíáéñúü¿¡ºª", "pt": "ãçáéóíõêúâàôºª", "it": "àèùòéì",
    "nl": "ëéèïöü", "sv": "äåöé", "da": "åøæé", "fi": "äöå", "is": "áðíéöúóþæý", "ca": "àéóèçíòúïü",
    "en": "éñüöäèáóíçàøåæâêôãõúßîïëûòìùýœšž",
}  # fmt: skip
_CENTRE = {
    "pl": "ąłęóśżćńź", "cs": "íáéěřčýžšůúťňďó", "sk": "áíéýčžšúľťôňóďäĺŕ", "hu": "áéőöóüíúű", "hr": "čćžšđ",
    "ro": "ăâîşţ",
}  # fmt: skip
_CYRILLIC = {
    "ru": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", "uk": "оаинітревсклудпмзябйгьчхєжцюїшщфґ",
    "bg": "аиоентрсвлдпкмзугбъячщжцхйфшюь", "sr": "аиоенрсујтвкдлпмгзбчшжћцњђљхџф",
}  # fmt: skip
_LETTERS = {
    **_WEST, **_CENTRE, **_CYRILLIC, "tr": "ıüğşçöâîû", "lt": "ėšųįąžūęč", "lv": "āīēšļūņžģķč",
    "et": "äõüöšž", "el": "αοιετσνηυρπκμλςωδγχθφβξζψίάόέήύώϊϋ", "he": "יוהלאתרבמשנםכדפחעקגטזסצןךףץ",
    "ar": "اليمونترةبعدسفهكقحجشصطخضغذثئزأىإءؤظآگپچی",
    "th": "".join(map(chr, (*range(0xE01, 0xE3B), *range(0xE40, 0xE4F)))),
    "vi": "đôáàêươâăạíóúèéìòùý\u0301\u0300\u0323\u0309\u0303",
}  # fmt: skip
_LATIN = frozenset((*_WEST, *_CENTRE, "tr", "lt", "lv", "et", "vi"))
_FLAT = frozenset(("th", "vi"))  # all letters alike

_CHARSETS: dict[str, tuple[float, tuple[str, ...]]] = {
    "cp1252": (-1.0, tuple(_WEST)), "cp1250": (-2.0, tuple(_CENTRE)), "iso8859_2": (-3.5, tuple(_CENTRE)),
    "cp1251": (-1.5, tuple(_CYRILLIC)), "koi8_r": (-4.0, ("ru",)), "koi8_u": (-5.0, ("uk",)),
    "iso8859_5": (-6.0, tuple(_CYRILLIC)), "cp866": (-6.0, ("ru",)), "mac_cyrillic": (-7.0, ("ru", "uk")),
    "cp1254": (-2.0, ("tr",)), "cp1257": (-3.0, ("lt", "lv", "et")), "cp1253": (-3.0, ("el",)),
    "cp1255": (-4.0, ("he",)), "cp1256": (-2.5, ("ar",)), "iso8859_6": (-5.0, ("ar",)),
    "cp874": (-2.5, ("th",)), "cp1258": (-4.0, ("vi",)), "cp932": (-2.0, ("ja",)), "euc_jp": (-3.0, ("ja",)),
    "gb18030": (-2.0, ("zh",)), "cp950": (-3.0, ("tw",)), "cp949": (-2.5, ("ko",)),
}  # fmt: skip
"""By charset: how common it is, and the languages written in it."""

_OF_COUNTRY = {
    "cz": "cs", "si": "hr", "ba": "hr", "me": "sr", "rs": "sr", "ee": "et", "gr": "el", "cy": "el",
    "il": "he", "ua": "uk", "by": "ru", "kz": "ru", "kg": "ru", "uz": "ru", "md": "ro", "sa": "ar",
    "ae": "ar", "eg": "ar", "ir": "ar", "ma": "ar", "jp": "ja", "cn": "zh", "hk": "tw", "kr": "ko",
    "vn": "vi", "at": "de", "ch": "de", "be": "nl", "se": "sv", "dk": "da", "no": "da", "br": "pt",
    "mx": "es", "cl": "es", "co": "es", "pe": "es", "su": "ru", "uk": "en", "sg": "zh",
    "ar": "es",
}  # fmt: skip
_OF_TAG = {
    "sl": "hr",
    "bs": "hr",
    "be": "ru",
    "kk": "ru",
    "mk": "bg",
    "fa": "ar",
    "nb": "da",
    "nn": "da",
    "no": "da",
}
_COMMON = frozenset(
    "的一是不了在人有我他这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把"
    "还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感"
    "商品价格购买尺寸颜色包装质量产家电子水电器机动全新型号材料功能服务店铺款式黑白红蓝绿内外套餐食茶杯灯衣鞋箱袋表"
)
_KOREAN = frozenset(
    "이다는에의가을로하고를한지기도사은자리어시서아인대나스정일해보전그라수상과제들으있만장부주원성년면동게구안공모했여비"
    "우신관것소용화유조경연것마무적방드진개생오요치매미세실선품위무배송상색블랙화이트사이즈가방남여성용티셔츠레드"
)


@dataclass(frozen=True)
class Hints:
    """What speaks for a charset besides the bytes.

    declared: charsets that the page, its server or a detector name, each with a belief (1.0: the page's own
    word). language: as the page declares it (`de-AT`). country: the ending of its address.
    """

    declared: tuple[tuple[str, float], ...] = ()
    language: str = ""
    country: str = ""


class _Model(NamedTuple):
    """A language: the logarithms of its letters' probabilities, and whether it is written in Latin ones."""

    letters: dict[str, float]
    latin: bool


def guess(data: bytes, hints: Hints) -> str:
    """The most likely charset of bytes that are not UTF-8, as Python calls it."""
    words = _words(data)
    beliefs: dict[str, float] = {}
    for name, belief in hints.declared:
        beliefs[name] = beliefs.get(name, 0.0) + _DECLARED * belief
    tag = hints.language.lower().replace("_", "-")
    own = "tw" if tag.startswith(("zh-tw", "zh-hk", "zh-hant")) else tag.split("-")[0]
    own, place = _OF_TAG.get(own, own), _OF_COUNTRY.get(hints.country, hints.country)
    best, most = "cp1252", -math.inf
    for name in (*_CHARSETS, *(name for name in beliefs if name not in _CHARSETS)):
        common, languages = _CHARSETS.get(name, (-4.0, _languages(name)))
        texts = [_text(word, name) for word in words]
        for language in languages:
            score = common + beliefs.get(name, 0.0)
            score += _BY_LANGUAGE * (language == own != "en") + _BY_COUNTRY * (language == place)
            for word, text in zip(words, texts, strict=True):
                score += _broken(word) if text is None else likelihood(text, language)
                if score < most:
                    break
            if score > most:
                best, most = name, score
    return best


def fits(data: bytes, charset: str) -> bool:
    """Whether bytes read well in a charset: then nothing else has to be tried."""
    words = _words(data)
    texts = [_text(word, charset) for word in words]
    if None in texts:
        return False
    whole = "".join(filter(None, texts))
    beyond = sum(char > "\x7f" for char in whole)
    wide = sum(char > "\u2e7f" for char in whole)
    plain = _ASCII * (len(whole) - beyond) + _WIDER * wide
    return any(
        sum(likelihood(text, language) for text in texts if text) - plain >= _FITTING * beyond
        for language in _CHARSETS.get(charset, (0.0, _languages(charset)))[1]
    )


def letters_beyond(data: bytes) -> int:
    """How many bytes beyond ASCII the words hold that are looked at."""
    return sum(byte > 0x7F for word in _words(data) for byte in word)


def _words(data: bytes) -> list[bytes]:
    """The words that hold bytes beyond ASCII, each once, the first of them."""
    every = data[:_SAMPLE].translate(_BETWEEN).split()
    words = dict.fromkeys(word[:_LONGEST] for word in filterfalse(bytes.isascii, every))
    return list(words)[:_MOST_WORDS]


def _languages(charset: str) -> tuple[str, ...]:
    """What may be written in a charset that is rare."""
    wide = {"big5": "tw", "gb": "zh", "hz": "zh", "shift": "ja", "euc_j": "ja", "johab": "ko"}
    return tuple(language for start, language in wide.items() if charset.startswith(start)) or tuple(_LETTERS)


def _broken(word: bytes) -> float:
    return len(word) * _ASCII + sum(byte > 0x7F for byte in word) * _BROKEN


def _text(word: bytes, charset: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(charset)().decode(word, final=len(word) < _LONGEST)
    except (UnicodeDecodeError, LookupError):
        return None


def likelihood(text: str, language: str) -> float:
    """How likely a text is in a language: the logarithm of a probability, for comparison."""
    if language in ("ja", "zh", "tw", "ko"):
        return sum(_ASCII if char < "\x80" else _wide(char, language) for char in text)
    model = _model(language)
    total, before, beyond = 0.0, " ", 0
    capitals = text.isupper()
    for at, char in enumerate(text):
        if char < "\x80":
            total += _ASCII
            if char.isalpha() and not model.latin and before in model.letters:
                total += _MIXED
            beyond = 0
        else:
            total += _letter(char, before, capitals, model)
            if (
                char in _EDGES
                and char not in _APOSTROPHES
                and before.isalpha()
                and text[at + 1 : at + 2].isalpha()
            ):
                total += _SIGN  # within a word
            beyond = beyond + 1 if char.isalpha() else 0
            total -= 3.0 if model.latin and beyond > 3 else 0.0
        before = char.lower()
    return total


def _letter(char: str, before: str, capitals: bool, model: _Model) -> float:
    """A character beyond ASCII, behind another one."""
    small = "i" if char == "İ" else char.lower()
    known = model.letters.get(small, 0.0) if char != "İ" else model.letters.get("ı", _OTHER)
    if not known:
        if char in _EDGES:
            return -4.5
        return _CONTROL if char < "\xa0" else _OTHER if char.isalpha() else _SIGN
    if small != char:
        known -= 0.3 if capitals else 1.5 if not before.isalpha() else 6.0
    if not model.latin and before < "\x80" and before.isalpha():
        known += _MIXED
    return known


@lru_cache(maxsize=64)
def _model(language: str) -> _Model:
    letters = _LETTERS[language]
    latin = language in _LATIN
    steep = 0.0 if language in _FLAT else 0.25 if latin else 0.13
    weights = [math.exp(-steep * rank) for rank in range(len(letters))]
    high = 1.8 if latin else 0.1  # most letters of a Latin word are of ASCII
    return _Model(
        {
            letter: math.log(weight / sum(weights)) - high
            for letter, weight in zip(letters, weights, strict=True)
        },
        latin,
    )


@lru_cache(maxsize=8192)
def _wide(char: str, language: str) -> float:
    """A character of East Asia: syllables, and ideographs by whether they are among those in daily use."""
    code = ord(char)
    if char in _WIDE or char in _EDGES:
        return -5.0
    if 0xFF01 <= code <= 0xFF5E:
        return -6.0
    if language == "ja" and 0x3041 <= code <= 0x30FF:
        return -4.3
    if language == "ko" and 0xAC00 <= code <= 0xD7A3:
        return -5.3 if char in _KOREAN else -7.3 if _among(char, "euc_kr", 0xB0, 0xC8) else -12.0
    if not 0x4E00 <= code <= 0x9FFF:
        return _CONTROL if code < 0xA0 or 0xE000 <= code < 0xF900 else -10.5
    if language == "zh":
        return -5.6 if char in _COMMON else -8.0 if _among(char, "gb2312", 0xB0, 0xD7) else -11.5
    if language == "tw":
        return -5.8 if char in _COMMON else -7.8 if _among(char, "big5", 0xA4, 0xC6) else -11.5
    return -7.8 if language == "ja" and _among(char, "euc_jp", 0xB0, 0xCF) else -11.5


def _among(char: str, charset: str, first: int, last: int) -> bool:
    """Whether a character is in the part of a charset that holds the usual ones, by its first byte."""
    try:
        data = char.encode(charset)
    except UnicodeEncodeError:
        return False
    return len(data) == 2 and first <= data[0] <= last
