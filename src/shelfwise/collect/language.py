"""Language: what a page is written in (ISO 639-1) and the region that it is for."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

from shelfwise.collect.page import Page, text_of

_TAG = re.compile(r"^\s*([a-zA-Z]{2,3})(?:[-_]([a-zA-Z]{4}))?(?:[-_]([a-zA-Z]{2}|\d{3}))?(?![a-zA-Z])")
_SAME = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "ji": "yi", "mo": "ro", "sh": "hr", "ger": "de",
"deu": "de",
         "eng": "en", "fra": "fr", "fre": "fr", "jpn": "ja", "jp": "ja", "cn": "zh", "kr": "ko",
         "cz": "cs", "dk": "da",
         "se": "sv", "gr": "el", "ua": "uk", "tw": "zh", "zho": "zh", "chi": "zh", "spa": "es",
         "ita": "it", "rus": "ru"}  # fmt: skip
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ka", re.compile("[\u10a0-\u10ff]")),
    ("hy", re.compile("[\u0530-\u058f]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("ta", re.compile("[\u0b80-\u0bff]")),
)  # fmt: skip
_BEYOND = re.compile("[\u0370-\u05ff\u0600-\u06ff\u0900-\u0bff\u0e00-\u0e7f\u10a0-\u10ff\u3040-\ud7af]")
_OF_SCRIPT = {"ru": {"ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg"},
              "ar": {"ar", "fa", "ur", "ps", "ku"},
              "zh": {"zh", "ja"}, "hi": {"hi", "mr", "ne"}, "he": {"he", "yi"}}  # fmt: skip
_STOPWORDS = {
    "en": "the and for with you your our this that from are of to is in on free",
    "de": "und der die das für mit von ist nicht auf ein eine zu den im sie",
    "fr": "le la les et des pour avec sur une est dans votre vous du par nous",
    "es": "el los las y para con una por del es en tu su más que al",
    "it": "il di e per con una del della che sono nel gli le alla dei non",
    "pt": "o os as e para com uma do da não em seu mais você dos ao",
    "nl": "de het een en voor van met op je is niet bij onze uw naar ook",
    "pl": "i w na do z się nie jest dla oraz od po lub przez ten",
    "cs": "a v na se je pro do s ze nebo jsou od po si které vám",
    "sk": "a v na sa je pre do s zo alebo sú od po si ktoré vám",
    "sv": "och att det för med på är en av till som inte vi från din",
    "da": "og det at for med på er en af til som ikke vi fra din jeg",
    "no": "og det å for med på er en av til som ikke vi fra din deg",
    "fi": "ja on ei tai sekä voit myös kun jossa tämä ovat meidän sinun joka",
    "hu": "a az és egy nem hogy van vagy meg is csak ez kosárba el már",
    "ro": "și de la cu pentru din este nu sau în pe mai o un lei coș",
    "tr": "ve bir bu için ile da de en daha çok olarak ürün sepete kargo",
    "id": "dan yang untuk dengan di ini dari anda kami tidak beli produk",
    "vi": "và của cho các là với không được trong sản phẩm bạn giá hàng",
    "hr": "i u na za je se od s ne su ili košaricu proizvod cijena",
    "sl": "in v na za je se od s ne so ali izdelek košarico cena",
    "lt": "ir į su yra iš ar kad prekės krepšelį kaina",
    "lv": "un ar ir no uz par vai grozā preces cena", "et": "ja on ei või see ning ostukorvi toode hind kui",
    "uk": "і та в на з для не що до від або за", "ru": "и в на с для не что по от или за из",
    "bg": "и на за с от не да се по или в",
    "sr": "и у на за је се од са не су или", "ca": "i el la els les per amb una del és al",
    "ms": "dan yang untuk dengan di ini dari anda tidak",
}  # fmt: skip
_SMALL = {language: frozenset(words.split()) for language, words in _STOPWORDS.items()}
_LETTERS = {"pt": "ãõ", "es": "ñ¿¡", "de": "ß", "hu": "őű", "pl": "łąężźćń", "cs": "řěů", "tr": "şğı",
"ro": "țșăţ", "sv": "ä", "fi": "ää",
            "da": "æø", "no": "æø", "sk": "ľĺŕô", "fr": "œèêû", "it": "òìù", "lt": "ėįųž", "lv": "āēīļņ",
            "et": "õ", "vi": "ươđạảấầ",
            "hr": "đ", "sl": "č"}  # fmt: skip
_LIKELY_WRONG = frozenset(("en",))  # what themes say by default


def find_language(page: Page) -> tuple[str, str]:
    """The language of a page (two letters; nothing if nothing tells) and its region (two lower-case letters).

    What the page declares counts, unless it is written in another script, or declares the language that
    themes do by default and reads like another one.
    """
    declared, region = "", ""
    for text in _declared(page):
        match = _TAG.match(text)
        if match:
            language = _SAME.get(match.group(1).lower(), match.group(1).lower())
            if len(language) == 2:
                declared = declared or language
                region = region or (match.group(3) or "").lower()
    sample = text_of(page.body, 12_000)[:12_000]
    seen = _by_script(sample)
    if seen:
        family = _OF_SCRIPT.get(seen, {seen})
        if declared not in family:
            words = _by_words(sample)
            declared = words if words in family else seen
    elif not declared or declared in _LIKELY_WRONG:
        declared = _by_words(sample, declared) or declared
    return declared, region if len(region) == 2 and region.isalpha() else ""


def _declared(page: Page) -> list[str]:
    found = [page.root.get("lang") or "", page.root.get("{http://www.w3.org/XML/1998/namespace}lang") or "",
             page.root.get("xml:lang") or "", page.body.get("lang") or ""]  # fmt: skip
    found += page.said("content-language", "og:locale", "language", "dc.language", "inlanguage")
    path = [piece for piece in urlsplit(page.url).path.split("/") if piece][:2]
    return [text for text in found if text.strip()] + [
        piece for piece in path if re.fullmatch(r"[a-z]{2}-[A-Za-z]{2}", piece)
    ]


def _by_script(sample: str) -> str:
    """The language that a script other than the Latin one means, where it makes up much of the letters."""
    if not _BEYOND.search(sample):
        return ""
    letters = sum(map(str.isalpha, sample))
    for language, pattern in _SCRIPTS:
        count = len(pattern.findall(sample))
        share = 0.04 if language == "ja" else 0.25
        if letters > 20 and count > share * letters and count > 8:
            return language
    return ""


def _by_words(sample: str, declared: str = "") -> str:
    """The language whose small words a text holds; the declared one unless another is clearly ahead."""
    counts = Counter(re.findall(r"[^\W\d_]+", sample.casefold()))
    hits = {
        language: sum(counts[word] for word in words if word in counts) for language, words in _SMALL.items()
    }
    if not declared:
        letters = Counter(sample.casefold())
        for language, own in _LETTERS.items():
            hits[language] += min(6, 2 * sum(letters[letter] for letter in set(own)))
    best = max(hits, key=lambda language: hits[language])
    if hits[best] < 4 or (declared and hits[best] < 2.5 * hits.get(declared, 0) + 6):
        return declared
    return best
