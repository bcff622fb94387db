"""What people can do to a model after training; each gives new corrections and leaves the old alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from shelfwise.corrections.heads import Head
from shelfwise.corrections.memory import CORRECTED, EXAMPLE, NAMED, Memory
from shelfwise.corrections.state import Corrections
from shelfwise.errors import LabelError

_ALONE = 0.8  # of the weight of nearness where there is no text to measure it on


@dataclass(frozen=True)
class Corrected:
    """What became of a call of `correct`.

    taken: products that are remembered. replaced: earlier corrections that these stand for. unusable:
    products with nothing to go by. unlabelled: products without a category. added: categories that are new.
    total: corrected products that the model remembers now.
    """

    taken: int
    replaced: int
    unusable: int
    unlabelled: int
    added: tuple[str, ...]
    total: int


def correct(
    now: Corrections, products: pl.DataFrame, categories: Sequence[str | None], new_shelves: bool = True
) -> tuple[Corrections, Corrected]:
    """Remember clean products (with their vectors) with the right category of each.

    A category that does not exist is added, or refused without `new_shelves`: a slip of the pen makes one.
    """
    if len(categories) != products.height:
        raise LabelError(f"{products.height:,} products need as many categories; got {len(categories):,}")
    labels = [resolve(now, name) for name in categories]
    added = sorted({label for label in labels if label is not None and label not in now.shelves.paths})
    if added and not new_shelves:
        raise LabelError(
            f"there is no category {added[0]!r}{now.shelves.suggest(added[0])}"
            + (f" ({len(added)} categories are new)" if len(added) > 1 else "")
        )
    for label in added:
        now = _with_shelf(now, Head(label), label)
    numbers = {head.label: now.heads.number(head.label) for head in now.heads.heads}
    told = pl.DataFrame(
        {
            "label": labels,
            "kind": CORRECTED,
            "head": [
                -1 if label in now.shelves.learned else numbers.get(label or "", -1) for label in labels
            ],
        },
        schema={"label": pl.String, "kind": pl.UInt8, "head": pl.Int32},
    )
    before = len(now.memory)
    labelled = told["label"].is_not_null()
    now, taken, usable = _remember(now, products.filter(labelled), told.filter(labelled))
    report = Corrected(
        taken=taken,
        replaced=before + usable - len(now.memory),
        unusable=int(labelled.sum()) - usable,
        unlabelled=int((~labelled).sum()),
        added=tuple(added),
        total=int((now.memory.table["kind"] == CORRECTED).sum()),
    )
    if added:
        now = _logged(now, "added", shelves=added)
    return _counted(now, report).rebuilt(), report


def add_shelf(
    now: Corrections, label: str, path: str, words: str = "", examples: pl.DataFrame | None = None
) -> Corrections:
    """A category more, known by the words of its name, words beside them, and example products."""
    name = now.shelves.tidy(label)
    now = _with_shelf(now, Head(name), path or name, words)
    count = 0
    if examples is not None:
        now, _, count = _examples(now, examples, name)
        if count == 0:
            raise LabelError(f"none of the examples of {name!r} has a text or picture to go by")
    return _logged(now, "added", shelves=[name], examples=count).rebuilt()


def rename_shelf(now: Corrections, old: str, new: str) -> Corrections:
    """Another name or place for a category, or for a shelf and all below it."""
    shelves, names = now.shelves.rename(old, new)
    if all(before == after for before, after in names.items()) and shelves.paths == now.shelves.paths:
        raise LabelError(f"{old!r} is called that already")
    now = _moved(replace(now, shelves=shelves), names)
    return _logged(now, "renamed", old=old, new=new, categories=len(names))


def merge_shelves(now: Corrections, shelves: Sequence[str], into: str) -> Corrections:
    """Several categories as one; its probability is the sum of theirs."""
    after, names = now.shelves.merge(shelves, into)
    target = next(iter(names.values()))
    now = _moved(replace(now, shelves=after), names)
    return _logged(now, "merged", shelves=sorted(set(names) - {target}), into=target).rebuilt()


def split_shelf(
    now: Corrections, old: str, parts: Mapping[str, pl.DataFrame], ids: Mapping[str, Sequence[str]]
) -> Corrections:
    """Split new categories off one; each is known by its name, example products, or ids of learned products.

    They share among them what the old one had: no other category gains or loses.
    """
    source = now.shelves.tidy(old)
    if source not in now.shelves.paths:
        raise LabelError(f"there is no category {old!r}{now.shelves.suggest(source)}")
    named = list(dict.fromkeys([*parts, *ids]))
    if not named:
        raise LabelError(f"name at least one category to split off {old!r}, with products that belong there")
    for name in named:
        label = now.shelves.tidy(name)
        now = _with_shelf(now, Head(label, source), label)
        count = 0
        if name in parts:
            now, _, count = _examples(now, parts[name], label)
        if name in ids:
            now, found = _of_kept(now, ids[name], label)
            count += found
        if count == 0:
            raise LabelError(f"no product with a text or picture to go by was given for {label!r}")
    return _logged(now, "split", shelf=source, parts=[now.shelves.tidy(name) for name in named]).rebuilt()


def resolve(now: Corrections, name: str | None) -> str | None:
    """A category's label as it is now; None for no category; a name that is not known stays as it is."""
    if name is None or not name.strip():
        return None
    label = now.shelves.tidy(name)
    if label in now.shelves.paths or label not in now.renamed:
        return label
    if now.renamed[label] is None:
        raise LabelError(f"the category {label!r} was dropped when the model was trained; name another one")
    return now.renamed[label]


def sorted_parts(parts: Mapping[str, object]) -> tuple[dict[str, object], dict[str, list[str]]]:
    """The parts of a split: new categories with example products, and new categories with ids."""
    given: dict[str, object] = {}
    ids: dict[str, list[str]] = {}
    for name, what in parts.items():
        if isinstance(what, str):  # an id, and where it goes
            ids.setdefault(what, []).append(name)
        elif isinstance(what, list | tuple | set | frozenset):
            ids.setdefault(name, []).extend(map(str, what))
        else:
            given[name] = what
    return given, ids


# -- steps ---------------------------------------------------------------------------------------------------


def _with_shelf(now: Corrections, head: Head, path: str, words: str = "") -> Corrections:
    """The corrections with one shelf more, known by the words of its name."""
    now = replace(
        now,
        shelves=now.shelves.add(head.label, path),
        heads=replace(now.heads, heads=(*now.heads.heads, head)),
    )
    fields = now.learned.views.fields
    if not fields:
        return now
    leaf = now.shelves.paths[head.label][-1]
    said = {"title" if "title" in fields else fields[0]: f"{leaf} {words}".strip()}
    named = pl.DataFrame({"product_id": "", "title": "", **dict.fromkeys(fields, ""), **said})
    told = _told(1, head.label, NAMED, len(now.heads.heads) - 1)
    return _remember(now, named, told)[0]


def _examples(now: Corrections, products: pl.DataFrame, label: str) -> tuple[Corrections, int, int]:
    return _remember(now, products, _told(products.height, label, EXAMPLE, len(now.heads.heads) - 1))


def _of_kept(now: Corrections, ids: Sequence[str], label: str) -> tuple[Corrections, int]:
    """Remember learned products by their ids, as examples of the newest shelf."""
    ground = now.learned.ground
    if ground is None or not now.learned.by_id:
        raise LabelError("this model knows no products by id; give the products themselves")
    places = np.flatnonzero(ground.kept["product_id"].is_in(list(ids)).to_numpy())
    told = _told(len(places), label, EXAMPLE, len(now.heads.heads) - 1)
    later = Memory.of_kept(places, told, ground)
    return replace(_started(now), memory=now.memory.add(later, True)), len(places)


def _told(count: int, label: str, kind: int, head: int) -> pl.DataFrame:
    values: dict[str, list[Any]] = {"label": [label] * count, "kind": [kind] * count, "head": [head] * count}
    return pl.DataFrame(values, schema={"label": pl.String, "kind": pl.UInt8, "head": pl.Int32})


def _remember(now: Corrections, products: pl.DataFrame, told: pl.DataFrame) -> tuple[Corrections, int, int]:
    """Remember products with what is told of them; also how many are new there, and how many were usable."""
    nameless = pl.col("reason").str.contains("no product id", literal=True).fill_null(False)
    if "reason" in products.columns:  # a row number is nobody's name
        products = products.with_columns(
            pl.when(nameless).then(pl.lit("")).otherwise("product_id").alias("product_id")
        )
    rows = now.rows
    heard = rows.digests(products) != 0
    for name in rows.dense:
        heard = heard | rows.vectors(products, name)[1]
    products, told = (
        products.filter(pl.Series(heard, dtype=pl.Boolean)),
        told.filter(pl.Series(heard, dtype=pl.Boolean)),
    )
    if products.height == 0:
        return now, 0, 0
    by_id = now.learned.by_id and int(told["kind"][0]) != NAMED
    later = Memory.of(products, told, rows, now.learned.ground).last(by_id)
    memory = now.memory.add(later, by_id)
    return replace(_started(now), memory=memory), len(later), products.height


def _started(now: Corrections) -> Corrections:
    """With the strength of nearness, which is measured once, when the first product is remembered."""
    if now.strength:
        return now
    ground = now.learned.ground
    return replace(now, strength=ground.strength(now.learned.accuracy) if ground is not None else _ALONE)


def _moved(now: Corrections, names: Mapping[str, str]) -> Corrections:
    return replace(now, memory=now.memory.followed(names), heads=now.heads.followed(names))


def _logged(now: Corrections, did: str, **what: object) -> Corrections:
    return replace(now, log=(*now.log, {"did": did, **what}))


def _counted(now: Corrections, report: Corrected) -> Corrections:
    """One entry for corrections that follow each other: people make them one by one, thousands of them."""
    last = now.log[-1] if now.log and now.log[-1]["did"] == "corrected" else None
    entry = {"did": "corrected", "products": report.taken + (last["products"] if last else 0)}
    entry["replaced"] = report.replaced + (last["replaced"] if last else 0)
    if report.taken == 0:
        return now
    return replace(now, log=(*(now.log[:-1] if last else now.log), entry))
