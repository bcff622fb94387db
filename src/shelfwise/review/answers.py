"""What the page is told, as plain values: lists, one product, shelves, the tree. Nothing is changed here.

Texts of the catalogue go out as they are, as JSON strings; the page shows them as text and never as markup.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

import shelfwise
from shelfwise.review.desk import Desk
from shelfwise.review.doubts import Candidate, Neighbour
from shelfwise.review.filters import Filter
from shelfwise.review.ledger import OPEN, STATES
from shelfwise.review.pictures import THERE
from shelfwise.review.shelves import JOINT

_SELLERS = 200


def about(desk: Desk, token: str) -> dict[str, Any]:
    """Return what the page needs once."""
    doubts, columns = desk.doubts, desk.columns
    kinds = np.bincount(doubts.kind, minlength=len(doubts.kinds)).tolist()
    sellers = Counter(columns.seller[columns.seller >= 0].tolist())
    ordered = sorted(sellers.items(), key=lambda pair: (-pair[1], pair[0]))
    name = desk.products.source.files[0].name if desk.products.source.files else doubts.path.name
    return {
        "title": doubts.path.stem,
        "catalogue": name,
        "products": len(doubts),
        "kinds": dict(zip(doubts.kinds, kinds, strict=True)),
        "levels": desk.shelves.depth,
        "separator": doubts.audit.separator,
        "sellers": [{"name": columns.sellers[s], "count": count} for s, count in ordered[:_SELLERS]],
        "has_pictures": bool((desk.pictures.state == THERE).any()),
        "has_map": bool(np.isfinite(doubts.x).any()),
        "model": desk.model,
        "token": token,
        "version": shelfwise.__version__,
        "can_decide": desk.can_decide,
        "judged": doubts.audit.judged,
        "decisions": desk.store.path.name,
        "notes": desk.notes,
    }


def doubts_page(desk: Desk, asked: Filter, offset: int, limit: int) -> dict[str, Any]:
    """Return one page of the list that a filter leaves."""
    found = desk.find(asked)
    return {"total": len(found), "items": [item(desk, int(n)) for n in found[offset : offset + limit]]}


def item(desk: Desk, number: int) -> dict[str, Any]:
    """Return a doubt as a line of the list."""
    now, _ = desk.current()
    doubts, shelves = desk.doubts, desk.shelves
    given, suggested = int(desk.given[number]), int(desk.suggested[number])
    choice = desk.ledger.choice.get(number)
    return {
        "id": number,
        "product_id": doubts.product_id[number],
        "title": desk.titles[number],
        "picture": picture_of(desk, number),
        "given": shelves.label_of(given),
        "given_path": shelves.paths[given] if given >= 0 else (),
        "suggested": shelves.label_of(suggested),
        "suggested_path": shelves.paths[suggested] if suggested >= 0 else (),
        "doubt": round(float(now[number]), 4) if doubts.audit.judged else None,
        "kind": doubts.kinds[doubts.kind[number]],
        "distance": int(doubts.distance[number]),
        "seller": _seller(desk, number),
        "state": STATES[desk.ledger.state[number]],
        "decision": None if choice is None else choice.category,
    }


def picture_of(desk: Desk, number: int) -> str | None:
    """Return the address of a doubt's picture, None where it has none."""
    place = int(desk.products.of_doubt[number])
    return f"/pictures/{number}/0" if place >= 0 and desk.pictures.state[place] == THERE else None


def product(desk: Desk, number: int) -> dict[str, Any]:
    """Return everything about one doubt's product."""
    place = int(desk.products.of_doubt[number])
    text = desk.products.text(place) if place >= 0 else None
    details = desk.doubts.details(number)
    line = item(desk, number)
    picture = line["picture"]
    given, suggested = line["given"], line["suggested"]
    return {
        **line,
        "row": int(desk.doubts.row[number]),
        "gone": place < 0,
        "description": text.description if text else "",
        "attributes": text.attributes if text else [],
        "brand": text.brand if text else "",
        "url": text.url if text else "",
        "pictures": [picture] if picture else [],
        "doubt_before": round(float(desk.doubts.doubt[number]), 4),
        "confidence": _finite(float(desk.doubts.confidence[number])) if desk.doubts.audit.judged else None,
        "reasons": details.reasons or [],
        "candidates": [
            {"category": c.category, "confidence": _finite(c.confidence)} for c in details.candidates or []
        ],
        "neighbours": _neighbours(desk, details.neighbours or [], given, suggested),
        "history": desk.ledger.history(number),
    }


def _neighbours(
    desk: Desk, near: list[Neighbour], given: str | None, suggested: str | None
) -> dict[str, list[dict[str, Any]]]:
    """The nearest products by shelf; all together where nothing was judged."""
    sides = {"given": given, "suggested": suggested if suggested != given else None}
    if not desk.doubts.audit.judged:
        sides = dict.fromkeys(sides)
    told = {
        side: [_neighbour(desk, n) for n in near if shelf is not None and n.category == shelf]
        for side, shelf in sides.items()
    }
    elsewhere = [n for n in near if n.category is None or n.category not in sides.values()]
    return {**told, "other": [_neighbour(desk, n) for n in elsewhere]}


def _neighbour(desk: Desk, near: Neighbour) -> dict[str, Any]:
    """A neighbour on the shelf that it has by now; the picture wherever it is known."""
    place = desk.products.place_of(near.product_id)
    number = desk.number_of(near.product_id)
    choice = None if number is None else desk.ledger.choice.get(number)
    there = place >= 0 and desk.pictures.state[place] == THERE
    return {
        "id": number,
        "product_id": near.product_id,
        "title": near.title or "",
        "picture": f"/pictures/neighbour/{quote(near.product_id, safe='')}" if there else None,
        "category": choice.category if choice is not None else near.category,
        "category_before": near.category,
        "similarity": _finite(near.similarity),
    }


def shelves(desk: Desk, question: str, candidates: list[Candidate], limit: int) -> list[dict[str, Any]]:
    """Return shelves for the picker: a product's candidates (see `Desk.candidates`), then what is found."""
    first: dict[int, float | None] = {}
    for candidate in candidates:
        code = desk.shelves.code(candidate.category)
        if code >= 0 and desk.shelves.known[code]:
            first.setdefault(code, _finite(candidate.confidence))
    found = [hit for hit in desk.shelves.search(question, limit + len(first)) if hit.code not in first]
    listed = [_shelf(desk, code, "model", confidence, []) for code, confidence in first.items()]
    listed += [_shelf(desk, hit.code, "search", None, hit.matches) for hit in found]
    return listed[:limit]


def _shelf(
    desk: Desk, code: int, source: str, confidence: float | None, matches: list[tuple[int, int]]
) -> dict[str, Any]:
    return {
        "category": desk.shelves.labels[code],
        "path": desk.shelves.paths[code],
        "text": JOINT.join(desk.shelves.paths[code]),
        "products": desk.shelves.products[code],
        "source": source,
        "confidence": confidence,
        "matches": matches,
    }


def tree(desk: Desk, node: int) -> dict[str, Any]:
    """Return one node of the tree with those below it; IndexError for one that is not there."""
    path, below = desk.shelves.node(node)
    count = len(desk.shelves)
    products = desk.shelves.roll_up(np.array(desk.shelves.products, np.int64))
    lies = np.where(desk.given < 0, desk.suggested, desk.given)
    still_open = lies[(desk.ledger.state == OPEN) & (lies >= 0)]
    left = desk.shelves.roll_up(np.bincount(still_open, minlength=count).astype(np.int64))
    children = []
    for number in below:
        name, category, inside = desk.shelves.node_label(number)
        children.append(
            {
                "node": number, "name": name, "category": category, "products": int(products[number]),
                "doubts_open": int(left[number]), "children": inside,
            }
        )  # fmt: skip
    return {"node": node, "path": path, "children": children}


def changes(desk: Desk, touched: NDArray[np.int64] | list[int]) -> list[dict[str, Any]]:
    """Return where some doubts stand now."""
    now, _ = desk.current()
    told = []
    for number in touched:
        choice = desk.ledger.choice.get(int(number))
        history = desk.ledger.history(int(number))
        told.append(
            {
                "id": int(number),
                "state": STATES[desk.ledger.state[number]],
                "decision": None if choice is None else choice.category,
                "doubt": round(float(now[number]), 4),
                "who": history[-1]["who"] if history else None,
            }
        )
    return told


def _seller(desk: Desk, number: int) -> str:
    seller = int(desk.columns.seller[number])
    return desk.columns.sellers[seller] if seller >= 0 else ""


def _finite(value: float | None) -> float | None:
    return round(value, 4) if value is not None and np.isfinite(value) else None
