import numpy as np
import polars as pl
import pytest

from shelfwise.audit.embedding import content_keys, embed, sample_by_content

FIELDS = ("title", "description")


def products(titles, vectors=None, seen=None):
    frame = pl.DataFrame({"title": titles, "description": [""] * len(titles)})
    if vectors is None:
        return frame
    known = np.ones(len(titles), bool) if seen is None else seen
    column = pl.Series(
        "vector.pictures", vectors.astype(np.float32), dtype=pl.Array(pl.Float32, vectors.shape[1])
    )
    return frame.with_columns(pl.when(pl.Series(known)).then(column).otherwise(None).alias("vector.pictures"))


def shop(rows, rng):
    """Titles of two kinds of goods that share no word, and which kind each is."""
    words = (
        ["cup", "mug", "saucer", "teapot", "glaze", "china"],
        ["tyre", "rim", "tread", "winter", "bolt", "hub"],
    )
    kind = np.arange(rows) % 2
    return [" ".join(rng.choice(words[k], 3)) for k in kind], kind


def test_products_of_one_kind_are_nearer_than_those_of_another():
    titles, kind = shop(200, np.random.default_rng(0))
    vectors = embed(products(titles), FIELDS, ())
    alike = vectors @ vectors.T
    same = kind[:, None] == kind[None]
    assert alike[same].mean() > 0.2
    assert alike[~same].max() < 1e-3  # they share no word


def test_vectors_have_length_one_and_nothing_to_go_by_is_zero():
    titles, _ = shop(60, np.random.default_rng(0))
    vectors = embed(products([*titles, "", "   ", "qwrtzp"]), FIELDS, ())
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.dtype == np.float32
    assert lengths[:60] == pytest.approx(np.ones(60), abs=1e-5)
    assert (lengths[60:] == 0).all()


def test_a_product_does_not_depend_on_the_block_it_is_in(monkeypatch):
    titles, _ = shop(101, np.random.default_rng(0))
    whole = embed(products(titles), FIELDS, ())
    monkeypatch.setattr("shelfwise.audit.embedding._BLOCK", 7)
    assert (embed(products(titles), FIELDS, ()) == whole).all()


def test_the_same_products_give_the_same_bits_on_any_number_of_threads():
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    titles, kind = shop(300, rng)
    frame = products(titles, rng.normal(size=(300, 40)) + kind[:, None])
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(embed(frame, FIELDS, ("pictures",)))
    assert (results[0] == results[1]).all()


def test_text_and_pictures_have_equal_say():
    rng = np.random.default_rng(0)
    titles, _ = shop(100, rng)
    text = embed(products(titles), FIELDS, ())
    seen = rng.normal(size=(100, 20))
    both = embed(products(titles, seen), FIELDS, ("pictures",))
    assert np.linalg.norm(both, axis=1) == pytest.approx(np.ones(100), abs=1e-5)
    picture = 2 * both @ both.T - text @ text.T  # what is left of the product is that of the pictures alone
    assert np.diag(picture) == pytest.approx(np.ones(100), abs=1e-4)


def test_a_missing_picture_is_filled_with_what_products_like_it_have():
    rng = np.random.default_rng(0)
    titles, kind = shop(200, rng)
    seen = np.where(kind[:, None] == 0, [1.0, 0, 0], [0, 1.0, 0]) + rng.normal(size=(200, 3)) / 20
    known = np.arange(200) >= 20
    vectors = embed(products(titles, seen, known), FIELDS, ("pictures",))
    lacking, others = np.flatnonzero(~known), np.flatnonzero(known)
    nearest = others[(vectors[lacking] @ vectors[others].T).argmax(axis=1)]
    assert (kind[nearest] == kind[lacking]).all()
    assert np.linalg.norm(vectors[lacking], axis=1) == pytest.approx(np.ones(20), abs=1e-5)


def test_pictures_alone_are_enough():
    rng = np.random.default_rng(0)
    vectors = embed(products([""] * 30, rng.normal(size=(30, 8))), FIELDS, ("pictures",))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(30), abs=1e-5)


def test_nothing_at_all_gives_zeros():
    assert (embed(products(["", ""]), FIELDS, ("pictures",)) == 0).all()
    assert embed(products([]), FIELDS, ()).shape[0] == 0


def test_keys_are_of_the_content_and_not_of_the_place():
    frame = products(["a cup", "a mug", "a cup"])
    keys = content_keys(frame, FIELDS, ())
    assert keys[0] == keys[2] != keys[1]
    assert (content_keys(frame[::-1], FIELDS, ()) == keys[::-1]).all()


def test_keys_of_products_without_text_are_those_of_their_pictures():
    frame = products(["", "", ""], np.array([[1.0, 2], [3, 4], [1, 2]]))
    keys = content_keys(frame, FIELDS, ("pictures",))
    assert keys[0] == keys[2] != keys[1]


def test_a_sample_takes_each_content_once_and_hardly_changes_when_products_are_added():
    keys = np.random.default_rng(0).integers(1 << 60, size=5000).astype(np.uint64)
    rows = np.arange(5000)
    assert len(sample_by_content(np.repeat(keys[:10], 3), np.arange(30), 30)) == 10
    before = set(keys[sample_by_content(keys[:4950], rows[:4950], 1000)].tolist())
    after = set(keys[sample_by_content(keys, rows, 1000)].tolist())
    assert len(before - after) < 30
