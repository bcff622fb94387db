"""The `Categorizer`: learns a catalogue's categories, predicts, explains, saves and loads.

It owns the learned state and nothing else; each method is one step of the flow, done by a module of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise import artifact
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections import changes
from shelfwise.corrections.changes import Corrected
from shelfwise.corrections.folding import Folding
from shelfwise.corrections.state import Corrections, Learned
from shelfwise.decide.decision import Decision
from shelfwise.errors import CatalogueError, ModelError, PromiseError
from shelfwise.explain import Witnesses, explain
from shelfwise.features.vectors import EncoderMark
from shelfwise.keeping import Parts, from_files, start_of, to_files
from shelfwise.lesson import Training
from shelfwise.past import Past
from shelfwise.predictions import PredictOptions, Thresholds, answer, to_table, withhold
from shelfwise.reading import BATCH, Listens, Reader
from shelfwise.recipe import Recipe
from shelfwise.scoring import map_blocks
from shelfwise.training import Work, train
from shelfwise.views.panel import Views
from shelfwise.workspace import Workspace
from shelfwise.writing import Written, check_output, write_tables

_NEVER = 2.0  # a threshold that no probability reaches


class Categorizer:
    """A category model of a shop's catalogue.

    Parameters
    ----------
    recipe: every setting; the defaults if there is none.

    Examples
    --------
    >>> import polars as pl
    >>> words = {"Shoes > Boots": "leather boot winter", "Shoes > Sandals": "summer sandal strap"}
    >>> rows = [{"title": f"{name.split()[i % 3]} {name.split()[i % 2]} {i}", "category": shelf}
    ...         for i in range(60) for shelf, name in words.items()]
    >>> model = Categorizer().fit(pl.DataFrame(rows))
    >>> model.predict(pl.DataFrame({"title": ["brown leather boot"]}))["category"].to_list()
    ['Shoes > Boots']

    """

    recipe: Recipe
    roles_: Roles
    decision_: Decision
    training_: Training
    marks_: dict[str, EncoderMark]  # the encoders that the model was trained with
    corrections_: Corrections  # what people changed since, and what it stands on
    past_: Past | None = None  # what an update starts from
    folded_: Folding  # what people corrected in the models that it comes from

    def __init__(self, recipe: Recipe | None = None) -> None:
        self.recipe = recipe or Recipe()
        self.folded_ = Folding()

    def use_pictures(self, folder: str | os.PathLike[str]) -> Self:
        """Look for the products' pictures in a folder from now on, when learning and when predicting.

        Pictures in the catalogue itself, or beside it under the paths that it names, are found without.
        """
        pictures = replace(self.recipe.pictures, folder=os.fspath(folder))
        self.recipe = replace(self.recipe, pictures=pictures)
        return self

    # -- learning --------------------------------------------------------------------------------------------

    def fit(
        self,
        catalogue: object,
        *,
        split: str | None = None,
        notify: Callable[[str], None] | None = None,
        space: Workspace | None = None,
        start: Categorizer | None = None,
    ) -> Self:
        """Learn a catalogue's categories.

        Args:
            catalogue: a path (file, folder, glob), a `Source`, or any frame that speaks Arrow.
            split: a column that marks rows; those marked train or val are learned from. None: all labelled
                rows.
            notify: called with the name of each step as it begins.
            space: how much memory may be filled, and where files are put that do not fit into it; None: any
                amount. The model is the same to the bit.
            start: a model of an earlier dump to go on from, whose recipe this one's is (see `update`).

        Raises:
            CatalogueError, LabelError, RecipeError: what is wrong with the catalogue, its categories or the
                recipe.
            EncoderError: `start` judges by other vectors than there are.
            ModelError: nothing can start from `start`.
            WorkspaceError: memory or disk are too small.

        """
        work = Work(self.threads, space or Workspace(), notify)
        begin = start_of(start._parts()) if start is not None else None
        done = train(_source(catalogue), self.recipe, split, work, begin)
        lesson = done.lesson
        self.roles_, self.marks_ = lesson.roles, lesson.marks
        self.decision_, self.training_ = done.decision, done.training
        self.past_, self.folded_ = done.past, begin.folding if begin else Folding()
        by_id = lesson.roles.product_id is not None
        right = float(done.decision.record.right.mean())
        self.corrections_ = Corrections.none(
            Learned(done.views, done.neighbours, lesson.taxonomy, done.counts, lesson.renamed, by_id, right)
        )
        return self

    def digest(self) -> str:
        """SHA-256 that names the model: of the manifest of its folder, as it would be saved now."""
        return artifact.digest_of(to_files(self._parts()))

    @property
    def taxonomy_(self) -> Taxonomy:
        """The category tree as it is now."""
        return self.corrections_.taxonomy

    @property
    def views_(self) -> Views:
        """The trained views; they know the categories of training."""
        return self.corrections_.learned.views

    @property
    def neighbours_(self) -> pl.DataFrame:
        """Ids and titles of the learned products that are kept as neighbours."""
        return self.corrections_.learned.kept

    @property
    def counts_(self) -> NDArray[np.int64]:
        """Products known of each category."""
        return self.corrections_.counts

    @property
    def renamed_(self) -> dict[str, str | None]:
        """Old names of categories, of a mapping or since training, and the new; None = dropped."""
        return self.corrections_.renamed

    @property
    def threads(self) -> int:
        """How many threads are used; results do not depend on it."""
        return self.recipe.threads or os.cpu_count() or 1

    # -- predicting ------------------------------------------------------------------------------------------

    def predict_proba(self, catalogue: object) -> NDArray[np.float32]:
        """Probabilities float32 [rows, categories], columns as in `taxonomy_.labels`; rows sum to 1.

        For large catalogues use `predict_batches`: this array is rows x categories.
        """
        products = self.products(_source(catalogue))
        asked = self.witnesses()
        labels = len(asked.corrections.taxonomy.labels)
        blocks = map_blocks(lambda block: asked.ask(block)[0], products, labels, self.threads)
        parts = list(blocks) or [np.empty((0, labels), np.float32)]
        return np.concatenate(parts)

    def predict(
        self, catalogue: object, options: PredictOptions | None = None, *, split: str | None = None
    ) -> pl.DataFrame:
        """Predict all rows, in input order; `predictions.SCHEMA` says what the columns are.

        With a column `split`, rows marked test in it, and those that could not be read.
        """
        parts = list(self.predict_batches(catalogue, options, split=split))
        return pl.concat(parts)

    def predict_batches(
        self,
        catalogue: object,
        options: PredictOptions | None = None,
        *,
        split: str | None = None,
        rows: int = BATCH,
    ) -> Iterator[pl.DataFrame]:
        """Predict in pieces of at most `rows` rows, in input order and bounded memory; one piece at least.

        Raises
        ------
        PromiseError
            The model's out-of-fold record cannot support the promise.

        """
        options = options or PredictOptions()
        thresholds = self.thresholds(options.promise)
        asked = self.witnesses()  # all batches by the same corrections, whoever makes more meanwhile
        for products in self._product_batches(_source(catalogue), split, rows):
            yield self.predict_products(products, options, thresholds, asked)

    def predict_to_file(
        self,
        catalogue: object,
        output: str | os.PathLike[str],
        options: PredictOptions | None = None,
        *,
        split: str | None = None,
        notify_rows: Callable[[int], None] | None = None,
    ) -> Written:
        """Predict a catalogue of any size into a .parquet, .csv or .jsonl file (see `write_tables`)."""
        path = check_output(output)
        options = options or PredictOptions()
        source = _source(catalogue)
        if any(path.resolve() == file.resolve() for file in source.files):
            raise CatalogueError(f"{path} is the catalogue itself; write the predictions to another file")
        self.thresholds(options.promise)  # refused before anything is written
        return write_tables(
            self.predict_batches(source, options, split=split), path, options.form, notify_rows
        )

    def thresholds(self, promise: float | None) -> Thresholds | None:
        """Confidences that keep a promise; PromiseError when neither categories nor shelves can keep it."""
        self.check_fitted()
        if promise is None:
            return None
        found: dict[str, float] = {}
        refusals: list[PromiseError] = []
        for kind, make in (("category", self.decision_.promise), ("shelf", self.decision_.shelf_promise)):
            try:
                found[kind] = make(promise).threshold
            except PromiseError as error:
                refusals.append(error)
        if not found:
            raise refusals[0]
        return Thresholds(found.get("category", _NEVER), found.get("shelf", _NEVER))

    def products(self, source: Source, split: str | None = None) -> pl.DataFrame:
        """Read a catalogue as products with the roles that were learned (see `catalogue.products.clean`)."""
        return pl.concat(list(self._product_batches(source, split, 100_000)))

    def reader(self, source: Source, split: str | None = None) -> Reader:
        """What reads a catalogue as this model's products, the rows marked test alone with a `split`."""
        self.check_fitted()
        listens = Listens(self.views_.fields, tuple(self.views_.dense), self.marks_)
        return Reader.of(source, self.roles_, self.recipe, listens, split)

    def _product_batches(self, source: Source, split: str | None, rows: int) -> Iterator[pl.DataFrame]:
        reader = self.reader(source, split)
        empty = True
        for place, raw in reader.batches(source, rows):
            chosen = reader.choose(raw, place)
            if chosen.height or empty:
                yield reader.attach(chosen)
                empty = False

    def check_fitted(self) -> None:
        """Raise ModelError where neither `fit` nor `load` has given anything to predict with."""
        if not hasattr(self, "decision_"):
            raise ModelError(
                "this Categorizer has not learned anything: call fit with a labelled catalogue first, "
                "or take a model folder with shelfwise.load"
            )

    def predict_products(
        self, products: pl.DataFrame, options: PredictOptions, thresholds: Thresholds | None, asked: Witnesses
    ) -> pl.DataFrame:
        """The predictions table of products that a `reader` gave; every door to a file comes through here.

        `thresholds` keep the promise of the options, `asked` are the `witnesses`: taken once for all batches.
        """
        taxonomy = asked.corrections.taxonomy

        def work(block: pl.DataFrame) -> pl.DataFrame:
            probabilities, present = asked.ask(block)
            answers = answer(probabilities, taxonomy, options.top, thresholds)
            answers = withhold(answers, present & (block["status"] == "ok").to_numpy())
            table = to_table(block, answers, taxonomy)
            if not options.explain:
                return table
            why = explain(block, answers.codes[:, 0], asked)
            why = why.set(block["status"] == "unreadable", None)
            return table.insert_column(table.columns.index("status"), why)

        if products.height == 0:
            return work(products)
        return pl.concat(list(map_blocks(work, products, len(taxonomy.labels), self.threads)))

    def witnesses(self) -> Witnesses:
        """What answers are asked of: it stays as it is while the model is corrected."""
        return Witnesses(self.decision_.fusion, self.corrections_)

    # -- correcting ------------------------------------------------------------------------------------------

    def correct(
        self, catalogue: object, categories: Sequence[str | None] | pl.Series, *, new_shelves: bool = True
    ) -> Corrected:
        """Remember products with their right categories; they count from the next prediction on.

        The same product gets that category; products very much like it are moved towards it (see
        `corrections.reach`), all others keep their answers to the bit. A later correction of a product
        replaces the earlier one. Training again on the corrected catalogue folds them in.

        Args:
            catalogue: a path, a `Source` or a frame, with the columns that the model knows.
            categories: of each row; null = unknown. Names that were renamed or merged are followed.
            new_shelves: whether a category that does not exist is added (see `add_shelf`) or refused.

        Raises:
            LabelError: there are not as many categories as rows, or one does not exist and may not.

        """
        products = self.products(_source(catalogue))
        self.corrections_, report = changes.correct(
            self.corrections_, products, list(categories), new_shelves
        )
        return report

    def add_shelf(
        self, path: str, catalogue: object = None, *, words: str = "", label: str | None = None
    ) -> Self:
        """Add a category; it is predicted at once, by the words of its name and by what else is given.

        `catalogue`: example products. `words`: others that speak for it, such as names of goods. `label`:
        where the source's categories are ids, the new one's; `path` is then its readable path.
        """
        examples = None if catalogue is None else self.products(_source(catalogue))
        self.check_fitted()
        self.corrections_ = changes.add_shelf(self.corrections_, label or path, path, words, examples)
        return self

    def rename_shelf(self, old: str, new: str) -> Self:
        """Rename a category, or a shelf with all below it; another path is another place in the tree."""
        self.check_fitted()
        self.corrections_ = changes.rename_shelf(self.corrections_, old, new)
        return self

    def merge_shelves(self, shelves: Sequence[str], into: str) -> Self:
        """Make one category of several; its probability is the sum of theirs. `into` may be one of them."""
        self.check_fitted()
        self.corrections_ = changes.merge_shelves(self.corrections_, shelves, into)
        return self

    def split_shelf(self, old: str, parts: Mapping[str, object]) -> Self:
        """Split new categories off one, which keeps the rest.

        They share what the old one has of a product's probabilities; other categories neither gain nor lose
        but by products that are just like the examples.

        `parts`: for each new category example products (a frame, path or `Source`) or a list of ids of
        products that the model learned from; or for each such id its new category.
        """
        self.check_fitted()
        given, ids = changes.sorted_parts(parts)
        examples = {name: self.products(_source(catalogue)) for name, catalogue in given.items()}
        self.corrections_ = changes.split_shelf(self.corrections_, old, examples, ids)
        return self

    # -- keeping ---------------------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model folder (see `artifact`); the same data, recipe and seed give the same bytes."""
        artifact.write_folder(folder, to_files(self._parts()))

    def _parts(self) -> Parts:
        self.check_fitted()
        return Parts(
            self.recipe, self.roles_, self.decision_, self.training_, self.marks_, self.corrections_,
            self.folded_, self.past_,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, mapped: bool = False) -> Self:
        """Load a model folder; ModelError when it is missing, damaged, foreign or newer.

        mapped: share arrays with other processes that do so, too; see `artifact.read_folder`.
        """
        parts = from_files(artifact.read_folder(folder, mapped), os.fspath(folder))
        model = cls(parts.recipe)
        model.roles_, model.decision_, model.training_ = parts.roles, parts.decision, parts.training
        model.marks_, model.corrections_ = parts.marks, parts.corrections
        model.past_, model.folded_ = parts.past, parts.folded
        return model


def _source(catalogue: object) -> Source:
    return catalogue if isinstance(catalogue, Source) else open_source(catalogue)


def load(folder: str | os.PathLike[str]) -> Categorizer:
    """Load a model folder that `Categorizer.save` wrote; ModelError when that cannot be done."""
    return Categorizer.load(folder)
