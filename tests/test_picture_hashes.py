from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.picture_hashes import (
    DISTANCE,
    WIDTH,
    PictureHashes,
    hash_picture,
    hash_pictures,
    near_pairs,
)
from shelfwise.catalogue.pictures import Picture, PictureFolder, decode

Image = pytest.importorskip("PIL.Image")


def scene(seed: int, side: int = 96) -> Image.Image:
    """A smooth picture of its own: coarse noise, enlarged."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def shirt(colour: tuple[int, int, int]) -> Image.Image:
    """One shape on white, as shops show an article in several colours."""
    image = Image.new("RGB", (90, 120), (255, 255, 255))
    image.paste(colour, (20, 30, 70, 110))
    return image


def picture(image: Image.Image, kind: str = "PNG", **options: object) -> Picture:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Picture("p", data=file.getvalue())


def pairs(hashes: PictureHashes) -> set[tuple[int, int]]:
    return set(zip(*(side.tolist() for side in near_pairs(hashes)), strict=True))


def random_hashes(bits: np.ndarray) -> PictureHashes:
    count = len(bits)
    tiny = np.tile(np.arange(WIDTH, dtype=np.uint8), (count, 1))
    return PictureHashes(tuple(map(str, range(count))), bits, tiny, np.ones(count, bool))


def test_a_copy_saved_again_or_smaller_is_the_same_picture():
    one = scene(1)
    copies = [
        picture(one),
        picture(one, "JPEG", quality=60),
        picture(one.resize((48, 48), Image.Resampling.LANCZOS), "WEBP", quality=80),
        picture(one.resize((200, 200), Image.Resampling.BICUBIC), "JPEG", quality=85),
    ]
    assert {(0, 1), (0, 2), (0, 3)} <= pairs(hash_pictures(copies, 1))


def test_other_pictures_are_not():
    assert pairs(hash_pictures([picture(scene(seed)) for seed in range(40)], 1)) == set()


def test_one_article_in_several_colours_is_several_pictures():
    colours = [(200, 0, 0), (0, 0, 200), (90, 60, 40), (40, 90, 60), (30, 30, 30)]
    hashes = hash_pictures([picture(shirt(colour)) for colour in colours], 1)
    assert np.bitwise_count(hashes.bits[:, None] ^ hashes.bits).max() <= DISTANCE, "the hash alone joins them"
    assert pairs(hashes) == set()


def test_white_on_white_needs_to_be_nearer():
    def pale(top: int) -> Picture:
        image = Image.new("RGB", (96, 96), (255, 255, 255))
        image.paste((240, 240, 240), (20, 10, 70, 90))
        image.paste((255, 255, 255), (20, 10, 70, top))
        return picture(image)

    assert pairs(hash_pictures([pale(10), pale(14), pale(10)], 1)) == {(0, 2)}


def test_plain_and_missing_pictures_are_like_no_other():
    plain = picture(Image.new("RGB", (50, 50), (255, 255, 255)))
    broken = Picture("b", data=b"<html>no</html>")
    missing = Picture("m", problem=("missing", "not there"))
    hashes = hash_pictures([plain, plain, None, broken, broken, missing, picture(scene(3))], 2)
    assert pairs(hashes) == set()
    assert hashes.telling.tolist() == [False] * 6 + [True]
    assert hashes.digests[0] == hashes.digests[1] == plain.digest()
    assert hashes.digests[3] == hashes.digests[4] == broken.digest()
    assert (hashes.digests[2], hashes.digests[5]) == (None, None)


def test_no_pictures_at_all():
    hashes = hash_pictures([], 1)
    assert (len(hashes), hashes.tiny.shape, pairs(hashes)) == (0, (0, WIDTH), set())


def test_all_pairs_within_the_distance_are_found():
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**63, 60, dtype=np.uint64)
    twins = bits.copy()
    for row, flips in enumerate(rng.integers(0, DISTANCE + 3, 60)):
        for place in rng.choice(64, flips, replace=False):
            twins[row] ^= np.uint64(1) << np.uint64(place)
    every = np.concatenate([bits, twins])
    apart = np.bitwise_count(every[:, None] ^ every)
    wanted = {(i, j) for i, j in np.argwhere(apart <= DISTANCE).tolist() if i < j}
    assert 20 < len(wanted) < 60
    assert pairs(random_hashes(every)) == wanted


def test_equal_hashes_hold_together_however_many():
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other = near_pairs(random_hashes(np.full(3000, 77, np.uint64)))
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(3000, 3000))
    assert connected_components(graph, directed=False)[0] == 1
    assert len(one) < 3000 * 70


def test_rows_can_be_taken():
    hashes = hash_pictures([picture(scene(seed)) for seed in (1, 2, 1)], 1)
    some = hashes.take(np.array([2, 0]))
    assert some.digests == (hashes.digests[2], hashes.digests[0])
    assert pairs(some) == {(0, 1)}
    assert pairs(hashes.take(np.array([True, True, False]))) == set()


def test_real_copies_are_found_and_other_pictures_are_not_joined(real: Path):
    folder = real / "clothing"
    products = pl.read_parquet(folder / "products.parquet").head(300)
    found = PictureFolder(folder / "images").find(products)
    again = [picture(decode(one.read()), "JPEG", quality=60) for one in found if one is not None]
    hashes = hash_pictures([*found, *again], 2)
    joined = pairs(hashes)
    right = {(row, 300 + row) for row in range(300)}
    assert len(joined & right) >= 0.98 * 300
    assert len(joined - right) <= 4


def test_the_hash_is_of_the_picture_not_of_its_size():
    bits = {hash_picture(scene(4, side)).bits for side in (96, 192, 384)}
    assert max((a ^ b).bit_count() for a in bits for b in bits) <= DISTANCE
