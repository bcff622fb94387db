"""A view of dense vectors: those of a pretrained encoder, of pictures, or of a table's columns.

The vectors stand in a column of the products (see `features.vectors`); a product without one is not guessed
at: the view has nothing to go by. Scores are probabilities of the learner that the recipe names.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.errors import LabelError, ModelError
from shelfwise.features.dense_rows import Gathered, KnownRows
from shelfwise.features.table import TableFeatures
from shelfwise.features.vectors import TABLE, vectors_of
from shelfwise.learners.dense import DenseLearner
from shelfwise.recipe import LearnerRecipe, TableRecipe
from shelfwise.views.scores import ViewScores
from shelfwise.workspace import Workspace

ROWS = 20_000
"""Products whose vectors are taken from a frame at a time."""


class DenseView:
    """One kind of vectors with its learner.

    Parameters
    ----------
    name: of the view and of its vectors, such as "pictures".
    recipe: which learner, and how it is set.
    seed: of its random choices.
    threads: for learning; results do not depend on it.

    """

    def __init__(self, name: str, recipe: LearnerRecipe, seed: int = 0, threads: int = 1) -> None:
        self.name = name
        self.recipe = recipe
        self.seed = seed
        self.threads = threads

    def fit(
        self,
        products: pl.DataFrame | KnownRows,
        y: NDArray[np.int32],
        classes: int,
        space: Workspace | None = None,
    ) -> DenseView:
        """Learn from the products that have a vector, or from those vectors; y: codes [products].

        `space`: where vectors lie that are taken from a frame.
        """
        found = products if isinstance(products, KnownRows) else self._gather(products, space or Workspace())
        if not found.known.any():
            raise LabelError(f"no product to learn from has anything for the view {self.name!r}")
        self.width_ = found.rows.width
        learner = DenseLearner(self.recipe, seed=self.seed, threads=self.threads)
        self.learner_ = learner.fit(found.rows, y[found.known], classes)
        return self

    @property
    def notes_(self) -> list[str]:
        """What to know about what was learned."""
        return [f"{self.name}: {note}" for note in self.learner_.notes_]

    def scores(self, products: pl.DataFrame) -> ViewScores:
        """Probabilities of the products that have a vector; rows of zeros for all others."""
        vectors, known = self._vectors(products)
        out = np.zeros((len(known), self.learner_.classes_), np.float32)
        if known.any():
            out[known] = self.learner_.scores(vectors[known])
        return ViewScores({self.name: out}, {self.name: known})

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        return {"width": np.array([self.width_], np.int64), **self.learner_.tensors()}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> DenseView:
        """Take the state that `tensors` gave."""
        try:
            self.width_ = int(tensors["width"][0])
            self.learner_ = DenseLearner(self.recipe, seed=self.seed).restore(tensors, classes)
        except (KeyError, IndexError) as error:
            raise ModelError(f"the model's view {self.name!r} lacks {error}") from error
        if self.learner_.width_ != self.width_:
            raise ModelError(
                f"the model's view {self.name!r} is damaged: vectors of {self.width_} values, a learner of "
                f"{self.learner_.width_}"
            )
        return self

    def _gather(self, products: pl.DataFrame, space: Workspace) -> KnownRows:
        """The vectors to learn from."""
        gathered = Gathered(space)
        for start in range(0, products.height, ROWS):
            gathered.add(*self._learn_vectors(products[start : start + ROWS]))
        return gathered.done()

    def _learn_vectors(self, products: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return vectors_of(products, self.name)

    def _vectors(self, products: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return vectors_of(products, self.name, self.width_)


class TableView(DenseView):
    """Numbers and other columns of the catalogue; what is usual in them is learned with the view."""

    def __init__(self, recipe: TableRecipe, seed: int = 0, threads: int = 1) -> None:
        super().__init__("table", recipe, seed, threads)
        self.features = TableFeatures(recipe.columns)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        return super().tensors() | {f"table.{key}": value for key, value in self.features.tensors().items()}

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> TableView:
        """Take the state that `tensors` gave."""
        own = {key.removeprefix("table."): v for key, v in tensors.items() if key.startswith("table.")}
        try:
            self.features.restore(own)
        except (KeyError, IndexError) as error:
            raise ModelError(f"the model's view 'table' lacks {error}") from error
        super().restore(tensors, classes)
        if self.features.width != self.width_:
            width = self.features.width
            raise ModelError(f"the model's view 'table' is damaged: its columns make {width} features")
        return self

    def _gather(self, products: pl.DataFrame, space: Workspace) -> KnownRows:
        self.features.fit(_table_of(products))
        return super()._gather(products, space)

    def _learn_vectors(self, products: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return self.features.transform(_table_of(products))

    def _vectors(self, products: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return self.features.transform(_table_of(products))


def _table_of(products: pl.DataFrame) -> pl.DataFrame:
    """The raw columns that `lesson.clean_batches` keeps beside the products, under their own names."""
    own = [name for name in products.columns if name.startswith(TABLE)]
    return products.select(pl.col(name).alias(name.removeprefix(TABLE)) for name in own)
