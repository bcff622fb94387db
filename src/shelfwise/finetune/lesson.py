"""What is learned from: texts, pictures, categories, and which products stay on one side of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import LabelError, PictureError, RecipeError

if TYPE_CHECKING:
    from shelfwise.catalogue.pictures import Picture


@dataclass(frozen=True)
class Lesson:
    """Products to fine-tune on.

    Attributes
    ----------
    y: int32 [products], codes of `classes`.
    classes: names of the categories.
    texts, pictures: what a product says and shows; "" and None where it says or shows nothing.
    groups: int64 [products], equal for near-duplicates; None: every product stands alone.
    val: bool [products], what to validate on; None: held out here.

    """

    y: NDArray[np.int32]
    classes: tuple[str, ...]
    texts: Sequence[str] | None = None
    pictures: Sequence[Picture | None] | None = None
    groups: NDArray[np.int64] | None = None
    val: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for name in ("texts", "pictures", "groups", "val"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.y):
                raise RecipeError(f"a lesson of {len(self.y)} products has {len(value)} {name}")
        if len(self.y) and not 0 <= int(self.y.min()) <= int(self.y.max()) < len(self.classes):
            raise LabelError(f"a category's code is not between 0 and {len(self.classes) - 1}")


@dataclass(frozen=True)
class Material:
    """The part of a lesson that can be used.

    Attributes
    ----------
    rows: int64, products that have what the model reads.
    train, val: int64, those of `rows` to learn from and to validate on.
    pictured: bool [products of the lesson], whose picture can be read.
    dropped: reason -> how many products are left out.
    pictures_failed: code -> how many pictures cannot be used.
    examples: of failed pictures, what was wrong, a few.
    digest: SHA-256 of texts, pictures, categories and split.

    """

    rows: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    pictured: NDArray[np.bool_]
    digest: str
    dropped: dict[str, int] = field(default_factory=dict)
    pictures_failed: dict[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Looked:
    """What looking at every picture found; `marks`: digest of each picture, "" for none."""

    pictured: NDArray[np.bool_]
    marks: list[str]
    failed: dict[str, int]
    examples: list[str]


def prepare(lesson: Lesson, modality: str, validation: float, seed: int, threads: int) -> Material:
    """Look at every product once: what can be used, why the rest cannot, and what is held out.

    Raises
    ------
    LabelError
        Fewer than two categories are left to learn.
    RecipeError
        The lesson lacks the texts or pictures that the model reads.

    """
    for needed, name in (("text", "texts"), ("picture", "pictures")):
        if modality in (needed, "joint") and getattr(lesson, name) is None:
            raise RecipeError(f"a {modality} model learns from {name}, and the lesson has none")
    looked = _look(lesson, threads) if modality != "text" else _blind(lesson)
    worded = np.zeros(len(lesson.y), np.bool_)
    if modality != "picture":
        worded = np.array([bool(text.strip()) for text in lesson.texts or ()], np.bool_)
    usable = worded | looked.pictured
    rows = np.flatnonzero(usable)
    if len(np.unique(lesson.y[rows])) < 2:
        raise LabelError(
            f"{len(rows):,} of {len(lesson.y):,} products have a {_NEEDS[modality]}, and they are in fewer "
            "than two categories: there is nothing to tell apart"
        )
    train, val, notes = _split(lesson, rows, validation, seed)
    dropped = {f"no usable {_NEEDS[modality]}": int((~usable).sum())} if not usable.all() else {}
    digest = _digest(lesson, looked.marks, modality, val)
    failed, examples = dict(sorted(looked.failed.items())), tuple(looked.examples)
    return Material(rows, train, val, looked.pictured, digest, dropped, failed, examples, tuple(notes))


_NEEDS = {"text": "text", "picture": "picture", "joint": "text or picture"}


def _blind(lesson: Lesson) -> _Looked:
    return _Looked(np.zeros(len(lesson.y), np.bool_), [""] * len(lesson.y), {}, [])


def _look(lesson: Lesson, threads: int) -> _Looked:
    """Read and decode every picture once, so that broken ones are known before training."""
    looked = _blind(lesson)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for row, (mark, error) in enumerate(pool.map(_seen, lesson.pictures or ())):
            looked.marks[row], looked.pictured[row] = mark, bool(mark)
            if error is not None:
                looked.failed[error.code] = looked.failed.get(error.code, 0) + 1
                if len(looked.examples) < 5:
                    looked.examples.append(str(error))
    return looked


def _seen(picture: Picture | None) -> tuple[str, PictureError | None]:
    from shelfwise.catalogue.pictures import decode

    if picture is None:
        return "", None
    try:
        data = picture.read()
        decode(data, picture.name)
    except PictureError as error:
        return "", error
    return hashlib.sha256(data).hexdigest(), None


def _split(
    lesson: Lesson, rows: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Rows to learn from and rows to validate on; whole groups, and no class only on the second side."""
    notes = []
    own = np.arange(len(lesson.y), dtype=np.int64) if lesson.groups is None else lesson.groups
    _, group = np.unique(own[rows], return_inverse=True)
    groups = int(group.max()) + 1
    if lesson.val is not None:
        wanted = lesson.val[rows]
        learned = np.bincount(group, ~wanted, minlength=groups) > 0
        out = wanted & ~learned[group]
        if crossing := int((wanted & ~out).sum()):
            notes.append(
                f"{crossing:,} products given for validation have near-duplicates among those to learn from: "
                "they are learned from as well"
            )
    else:
        chosen = np.random.default_rng(seed).permutation(groups) < round(share * groups)
        out = chosen[group]
        left = np.bincount(lesson.y[rows[~out]], minlength=len(lesson.classes)) > 0
        stays = np.bincount(group, ~left[lesson.y[rows]], minlength=groups) > 0
        out &= ~stays[group]
    if out.all():
        raise LabelError("every product is given for validation: nothing is left to learn from")
    if not out.any():
        notes.append("nothing could be held out to validate on: it trains all epochs and keeps the last one")
    return rows[~out], rows[out], notes


def _digest(lesson: Lesson, marks: list[str], modality: str, val: NDArray[np.int64]) -> str:
    digest = hashlib.sha256()
    for name in lesson.classes:
        digest.update(f"{name}\0".encode("utf-8", "replace"))
    digest.update(np.ascontiguousarray(lesson.y).tobytes() + val.tobytes())
    if modality != "picture":
        for text in lesson.texts or ():
            digest.update(hashlib.sha256(text.encode("utf-8", "replace")).digest())
    digest.update("\0".join(marks).encode())
    return digest.hexdigest()
