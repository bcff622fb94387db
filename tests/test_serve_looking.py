"""Looking at pictures before the model does: what waits is small, and the answer the library's."""

import io
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from serve_shop import png
from shelfwise.catalogue.decoding import LIMITS, decode
from shelfwise.catalogue.pictures import Picture
from shelfwise.features.encode import encode_pictures
from shelfwise.features.pixels import PixelsEncoder
from shelfwise.features.preprocessing import Preprocessing
from shelfwise.serve.limits import Limits
from shelfwise.serve.looking import LookedFolder, Looker
from shelfwise.serve.offers import Offer

DATA = png(size=300)


class Counted:
    """`decode`, counting."""

    def __init__(self):
        self.asked = []

    def __call__(self, data, name, limits, size_hint):
        self.asked.append((limits.pixels, size_hint))
        return decode(data, name, limits, size_hint)


def sized(name, side):
    """An encoder that wants pictures of one size."""
    prepared = Preprocessing(False, (side, side), None, 2, (1.0,) * 3, (0.0,) * 3)
    return SimpleNamespace(
        name=name, preprocessing=prepared, prepare=lambda values: [prepared.pixels(one) for one in values]
    )


@pytest.mark.parametrize("data", [DATA, DATA[:200], b"no picture"])
def test_vectors_are_those_of_a_picture_that_nobody_looked_at(data):
    encoder, folder, offer = PixelsEncoder(), LookedFolder(), Offer(product_id="7", picture=data)
    folder.looker = Looker([encoder], Limits(), decode)
    wanted = encode_pictures(encoder, [Picture("7", data=data)])

    for known in (False, True):
        if known:
            folder.looker.take(offer)
            folder.known = {offer.picture: offer.look}
        frame = pl.DataFrame({"product_id": ["7"], "picture": pl.Series([offer.picture], dtype=pl.Binary)})
        got = encode_pictures(encoder, folder.find(frame))
        assert np.array_equal(got.vectors, wanted.vectors)
        assert (got.known.tolist(), got.reasons) == (wanted.known.tolist(), wanted.reasons)


def test_a_picture_is_decoded_once_a_size_and_then_small():
    decoder = Counted()
    offer = Offer(picture=DATA)
    Looker([sized("a", 8), sized("b", 8), PixelsEncoder()], Limits(), decoder).take(offer)

    assert [size for _, size in decoder.asked] == [16, None]
    assert len(offer.picture) < 100
    assert set(offer.look.items) == {"a", "b", "pixels"}
    assert np.array_equal(offer.look.items["a"], offer.look.items["b"])


def test_what_is_wrong_becomes_a_note_with_the_product_s_name():
    offer = Offer(product_id="A7", picture=DATA[:200])
    Looker([PixelsEncoder()], Limits(), decode).take(offer)

    assert offer.note[0] == "truncated"
    assert offer.note[1].startswith("A7 is cut off")
    assert offer.picture == DATA[:200]


def test_the_narrower_limits_hold():
    for given, wanted in ((Limits(pixels=100), 100), (Limits(pixels=10**9), LIMITS.pixels)):
        decoder = Counted()
        Looker([PixelsEncoder()], given, decoder).look(DATA)
        assert decoder.asked == [(wanted, None)]


def test_what_stands_for_a_picture_differs_with_the_picture_alone():
    looker = Looker([PixelsEncoder()], Limits(), decode)
    offers = [Offer(product_id=name, picture=data) for name, data in (("a", DATA), ("b", DATA), ("c", png()))]
    for offer in offers:
        looker.take(offer)
    assert offers[0].picture == offers[1].picture != offers[2].picture
    assert io.BytesIO(offers[0].picture).read(1) == b"\0"  # never text, which would be a path
