"""Which column is what: roles found by column names in eight languages and by what the values look like."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import polars as pl

from shelfwise.catalogue import names
from shelfwise.catalogue.labelling import ANSWER, Labelling, find_label, is_category, is_flat_category
from shelfwise.catalogue.parts import UNREADABLE
from shelfwise.catalogue.plausibility import id_like, image_like, plausible, rest, title_like
from shelfwise.catalogue.profiles import Profile, profile
from shelfwise.errors import CatalogueError

SINGLE = (
    "product_id", "title", "description", "brand", "shop", "url", "image", "price", "split", "group",
    "nested", "label", "label_name",
)  # fmt: skip
"""Roles that one column plays."""

MANY = ("attributes", "numbers", "levels")
"""Roles that several columns play."""

_SPLITS = frozenset(
    ["train", "training", "test", "testing", "val", "valid", "validation", "dev", "holdout", "eval"]
)


@dataclass(frozen=True)
class Roles:
    """The role of every column of a catalogue; a column that is named nowhere here is not read.

    Attributes:
        product_id: the product's id; without one the row number serves.
        title: the product's name.
        description: the long text.
        brand: brand or manufacturer.
        shop: shop, seller or merchant.
        url: the product page; the words of its path are text.
        image: picture file or address, or the picture itself as bytes.
        price: the price; one of `numbers`.
        split: marks rows as train, val or test.
        group: near-duplicates, such as offers of one article; keeps them on one side of a split, never a
        feature.
        attributes: columns whose values become ``name=value`` items, nested or plain.
        nested: a column that holds a whole product as JSON or Python literal (see `products.open_nested`).
        numbers: columns of plain numbers.
        label: the column to learn and predict, as in the source; with `levels`, the deepest of them.
        label_name: the readable path beside a label of ids.
        separator: between the levels of a path; None = one level.
        levels: columns that make up the label together, from coarse to fine, where each level has its own.
        ignored: column -> why it is not used.
        why: column -> how its role was found.

    """

    product_id: str | None = None
    title: str | None = None
    description: str | None = None
    brand: str | None = None
    shop: str | None = None
    url: str | None = None
    image: str | None = None
    price: str | None = None
    split: str | None = None
    group: str | None = None
    attributes: tuple[str, ...] = ()
    nested: str | None = None
    numbers: tuple[str, ...] = ()
    label: str | None = None
    label_name: str | None = None
    separator: str | None = None
    levels: tuple[str, ...] = ()
    ignored: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def used(self, available: Iterable[str] | None = None) -> list[str]:
        """Return the columns that `products.clean` reads, each once; just those in `available` if given."""
        there = None if available is None else set(available)
        wanted = [getattr(self, role) for role in SINGLE if role != "price"]
        wanted += [*self.attributes, *self.levels]
        return [c for c in dict.fromkeys(wanted) if c is not None and (there is None or c in there)]

    def role_of(self, column: str) -> str | None:
        """Return the role of a column, "ignored", or None for a column that was not seen."""
        if column in self.levels:
            return "label"
        for role in SINGLE:
            if getattr(self, role) == column:
                return role
        for role in MANY:
            if column in getattr(self, role):
                return role
        return "ignored" if column in self.ignored else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the roles that `to_dict` gave; unknown keys are an error."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(plain) - known)
        if unknown:
            raise CatalogueError(
                f"Roles have unknown entries: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
            )
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
        return cls(**values)


def find_roles(sample: pl.DataFrame, given: Mapping[str, str | Sequence[str] | None] | None = None) -> Roles:
    """Find the role of every column of a sample.

    Names decide first, the look of the values second; a name whose values cannot play the part (a ``link`` of
    numbers) does not win. Of several candidates the best wins and the others become attributes.

    Args:
        sample: some rows of the catalogue; 2,000 are plenty.
        given: role -> column (or columns, for attributes, numbers and levels) that override what is found;
        "none" or
            None switches a role off. "separator" takes the separator itself.

    Returns:
        The roles; `Roles.why` and `Roles.ignored` say for each column how it came to its role.

    Raises:
        CatalogueError: a role or a column in `given` does not exist.

    """
    sample = sample.drop(UNREADABLE, strict=False)
    asked = _check_given(given or {}, sample.columns)
    return _Search(sample, asked).run()


def _check_given(given: Mapping[str, str | Sequence[str] | None], columns: list[str]) -> dict[str, Any]:
    """Return the overrides with names checked: single roles -> column or None, many -> tuple."""
    asked: dict[str, Any] = {}
    for role, value in given.items():
        if role == "separator":
            asked[role] = value
            continue
        if role not in SINGLE and role not in MANY:
            roles = ", ".join((*SINGLE, *MANY, "separator"))
            raise CatalogueError(f"Unknown role {role!r}. Roles are: {roles}.")
        listed = _listed(value, columns)
        for column in listed:
            if column not in columns:
                raise CatalogueError(_no_column(column, role, columns))
        if role in MANY:
            asked[role] = tuple(listed)
        elif role == "label" and len(listed) > 1:
            asked["levels"] = tuple(listed)
        elif len(listed) > 1:
            raise CatalogueError(f"Role {role!r} takes one column, not {len(listed)}: {', '.join(listed)}.")
        else:
            asked[role] = listed[0] if listed else None
    return asked


def _listed(value: str | Sequence[str] | None, columns: list[str]) -> list[str]:
    """Return the columns that an override names: a name, several with commas between, a list, or none."""
    if value is None:
        return []
    if not isinstance(value, str):
        return list(value)
    if value in columns:
        return [value]
    return [] if value.lower() == "none" else [part.strip() for part in value.split(",")]


def _no_column(column: str, role: str, columns: list[str]) -> str:
    near = difflib.get_close_matches(column, columns, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return f"There is no column {column!r} for {role}.{hint} Columns are: {', '.join(columns)}."


class _Search:
    """One run of `find_roles`: columns are claimed role by role, surest first."""

    def __init__(self, sample: pl.DataFrame, asked: dict[str, Any]) -> None:
        self.profiles: dict[str, Profile] = {c: profile(sample[c]) for c in sample.columns}
        self.sample = sample
        self.asked = asked
        self.free: list[str] = list(sample.columns)
        self.found: dict[str, Any] = {}
        self.why: dict[str, str] = {}
        self.ignored: dict[str, str] = {}

    def run(self) -> Roles:
        self._take_given()
        self._drop_useless()
        self._take_split_and_nested()
        for role in ("image", "url"):
            self._take_by_name(role)
        self._take_label()
        for role in ("group", "product_id", "title", "description", "brand", "shop", "price"):
            self._take_by_name(role)
        self._take_by_content()
        self._take_rest()
        return Roles(**self.found, ignored=self.ignored, why=self.why)

    # Claiming
    # ----------------------------------------------------------------------------------------------------

    def _claim(self, role: str, column: str, why: str) -> None:
        self.found[role] = column
        self.why[column] = why
        if column in self.free:
            self.free.remove(column)

    def _ignore(self, column: str, why: str) -> None:
        self.ignored[column] = why
        if column in self.free:
            self.free.remove(column)

    def _open(self, role: str) -> bool:
        return role not in self.asked and self.found.get(role) is None

    def _take_given(self) -> None:
        for role, value in self.asked.items():
            if role in MANY:
                self.found[role] = value
                for column in value:
                    self.why[column] = "as given"
                    if column in self.free:
                        self.free.remove(column)
            elif role == "separator":
                self.found[role] = value
            elif value is not None:
                self._claim(role, value, "as given")

    def _drop_useless(self) -> None:
        for column in list(self.free):
            p = self.profiles[column]
            if p.filled == 0:
                self._ignore(column, "empty")
            elif p.distinct == 1 and p.filled == p.rows and p.rows >= 20 and not is_category(column):
                self._ignore(column, f"constant: {str(p.values[0])[:40]!r}")

    def _take_split_and_nested(self) -> None:
        for column in list(self.free):
            p = self.profiles[column]
            if self._open("split") and 0 < p.distinct <= 5:
                if set(p.values.str.to_lowercase().unique().to_list()) <= _SPLITS:
                    self._claim("split", column, "values are train, val or test")
            elif self._open("nested") and p.is_nested and names.match(column, "nested"):
                self._claim("nested", column, "named like a product's fields")

    def _take_by_name(self, role: str) -> None:
        if not self._open(role):
            return
        scored = [(names.match(c, role), c) for c in self.free]
        fit = [(s, c) for s, c in scored if s > 0 and plausible(role, s, self.profiles[c])]
        if role != "title":
            fit = [(s, c) for s, c in fit if s > 0.5 or not is_category(c)]
        if fit:
            best = max(fit, key=lambda pair: (pair[0], -self.free.index(pair[1])))
            self._claim(role, best[1], "by its name")

    def _take_label(self) -> None:
        columns = [c for c in self.sample.columns if c in self.free or c in self._asked_labels()]
        labelling = find_label(self.sample.select(columns), self.profiles, self.asked)
        self._apply(labelling)

    def _asked_labels(self) -> set[str]:
        return {self.asked.get("label"), self.asked.get("label_name"), *self.asked.get("levels", ())} - {None}

    def _apply(self, labelling: Labelling) -> None:
        for role in ("label", "label_name"):
            column = getattr(labelling, role)
            if column is not None:
                self._claim(role, column, self.why.get(column, labelling.why))
        for column in labelling.levels:
            self.why.setdefault(column, labelling.why)
            if column in self.free:
                self.free.remove(column)
        self.found["levels"] = labelling.levels
        self.found.setdefault("separator", labelling.separator)
        for column in labelling.others:
            if column in self.free:
                self._ignore(column, ANSWER)

    # What names did not tell
    # -------------------------------------------------------------------------------------

    def _take_by_content(self) -> None:
        self._best("image", image_like, "values are pictures")
        self._best("url", lambda p: p.url if p.url > 0.8 else 0.0, "values are addresses")
        self._best("product_id", id_like, "every value once, short, no words")
        titles = [c for c in self.free if title_like(self.profiles[c]) > 0]
        if self._open("title"):
            self._best("title", title_like, "short text that seldom repeats")
        if self._open("description") and titles:
            title = self.found.get("title")
            longer = self.profiles[title].length if title else 0.0
            least = max(60.0, 1.5 * longer)
            long = {c: p.length for c, p in self.profiles.items() if p.is_text and p.length > least}
            self._best("description", lambda p: long.get(p.name, 0.0), "the longest text")
        if self._open("brand"):
            self._best("brand", self._brand_like, "repeated short values that titles mention")
        flat = [c for c in self.free if is_flat_category(self.profiles[c])]
        if self._open("label") and "levels" not in self.asked and len(flat) == 1:
            self._claim("label", flat[0], "the only column of short texts that repeat")

    def _best(self, role: str, score: Callable[[Profile], float], why: str) -> None:
        if not self._open(role):
            return
        scored = [(score(self.profiles[c]), c) for c in self.free]
        best = max(scored, key=lambda pair: (pair[0], -self.free.index(pair[1])), default=(0.0, ""))
        if best[0] > 0:
            self._claim(role, best[1], why)

    def _brand_like(self, p: Profile) -> float:
        """Return the share of titles that hold the column's value."""
        title = self.found.get("title")
        short = p.is_text and p.words <= 4 and p.separator is None
        if title is None or not short or p.uniqueness > 0.8 or p.distinct < 3:
            return 0.0
        pair = self.sample.select(
            pl.col(title).cast(pl.String).str.to_lowercase().alias("t"),
            pl.col(p.name).cast(pl.String).str.to_lowercase().str.strip_chars().alias("b"),
        ).drop_nulls()
        mentioned = pl.col("t").str.contains(pl.col("b"), literal=True).mean()
        inside = pair.filter(pl.col("b") != "").select(mentioned).item()
        return float(inside) if inside is not None and inside > 0.3 else 0.0

    def _take_rest(self) -> None:
        attributes, numbers = list(self.found.get("attributes", ())), list(self.found.get("numbers", ()))
        if self.found.get("price") is not None:
            numbers.insert(0, self.found["price"])
        for column in list(self.free):
            role, why = rest(self.profiles[column])
            if role == "attributes" and "attributes" not in self.asked:
                attributes.append(column)
                self.why[column] = why
            elif role == "numbers" and "numbers" not in self.asked:
                numbers.append(column)
                self.why[column] = why
            else:
                self._ignore(column, why if role == "ignored" else f"{role} are given")
        self.found["attributes"] = tuple(dict.fromkeys(attributes))
        self.found["numbers"] = tuple(dict.fromkeys(numbers))
