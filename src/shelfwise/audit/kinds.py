"""What is wrong with a product, if anything is: mislabelled, an outlier, a duplicate, or two shelves fit.

A doubt says how probable an error is; its kind says what a person should look at. Kinds are told in this
order: near-duplicates on different shelves contradict each other whatever any model says; a product that
resembles nothing and that no shelf is probable for belongs nowhere; where both shelves are probable a person
has to choose; all else is on the wrong shelf, if it is wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.claims import Claims, Codes
from shelfwise.audit.nearest import Nearest
from shelfwise.audit.traits import twins_of

KINDS = ("mislabelled", "outlier", "duplicate", "ambiguous")
_LOST = 0.5  # no shelf is more probable than this for a product that belongs nowhere
_STRANGE = 0.02  # share of the products that resemble any other least
_FITS = 0.2  # both shelves are at least that probable where two fit


def kinds_of(
    claims: Claims, y: Codes, groups: NDArray[np.int64], labels: int, near: tuple[Nearest, Nearest]
) -> NDArray[np.str_]:
    """The kind of each product's doubt, str [products].

    `near`: neighbours on the given and on the suggested shelf.
    """
    closest = np.maximum(near[0].cosine[:, 0], near[1].cosine[:, 0])
    strange = (closest < np.quantile(closest, _STRANGE)) | (closest <= 0) if len(closest) else closest < 0
    lost = strange & (np.maximum(claims.p, claims.best) < _LOST)
    contradicted = twins_of(claims, y, groups, labels)[:, 1] > 0
    both = (claims.p >= _FITS) & (claims.best >= _FITS)
    return np.select([contradicted, lost, both], ["duplicate", "outlier", "ambiguous"], "mislabelled")


def suggestions(claims: Claims, y: Codes, groups: NDArray[np.int64]) -> Codes:
    """The category each product should rather have: of its near-duplicates, or else the most probable other.

    Near-duplicates elsewhere decide where more of them are on one other shelf than on the product's own.
    """
    suggested = claims.best_code.copy()
    sizes = np.bincount(groups)
    rows = np.flatnonzero(sizes[groups] > 1)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[rows], prepend=-1))
    for members in np.split(rows, starts[1:]) if len(rows) else []:
        codes, counts = np.unique(y[members], return_counts=True)
        if len(codes) > 1:
            for row in members.tolist():
                likely = codes == claims.best_code[row]  # decides among equals
                others = np.where(codes == y[row], -1, 2 * counts + likely)
                best = int(others.argmax())
                if counts[best] > counts[codes == y[row]][0] - 1:
                    suggested[row] = codes[best]
    return suggested
