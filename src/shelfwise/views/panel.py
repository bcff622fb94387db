"""All views of a model together: those of the text, and one for each kind of vectors."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from shelfwise.features.dense_rows import Gathered, KnownRows
from shelfwise.features.text import HashedText
from shelfwise.features.vectors import TABLE, vectors_of
from shelfwise.learners.active_set import Support
from shelfwise.recipe import Recipe
from shelfwise.views.dense import ROWS, DenseView, TableView
from shelfwise.views.scores import ViewScores
from shelfwise.views.text import TextViews
from shelfwise.workspace import Workspace


@dataclass(frozen=True)
class Prepared:
    """Products as views learn from them: their text hashed, None without views of text, and their vectors.

    vectors: by the name of their view; table: its columns; space: where what is made of them lies.
    """

    text: HashedText | None
    vectors: dict[str, KnownRows]
    table: pl.DataFrame
    space: Workspace

    def arranged(self, y: NDArray[np.int32]) -> Prepared:
        """The same, what lies in files laid by categories (codes y), whose products are read together."""
        return self if self.text is None else replace(self, text=self.text.arranged(y))

    def only(self, chosen: NDArray[np.bool_]) -> Prepared:
        """Some of the products, bool [products]."""
        text = self.text.only(chosen) if self.text is not None else None
        vectors = {name: rows.only(chosen) for name, rows in self.vectors.items()}
        table = self.table.filter(pl.Series(chosen)) if self.table.width else self.table
        return Prepared(text, vectors, table, self.space)


class Views:
    """The views of a catalogue's products.

    Parameters
    ----------
    recipe: settings of every view.
    fields: names of the text columns; none: there are no views of text.
    dense: names of the vectors to learn from, of "encoder", "pictures", "pixels" and "table".
    threads: results do not depend on it.

    """

    def __init__(
        self, recipe: Recipe, fields: Sequence[str], threads: int = 1, dense: Sequence[str] = ()
    ) -> None:
        self.recipe = recipe
        self.fields = tuple(fields)
        self.text = TextViews(recipe, fields, threads) if fields else None
        every = {
            "encoder": DenseView("encoder", recipe.encoder, recipe.seed, threads),
            "pictures": DenseView("pictures", recipe.pictures, recipe.seed, threads),
            "pixels": DenseView("pixels", recipe.pictures, recipe.seed, threads),
            "table": TableView(recipe.table, recipe.seed, threads),
        }
        self.dense = {name: view for name, view in every.items() if name in dense}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views that can have a say."""
        return (*(self.text.names if self.text else ()), *self.dense)

    def fit(
        self,
        products: pl.DataFrame | Prepared,
        y: NDArray[np.int32],
        departments: NDArray[np.int32],
        names: Collection[str] | None = None,
        start: Mapping[str, Support] | None = None,
    ) -> Views:
        """Learn from products (with the columns of their vectors) and their codes y [products].

        `departments`: int32 [categories], the department of each category. `names`: the views to learn; None:
        all that there can be. Neighbours of the text are always kept, as evidence. `start`: see `supports`.
        """
        self.classes = len(departments)
        self.timings_: dict[str, float] = {}
        ready = products if isinstance(products, Prepared) else self.prepare([products])
        if self.text is not None:
            assert ready.text is not None
            self.text.fit(ready.text, y, departments, names, start)
            self.timings_ |= self.text.timings_
        self.dense = {name: view for name, view in self.dense.items() if names is None or name in names}
        for name, view in self.dense.items():
            started = time.perf_counter()
            view.fit(ready.vectors.get(name, ready.table), y, self.classes, ready.space)
            self.timings_[name] = round(time.perf_counter() - started, 3)
        return self

    def prepare(self, pieces: Iterable[pl.DataFrame], space: Workspace | None = None) -> Prepared:
        """Take of products, piece by piece, what views learn from: their text hashed, and their vectors.

        Any views of the same recipe, fields and vectors can be fitted on it, as often as is needed.
        """
        space = space or Workspace()
        table: list[pl.DataFrame] = []
        gathered = {name: Gathered(space) for name in self.dense if name != "table"}
        watched = _keeping_vectors(pieces, gathered, table)
        text = self.text.features.hash(watched, space) if self.text is not None else None
        if text is None:
            for _ in watched:
                pass
        return Prepared(text, {name: one.done() for name, one in gathered.items()}, pl.concat(table), space)

    def supports(self, rows: NDArray[np.int64], space: Workspace | None = None) -> dict[str, Support]:
        """What a fit on more products can start from; product i of these is rows[i] of those."""
        return self.text.supports(rows, space) if self.text is not None else {}

    def scores(
        self,
        products: pl.DataFrame,
        names: Sequence[str] | None = None,
        blocks: Mapping[str, sparse.csr_matrix] | None = None,
    ) -> ViewScores:
        """Scores of the products by the asked views (all, if none are named).

        `blocks`: the text's feature blocks (`TextViews.blocks`), where they are known already.
        """
        names = tuple(names or self.names)
        said = ViewScores({}, {})
        if self.text is not None and (asked := [name for name in names if name not in self.dense]):
            said |= self.text.scores(products, asked, blocks)
        for name in names:
            if name in self.dense:
                said |= self.dense[name].scores(products)
        return said

    def nearest(self, products: pl.DataFrame, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Most similar products: places in `neighbour_rows_` int32 [products, count], -1: none; cosines."""
        if self.text is not None:
            return self.text.nearest(products, count)
        return np.full((products.height, count), -1, np.int32), np.zeros((products.height, count), np.float32)

    @property
    def notes_(self) -> list[str]:
        """What to know about what was learned."""
        return [note for view in self.dense.values() for note in view.notes_]

    @property
    def neighbour_rows_(self) -> NDArray[np.int64]:
        """Rows of the training products that are kept as neighbours."""
        return self.text.neighbour_rows_ if self.text is not None else np.empty(0, np.int64)

    @property
    def neighbour_y_(self) -> NDArray[np.int32]:
        """Codes of the products that are kept as neighbours."""
        return self.text.neighbours.y_ if self.text is not None else np.empty(0, np.int32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned state as named arrays."""
        state: dict[str, NDArray[np.generic]] = self.text.tensors() if self.text is not None else {}
        for name, view in self.dense.items():
            state |= {f"dense.{name}.{key}": value for key, value in view.tensors().items()}
        return state

    def restore(self, tensors: Mapping[str, NDArray[np.generic]], classes: int) -> Views:
        """Take the state that `tensors` gave, for that many categories."""
        self.classes = classes
        if self.text is not None:
            self.text.restore(tensors)
        for name, view in self.dense.items():
            prefix = f"dense.{name}."
            found = {
                key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
            }
            view.restore(found, classes)
        return self


def _keeping_vectors(
    pieces: Iterable[pl.DataFrame], gathered: Mapping[str, Gathered], table: list[pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """Hand pieces of products on, keeping their vectors by name and the columns of the table."""
    for piece in pieces:
        table.append(piece.select(name for name in piece.columns if name.startswith(TABLE)))
        for name, kept in gathered.items():
            for start in range(0, piece.height, ROWS):
                kept.add(*vectors_of(piece[start : start + ROWS], name))
        yield piece
