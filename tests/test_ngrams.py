"""`features.ngrams`: hashed grams against a slow reference, weights, invariance and memory safety."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.features import ngrams
from shelfwise.features.ngrams import FieldGrams, HashedNgrams, character_kinds

SPACELESS = ((0x0E00, 0x0E7F), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0x20000, 0x2FFFF))
WILD = st.text(
    st.one_of(
        st.sampled_from("ab  -9ß"),
        st.sampled_from("靴下カメกา한\u0301\u093f\u200d🙂\U00020001\U0010ffff\x00İ"),
        st.characters(exclude_categories=()),  # lone surrogates as well
    ),
    max_size=60,
)


def kind(character: str) -> int:
    point = ord(character)
    if point >= 0x30000:
        return 0
    mark = point < 0x3100 and unicodedata.category(character)[0] == "M"
    if not (character.isalnum() or mark):
        return 0
    return 2 if any(first <= point <= last for first, last in SPACELESS) else 1


def slow_grams(text: str, words: int = 2, chars_min: int = 3, chars_max: int = 5) -> Counter[tuple[str, ...]]:
    """What `HashedNgrams` should count, in plain Python: each gram as a tuple of its sort and its text."""
    grams: Counter[tuple[str, ...]] = Counter()
    found = "".join(c if kind(c) else " " for c in text.lower()).split(" ")
    found = [word for word in found if word]
    if words >= 1:
        grams.update(("word", word) for word in found)
    if words >= 2:
        grams.update(("pair", *pair) for pair in pairwise(found))
    for word in found:
        padded = f" {word} "
        for at, first in enumerate(padded):
            shortest = 1 if first != " " and kind(first) == 2 else chars_min
            for size in range(shortest, chars_max + 1):
                if at + size <= len(padded):
                    grams["chars", padded[at : at + size]] += 1
    return grams


def hashed(texts: list[str], bits: int = 26, **grams: int) -> list[dict[int, int]]:
    """Hash and count of each text as a field of a row of its own."""
    block = HashedNgrams([FieldGrams("title", **grams)], bits=bits).hash([texts])
    hashes = np.concatenate([b.hashes for b in block])
    counts = np.concatenate([b.counts for b in block])
    ends = np.cumsum(np.concatenate([b.sizes for b in block]))
    rows = zip(np.split(hashes, ends[:-1]), np.split(counts, ends[:-1]), strict=True)
    return [dict(zip(h.tolist(), c.tolist(), strict=True)) for h, c in rows]


def bits_of(matrix) -> tuple[bytes, bytes, bytes]:
    return matrix.data.tobytes(), matrix.indices.tobytes(), matrix.indptr.tobytes()


# -- which grams ---------------------------------------------------------------------------------------------


@given(st.lists(WILD, min_size=2, max_size=2), st.sampled_from([(2, 3, 5), (1, 1, 8), (2, 2, 1), (2, 1, 1)]))
def test_texts_have_the_grams_of_the_slow_reference_and_share_those_that_they_share(texts, sizes):
    grams = dict(zip(("words", "chars_min", "chars_max"), sizes, strict=True))

    one, two = hashed(texts, **grams)

    slow_one, slow_two = (slow_grams(text, *sizes) for text in texts)
    assert sorted(one.values()) == sorted(slow_one.values())
    assert sorted(two.values()) == sorted(slow_two.values())
    assert len(one.keys() & two.keys()) == len(slow_one.keys() & slow_two.keys())


@pytest.mark.parametrize("analyzer", ["char_wb", "word"])
def test_ascii_grams_are_those_of_scikit_learn(analyzer):
    from sklearn.feature_extraction.text import CountVectorizer

    texts = [
        "red shoe 42 red shoe",
        "a shoe is a shoe",
        "red boot",
        "bluish boots of leather",
        "x",
        "42 x 42",
    ]
    sizes = (3, 5) if analyzer == "char_wb" else (1, 2)
    token = r"[a-z0-9]+" if analyzer == "word" else r"(?u)\b\w\w+\b"
    counts = CountVectorizer(analyzer=analyzer, ngram_range=sizes, token_pattern=token).fit_transform(texts)
    ours = hashed(texts, words=0) if analyzer == "char_wb" else hashed(texts, chars_min=2, chars_max=1)

    shared = ((counts > 0).astype(int) @ (counts > 0).astype(int).T).toarray()
    assert [[len(a.keys() & b.keys()) for b in ours] for a in ours] == shared.tolist()
    for row, mine in enumerate(ours):
        assert sorted(mine.values()) == sorted(counts[row].data.tolist())


def test_an_accent_stays_inside_its_word_however_it_was_typed():
    apart, cut = hashed(["e\u0301te\u0301", "e te"], words=1, chars_min=2, chars_max=1)
    assert len(apart) == 1
    assert len(cut) == 2


def test_scripts_without_spaces_have_grams_of_one_character():
    long, short = hashed(["日本製の靴下", "靴"], words=0, chars_min=3, chars_max=5)
    assert len(long.keys() & short.keys()) == 1  # 靴 alone
    latin, letter = hashed(["shoes", "s"], words=0, chars_min=3, chars_max=5)
    assert not latin.keys() & letter.keys()


def test_kinds_cover_marks_letters_and_spaceless_scripts():
    kinds = character_kinds()
    assert [int(kinds[ord(c)]) for c in "a9ß\u0301\u093f -_\u00a0"] == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert [int(kinds[ord(c)]) for c in "靴カ한ก"] == [2, 2, 2, 2]
    assert not kinds[0xD800:0xE000].any()


def test_the_same_word_in_two_fields_is_two_features():
    both = HashedNgrams([FieldGrams("brand"), FieldGrams("title")], bits=26).hash([["apple"], ["apple"]])[0]
    brand, title = np.split(both.hashes, [both.sizes[0]])
    assert len(brand) == len(title) > 5
    assert not set(brand.tolist()) & set(title.tolist())


def test_case_does_not_matter():
    assert hashed(["ROTE Schuhe"]) == hashed(["rote sCHUHE"])


# -- weights -------------------------------------------------------------------------------------------------


def test_values_are_sublinear_counts_times_idf():
    hasher = HashedNgrams([FieldGrams("title", 1, 2, 1)], bits=26, min_rows=1)
    matrix = hasher.fit_transform([["red red red shoe", "red", "blue"]]).toarray()

    def idf(rows_with: int) -> float:
        return np.log(4 / (1 + rows_with)) + 1

    red, shoe = (1 + np.log(3)) * idf(2), idf(1)
    first = np.sort(matrix[0][matrix[0] > 0])
    np.testing.assert_allclose(first, np.sort([red, shoe]) / np.hypot(red, shoe), rtol=1e-6)
    assert np.sort(hasher.idf_).tolist() == pytest.approx(sorted([idf(2), idf(1), idf(1)]), rel=1e-6)


def test_each_field_has_its_weight_and_the_row_length_one():
    fields = [FieldGrams("title", 1, 2, 1), FieldGrams("brand", 1, 2, 1, weight=0.5)]
    hasher = HashedNgrams(fields, bits=26, min_rows=1)
    title = ["fine red shoe", "fine blue boot"]
    matrix = hasher.fit_transform([title, ["Acme", ""]]).toarray()

    strength = np.sort(matrix[0] ** 2)  # 3 features of the title, 1 of the brand with a quarter of its energy
    assert strength.sum() == pytest.approx(1, rel=1e-6)
    assert np.abs(strength - 0.2).min() < 1e-6
    assert (matrix[1] ** 2).sum() == pytest.approx(
        1, rel=1e-6
    )  # a missing brand does not make the row fainter


@given(st.lists(WILD, min_size=1, max_size=8))
def test_rows_have_length_one_or_nothing(texts):
    hasher = HashedNgrams([FieldGrams("title"), FieldGrams("brand", weight=0.3)], bits=20, min_rows=1)
    matrix = hasher.fit_transform([texts, texts[::-1]])
    matrix.sum_duplicates()
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    told = [bool(slow_grams(a) or slow_grams(b)) for a, b in zip(texts, texts[::-1], strict=True)]
    np.testing.assert_allclose(np.asarray(lengths).ravel(), told, atol=2e-3)  # 20 bits: a rare collision


def test_counts_saturate():
    assert hashed(["red " * 700], words=1, chars_min=2, chars_max=1)[0].popitem()[1] == 255
    hasher = HashedNgrams([FieldGrams("title", 1, 2, 1)], bits=20, min_rows=1)
    row = hasher.fit_transform([["red " * 700 + "shoe"]])
    assert row.data.max() / row.data.min() == pytest.approx(1 + np.log(255), rel=1e-5)


# -- which features are kept ---------------------------------------------------------------------------------

WORDS = ["a", "a b", "a b c", "a b c d", "a b c d e"]  # seen in 5, 4, 3, 2 and 1 rows


@pytest.mark.parametrize(("min_rows", "kept"), [(1, 5), (2, 4), (4, 2), (6, 0)])
def test_rarer_features_are_dropped(min_rows, kept):
    hasher = HashedNgrams([FieldGrams("title", 1, 2, 1)], bits=22, min_rows=min_rows)
    assert hasher.fit_transform([WORDS]).shape == (5, kept)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 9])
def test_the_commonest_features_are_kept(most):
    hasher = HashedNgrams([FieldGrams("title", 1, 2, 1)], bits=22, min_rows=1, max_features=most)
    matrix = hasher.fit_transform([WORDS])
    rows_with = np.sort(np.bincount(matrix.indices, minlength=matrix.shape[1]))[::-1]
    assert rows_with.tolist() == [5, 4, 3, 2, 1][:most]


@given(st.lists(st.text("abc ", max_size=12), min_size=1, max_size=12), st.integers(1, 30))
def test_never_more_features_than_asked_and_none_rarer_than_one_left_out(texts, most):
    everything = HashedNgrams([FieldGrams("title")], bits=20, min_rows=1)
    limited = HashedNgrams([FieldGrams("title")], bits=20, min_rows=1, max_features=most)
    limited.fit_transform([texts])
    matrix = everything.fit_transform([texts])
    rows_with = dict(zip(everything.kept_.tolist(), matrix.getnnz(axis=0).tolist(), strict=True))
    kept = set(limited.kept_.tolist())
    assert len(kept) <= most
    weakest = min((rows_with[slot] for slot in kept), default=0)
    assert all(count <= weakest for slot, count in rows_with.items() if slot not in kept) or not kept


def test_unknown_words_leave_a_row_empty():
    hasher = HashedNgrams([FieldGrams("title")], bits=26, min_rows=1)
    hasher.fit_transform([["red shoe"]])
    assert np.diff(hasher.transform([["zzz qqq", "", "red"]]).indptr).tolist()[:2] == [0, 0]


@given(st.lists(st.text("abc ", min_size=1, max_size=9), min_size=1, max_size=10))
def test_learned_rows_are_counted_as_if_they_had_not_been_there(texts):
    texts = [*texts, "zz", "zz"]  # as rare as a feature can be

    def fitted(rows):
        hasher = HashedNgrams([FieldGrams("title", 1, 2)], bits=20, min_rows=2)
        hasher.fit_transform([rows])
        return hasher

    apart = [fitted(texts[:i] + texts[i + 1 :]).count_known([[text]]) for i, text in enumerate(texts)]

    assert fitted(texts).count_known([texts], learned=True) == tuple(map(sum, zip(*apart, strict=True)))


# -- invariance and safety -----------------------------------------------------------------------------------

TEXTS = [f"Schuh {i % 7} Größe {i} 靴下 {'x' * (i % 23)} no{i * i}" for i in range(60)]


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads, monkeypatch):
    monkeypatch.setattr(ngrams, "_BLOCK_CHARACTERS", 200)  # many blocks
    fields = [FieldGrams("title"), FieldGrams("brand", weight=0.5)]
    texts = [TEXTS, TEXTS[::-1]]
    alone, shared = (HashedNgrams(fields, bits=18, threads=n) for n in (1, threads))
    assert bits_of(alone.fit_transform(texts)) == bits_of(shared.fit_transform(texts))
    assert alone.kept_.tobytes() == shared.kept_.tobytes()
    assert alone.idf_.tobytes() == shared.idf_.tobytes()


@pytest.mark.parametrize("block", [1, 100, 10_000])
def test_blocks_do_not_change_a_bit(block, monkeypatch):
    whole = HashedNgrams([FieldGrams("title")], bits=18).fit_transform([TEXTS])
    monkeypatch.setattr(ngrams, "_BLOCK_CHARACTERS", block)
    assert bits_of(HashedNgrams([FieldGrams("title")], bits=18).fit_transform([TEXTS])) == bits_of(whole)


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_batches_do_not_change_a_bit(batch):
    hasher = HashedNgrams([FieldGrams("title")], bits=18)
    whole = hasher.fit_transform([TEXTS])
    parts = [hasher.transform([TEXTS[at : at + batch]]) for at in range(0, 60, batch)]
    assert b"".join(part.data.tobytes() for part in parts) == whole.data.tobytes()
    assert b"".join(part.indices.tobytes() for part in parts) == whole.indices.tobytes()


def test_a_refitted_hasher_forgets_its_old_features():
    hasher = HashedNgrams([FieldGrams("title")], bits=18, min_rows=1)
    hasher.fit_transform([["red shoe"]])
    hasher.fit_transform([["blue boot"]])
    assert hasher.transform([["red", "blue"]]).getnnz(axis=1).tolist()[0] == 0


GRAMS = st.builds(
    lambda words, a, b: (words, min(a, b), max(a, b)), st.integers(1, 2), st.integers(1, 8), st.integers(1, 8)
)


@given(
    st.lists(st.lists(WILD, min_size=3, max_size=3), min_size=1, max_size=5),
    st.lists(GRAMS, min_size=3, max_size=3),
)
def test_grams_always_fit_into_the_room_made_for_them(rows, sizes):
    check_room(list(map(list, zip(*rows, strict=True))), sizes)


@pytest.mark.parametrize(
    "size", [(2, 1, 1), (2, 1, 2), (2, 1, 3), (2, 1, 8), (1, 8, 8), (2, 3, 5), (2, 2, 1)]
)
@pytest.mark.parametrize("text", ["靴 " * 3000, "a b " * 2000, "日本" * 3000, "ab" * 5000, "İ" * 500])
def test_the_densest_texts_fit_into_the_room(text, size):
    distinct = " ".join(
        chr(0x4E00 + i) for i in range(3000)
    )  # no gram twice, or the table would swallow them
    letters = "".join(chr(0x4E00 + i) for i in range(3000))
    check_room([[text, distinct], [letters, text], ["", ""]], [size, size, (1, 1, 1)])


def check_room(texts: list[list[str]], sizes: list[tuple[int, int, int]]) -> None:
    """Hash into much larger arrays than were made, and see that those made would have been enough."""
    real = ngrams.kernels.hash_segments

    def measured(text, starts, salts, kinds, grams, mask, hashes, counts, sizes):
        room = len(hashes) * 4 + 1000
        wide, many = np.empty(room, np.uint32), np.empty(room, np.uint8)
        used = real(text, starts, salts, kinds, grams, mask, wide, many, sizes)
        assert used <= len(hashes)
        hashes[:used], counts[:used] = wide[:used], many[:used]
        return used

    fields = [FieldGrams(f"f{n}", *size) for n, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams.kernels, "hash_segments", measured)
        HashedNgrams(fields, bits=26).hash(texts)


def test_no_rows_are_no_rows():
    hasher = HashedNgrams([FieldGrams("title")], bits=18)
    assert hasher.fit_transform([[]]).shape == (0, 0)
    hasher.fit_transform([["red", "red"]])
    assert hasher.transform([[]]).shape == (0, len(hasher.kept_))


def test_a_wrong_number_of_fields_is_an_error():
    with pytest.raises(ValueError, match="1 fields are expected, 2 were given"):
        HashedNgrams([FieldGrams("title")], bits=18).hash([["a"], ["b"]])
