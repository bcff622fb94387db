"""The desk at which a catalogue's doubts are worked through: doubts, products, shelves, decisions together.

Every request goes through one `Desk`, under its lock. Decisions go to the file first and from there into
memory, so that what one sees is what is kept, and what another process has written is seen as well.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.review import filters, reorder
from shelfwise.review.decisions import Decision, Decisions, DecisionsError, Row
from shelfwise.review.doubts import Candidate, Doubts, Edges
from shelfwise.review.filters import Columns, Filter
from shelfwise.review.ledger import OPEN, Ledger
from shelfwise.review.pictures import Pictures
from shelfwise.review.products import Products
from shelfwise.review.shelves import Shelves

if TYPE_CHECKING:
    from shelfwise.review.model import Voice

_SELECTIONS = 50  # that are remembered; the oldest goes first
_KNOWN_LEAST = 0.5  # of the decided products; below it the decisions are about another catalogue


class RefusedError(Exception):
    """A request that cannot be met; `code` and `status` for the answer, the message for the person."""

    def __init__(self, code: str, message: str, status: int = 409) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class DeskOptions:
    """What a desk is opened with; "" and None: as the doubts file says.

    catalogue: the file that was audited. images: the folder of its pictures. decisions: where they are kept;
    beside the doubts file otherwise. model: a model folder or mlflow:RUN_ID, whose candidates are offered,
    too; its name is kept with each decision. look_only: nothing can be decided.
    """

    catalogue: str | None = None
    images: str | None = None
    decisions: str | os.PathLike[str] | None = None
    model: str = ""
    look_only: bool = False


@dataclass(frozen=True)
class Wish:
    """One product's decision, as it was asked for."""

    id: int
    action: str
    category: str | None = None
    new: bool = False


class Desk:
    """Everything that the page shows and changes; opened by `opening.open_desk`."""

    def __init__(
        self,
        doubts: Doubts,
        products: Products,
        store: Decisions,
        options: DeskOptions,
        voice: Voice | None = None,
    ) -> None:
        self.doubts, self.products, self.store, self.options = doubts, products, store, options
        self.lock = threading.RLock()
        self.shelves = _all_shelves(doubts, products)
        self._recode()
        images, lost = _images(doubts, options)
        self.pictures = Pictures(products, images)
        self.columns = self._columns()
        self.kinds = reorder.Kinds.of(self.columns.given, self.columns.suggested, self.columns.seller)
        self.ledger = Ledger(len(doubts))
        self.model = options.model or doubts.audit.model
        self.notes = [*products.notes, *filter(None, [lost, self.pictures.note()])]
        self._selections: OrderedDict[str, NDArray[np.int64]] = OrderedDict()
        self._current: tuple[int, NDArray[np.float64], NDArray[np.int64]] | None = None
        self._number = _numbers(doubts)
        self.voice = voice
        self._settle_decisions()

    # -- opening ---------------------------------------------------------------------------------------------

    def _recode(self) -> None:
        """Codes of the doubts file -> codes of `shelves`."""
        codes = [self.shelves.code(name) for name in self.doubts.shelves]
        table = np.array([*codes, -1], np.int32)  # the last for -1: no shelf
        edges = self.doubts.edges
        self.given, self.suggested = table[self.doubts.given], table[self.doubts.suggested]
        self.edges = Edges(edges.of, edges.neighbour, table[edges.shelf], edges.similarity)

    def _columns(self) -> Columns:
        frame = self.products.frame
        places = pl.Series(self.products.of_doubt).replace(-1, None)
        shop = frame["shop"].gather(places).fill_null("")
        sellers = tuple(shop.filter(shop != "").unique().sort().to_list())
        seller = shop.replace_strict(
            pl.Series(sellers, dtype=pl.String), np.arange(len(sellers)), default=-1, return_dtype=pl.Int32
        )
        text = filters.searchable([frame["title"].gather(places), self.doubts.product_id, shop])
        self.titles = frame["title"].gather(places).fill_null("")
        return Columns(
            self.given, self.suggested, self.doubts.kind, self.doubts.kinds, seller.to_numpy(), sellers, text
        )

    def _settle_decisions(self) -> None:
        """Take in what was decided before; DecisionsError where that is about another catalogue."""
        for name in self.store.shelves():
            self.shelves.add(name)
        rows = self.store.since(0)
        numbered = [(self._doubt_of(row), row) for row in rows]
        products = {row.product_id: doubt >= 0 for doubt, row in numbered}
        found = sum(products.values())
        if products and found < _KNOWN_LEAST * len(products):
            raise DecisionsError(
                "foreign",
                f"{self.store.path} holds decisions about other products: {found:,} of its {len(products):,} "
                f"are in {self.doubts.path}. Name another file with --decisions FILE.",
            )
        if found < len(products):
            self.notes.append(
                f"{len(products) - found:,} products were decided that are not in this doubts file; "
                "their decisions are kept, and exported."
            )
        if rows and self.store.told("doubts") not in (None, self.doubts.fingerprint):
            self.notes.append(
                "Some decisions were made on an earlier doubts file of this catalogue; they count."
            )
        self._know_shelves(rows)
        self._tell_model(self.ledger.take(numbered))
        if self.can_decide:
            self.store.tell("doubts", self.doubts.fingerprint)
            self.store.tell("audit", _audit_json(self.doubts))

    def _doubt_of(self, row: Row) -> int:
        """The doubt of a row's product in this file, -1: none."""
        doubts = self.doubts
        if (
            0 <= row.id < len(doubts)
            and doubts.product_id[row.id] == row.product_id
            and int(doubts.row[row.id]) == row.row
        ):
            return row.id
        found = self._number.get(row.product_id, [])
        same_row = [doubt for doubt in found if int(self.doubts.row[doubt]) == row.row]
        return same_row[0] if same_row else found[0] if len(found) == 1 else -1

    # -- looking ---------------------------------------------------------------------------------------------

    def refresh(self) -> list[int]:
        """Take in what was decided since, here and elsewhere; return the doubts that changed."""
        rows = self.store.since(self.ledger.seq)
        if not rows:
            return []
        self._know_shelves(rows)
        touched = self.ledger.take([(self._doubt_of(row), row) for row in rows])
        self._tell_model(touched)
        return touched

    def _know_shelves(self, rows: Iterable[Row]) -> None:
        """Shelves that were made elsewhere, or of which only the decisions tell."""
        for category in {row.category for row in rows if row.category is not None}:
            if self.shelves.code(category) < 0:
                self.shelves.add(category)

    def _tell_model(self, touched: Iterable[int]) -> None:
        if self.voice is None:
            return
        choice, places = self.ledger.choice, self.products.of_doubt
        self.voice.hear(
            {
                int(places[doubt]): choice[doubt].category if doubt in choice else None
                for doubt in touched
                if places[doubt] >= 0
            }
        )

    def current(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the doubts [n] as they are now, and their order: doubts by number, highest first."""
        if self._current is None or self._current[0] != self.ledger.seq:
            choice = self.ledger.choice
            rows = np.fromiter(choice, np.int64, len(choice))
            labels = np.array([self.shelves.code(r.category or "") for r in choice.values()], np.int32)
            now = reorder.updated(
                self.doubts.doubt, (self.given, self.suggested), self.kinds, self.edges,
                reorder.Decided(rows, labels),
            )  # fmt: skip
            self._current = (self.ledger.seq, now, filters.ordered(now))
        return self._current[1], self._current[2]

    def find(self, asked: Filter) -> NDArray[np.int64]:
        """Return the numbers of the doubts that a filter lets through, highest doubt first."""
        now, order = self.current()
        selected = self._selection(asked.selection) if asked.selection else None
        keep = filters.chosen(self.columns, self.shelves, asked, (now, self.ledger.state), selected)
        return order[keep[order]]

    def number_of(self, product_id: str) -> int | None:
        """Return the doubt of a product, None where it has none, or where several products share the id."""
        found = self._number.get(product_id, [])
        return found[0] if len(found) == 1 else None

    def candidates(self, number: int) -> list[Candidate]:
        """Return the shelves that are thought possible for a doubt's product: the audit's, then the model's.

        May take a while where there is a model; needs no lock.
        """
        audited = self.doubts.details(number).candidates or []
        place = int(self.products.of_doubt[number])
        if self.voice is None or place < 0:
            return audited
        known = {candidate.category for candidate in audited}
        said = self.voice.candidates(self.products, place)
        return [*audited, *(candidate for candidate in said if candidate.category not in known)]

    def next_open(self) -> int | None:
        """Return the open doubt that is highest now, None when all is done."""
        _, order = self.current()
        still = order[self.ledger.state[order] == OPEN]
        return int(still[0]) if len(still) else None

    def kept(self, key: str) -> list[tuple[int, str, str | None]]:
        """Return id, action and (for move) category of what a request kept before; [] for a new key."""
        rows = [row for row in self.store.by_key(key) if row.action != "undo"]
        return [(row.id, row.action, row.category if row.action == "move" else None) for row in rows]

    def select(self, ids: Sequence[int]) -> tuple[str, int]:
        """Remember some doubts under a name for `Filter.selection`; return it and how many are known."""
        known = np.unique(np.array([i for i in ids if 0 <= i < len(self.doubts)], np.int64))
        name = secrets.token_urlsafe(9)
        self._selections[name] = known
        while len(self._selections) > _SELECTIONS:
            self._selections.popitem(last=False)
        return name, len(known)

    def _selection(self, name: str) -> NDArray[np.int64]:
        if name not in self._selections:
            raise RefusedError(
                "selection", "This selection is no longer known. Select on the map again.", 404
            )
        return self._selections[name]

    # -- deciding --------------------------------------------------------------------------------------------

    def decide(self, key: str, who: str, wishes: Sequence[Wish]) -> list[dict[str, Any]]:
        """Keep decisions, all or none; return those of others that differ.

        Raises
        ------
        RefusedError
            A doubt or a category is not there.
        DecisionsError
            They could not be kept.

        """
        self._may_decide()
        if len({wish.id for wish in wishes}) != len(wishes):
            raise RefusedError("twice", "A product is decided twice in one request. Nothing was kept.", 400)
        self.refresh()
        rows = [self._row(wish) for wish in wishes]
        for name in dict.fromkeys(w.category for w in wishes if w.new and w.action == "move" and w.category):
            self.add_shelf(name, who)
        self.store.add(key, who, rows, self.model)
        self.refresh()
        return [
            {"id": row.id, "who": other.who, "category": other.category}
            for row in rows
            for other in self.ledger.others(row.id, who)
            if row.category is not None and other.category != row.category
        ]

    def undo(self, key: str, who: str) -> list[int]:
        """Take back a reviewer's last request; return the doubts that it was about."""
        self._may_decide()
        rows = self.store.undo(key, who, self.model)
        self.refresh()
        known = [self._doubt_of(row) for row in rows]
        return [doubt for doubt in known if doubt >= 0]

    def add_shelf(self, category: str, who: str) -> str:
        """Make a new shelf, at once in the picker; return its category."""
        self._may_decide()
        name = self.shelves.named(category)
        code = self.shelves.code(name)
        if code < 0 or not self.shelves.known[code]:
            self.store.add_shelf(name, who)
            self.shelves.add(name)
        return name

    def _row(self, wish: Wish) -> Decision:
        if not 0 <= wish.id < len(self.doubts):
            raise RefusedError("unknown", f"There is no doubt {wish.id}. Load the page again.", 404)
        given = self.shelves.label_of(self.given[wish.id]) or ""
        suggested = self.shelves.label_of(self.suggested[wish.id]) or ""
        choose: dict[str, Callable[[], str | None]] = {
            "accept": lambda: self._shelf(suggested, False),
            "keep": lambda: self._kept_on(given),
            "move": lambda: self._shelf(wish.category or "", wish.new),
        }
        now, _ = self.current()
        return Decision(
            wish.id,
            self.doubts.product_id[wish.id],
            int(self.doubts.row[wish.id]),
            wish.action,
            choose.get(wish.action, lambda: None)(),
            given,
            suggested,
            round(float(now[wish.id]), 6),
        )

    def _kept_on(self, given: str) -> str:
        if given:
            return given
        raise RefusedError(
            "no_given", "This product has no shelf that it could be kept on. Accept the suggestion or choose."
        )

    def _shelf(self, category: str, new: bool) -> str:
        code = self.shelves.code(category)
        if code >= 0 and self.shelves.known[code]:
            return category
        if new:
            return self.shelves.named(category)
        raise RefusedError(
            "no_shelf",
            f"The catalogue has no shelf {category!r} any more. Choose another one, or add it anew.",
        )

    @property
    def can_decide(self) -> bool:
        """Whether anything can be decided: not where one only looks, nor where nothing was judged."""
        return self.doubts.audit.judged and not self.options.look_only

    def _may_decide(self) -> None:
        if not self.can_decide:
            raise RefusedError("look_only", "This page is only for looking; nothing can be decided.", 403)

    def close(self) -> None:
        """Close all files."""
        self.store.close()
        self.products.close()
        self.doubts.close()


def _images(doubts: Doubts, options: DeskOptions) -> tuple[str, str | None]:
    """The folder of pictures that is to be used, "" for none, and what to say of one that has gone."""
    images = options.images or doubts.audit.images
    if options.images or not images or Path(images).is_dir():
        return images, None
    return "", f"The folder of pictures {images} is no longer there. Name it with --images DIR."


def _all_shelves(doubts: Doubts, products: Products) -> Shelves:
    known, choosable = set(products.labels["label"].to_list()), doubts.audit.shelves
    others = [name for name in dict.fromkeys([*choosable, *doubts.shelves]) if name not in known]
    labels = [*products.labels["label"].to_list(), *others]
    paths = [*products.labels["label_path"].to_list(), *map(choosable.get, others)]
    shelves = Shelves(labels, paths, [*products.labels["products"].to_list(), *([0] * len(others))],
                      doubts.audit.separator)  # fmt: skip
    for name in choosable:
        shelves.known[shelves.code(name)] = True
    return shelves


def _numbers(doubts: Doubts) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, product in enumerate(doubts.product_id.to_list()):
        numbers.setdefault(product, []).append(number)
    return numbers


def _audit_json(doubts: Doubts) -> str:
    import msgspec

    return msgspec.json.encode(doubts.audit).decode()
