"""From rows to predictions: one model as it was at one moment, asked for many requests at once.

Everything that decides is the library's own: `clean`, the encoders, `Witnesses.ask`, `answer`, `withhold`,
`explain`. What is done differently from `Categorizer.predict` is around that: plain rows skip the frames of
`clean`, encoders are opened once, and answers are built without a table. The tests hold every digit to
`Categorizer.predict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from msgspec import UNSET, structs
from numpy.typing import NDArray

from shelfwise.catalogue.decoding import decode
from shelfwise.catalogue.plain import PlainReader, PlainRow
from shelfwise.catalogue.products import NO_ID, PICTURE, TEXT_FIELDS
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.categorizer import Categorizer
from shelfwise.corrections import changes
from shelfwise.corrections.state import Corrections
from shelfwise.explain import Witnesses, explain
from shelfwise.features.encoding import batched
from shelfwise.features.vectors import TABLE, ProductEncoders
from shelfwise.lesson import clean_batches
from shelfwise.predictions import Answers, Thresholds, answer, withhold
from shelfwise.scoring import block_rows
from shelfwise.serve.drift import count_words
from shelfwise.serve.limits import Limits
from shelfwise.serve.looking import Decode, LookedFolder, Looker
from shelfwise.serve.messages import Candidate, Evidence, Neighbour, Prediction, Vote, Word
from shelfwise.serve.offers import Intake, Offer

_COUNTED = 10  # one batch in so many has its words counted
_FEW = 32  # numbers that are printed faster one by one
_KEPT = ("product_id", *TEXT_FIELDS, "image", "status", "reason")


@dataclass(frozen=True)
class Wish:
    """What one request wants of its products. thresholds: of its promise, see `Categorizer.thresholds`."""

    top: int = 5
    thresholds: Thresholds | None = None
    explain: bool = False


@dataclass
class Asked:
    """The products of one request. corrected: how many corrections its answer knows of, set with it."""

    offers: Sequence[Offer]
    wish: Wish
    corrected: int = 0


class Answerer:
    """Answers for a loaded model; one thread at a time may ask it.

    Parameters
    ----------
    model: the model; its recipe names encoders, which are opened here, once.
    limits: of pictures.
    decode: makes pictures of bytes.

    Raises
    ------
    EncoderError, MissingExtraError
        An encoder of the model is not there, or is not the one that it was trained with.

    """

    def __init__(self, model: Categorizer, limits: Limits, decode: Decode = decode) -> None:
        self.model = model
        dense = model.views_.dense
        self.pictures = not {"pictures", "pixels"}.isdisjoint(dense)
        table = model.recipe.table.columns if "table" in dense else ()
        self.intake = Intake(model.roles_, tuple(table), self.pictures, limits)
        self._roles = (
            replace(model.roles_, image=model.roles_.image or PICTURE) if self.pictures else model.roles_
        )
        # Nothing is a plain row where raw columns are read beside it.
        self._plain = None if table else PlainReader(model.roles_)
        self._folder = LookedFolder()
        self._encoders = self._open_encoders() if self.pictures or "encoder" in dense else None
        self.looker = self._folder.looker = self._make_looker(limits, decode)
        """Looks at pictures before they come here, on other threads."""
        # Encoders may look at all that there is; the text's own views read their fields alone.
        needed = (
            _KEPT if self._encoders is not None else ("product_id", *model.views_.fields, "status", "reason")
        )
        self._kept = tuple(name for name in _KEPT if name in needed)
        self._tops: tuple[Taxonomy | None, dict[str, str]] = (None, {})
        self._batches = 0
        self.corrections_made = 0
        """Products that were corrected at run time."""
        self.words_known = self.words_seen = 0
        """Words of the titles of every tenth batch that the model learned from, and all of them."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The category tree as it is now."""
        return self.model.taxonomy_

    def top_shelf(self, category: str) -> str:
        """The shelf of the first level that a category belongs to."""
        taxonomy, tops = self._tops
        if taxonomy is not self.taxonomy:
            taxonomy = self.taxonomy
            tops = {label: path[0] for label, path in zip(taxonomy.labels, taxonomy.paths, strict=True)}
            self._tops = taxonomy, tops
        return tops.get(category, category)

    def answer(self, asked: Sequence[Asked]) -> list[list[Prediction]]:
        """Answer requests, each with one prediction a product, in order."""
        whole = [request.offers for request in asked]
        every = [(r, i, one) for r, offers in enumerate(whole) for i, one in enumerate(offers)]
        good = [entry for entry in every if entry[2].problem is None]
        found: dict[tuple[int, int], Prediction] = {
            (r, i): _refused(one, i) for r, i, one in every if one.problem is not None
        }
        looks = ((one.picture, one.look) for _, _, one in good)
        self._folder.known = {data: look for data, look in looks if data is not None and look is not None}
        products = self._products([one for _, _, one in good], [i for _, i, _ in good])
        witnesses = Witnesses(self.model.decision_.fusion, self.model.corrections_)
        for request in asked:
            request.corrected = self.corrections_made
        step = block_rows(len(witnesses.corrections.taxonomy.labels))
        for start in range(0, len(good), step):
            part = _Block.of(products if len(good) <= step else products[start : start + step], witnesses)
            places = good[start : start + step]
            for wish, rows in _by_wish([asked[r].wish for r, _, _ in places]):
                for row, one in zip(rows, part.predictions(rows, wish), strict=True):
                    r, i, offer = places[row]
                    found[r, i] = one if offer.note is None else _noted(one, offer)
        return [[found[r, i] for i in range(len(offers))] for r, offers in enumerate(whole)]

    def corrected(
        self, now: Corrections, offers: Sequence[Offer], categories: Sequence[str], new_shelves: bool
    ) -> Corrections:
        """Corrections with some products more, see `Categorizer.correct`; LabelError where that cannot be."""
        products = self._products(offers, list(range(len(offers))))
        return changes.correct(now, products, list(categories), new_shelves)[0]

    def take(self, corrections: Corrections, count: int) -> None:
        """Answer with these corrections from now on; `count`: products corrected at run time in all."""
        self.model.corrections_, self.corrections_made = corrections, count
        self.answer([Asked([Offer(product_id="0")], Wish())])  # what is made at the first use is made now

    def _count_words(self, products: pl.DataFrame) -> None:
        self._batches += 1
        if self._batches % _COUNTED == 0:
            known, seen = count_words(self.model, products)
            self.words_known += known
            self.words_seen += seen

    # -- rows ------------------------------------------------------------------------------------------------

    def _products(self, offers: Sequence[Offer], places: Sequence[int]) -> pl.DataFrame:
        """Clean products with their vectors, a row an offer; `places`: of each in its own request."""
        if not offers:
            return _frame([], [], self._kept)
        rows = [self._read(offer) for offer in offers]
        plain = [i for i, row in enumerate(rows) if row is not None]
        rest = [i for i, row in enumerate(rows) if row is None]
        frames = []
        names = [self._stand_in(offer, place) for offer, place in zip(offers, places, strict=True)]
        if plain:
            quick = [row for row in rows if row is not None]
            frames.append(_frame(quick, [names[i] for i in plain], self._kept))
        if rest:
            frames.append(self._clean([offers[i] for i in rest], [names[i] for i in rest]))
        products = frames[0]
        if len(frames) > 1:
            order = np.argsort(np.array(plain + rest), kind="stable")
            products = pl.concat(frames, how="diagonal")[order]
        self._count_words(products)
        if self._encoders is None:
            return products
        if PICTURE not in products.columns:
            products = products.with_columns(pl.lit(None, pl.Binary).alias(PICTURE))
        return self._encoders.attach(products).drop(PICTURE)

    def _read(self, offer: Offer) -> PlainRow | None:
        if self._plain is None or offer.picture is not None:
            return None
        return self._plain.read(offer.values)

    def _clean(self, offers: Sequence[Offer], names: Sequence[str]) -> pl.DataFrame:
        """Products that have to be cleaned, or have a picture."""
        columns: dict[str, Any] = {
            name: pl.Series([one.values.get(name) for one in offers], dtype=pl.String)
            for name in self.intake.columns
        }
        if any(one.picture is not None for one in offers):
            assert self._roles.image is not None
            paths = [one.values.get(self._roles.image) for one in offers]
            both = pl.DataFrame(
                {"bytes": [one.picture for one in offers], "path": paths},
                schema={"bytes": pl.Binary, "path": pl.String},
            )
            columns[self._roles.image] = both.to_struct()
        source = open_source(pl.DataFrame(columns))
        cleaned = pl.concat(list(clean_batches(source, self._roles, self.model.recipe, len(offers))))
        kept = [*self._kept, *(name for name in cleaned.columns if name == PICTURE or name.startswith(TABLE))]
        absent = pl.col("reason").str.contains(NO_ID, literal=True).fill_null(False)
        lacking = absent if self._roles.product_id is not None else pl.lit(True)
        own = pl.Series(
            "name", names, dtype=pl.String
        )  # a row number of this batch is no number of its request
        return cleaned.with_columns(
            pl.when(lacking).then(own).otherwise("product_id").alias("product_id")
        ).select(kept)

    def _stand_in(self, offer: Offer, place: int) -> str:
        """What a product without an id is called: its place in the request, or what it was sent as."""
        known = self._roles.product_id is None and offer.product_id
        return str(offer.product_id if known else place)

    def _open_encoders(self) -> ProductEncoders:
        recipe, dense = self.model.recipe, self.model.views_.dense
        for name, used in (("encoder", "encoder" in dense), ("pictures", self.pictures)):
            if not used:
                recipe = replace(recipe, **{name: replace(getattr(recipe, name), encoder="none")})
        folder = self._folder if self.pictures else None
        encoders = ProductEncoders(recipe, self.model.views_.fields, folder)
        encoders.check(self.model.marks_)
        return encoders

    def _make_looker(self, limits: Limits, decode: Decode) -> Looker:
        opened = {} if self._encoders is None else self._encoders.pictures
        every = [batched(encoder) for encoders in opened.values() for encoder in encoders]
        return Looker(every, limits, decode)


# -- answers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Block:
    """Products that were scored together: probabilities [products, categories], known [products]."""

    products: pl.DataFrame
    probabilities: NDArray[np.float32]
    known: NDArray[np.bool_]
    witnesses: Witnesses

    @staticmethod
    def of(products: pl.DataFrame, witnesses: Witnesses) -> _Block:
        """Score products together."""
        probabilities, present = witnesses.ask(products)
        known = present & (products["status"] == "ok").to_numpy()
        return _Block(products, probabilities, known, witnesses)

    def predictions(self, rows: Sequence[int], wish: Wish) -> list[Prediction]:
        """The predictions of some rows."""
        taxonomy = self.witnesses.corrections.taxonomy
        all_of_them = len(rows) == self.products.height
        at = np.asarray(rows)
        products = self.products if all_of_them else self.products[at]
        probabilities = self.probabilities if all_of_them else self.probabilities[at]
        answers = answer(probabilities, taxonomy, wish.top, wish.thresholds)
        answers = withhold(answers, self.known if all_of_them else self.known[at])
        evidence: list[Any] = [UNSET] * len(rows)
        if wish.explain:
            evidence = [
                _evidence(row) for row in explain(products, answers.codes[:, 0], self.witnesses).to_list()
            ]
        return _predictions(products, answers, taxonomy, evidence)


def _predictions(
    products: pl.DataFrame, answers: Answers, taxonomy: Taxonomy, evidence: Sequence[Any]
) -> list[Prediction]:
    labels, count = taxonomy.labels, len(answers.codes)
    codes = answers.codes.tolist()
    sure = _shortest(answers.confidence)
    accepted: list[bool | None] = [None] * count if answers.accepted is None else answers.accepted.tolist()
    shelves, shelf_sure = _shelves(answers, taxonomy)
    ids, statuses, reasons = (products[name].to_list() for name in ("product_id", "status", "reason"))
    made = []
    for i in range(count):
        candidates = [Candidate(labels[code], p) for code, p in zip(codes[i], sure[i], strict=True)]
        made.append(
            Prediction(
                ids[i],
                candidates[0].category,
                candidates[0].confidence,
                accepted[i],
                shelves[i],
                shelf_sure[i],
                candidates,
                statuses[i],
                reasons[i],
                UNSET,
                evidence[i],
            )
        )
    return made


def _shelves(answers: Answers, taxonomy: Taxonomy) -> tuple[list[str | None], list[float | None]]:
    count = len(answers.codes)
    if answers.shelf is None or answers.shelf_confidence is None:
        return [None] * count, [None] * count
    named = [None if node < 0 else taxonomy.name(node) for node in answers.shelf.tolist()]
    sure = _shortest(answers.shelf_confidence[:, None])
    return named, [None if name is None else row[0] for name, row in zip(named, sure, strict=True)]


def _shortest(values: NDArray[np.float32]) -> list[list[float]]:
    """Numbers that print as the float32 values [n, k] do: 0.98 and not 0.9800000190734863."""
    if values.size < _FEW:
        return [[float(str(value)) for value in row] for row in values]
    printed = pl.Series(values.ravel()).cast(pl.String).cast(pl.Float64)
    numbers: list[list[float]] = printed.to_numpy().reshape(values.shape).tolist()
    return numbers


def _evidence(row: dict[str, Any]) -> Evidence:
    return Evidence(
        [Word(one["field"], one["text"], _short(one["weight"])) for one in row["words"]],
        [
            Neighbour(one["product_id"], one["title"], one["category"], _short(one["similarity"]))
            for one in row["neighbours"]
        ],
        [Vote(one["view"], one["category"], _short(one["confidence"])) for one in row["views"]],
    )


def _short(value: float) -> float:
    return float(str(np.float32(value)))


def _by_wish(wishes: Sequence[Wish]) -> list[tuple[Wish, list[int]]]:
    """Rows by what is wanted of them."""
    if all(wish is wishes[0] or wish == wishes[0] for wish in wishes):
        return [(wishes[0], list(range(len(wishes))))]
    rows: dict[Wish, list[int]] = {}
    for row, wish in enumerate(wishes):
        rows.setdefault(wish, []).append(row)
    return list(rows.items())


def _refused(offer: Offer, place: int) -> Prediction:
    """The answer to a product that cannot be answered."""
    code, reason = offer.problem or ("", "")
    shown = (offer.product_id or "").strip() or str(place)
    return Prediction(shown, status="unreadable", reason=reason, code=code)


def _noted(one: Prediction, offer: Offer) -> Prediction:
    """The answer to a product whose picture cannot be used."""
    code, message = offer.note or ("", "")
    told = (
        one.reason if one.reason and message in one.reason else "; ".join(filter(None, (one.reason, message)))
    )
    return structs.replace(one, code=code, reason=told)


def _frame(rows: Sequence[PlainRow], names: Sequence[str], kept: Sequence[str]) -> pl.DataFrame:
    fields = dict(zip(TEXT_FIELDS, zip(*(row.fields for row in rows), strict=True), strict=False))
    columns: dict[str, Sequence[str | None]] = {
        "product_id": [row.product_id or name for row, name in zip(rows, names, strict=True)],
        "image": [row.image for row in rows],
        "status": [row.status for row in rows],
        "reason": [row.reason for row in rows],
        **fields,
    }
    return pl.DataFrame([pl.Series(name, columns.get(name, ()), pl.String, strict=False) for name in kept])
