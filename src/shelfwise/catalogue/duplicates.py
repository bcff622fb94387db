"""Near-duplicates: which rows are the same article, so that no split may part them.

Two rows are joined when they have the same normalised title, the same given group, the same url or address of
a picture, nearly the same text, or, where pictures are compared, nearly the same picture. "Nearly" is a
Jaccard similarity of at least 0.9 between the two sets of words of title and description, and half of the
title's words in common, so that a shop's boilerplate alone joins nothing. Joining is transitive.

Pairs are found by prefix filtering (Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma, Srikant 2007, "Scaling up
all pairs similarity search"): order the words of all rows from rare to common; then two sets with a
similarity of 0.9 must share a word among the rarest tenth of each. Every candidate is compared exactly, so
there are no false pairs, and pairs are missed only where so many rows share a rare word that each one is
compared with its next `WINDOW` neighbours alone; `NearDuplicates.crowded` counts such rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from shelfwise.catalogue.picture_hashes import PictureHashes

SIMILARITY = 0.9
"""Least Jaccard similarity between the words of two near-duplicates."""
TITLE_SIMILARITY = 0.5
"""Least Jaccard similarity between the words of their titles."""
WINDOW = 64
"""Rows that share a rare word are each compared with this many of their neighbours by length."""
COMMON_ADDRESS = 50
"""A url or picture on more rows than this is a placeholder and joins nothing."""

_TEXT_LIMIT = (
    2_000  # characters of a description; near-duplicates differ early, and a 10 MB text costs no more
)
_CHUNK = (
    100_000  # rows whose words are held as strings at a time; at most 2**20 (the row's bits in a sort key)
)
_NOT_A_WORD = r"[^\p{L}\p{N}\p{M}]+"
# Scripts that are written without spaces: each sign counts as a word, or a whole title would be one.
_UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"


@dataclass(frozen=True)
class NearDuplicates:
    """Groups of near-duplicates and how they came about.

    Attributes
    ----------
    groups
        [n] group codes 0, 1, ... in order of first appearance; rows with one code belong together: no split
        may part them.
    articles
        [n] the same without the given group, which may be anything that has to stay together (a sender, say):
        rows with one code are nearly the same article.
    joined
        For each kind of evidence ("title", "url", "image", "picture", "text", "group"), the number of groups
        that it removed by joining them, in this order.
    largest
        Rows in the largest group.
    crowded
        Rows that were compared with some of their candidates only.

    """

    groups: NDArray[np.int64]
    articles: NDArray[np.int64]
    joined: dict[str, int]
    largest: int
    crowded: int


def group_near_duplicates(
    products: pl.DataFrame, quick: bool = False, pictures: PictureHashes | None = None
) -> NDArray[np.int64]:
    """Codes [n] of groups that a split must keep together; see `find_near_duplicates`."""
    return find_near_duplicates(products, quick, pictures).groups


def find_near_duplicates(
    products: pl.DataFrame, quick: bool = False, pictures: PictureHashes | None = None
) -> NearDuplicates:
    """Join rows that are the same article.

    Parameters
    ----------
    products
        [n] rows with `title` and, where they are known, `description`, `group`, `url` and `image`.
    quick
        By title and given group only, and by pictures if they are given.
    pictures
        [n] hashes of the products' pictures (see `picture_hashes`); None: pictures are not compared.

    """
    return _find(keys_of(products, quick), None if quick else products, pictures)


def find_by_keys(keys: pl.DataFrame, pictures: PictureHashes | None = None) -> NearDuplicates:
    """As `find_near_duplicates`, quickly, by what `keys_of` gave: the products themselves are not needed."""
    return _find(keys, None, pictures)


def keys_of(products: pl.DataFrame, quick: bool = True) -> pl.DataFrame:
    """What products [n] are joined by where it is equal, each as a hash of 64 bits; null joins nothing.

    Columns `title` and, where it is known, `group`; unless it is `quick` also `url` and `image`. A row's keys
    depend on that row alone.
    """
    keys = {"title": normalise(pl.col("title"))}
    for name in ("group",) if quick else ("group", "url", "image"):
        if name in products.columns:
            keys[name] = pl.col(name) if name == "group" else pl.col(name).str.strip_chars()
    return products.select(
        pl.when(key.fill_null("") != "").then(key.hash(seed=0)).alias(name) for name, key in keys.items()
    )


def _find(keys: pl.DataFrame, texts: pl.DataFrame | None, pictures: PictureHashes | None) -> NearDuplicates:
    """Join what has equal keys, the same pictures and, if there are any, nearly the same texts."""
    count = keys.height
    if pictures is not None and len(pictures) != count:
        raise ValueError(f"{count} products but hashes of {len(pictures)} pictures")
    parts = np.arange(count)
    joined: dict[str, int] = {}
    for name in ("title", "url", "image"):
        if name in keys.columns:
            parts, joined[name] = _join_equal(parts, _rare(keys[name], name))
    if pictures is not None:
        before = _count_parts(parts)
        parts = _join_pictures(parts, pictures)
        joined["picture"] = before - _count_parts(parts)
    crowded = 0
    if texts is not None and count:
        before = _count_parts(parts)
        parts, crowded = _join_alike(texts, parts)
        joined["text"] = before - _count_parts(parts)
    groups = articles = _codes(parts)
    if "group" in keys.columns:
        parts, joined["group"] = _join_equal(parts, keys["group"])
        groups = _codes(parts)
    largest = int(np.bincount(groups).max()) if count else 0
    return NearDuplicates(groups, articles, joined, largest, crowded)


def _rare(keys: pl.Series, name: str) -> pl.Series:
    """Keys that join; of addresses not those of placeholders."""
    if name == "title":
        return keys
    key = pl.col("key")
    rare = pl.when(pl.len().over(key) <= COMMON_ADDRESS).then(key)
    return keys.to_frame("key").select(rare)["key"]


def _codes(parts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(parts, return_inverse=True)[1].astype(np.int64)


def normalise(text: pl.Expr) -> pl.Expr:
    """Lower-case words of a text, divided by single spaces: what is left when only the content counts."""
    words = text.fill_null("").str.normalize("NFKC").str.to_lowercase().str.replace_all(_NOT_A_WORD, " ")
    return words.str.strip_chars()


# -- joining -------------------------------------------------------------------------------------------------
# A partition is an array [n] with the first row of each row's part.


def _count_parts(parts: NDArray[np.int64]) -> int:
    return int((parts == np.arange(len(parts))).sum())


def _join_equal(parts: NDArray[np.int64], keys: pl.Series) -> tuple[NDArray[np.int64], int]:
    """Join the parts of rows that have the same key, and count how many parts that saved."""
    rows = pl.DataFrame({"key": keys, "row": np.arange(len(keys))}).drop_nulls("key")
    pairs = rows.with_columns(first=pl.col("row").min().over("key")).filter(pl.col("first") != pl.col("row"))
    if pairs.is_empty():
        return parts, 0
    first, row = pairs["first"].to_numpy(), pairs["row"].to_numpy()
    joined = parts.copy()
    if _count_parts(parts) == len(parts):  # nothing was joined before: the first rows are the parts
        joined[row] = first
    else:
        joined = _connect(parts, first, row)
    return joined, _count_parts(parts) - _count_parts(joined)


def _connect(parts: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the parts of `one[i]` and `other[i]` for all i."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(parts)
    edges = coo_array((np.ones(len(one), np.int8), (parts[one], parts[other])), shape=(count, count))
    component = connected_components(edges, directed=False)[1][parts]
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _join_pictures(parts: NDArray[np.int64], pictures: PictureHashes) -> NDArray[np.int64]:
    """Join the parts of rows with the same picture, by its bytes or nearly; not those of placeholders."""
    from shelfwise.catalogue.picture_hashes import near_pairs

    table = pl.DataFrame({"digest": pl.Series(pictures.digests, dtype=pl.String)}).with_row_index("row")
    table = table.drop_nulls().filter(pl.len().over("digest") <= COMMON_ADDRESS)
    table = table.with_columns(
        pl.col("row").cast(pl.Int64), first=pl.col("row").first().over("digest").cast(pl.Int64)
    )
    parts = _connect(parts, table["row"].to_numpy(), table["first"].to_numpy())
    speakers = table["first"].unique().sort().to_numpy()  # one row for all that have the same bytes
    one, other = (speakers[side] for side in near_pairs(pictures.take(speakers)))
    alike = _connect(np.arange(len(parts)), one, other)
    # A chain of pictures that are each nearly the next is as good as a placeholder.
    rows = np.bincount(alike[table["first"].to_numpy()], minlength=len(parts))
    few = rows[alike[one]] <= COMMON_ADDRESS
    return _connect(parts, one[few], other[few])


# -- nearly the same text ------------------------------------------------------------------------------------


class _WordSets(NamedTuple):
    """Sets of words of [n] rows, as 32-bit hashes: row i has the sorted `words[start[i]:start[i + 1]]`."""

    words: NDArray[np.uint32]
    start: NDArray[np.int64]


def _join_alike(products: pl.DataFrame, parts: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    title = _word_sets(products, pl.col("title"))
    text = title
    if "description" in products.columns:
        description = pl.col("description").fill_null("").str.slice(0, _TEXT_LIMIT)
        text = _word_sets(products, pl.col("title").fill_null("") + " " + description)
    parts, _ = _join_equal(parts, _fingerprints(text))
    rows, words = _rare_words(text, _worth_comparing(text, title))
    if len(rows) == 0:
        return parts, 0
    # Neighbours in this order share a rare word and are of like length.
    sizes = np.diff(text.start)
    order = np.lexsort((rows, sizes[rows], words))
    rows, words = rows[order], words[order]
    near = words[WINDOW:] == words[:-WINDOW] if len(words) > WINDOW else np.zeros(0, bool)
    crowded = len(np.unique(rows[:-WINDOW][near])) if near.any() else 0
    limits = (SIMILARITY, TITLE_SIMILARITY, WINDOW)
    return _join_kernel()(parts.copy(), (rows, words), text, title, limits), crowded


def _word_sets(products: pl.DataFrame, text: pl.Expr) -> _WordSets:
    """Hash the words of a text; chunk by chunk, because words as strings take ten times the memory."""
    words, sizes = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    spaced = normalise(text.fill_null("").str.replace_all(_UNSPACED, " $1 "))
    for chunk in products.iter_slices(_CHUNK):
        lists = chunk.select(spaced.str.split(" ").alias("words"))["words"]
        row = np.repeat(np.arange(len(lists), dtype=np.uint64), lists.list.len().to_numpy())
        flat = lists.explode(empty_as_null=True)
        keys = (row << np.uint64(32)) | (flat.hash(seed=0).to_numpy() & np.uint64(0xFFFFFFFF))
        keys = np.sort(keys[(flat != "").to_numpy()])
        keys = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
        words.append(keys.astype(np.uint32))
        sizes.append(np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=len(lists)))
    start = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    return _WordSets(np.concatenate(words), start.astype(np.int64))


def _fingerprints(sets: _WordSets) -> pl.Series:
    """One number [n] for each set of words (equal sets, equal numbers); null for the empty set."""
    # Mixed first (the finaliser of MurmurHash3, Appleby), because a plain sum of hashes collides too easily.
    mixed = sets.words.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    # Differences of running sums modulo 2**64: unlike reduceat, right for empty sets too.
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    totals = pl.Series(running[sets.start[1:]] - running[sets.start[:-1]])
    return totals.set(pl.Series(np.diff(sets.start) == 0), None)


def _worth_comparing(text: _WordSets, title: _WordSets) -> NDArray[np.bool_]:
    """Which rows [n] may be near-duplicates of one that is not joined to them yet."""
    # n words and one more have a similarity of n / (n + 1): smaller sets are near to their equals only.
    smallest = int(np.ceil(SIMILARITY / (1 - SIMILARITY) - 1e-9))
    # Of rows with equal words one speaks for all, as long as their titles agree as well.
    both = pl.DataFrame({"text": _fingerprints(text), "title": _fingerprints(title)})
    first = both.select(pl.struct(pl.all()).is_first_distinct().alias("first"))["first"].to_numpy()
    return np.asarray((np.diff(text.start) >= smallest) & first)


def _rare_words(sets: _WordSets, wanted: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Rows and words of the prefixes: of a set of n words the n - ceil(0.9 n) + 1 rarest."""
    # Counts by the hash's upper bits: any order of words is valid, as long as it is one for all rows.
    seen = np.bincount(sets.words >> np.uint32(10), minlength=1 << 22)
    sizes = np.diff(sets.start)
    prefix = sizes - np.ceil(SIMILARITY * sizes - 1e-9).astype(np.int64) + 1
    prefix[~wanted] = 0
    rows, words = [np.zeros(0, np.int64)], [np.zeros(0, np.uint32)]
    for begin in range(0, len(sizes), _CHUNK):
        end = min(begin + _CHUNK, len(sizes))
        start = sets.start[begin : end + 1]
        chunk = sets.words[start[0] : start[-1]]
        row = np.repeat(np.arange(end - begin), sizes[begin:end])
        rarity = np.minimum(seen[chunk >> np.uint32(10)], 4095).astype(np.uint64)
        key = (row.astype(np.uint64) << np.uint64(44)) | (rarity << np.uint64(32)) | chunk
        place = np.arange(len(chunk)) - (start[:-1] - start[0])[row]
        taken = place < prefix[begin:end][row]
        rows.append(row[taken] + begin)
        words.append(np.sort(key)[taken].astype(np.uint32))
    return np.concatenate(rows), np.concatenate(words)


@cache
def _join_kernel() -> Callable[..., NDArray[np.int64]]:
    """Compile on first use: a quick grouping should not pay for it."""
    from numba import njit

    @njit(cache=True, nogil=True)
    def alike(sets: _WordSets, a: int, b: int, least: float) -> bool:
        i, end_a, j, end_b = sets.start[a], sets.start[a + 1], sets.start[b], sets.start[b + 1]
        total = (end_a - i) + (end_b - j)
        # Jaccard >= least means at least this many in common.
        needed = int(np.ceil(least / (1.0 + least) * total - 1e-9))
        common = 0
        while i < end_a and j < end_b and common + min(end_a - i, end_b - j) >= needed:
            if sets.words[i] == sets.words[j]:
                common, i, j = common + 1, i + 1, j + 1
            elif sets.words[i] < sets.words[j]:
                i += 1
            else:
                j += 1
        return common >= needed

    @njit(cache=True, nogil=True)
    def root(parts: NDArray[np.int64], row: int) -> int:
        while parts[row] != row:
            parts[row] = parts[parts[row]]
            row = parts[row]
        return row

    @njit(cache=True, nogil=True)
    def join(
        parts: NDArray[np.int64],
        near: tuple[NDArray[np.int64], NDArray[np.uint32]],
        text: _WordSets,
        title: _WordSets,
        limits: tuple[float, float, int],
    ) -> NDArray[np.int64]:
        rows, words = near
        least, least_title, window = limits
        for i in range(len(rows)):
            a = rows[i]
            size = text.start[a + 1] - text.start[a]
            for j in range(i + 1, min(i + 1 + window, len(rows))):
                b = rows[j]
                # In order of size: whoever follows is longer still.
                if words[j] != words[i] or (text.start[b + 1] - text.start[b]) * least > size + 1e-9:
                    break
                one, other = root(parts, a), root(parts, b)
                if one == other:
                    continue
                if alike(title, a, b, least_title) and alike(text, a, b, least):
                    parts[max(one, other)] = min(one, other)
        for row in range(len(parts)):
            parts[row] = root(parts, row)
        return parts

    kernel: Callable[..., NDArray[np.int64]] = join
    return kernel
