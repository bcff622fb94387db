"""Vectors of products: what pretrained encoders make of their texts and pictures, as columns of the frame.

A vector stands beside the product it belongs to (column `vector.NAME`, null where there is nothing to
encode), so that choosing, batching and joining products takes the vectors along. Encoders learn nothing here:
the same vectors serve every fold. They are kept in a cache by content, and encoded once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.catalogue.products import NOTHING
from shelfwise.errors import EncoderError
from shelfwise.features.cache import VectorCache
from shelfwise.features.encode import NO_PICTURE, NO_TEXT, encode_pictures, encode_texts
from shelfwise.features.encoders import (
    EncoderOptions,
    ImageEncoder,
    TextEncoder,
    check_same,
    fingerprint_of,
    open_image_encoder,
    open_text_encoder,
)
from shelfwise.features.encoding import Encoded
from shelfwise.recipe import TEXT_FIELDS, Recipe

PREFIX = "vector."
TABLE = "table."
"""Prefix of raw columns that stand beside the products for the table view."""
HELD_OUT = "held_out.json"
"""File in the folder of a fine-tuned encoder: ids of the products that it has not seen."""
_NONE = ("", "none")


def vectors_of(
    products: pl.DataFrame, name: str, width: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The vectors called `name`, float32 [products, width], and which products have one, bool [products].

    Where no product has any, there may be no such column; `width` is then that of the zeros.
    """
    column = PREFIX + name
    if column not in products.columns:
        return np.zeros((products.height, width or 0), np.float32), np.zeros(products.height, bool)
    known = products[column].is_not_null().to_numpy()
    wide = products.schema[column].size  # type: ignore[attr-defined]
    zeros = pl.Series([[0.0] * wide], dtype=products.schema[column])
    filled = products.select(pl.col(column).fill_null(pl.lit(zeros).first())).to_series()
    return np.ascontiguousarray(filled.to_numpy(), np.float32).reshape(products.height, wide), known


def with_vectors(products: pl.DataFrame, name: str, encoded: Encoded) -> pl.DataFrame:
    """The products with their vectors; why a product has none joins its `reason`."""
    vectors = np.ascontiguousarray(encoded.vectors, np.float32)
    column = pl.Series(PREFIX + name, vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))
    known = pl.Series("known", encoded.known)
    usual = (NO_TEXT, NO_PICTURE)  # nothing went wrong where there was nothing
    news = [
        None if why in usual or (why and told and why in told) else why  # two encoders, one broken picture
        for why, told in zip(encoded.reasons, products["reason"], strict=True)
    ]
    said = pl.Series("said", news, dtype=pl.String)
    reason = pl.concat_str([pl.col("reason"), said], separator="; ", ignore_nulls=True).replace("", None)
    return products.with_columns(
        pl.when(known).then(column).otherwise(None).alias(column.name), reason.alias("reason")
    )


@dataclass(frozen=True)
class EncoderMark:
    """What tells encoders side by side from others: the model keeps it and answers with no others."""

    fingerprints: list[str]
    widths: list[int]

    @staticmethod
    def of(encoders: Sequence[TextEncoder | ImageEncoder]) -> EncoderMark:
        """The mark of opened encoders."""
        return EncoderMark(
            [fingerprint_of(encoder) or encoder.name for encoder in encoders],
            [encoder.width for encoder in encoders],
        )


@dataclass(frozen=True)
class NamedEncoder:
    """An encoder that a recipe names, as plain values.

    vectors: what its vectors are called; several picture encoders share one name. kind: what it takes. spec,
    options: how it is opened.
    """

    vectors: str
    kind: Literal["text", "image"]
    spec: str
    options: EncoderOptions

    def open(self, device: str = "auto") -> TextEncoder | ImageEncoder:
        """Open it; EncoderError, MissingExtraError: see `open_text_encoder`."""
        opener = open_text_encoder if self.kind == "text" else open_image_encoder
        return opener(self.spec, replace(self.options, device=device))


def encoders_of(recipe: Recipe, pictures: bool) -> list[NamedEncoder]:
    """The encoders that a recipe names; `pictures`: whether there are any to encode."""
    found: list[NamedEncoder] = []
    text, seen, threads = recipe.encoder, recipe.pictures, recipe.threads
    if text.encoder not in _NONE:
        options = EncoderOptions(max_tokens=text.max_tokens, pooling=text.pooling, threads=threads)
        found.append(NamedEncoder("encoder", "text", text.encoder, options))
    if pictures and seen.encoder not in _NONE:
        options, specs = EncoderOptions(threads=threads), seen.encoder.split("+")
        found += [NamedEncoder("pictures", "image", spec, options) for spec in specs]
        if seen.pixels and "pixels" not in specs:
            found.append(NamedEncoder("pixels", "image", "pixels", options))
    return found


def check_marks(opened: Mapping[str, Sequence[Any]], marks: Mapping[str, EncoderMark]) -> None:
    """Raise EncoderError where an encoder, by the name of its vectors, is not the one of training."""
    for name, encoders in opened.items():
        if name not in marks:
            continue
        trained = marks[name]
        if len(encoders) != len(trained.fingerprints):
            raise EncoderError(
                f"the model's {name} come from {len(trained.fingerprints)} encoders side by side, not "
                f"from {len(encoders)}: {', '.join(encoder.name for encoder in encoders)}"
            )
        for encoder, fingerprint, width in zip(encoders, trained.fingerprints, trained.widths, strict=True):
            check_same(encoder, fingerprint, width)


class ProductEncoders:
    """The encoders that a recipe names, opened.

    Parameters
    ----------
    recipe: names them and says how they read.
    fields: text fields to encode where the recipe names none.
    pictures: where the pictures are; None: there are no pictures.
    cache: keeps vectors by content; None: nothing is kept.

    """

    def __init__(
        self,
        recipe: Recipe,
        fields: Sequence[str],
        pictures: PictureFolder | None = None,
        cache: VectorCache | None = None,
    ) -> None:
        self.recipe = recipe
        self.fields = tuple(recipe.encoder.fields or fields)
        self.folder = pictures
        self.cache = cache
        self.notes: list[str] = []
        self.text: TextEncoder | None = None
        self.pictures: dict[str, list[ImageEncoder]] = {}
        for named in encoders_of(recipe, pictures is not None):
            encoder = named.open()
            if named.kind == "text":
                self.text = cast(TextEncoder, encoder)
            else:
                self.pictures.setdefault(named.vectors, []).append(cast(ImageEncoder, encoder))

    @property
    def marks(self) -> dict[str, EncoderMark]:
        """By the name of the vectors, what tells their encoder from another."""
        marks = {} if self.text is None else {"encoder": EncoderMark.of([self.text])}
        return marks | {name: EncoderMark.of(encoders) for name, encoders in self.pictures.items()}

    def check(self, marks: Mapping[str, EncoderMark]) -> None:
        """Raise EncoderError where an encoder is not the one that the model was trained with."""
        opened: dict[str, list[Any]] = dict(self.pictures)
        if self.text is not None:
            opened["encoder"] = [self.text]
        check_marks(opened, marks)

    @property
    def unseen(self) -> frozenset[str] | None:
        """Ids of the products that a fine-tuned encoder was not trained on; None: none was fine-tuned here.

        Only such products can tell how good what stands on the encoder is.
        """
        found = [
            _held_out(spec)
            for spec in (self.recipe.encoder.encoder, *self.recipe.pictures.encoder.split("+"))
        ]
        listed = [ids for ids in found if ids is not None]
        return frozenset.intersection(*listed) if listed else None

    def attach(self, products: pl.DataFrame, notify: Callable[[str], None] | None = None) -> pl.DataFrame:
        """The products with a column of vectors for each kind of encoder; `notes` gathers what to know."""
        if self.text is not None:
            texts = joined_texts(products, self.fields, self.recipe.encoder.join)
            done = encode_texts(self.text, texts, self.cache, notify)
            products = self._with(products, "encoder", [done])
        if self.pictures and self.folder is not None:
            found = self.folder.find(products)
            for name, encoders in self.pictures.items():
                parts = [encode_pictures(each, found, self.cache, notify=notify) for each in encoders]
                products = self._with(products, name, parts)
            products = _with_status(products)
        return products

    def _with(self, products: pl.DataFrame, name: str, parts: Sequence[Encoded]) -> pl.DataFrame:
        self.notes += [note for part in parts for note in part.notes if note not in self.notes]
        return with_vectors(products, name, _side_by_side(parts))


def _with_status(products: pl.DataFrame) -> pl.DataFrame:
    """The products, "empty" where there is neither text nor a usable picture, and only there.

    Whether there is a picture shows only now: one that the catalogue names may be broken, and one that it
    does not name may lie in the folder under the product's id.
    """
    seen = pl.any_horizontal(pl.col("^vector\\..*$").is_not_null())
    silent = pl.all_horizontal(pl.col(*TEXT_FIELDS) == "") & ~seen
    found = (pl.col("status") == "empty") & seen
    why = pl.col("reason").str.replace(NOTHING, "", literal=True).str.strip_chars("; ").replace("", None)
    return products.with_columns(
        pl.when(found).then(pl.lit("ok")).when((pl.col("status") == "ok") & silent).then(pl.lit("empty"))
        .otherwise("status").alias("status"),
        pl.when(found).then(why).otherwise("reason").alias("reason"),
    )  # fmt: skip


def joined_texts(products: pl.DataFrame, fields: Sequence[str], join: str) -> list[str]:
    """The text of each product for an encoder: the fields that have any, in order."""
    parts = [pl.col(name).str.replace_all("\n", "; ", literal=True).replace("", None) for name in fields]
    if not parts:
        return [""] * products.height
    joined = pl.concat_str(parts, separator=join, ignore_nulls=True).fill_null("")
    return products.select(joined.alias("text")).to_series().to_list()


def _held_out(spec: str) -> frozenset[str] | None:
    scheme, _, where = spec.partition(":")
    path = Path(where) / HELD_OUT
    if scheme not in ("hf", "joint") or not path.is_file():
        return None
    try:
        return frozenset(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise EncoderError(f"{path} is damaged: {error}. Fine-tune again.") from error


def _side_by_side(parts: Sequence[Encoded]) -> Encoded:
    """Vectors of several encoders as one, each brought to length 1 so that none drowns the others."""
    if len(parts) == 1:
        return parts[0]
    lengths = [np.maximum(np.linalg.norm(part.vectors, axis=1, keepdims=True), 1e-12) for part in parts]
    vectors = np.concatenate(
        [part.vectors / length for part, length in zip(parts, lengths, strict=True)], axis=1
    )
    known = np.logical_and.reduce([part.known for part in parts])
    reasons = tuple(
        next((r for r in row if r), None) for row in zip(*(p.reasons for p in parts), strict=True)
    )
    return Encoded(vectors.astype(np.float32), known, reasons)
