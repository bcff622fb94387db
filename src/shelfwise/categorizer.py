"""The `Categorizer`: learns a catalogue's categories, predicts, explains, saves and loads.

It owns the learned state and nothing else; each method is one step of the flow, done by a module of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise import artifact
from shelfwise.card import write_card
from shelfwise.catalogue.read import Source, open_source
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import Pool, lift_of
from shelfwise.errors import CatalogueError, ModelError, PromiseError, ShelfwiseError
from shelfwise.explain import Witnesses, explain
from shelfwise.features.cache import VectorCache
from shelfwise.features.vectors import EncoderMark, ProductEncoders
from shelfwise.lesson import Training, clean_batches, open_pictures, sides
from shelfwise.predictions import PredictOptions, Thresholds, answer, to_table, withhold
from shelfwise.recipe import Recipe
from shelfwise.scoring import map_blocks, probabilities_of
from shelfwise.training import train
from shelfwise.views.panel import Views
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
    taxonomy_: Taxonomy
    views_: Views
    decision_: Decision
    training_: Training
    neighbours_: pl.DataFrame
    renamed_: dict[str, str | None]  # categories that a mapping changed; None = dropped
    counts_: NDArray[np.int64]  # products learned from, by category
    marks_: dict[str, EncoderMark]  # the encoders that the model was trained with

    def __init__(self, recipe: Recipe | None = None) -> None:
        self.recipe = recipe or Recipe()

    def use_pictures(self, folder: str | os.PathLike[str]) -> Self:
        """Look for the products' pictures in a folder from now on, when learning and when predicting.

        Pictures in the catalogue itself, or beside it under the paths that it names, are found without.
        """
        pictures = replace(self.recipe.pictures, folder=os.fspath(folder))
        self.recipe = replace(self.recipe, pictures=pictures)
        return self

    # -- learning --------------------------------------------------------------------------------------------

    def fit(
        self, catalogue: object, *, split: str | None = None, notify: Callable[[str], None] | None = None
    ) -> Self:
        """Learn a catalogue's categories.

        Args:
            catalogue: a path (file, folder, glob), a `Source`, or any frame that speaks Arrow.
            split: a column that marks rows; those marked train or val are learned from. None: all labelled
                rows.
            notify: called with the name of each step as it begins.

        Raises:
            CatalogueError, LabelError, RecipeError: what is wrong with the catalogue, its categories or the
                recipe.

        """
        done = train(_source(catalogue), self.recipe, split, self.threads, notify)
        self.roles_, self.taxonomy_, self.views_ = done.lesson.roles, done.lesson.taxonomy, done.views
        self.decision_, self.training_, self.neighbours_ = done.decision, done.training, done.neighbours
        self.renamed_, self.counts_, self.marks_ = done.lesson.renamed, done.counts, done.lesson.marks
        return self

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
        blocks = map_blocks(
            lambda block: self._ask(block)[0], products, len(self.taxonomy_.labels), self.threads
        )
        parts = list(blocks) or [np.empty((0, len(self.taxonomy_.labels)), np.float32)]
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
        rows: int = 20_000,
    ) -> Iterator[pl.DataFrame]:
        """Predict in pieces of at most `rows` rows, in input order and bounded memory; one piece at least.

        Raises
        ------
        PromiseError
            The model's out-of-fold record cannot support the promise.

        """
        options = options or PredictOptions()
        thresholds = self.thresholds(options.promise)
        for products in self._product_batches(_source(catalogue), split, rows):
            yield self._predict(products, options, thresholds)

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

    def _product_batches(self, source: Source, split: str | None, rows: int) -> Iterator[pl.DataFrame]:
        self.check_fitted()
        roles = self.roles_
        if split is not None:
            if split not in source.columns:
                listed = ", ".join(source.columns)
                raise CatalogueError(f"there is no column {split!r} to split by; columns are: {listed}")
            roles = replace(roles, split=split)
        encoders: ProductEncoders | None = None
        empty = True
        for products in clean_batches(source, roles, self.recipe, rows):
            encoders = encoders or self._open_encoders(source, products)
            chosen = products
            if split is not None:
                chosen = products.filter(
                    sides(products, split)[1] | (products["status"] == "unreadable").to_numpy()
                )
            if chosen.height or empty:
                yield encoders.attach(chosen)
                empty = False

    def _open_encoders(self, source: Source, products: pl.DataFrame) -> ProductEncoders:
        """The encoders that the model's views need for a catalogue; pictures that are not there need none."""
        recipe = self.recipe
        wanted = not {"pictures", "pixels"}.isdisjoint(self.views_.dense)
        for name, used in (("encoder", "encoder" in self.views_.dense), ("pictures", wanted)):
            if not used:
                recipe = replace(recipe, **{name: replace(getattr(recipe, name), encoder="none")})
        pictures = open_pictures(source, products, recipe.pictures.folder) if wanted else None
        encoders = ProductEncoders(recipe, self.views_.fields, pictures, VectorCache())
        encoders.check(self.marks_)
        return encoders

    def check_fitted(self) -> None:
        """Raise ModelError where neither `fit` nor `load` has given anything to predict with."""
        if not hasattr(self, "decision_"):
            raise ModelError(
                "this Categorizer has not learned anything: call fit with a labelled catalogue first, "
                "or take a model folder with shelfwise.load"
            )

    def _ask(self, products: pl.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return probabilities_of(self.views_, self.decision_.fusion, products)

    def _predict(
        self, products: pl.DataFrame, options: PredictOptions, thresholds: Thresholds | None
    ) -> pl.DataFrame:
        asked = Witnesses(self.views_, self.decision_.fusion, self.taxonomy_, self.neighbours_)

        def work(block: pl.DataFrame) -> pl.DataFrame:
            probabilities, present = self._ask(block)
            answers = answer(probabilities, self.taxonomy_, options.top, thresholds)
            answers = withhold(answers, present & (block["status"] == "ok").to_numpy())
            table = to_table(block, answers, self.taxonomy_)
            if not options.explain:
                return table
            why = explain(block, answers.codes[:, 0], asked)
            why = why.set(block["status"] == "unreadable", None)
            return table.insert_column(table.columns.index("status"), why)

        if products.height == 0:
            return work(products)
        return pl.concat(list(map_blocks(work, products, len(self.taxonomy_.labels), self.threads)))

    # -- keeping ---------------------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model folder (see `artifact`); the same data, recipe and seed give the same bytes."""
        self.check_fitted()
        training = self.training_.to_dict()
        training.pop("timings")
        recipe = self.recipe.to_dict()
        fusion = self.decision_.fusion
        state = {
            "recipe": {**recipe, "threads": 0, "pictures": {**recipe["pictures"], "folder": ""}},
            "roles": self.roles_.to_dict(),
            "fields": list(self.views_.fields),
            "dense": list(self.views_.dense),
            "encoders": {name: asdict(mark) for name, mark in self.marks_.items()},
            "fusion": {"pool": fusion.pool.to_dict() if fusion.pool else None, "exponents": fusion.exponents},
            "delta": self.decision_.delta,
            "renamed": self.renamed_,
            "counts": self.counts_.tolist(),
            "training": training,
        }
        kept = {
            f"kept.{column}.{part}": array
            for column in ("product_id", "title")
            for part, array in artifact.pack_texts(self.neighbours_[column].to_list()).items()
        }
        decision = {**self.decision_.record.tensors(), "prior": fusion.prior}
        artifact.write_folder(
            folder,
            {
                "model.json": artifact.to_json(state),
                "taxonomy.json": artifact.to_json(self.taxonomy_.to_dict()),
                "views.safetensors": artifact.to_safetensors({**self.views_.tensors(), **kept}),
                "decision.safetensors": artifact.to_safetensors(decision),
                "README.md": write_card(state, self.taxonomy_).encode("utf-8", "replace"),
            },
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Load a model folder; ModelError when it is missing, damaged, foreign or newer."""
        import json

        files = artifact.read_folder(folder)
        try:
            state: dict[str, Any] = json.loads(files["model.json"])
            model = cls(Recipe.from_dict(state["recipe"], "the model's recipe"))
            model.roles_ = Roles.from_dict(state["roles"])
            model.taxonomy_ = Taxonomy.from_dict(json.loads(files["taxonomy.json"]))
            model.training_ = Training(**state["training"])
            model.renamed_ = dict(state["renamed"])
            model.counts_ = np.array(state["counts"], np.int64)
            tensors = artifact.from_safetensors(files["views.safetensors"])
            model.marks_ = {name: EncoderMark(**mark) for name, mark in state["encoders"].items()}
            views = Views(model.recipe, state["fields"], dense=state["dense"])
            model.views_ = views.restore(tensors, len(model.taxonomy_.labels))
            model.neighbours_ = pl.DataFrame(
                {
                    column: artifact.unpack_texts(
                        {part: tensors[f"kept.{column}.{part}"] for part in ("bytes", "ends")}
                    )
                    for column in ("product_id", "title")
                },
                schema={"product_id": pl.String, "title": pl.String},
            )
            decision = artifact.from_safetensors(files["decision.safetensors"])
            prior = decision["prior"].astype(np.float32)
            pool = Pool(**state["fusion"]["pool"], lift=lift_of(prior)) if state["fusion"]["pool"] else None
            fusion = Fusion(pool, prior, state["fusion"]["exponents"])
            model.decision_ = Decision(fusion, Record.restore(decision), float(state["delta"]))
        except (ShelfwiseError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ModelError(f"{folder} is not a model that this version can read: {error!r}") from error
        return model


def _source(catalogue: object) -> Source:
    return catalogue if isinstance(catalogue, Source) else open_source(catalogue)


def load(folder: str | os.PathLike[str]) -> Categorizer:
    """Load a model folder that `Categorizer.save` wrote; ModelError when that cannot be done."""
    return Categorizer.load(folder)
