"""Requests and answers as plain values; both doors read and write these and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

Product = dict[str, Any]
"""A product as it was sent: the catalogue's own columns, or the names of `offers.FIELDS`."""


class PredictRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of a model."""

    products: Annotated[
        list[Any] | Product,
        Meta(description="One product or a list: fields as in the catalogue, picture in base64."),
    ]
    model: Annotated[str | None, Meta(description="Which model answers; the first one served otherwise.")] = (
        None
    )
    top: Annotated[int, Meta(ge=1, description="Candidates for each product.")] = 5
    promise: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="Accept only what is right this often, such as 0.98."),
    ] = None
    explain: Annotated[bool, Meta(description="Give the evidence behind each answer.")] = False

    @property
    def listed(self) -> list[Any]:
        """The products as a list."""
        return [self.products] if isinstance(self.products, dict) else self.products


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A category that a product may belong to."""

    category: str
    confidence: float


class Word(msgspec.Struct, frozen=True):
    """A word that spoke for the answer; weight: how far its log-odds fall without the word."""

    field: str
    text: str
    weight: float


class Neighbour(msgspec.Struct, frozen=True):
    """A labelled product that is most similar."""

    product_id: str
    title: str
    category: str
    similarity: float


class Vote(msgspec.Struct, frozen=True):
    """What one view alone would answer."""

    view: str
    category: str
    confidence: float


class Evidence(msgspec.Struct, frozen=True):
    """Why an answer is what it is."""

    words: list[Word]
    neighbours: list[Neighbour]
    views: list[Vote]


class Prediction(msgspec.Struct, frozen=True):
    """The answer to one product; fields as in a predictions file.

    `status`: "ok", "empty" (nothing to go by: the answer is what is most frequent) or "unreadable" (no
    answer; `code` and `reason` say why). `code` also tells of a picture that could not be used.
    """

    product_id: str
    category: str | None = None
    confidence: float | None = None
    accepted: bool | None = None
    shelf: str | None = None
    shelf_confidence: float | None = None
    candidates: list[Candidate] | None = None
    status: str = "ok"
    reason: str | None = None
    code: str | UnsetType = UNSET
    evidence: Evidence | UnsetType = UNSET


class ModelName(msgspec.Struct, frozen=True):
    """Which model answered; version: a fingerprint of all that its answers depend on."""

    name: str
    version: str


class PredictAnswer(msgspec.Struct, frozen=True):
    """The answers to a request, in the order of its products.

    `ignored`: names of fields that the model does not know, where there were any.
    """

    model: ModelName
    predictions: list[Prediction]
    ignored: list[str] | UnsetType = UNSET


class CorrectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Products with their right categories."""

    products: list[Any] | Product
    categories: list[str] | str
    model: str | None = None
    new_shelves: bool = False

    @property
    def listed(self) -> tuple[list[Any], list[str]]:
        """Products and categories as lists."""
        products = [self.products] if isinstance(self.products, dict) else self.products
        return products, [self.categories] if isinstance(self.categories, str) else self.categories


class CorrectAnswer(msgspec.Struct, frozen=True):
    """What was remembered, and the model's version from now on."""

    model: ModelName
    corrected: int


class ModelAbout(msgspec.Struct, frozen=True):
    """A model that is served."""

    name: str
    version: str
    where: str
    loaded_at: str
    categories: int
    fields: list[str]
    views: list[str]
    columns: list[str]
    pictures: bool
    corrections: int
    scores: dict[str, Any]
