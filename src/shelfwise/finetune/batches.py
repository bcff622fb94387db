"""Products as tensors: tokens of texts and pixels of pictures, made on threads while the model runs."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import PictureError
from shelfwise.finetune.augmentation import augmented
from shelfwise.finetune.lesson import Lesson, Material
from shelfwise.finetune.towers import Tower

_CHARACTERS_PER_TOKEN = 64  # more than any real text has: a huge text is cut before it is looked at


@dataclass
class Batches:
    """Makes batches of a lesson's products.

    Attributes
    ----------
    threads: for decoding pictures.
    lost: rows whose picture could be read when training began, and no longer.

    """

    lesson: Lesson
    material: Material
    towers: dict[str, Tower]
    seed: int
    threads: int
    lost: set[int] = field(default_factory=set)

    def stream(
        self, parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], epoch: int
    ) -> Generator[dict[str, Any], None, None]:
        """A batch for each of the parts (rows, weights of rows), the next one made while one is used.

        Parameters
        ----------
        parts
            Rows of the lesson and their weights, int64 and float32 [rows].
        epoch
            Which pass over the products it is, for augmentation; -1 for pictures as they are.

        """
        with ThreadPoolExecutor(1) as ahead, ThreadPoolExecutor(max(self.threads, 1)) as pool:
            following = None
            for at in range(len(parts)):
                ready = following or ahead.submit(self._batch, *parts[at], epoch, pool)
                later = at + 1 < len(parts)
                following = ahead.submit(self._batch, *parts[at + 1], epoch, pool) if later else None
                yield ready.result()

    def _batch(
        self, rows: NDArray[np.int64], weights: NDArray[np.float32], epoch: int, pool: ThreadPoolExecutor
    ) -> dict[str, Any]:
        """A batch: inputs of each tower, what is `known`, codes `y`, and the weights of `rows`."""
        import torch

        batch: dict[str, Any] = {"known": {}, "y": torch.from_numpy(self.lesson.y[rows].astype(np.int64))}
        weights = weights.copy()
        if tower := self.towers.get("text"):
            assert self.lesson.texts is not None
            texts = [self.lesson.texts[row] for row in rows.tolist()]
            batch["text"] = tokens_of(tower, texts)
            batch["known"]["text"] = torch.tensor([float(bool(text.strip())) for text in texts])
        if tower := self.towers.get("picture"):
            pixels = list(pool.map(lambda row: self._pixels(tower, row, epoch), rows.tolist()))
            known = np.array([one is not None for one in pixels], np.float32)
            empty = np.full((*tower.reader.size, 3), tower.reader.background, np.uint8)
            planes = tower.reader.planes([empty if one is None else one for one in pixels])
            planes[known == 0] = 0
            batch["picture"] = {"pixel_values": torch.from_numpy(planes)}
            batch["known"]["picture"] = torch.from_numpy(known)
        seen = sum(batch["known"].values()) > 0
        batch["rows"] = torch.from_numpy(weights) * seen
        return batch

    def _pixels(self, tower: Tower, row: int, epoch: int) -> NDArray[np.uint8] | None:
        """The pixels of one product's picture, None where there is none to see."""
        from shelfwise.catalogue.pictures import decode

        picture = self.lesson.pictures[row] if self.lesson.pictures is not None else None
        if picture is None or not self.material.pictured[row]:
            return None
        try:
            image = decode(picture.read(), picture.name)
        except PictureError:
            self.lost.add(row)
            return None
        if epoch >= 0:
            rng = np.random.default_rng([self.seed, epoch, row])
            image = augmented(image, rng, tower.reader.background)
        pixels: NDArray[np.uint8] = tower.reader.pixels(image)
        return pixels


def tokens_of(tower: Tower, texts: Sequence[str]) -> dict[str, Any]:
    """Texts as token ids, padded to the longest: those tensors int64 [texts, tokens] that the model takes."""
    import torch

    longest = tower.max_tokens * _CHARACTERS_PER_TOKEN
    whole = [text[:longest].encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
    found = tower.reader(whole, truncation=True, max_length=tower.max_tokens, return_token_type_ids=True)
    ids, types = found["input_ids"], found["token_type_ids"]
    most = tower.max_tokens if tower.padded else max(1, *(len(one) for one in ids))
    filler = tower.reader.pad_token_id or 0
    shape = (len(texts), most)
    tensors = {
        "input_ids": np.full(shape, filler, np.int64),
        "attention_mask": np.zeros(shape, np.int64),
        "token_type_ids": np.zeros(shape, np.int64),
    }
    for at, one in enumerate(ids):
        tensors["input_ids"][at, : len(one)] = one
        tensors["token_type_ids"][at, : len(one)] = types[at]
        tensors["attention_mask"][at, : max(len(one), 1)] = 1  # attention to nothing at all is not a number
    return {name: torch.from_numpy(tensors[name]) for name in tower.names()}
