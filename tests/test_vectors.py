"""`features.vectors`: vectors beside their products, what is missing, encoders side by side, marks."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import TEXT_FIELDS
from shelfwise.errors import EncoderError
from shelfwise.features import vectors
from shelfwise.features.encoding import Encoded
from shelfwise.features.vectors import (
    EncoderMark,
    ProductEncoders,
    joined_texts,
    vectors_of,
    with_vectors,
)
from shelfwise.recipe import EncoderRecipe, PicturesRecipe, Recipe


class Lengths:
    """A text encoder that counts."""

    name, width, fingerprint = "lengths", 2, "f" * 64

    def encode(self, texts):
        return np.array([[len(text), text.count(" ")] for text in texts], np.float32)


class Colour:
    """A picture encoder that sees one colour."""

    name, width = "colour", 3

    def __init__(self, times: float = 1.0, fingerprint: str = "c" * 64) -> None:
        self.times, self.fingerprint = times, fingerprint

    def encode(self, images):
        return np.array([[self.times * v for v in image.getpixel((0, 0))] for image in images], np.float32)


def png(colour: tuple[int, int, int]) -> bytes:
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(held, "PNG")
    return held.getvalue()


def products(**columns) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    base = dict.fromkeys(TEXT_FIELDS, [""] * rows) | {"image": [""] * rows}
    base |= {"product_id": [f"P{row}" for row in range(rows)], "status": ["ok"] * rows}
    frame = pl.DataFrame(base | columns)
    return frame if "reason" in columns else frame.with_columns(reason=pl.lit(None, pl.String))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "P0.png").write_bytes(png((3, 4, 0)))
    (tmp_path / "P1.png").write_bytes(b"<html>gone</html>")
    return PictureFolder(tmp_path)


@pytest.fixture
def opened(monkeypatch):
    """Encoders of the test where the recipe names `plain:`."""
    images = {"plain:a": Colour(), "plain:b": Colour(10.0, "b" * 64), "pixels": Colour(2.0, "p" * 64)}
    monkeypatch.setattr(vectors, "open_text_encoder", lambda spec, options: Lengths())
    monkeypatch.setattr(vectors, "open_image_encoder", lambda spec, options: images[spec])


def recipe(text: str = "none", pictures: str = "none", pixels: bool = False) -> Recipe:
    return Recipe(
        encoder=EncoderRecipe(encoder=text), pictures=PicturesRecipe(encoder=pictures, pixels=pixels)
    )


# -- columns -------------------------------------------------------------------------------------------------


def test_vectors_stand_beside_their_products():
    encoded = Encoded(
        np.array([[1, 2], [0, 0], [3, 4]], np.float32), np.array([True, False, True]), (None, "no text", None)
    )
    frame = with_vectors(products(title=["a", "", "c"]), "encoder", encoded)

    found, known = vectors_of(frame, "encoder")
    assert (found.tolist(), known.tolist()) == ([[1, 2], [0, 0], [3, 4]], [True, False, True])
    assert found.dtype == np.float32
    backwards, known = vectors_of(frame.reverse()[:2], "encoder")
    assert (backwards.tolist(), known.tolist()) == ([[3, 4], [0, 0]], [True, False])


def test_where_there_is_no_such_column_nothing_is_known():
    found, known = vectors_of(products(title=["a", "b"]), "pictures", 3)

    assert (found.tolist(), known.tolist()) == ([[0] * 3] * 2, [False] * 2)


def test_a_frame_without_rows_has_vectors_of_the_right_width():
    encoded = Encoded(np.zeros((0, 4), np.float32), np.zeros(0, bool), ())
    frame = with_vectors(products(title=["a"]).head(0), "encoder", encoded)

    assert vectors_of(frame, "encoder")[0].shape == (0, 4)


def test_reasons_join_those_that_are_there_and_are_told_once():
    frame = products(title=["a"] * 4, reason=["text cut", None, "P2.png is empty", None])
    reasons = ("P0.png is broken", "P1.png is broken", "P2.png is empty", "no picture")
    done = with_vectors(frame, "pictures", Encoded(np.zeros((4, 1), np.float32), np.zeros(4, bool), reasons))

    assert done["reason"].to_list() == [
        "text cut; P0.png is broken",
        "P1.png is broken",
        "P2.png is empty",
        None,
    ]


def test_texts_are_the_fields_that_have_any():
    frame = products(title=["boot", "", "a\nb"], brand=["Acme", "Bolt", ""])

    assert joined_texts(frame, ("title", "brand"), ". ") == ["boot. Acme", "Bolt", "a; b"]
    assert joined_texts(frame, ("brand", "title"), " | ")[0] == "Acme | boot"
    assert joined_texts(frame, (), ". ") == ["", "", ""]


# -- encoders ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("opened")
def test_texts_and_pictures_get_a_column_each(folder):
    frame = products(title=["red boot", "", "watch"])
    encoders = ProductEncoders(recipe("plain:t", "plain:a", pixels=True), ("title",), folder)
    done = encoders.attach(frame)

    assert vectors_of(done, "encoder")[0].tolist() == [[8, 1], [0, 0], [5, 0]]
    assert vectors_of(done, "pictures")[0].tolist() == [[3, 4, 0], [0] * 3, [0] * 3]
    assert vectors_of(done, "pixels")[0][0].tolist() == [6, 8, 0]
    assert done["status"].to_list() == ["ok", "empty", "ok"]
    assert done["reason"].is_null().to_list() == [True, False, True]
    assert done["reason"][1].count("P1.png") == 1


@pytest.mark.usefixtures("opened")
def test_a_picture_found_by_its_id_is_something_to_go_by(folder):
    nothing = "no text in any field and no picture"
    frame = products(
        title=["", "", ""],
        status=["empty", "empty", "unreadable"],
        reason=[nothing, f"{nothing}; no id", "broken"],
    )
    done = ProductEncoders(recipe(pictures="plain:a"), (), folder).attach(frame)

    assert done["status"].to_list() == ["ok", "empty", "unreadable"]
    assert done["reason"][0] is None
    assert nothing in done["reason"][1]


@pytest.mark.usefixtures("opened")
def test_encoders_side_by_side_are_equally_loud(folder):
    encoders = ProductEncoders(recipe(pictures="plain:a+plain:b"), (), folder)
    found, known = vectors_of(encoders.attach(products(title=["a", "b", "c"])), "pictures")

    assert known.tolist() == [True, False, False]
    np.testing.assert_allclose(found[0], [0.6, 0.8, 0, 0.6, 0.8, 0], rtol=1e-3)
    assert encoders.marks == {"pictures": EncoderMark(["c" * 64, "b" * 64], [3, 3])}


@pytest.mark.usefixtures("opened")
def test_without_pictures_no_picture_encoder_is_opened():
    encoders = ProductEncoders(recipe(pictures="plain:a"), ("title",))
    frame = products(title=["boot"])

    assert (encoders.marks, encoders.pictures) == ({}, {})
    assert encoders.attach(frame).equals(frame)


@pytest.mark.usefixtures("opened")
def test_another_encoder_than_the_models_is_refused(folder):
    encoders = ProductEncoders(recipe("plain:t", "plain:a"), ("title",), folder)
    marks = encoders.marks
    encoders.check(marks)
    encoders.check({})

    with pytest.raises(EncoderError):
        encoders.check(marks | {"encoder": EncoderMark(["0" * 64], [2])})
    with pytest.raises(EncoderError):
        encoders.check(marks | {"pictures": EncoderMark(["c" * 64], [4])})
    with pytest.raises(EncoderError, match="2 encoders side by side"):
        encoders.check(marks | {"pictures": EncoderMark(["c" * 64] * 2, [3, 3])})


def test_products_held_out_of_fine_tuning_are_those_of_all_encoders(tmp_path):
    for name, ids in (("text", '["a", "b"]'), ("picture", '["b", "c"]'), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "held_out.json").write_text(ids)

    def unseen(text, pictures):
        encoders = ProductEncoders(Recipe(), ())
        encoders.recipe = recipe(text, pictures)
        return encoders.unseen

    assert unseen("none", "pixels") is None
    assert unseen(f"hf:{tmp_path}/text", "pixels") == {"a", "b"}
    assert unseen(f"hf:{tmp_path}/text", f"pixels+hf:{tmp_path}/picture") == {"b"}
    with pytest.raises(EncoderError, match="damaged"):
        unseen(f"hf:{tmp_path}/broken", "none")


def test_encoders_of_a_recipe_are_plain_values_in_the_order_of_their_vectors():
    recipe = Recipe(
        encoder=EncoderRecipe(encoder="onnx:a", max_tokens=9, pooling="cls"),
        pictures=PicturesRecipe(encoder="onnx:b+timm:c"),
        threads=3,
    )

    named = vectors.encoders_of(recipe, pictures=True)

    told = [("encoder", "text", "onnx:a"), ("pictures", "image", "onnx:b")]
    told += [("pictures", "image", "timm:c"), ("pixels", "image", "pixels")]
    assert [(one.vectors, one.kind, one.spec) for one in named] == told
    assert (named[0].options.max_tokens, named[0].options.pooling) == (9, "cls")
    assert {one.options.threads for one in named} == {3}
    assert vectors.encoders_of(recipe, pictures=False) == named[:1]
    assert vectors.encoders_of(Recipe(), pictures=False) == []
    assert named[3].open("cpu").name == "pixels"
