"""Groups of near-duplicates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.catalogue import duplicates
from shelfwise.catalogue.duplicates import (
    COMMON_ADDRESS,
    find_by_keys,
    find_near_duplicates,
    group_near_duplicates,
    keys_of,
)
from shelfwise.catalogue.picture_hashes import WIDTH, PictureHashes

LOREM = " ".join(f"word{i}" for i in range(40))


def products(titles, **columns) -> pl.DataFrame:
    given = {name: columns.get(name, [""] * len(titles)) for name in ("description", "url", "image")}
    group = pl.Series("group", columns.get("group", [None] * len(titles)), dtype=pl.String)
    return pl.DataFrame(
        {"title": titles, **given}, schema_overrides=dict.fromkeys(given, pl.String)
    ).with_columns(group)


@pytest.mark.parametrize("quick", [True, False])
def test_titles_are_compared_by_their_words(quick):
    titles = [
        "Red Shoe",
        "red  shoe!",
        "ＲＥＤ ＳＨＯＥ",
        "Red shoes",
        "",
        "",
        "- ! -",
        "Crème brûlée",
        "CRÈME-BRÛLÉE",
        "Creme brulee",
    ]
    assert group_near_duplicates(products(titles), quick).tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 5, 6]


def test_given_groups_join_and_joining_is_transitive():
    frame = products(["a", "b", "b", "c", "d"], group=["x", "x", "y", "y", None])
    found = find_near_duplicates(frame, quick=True)
    assert found.groups.tolist() == [0, 0, 0, 0, 1]
    assert found.joined == {"title": 1, "group": 2}
    assert found.largest == 4


def test_what_is_nearly_the_same_article_does_not_ask_for_the_given_group():
    frame = products(["a", "b", "b", "c", "d"], group=["x", "x", "y", "y", None])
    assert find_near_duplicates(frame, quick=True).articles.tolist() == [0, 1, 1, 2, 3]
    whole = find_near_duplicates(frame.drop("group"))
    assert whole.articles.tolist() == whole.groups.tolist() == [0, 1, 1, 2, 3]


def test_equal_addresses_join_unless_they_are_placeholders(monkeypatch):
    monkeypatch.setattr(duplicates, "COMMON_ADDRESS", 2)
    frame = products(
        list("abcdefg"), url=["u", "u", "", "", "", "", ""], image=["", "i", "i", "none", "none", "none", ""]
    )
    assert group_near_duplicates(frame).tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert len(set(group_near_duplicates(frame, quick=True))) == 7


def test_the_same_words_in_another_order_join():
    assert group_near_duplicates(products(["2 x Soap green", "green soap 2 X", "green soap"])).tolist() == [
        0,
        0,
        1,
    ]


def test_nearly_the_same_text_joins_and_less_does_not():
    texts = [LOREM, LOREM.replace("word3 ", "other "), LOREM.replace("word3 word4 word5 ", "this is other ")]
    # 1 of 42 words differs: 41 / 43 = 0.95; 3 of 42 differ: 39 / 45 = 0.87.
    frame = products(["lamp black"] * 3, description=texts).with_columns(
        title=pl.Series(["lamp black", "black lamp", "lamp  black x"])
    )
    assert group_near_duplicates(frame).tolist() == [0, 0, 1]


def test_boilerplate_alone_joins_nothing():
    frame = products(["blue chair", "garden hose"], description=[LOREM * 3, LOREM * 3])
    assert group_near_duplicates(frame).tolist() == [0, 1]


def test_signs_of_scripts_without_spaces_are_words():
    title = "全新防水蓝牙音箱便携式户外低音炮手机电脑"
    assert group_near_duplicates(products([title + "黑", title + "白", "智能手表"])).tolist() == [0, 0, 1]


def test_rows_are_counted_where_candidates_were_too_many(monkeypatch):
    # Six rows share their two rarest words, "left" and "over"; all other words are common.
    common = [f"c{i}" for i in range(30)]
    texts = [" ".join(["left", "over", *common[3 * row : 3 * row + 10]]) for row in range(6)]
    frame = products(
        [f"{row}" for row in range(6)] + ["filler"] * 50, description=texts + [" ".join(common)] * 50
    )

    assert find_near_duplicates(frame).crowded == 0
    monkeypatch.setattr(duplicates, "WINDOW", 2)
    found = find_near_duplicates(frame)

    assert found.crowded == 4
    assert len(set(found.groups)) == 7


def test_empty_catalogue_and_missing_columns():
    assert group_near_duplicates(products([])).tolist() == []
    assert group_near_duplicates(pl.DataFrame({"title": ["a", None, "A"]})).tolist() == [0, 1, 0]


def test_chunks_do_not_show(monkeypatch):
    frame = products(
        [f"item {i % 50} number {i % 7}" for i in range(400)],
        description=[f"{LOREM} {i % 90}" for i in range(400)],
    )
    whole = find_near_duplicates(frame)
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    again = find_near_duplicates(frame)
    assert again.groups.tolist() == whole.groups.tolist()
    assert again.joined == whole.joined


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def brute_force(titles: list[str], texts: list[str]) -> list[int]:
    """Every pair compared with plain sets."""
    words = [set(f"{title} {text}".split()) for title, text in zip(titles, texts, strict=True)]
    heads = [set(title.split()) for title in titles]
    parts = list(range(len(titles)))
    for i in range(len(titles)):
        for j in range(i):
            alike = jaccard(words[i], words[j]) >= 0.9 and jaccard(heads[i], heads[j]) >= 0.5
            if titles[i] == titles[j] or words[i] == words[j] or alike:
                parts = [parts[j] if part == parts[i] else part for part in parts]
    return parts


texts = st.lists(st.integers(0, 15), min_size=8, max_size=16, unique=True).map(
    lambda ws: " ".join(f"w{w}" for w in ws)
)
heads = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda ws: " ".join(f"w{w}" for w in ws))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(heads, texts), min_size=2, max_size=25))
def test_finds_what_comparing_all_pairs_finds(rows):
    titles, descriptions = [row[0] for row in rows], [row[1] for row in rows]
    found = group_near_duplicates(products(titles, description=descriptions))
    expected = np.unique(brute_force(titles, descriptions), return_inverse=True)[1]
    same = lambda codes: np.equal.outer(codes, codes)  # noqa: E731
    assert np.array_equal(same(found), same(expected))


def hashes(digests: list[str | None], bits: list[int] | None = None) -> PictureHashes:
    """Pictures with these bytes; those with the same bits are nearly the same."""
    count = len(digests)
    tiny = np.tile(np.arange(WIDTH, dtype=np.uint8), (count, 1))
    far = (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) if bits is None else bits
    telling = np.array([digest is not None for digest in digests])
    return PictureHashes(tuple(digests), np.array(far, np.uint64), tiny, telling)


@pytest.mark.parametrize("quick", [True, False])
def test_the_same_picture_joins(quick: bool):
    frame = products(["Mug", "Lamp", "Bag", "Vase", "Bowl"])
    pictures = hashes(["x", "y", "x", None, None])
    assert group_near_duplicates(frame, quick, pictures).tolist() == [0, 1, 0, 2, 3]
    assert find_near_duplicates(frame, quick, pictures).joined["picture"] == 1
    assert group_near_duplicates(frame, quick).tolist() == [0, 1, 2, 3, 4]


def test_nearly_the_same_picture_joins_and_goes_on_from_other_evidence():
    frame = products(["Mug", "Lamp", "Mug", "Vase", "Bowl"])
    pictures = hashes(["a", "b", "c", "d", "b"], [0, 2**40 - 1, 2**63, 2**63 + 1, 2**40 - 1])
    assert group_near_duplicates(frame, True, pictures).tolist() == [0, 1, 0, 0, 1]


def test_a_placeholder_picture_joins_nothing():
    count = COMMON_ADDRESS + 1
    frame = products([f"Thing {number}" for number in range(count + 2)])
    same = ["nothing"] * count
    assert len(set(group_near_duplicates(frame, True, hashes([*same, "p", "p"])))) == count + 1
    few = hashes(["some"] * COMMON_ADDRESS + ["a", "b", "c"])
    assert len(set(group_near_duplicates(frame, True, few))) == 4
    chain = hashes([str(number) for number in range(count)] + ["1", "x"], [7] * (count + 1) + [2**60 - 1])
    assert len(set(group_near_duplicates(frame, True, chain))) == count + 1


def test_pictures_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="2 products but hashes of 1"):
        group_near_duplicates(products(["a", "b"]), pictures=hashes(["x"]))
    assert group_near_duplicates(products([]), pictures=hashes([])).tolist() == []


def test_keys_alone_find_what_the_products_find_quickly():
    frame = products(["Red boot", "red  BOOT!", "", "", "hat"]).with_columns(
        group=pl.Series(["a", "", "b", None, "a"])
    )
    parts = [keys_of(frame[:2]), keys_of(frame[2:])]  # a row's keys depend on that row alone

    found, whole = find_by_keys(pl.concat(parts)), find_near_duplicates(frame, quick=True)
    assert found.groups.tolist() == whole.groups.tolist() == [0, 0, 1, 2, 0]
    assert (found.articles.tolist(), found.joined) == (whole.articles.tolist(), whole.joined)
