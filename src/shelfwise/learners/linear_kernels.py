"""Compiled kernels behind `linear`: solve one class at a time, find the rivals of the right one, score rows.

All of them hold no lock and write only what belongs to their own rows or classes, so that threads give the
same bits in any number. A row is `indices[indptr[i]:indptr[i+1]]` with `values`; every row also has a
constant feature, the bias.
"""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled, nth_largest

_LCG = np.int64(6364136223846793005)  # Knuth's MMIX generator: the order of visits needs no better one
_LCG_STEP = np.int64(1442695040888963407)


@compiled(inline="always")
def _dot(w, indices, values, begin, end):  # type: ignore[no-untyped-def]
    """Product of the dense `w` and a row, in four sums: one alone would wait for each addition to end."""
    a = b = c = d = np.float32(0)
    q = begin
    while q + 4 <= end:
        a += w[indices[q]] * values[q]
        b += w[indices[q + 1]] * values[q + 1]
        c += w[indices[q + 2]] * values[q + 2]
        d += w[indices[q + 3]] * values[q + 3]
        q += 4
    while q < end:
        a += w[indices[q]] * values[q]
        q += 1
    return (a + b) + (c + d)


@compiled
def _solve_class(indptr, indices, values, squares, rows, positives, alphas, cost, passes, tolerance, w, seed):  # type: ignore[no-untyped-def]
    """Dual coordinate descent for one class on its active rows; the first `positives` rows are its own.

    Starts from `alphas` and leaves the solution there and in `w` (zero on entry). Returns the bias. The bias
    starts at -1, the margin that a row far from the class should have: rows that share nothing with the class
    are then already satisfied and need not be visited at all.
    """
    bias = np.float32(-1)
    diagonal = np.float32(0.5) / cost
    for p in range(len(rows)):
        if alphas[p] != 0:
            step = alphas[p] if p < positives else -alphas[p]
            for q in range(indptr[rows[p]], indptr[rows[p] + 1]):
                w[indices[q]] += step * values[q]
            bias += step
    order = np.arange(len(rows), dtype=np.int32)
    active = len(rows)
    for _ in range(passes):
        for s in range(active - 1, 0, -1):
            seed = seed * _LCG + _LCG_STEP
            j = ((seed >> np.int64(33)) & np.int64(0x3FFFFFFF)) % (s + 1)
            order[s], order[j] = order[j], order[s]
        kept = 0
        worst = np.float32(0)
        for s in range(active):
            p = order[s]
            begin, end = indptr[rows[p]], indptr[rows[p] + 1]
            side = np.float32(1) if p < positives else np.float32(-1)
            margin = bias + _dot(w, indices, values, begin, end)
            gradient = side * margin - np.float32(1) + diagonal * alphas[p]
            if alphas[p] == 0 and gradient >= 0:
                if gradient < np.float32(
                    0.1
                ):  # well satisfied rows are shrunk away, near ones are seen again
                    order[kept] = p
                    kept += 1
                continue
            updated = max(alphas[p] - gradient / (squares[rows[p]] + diagonal), np.float32(0))
            step = (updated - alphas[p]) * side
            alphas[p] = updated
            worst = max(worst, abs(gradient))
            if step != 0:
                for q in range(begin, end):
                    w[indices[q]] += step * values[q]
                bias += step
            order[kept] = p
            kept += 1
        active = kept
        if worst < tolerance:
            break
    return bias


@compiled
def _pack(w, smallest, features, weights, used):  # type: ignore[no-untyped-def]
    """Move the weights of at least `smallest` out of the dense `w`, clearing it."""
    for f in range(len(w)):
        if w[f] != 0 and abs(w[f]) >= smallest:
            features[used] = f
            weights[used] = w[f]
            used += 1
        w[f] = 0
    return used


@compiled
def solve_classes(  # type: ignore[no-untyped-def]
    indptr,
    indices,
    values,
    squares,
    rows,
    starts,
    positives,
    alphas,
    costs,
    passes,
    tolerance,
    smallest,
    width,
    bias,
):
    """Solve a run of classes; class c has the active rows rows[starts[c]:starts[c+1]].

    Returns (features int32, weights float32, sizes int64 [classes]) of the weights that are kept; writes
    `bias`.
    """
    w = np.zeros(width, np.float32)
    room = np.int64(1 << 16)
    features = np.empty(room, np.int32)
    weights = np.empty(room, np.float32)
    sizes = np.zeros(len(positives), np.int64)
    used = np.int64(0)
    for c in range(len(positives)):
        a, e = starts[c], starts[c + 1]
        bias[c] = _solve_class(
            indptr, indices, values, squares, rows[a:e], positives[c], alphas[a:e], costs[c], passes,
            tolerance, w, np.int64(e - a),
        )  # fmt: skip
        needed = used
        for f in range(width):
            if w[f] != 0 and abs(w[f]) >= smallest:
                needed += 1
        if needed > room:
            while needed > room:
                room *= 2
            grown = np.empty(room, np.int32)
            grown_weights = np.empty(room, np.float32)
            for k in range(used):  # (assigning slices would compile numpy's messages about shapes)
                grown[k] = features[k]
                grown_weights[k] = weights[k]
            features = grown
            weights = grown_weights
        sizes[c] = _pack(w, smallest, features, weights, used) - used
        used = needed
    return features[:used].copy(), weights[:used].copy(), sizes


@compiled(inline="always")
def _score(indptr, indices, values, r, posts, classes, weights, heavy_of, heavy, scales, bias, scores):  # type: ignore[no-untyped-def]
    """Scores of row r: features that many classes weigh come from dense rows, added as whole vectors.

    Two of them at a time: that halves the reads and writes of `scores`.
    """
    for c in range(len(scores)):  # (assigning the slice would compile numpy's messages about shapes)
        scores[c] = bias[c]
    waiting, waiting_step = -1, np.float32(0)
    for k in range(indptr[r], indptr[r + 1]):
        v = values[k]
        h = heavy_of[indices[k]]
        if h >= 0 and waiting < 0:
            waiting, waiting_step = h, v * scales[h]
        elif h >= 0:
            one, two = heavy[waiting], heavy[h]
            step = v * scales[h]
            for c in range(len(scores)):
                scores[c] += waiting_step * np.float32(one[c]) + step * np.float32(two[c])
            waiting = -1
        else:
            for q in range(posts[indices[k]], posts[indices[k] + 1]):
                scores[classes[q]] += v * weights[q]
    if waiting >= 0:
        one = heavy[waiting]
        for c in range(len(scores)):
            scores[c] += waiting_step * np.float32(one[c])


@compiled
def find_rivals(  # type: ignore[no-untyped-def]
    indptr,
    indices,
    values,
    first,
    own,
    posts,
    classes,
    weights,
    heavy_of,
    heavy,
    scales,
    bias,
    above,
    most,
    rivals,
    found,
):
    """For each row the classes that score higher than `above`, at most `most` of them, never its own.

    The weights are by feature: classes[posts[f]:posts[f+1]] with `weights`, or the row heavy[heavy_of[f]]
    times its scale. Row r of the output is row first + r of the matrix. Written: rivals int32 [rows, most],
    found int32 [rows].
    """
    scores = np.empty(len(bias), np.float32)
    over = np.empty(len(bias), np.int32)
    over_scores = np.empty(len(bias), np.float32)
    for r in range(len(found)):
        _score(
            indptr, indices, values, first + r, posts, classes, weights, heavy_of, heavy, scales, bias, scores
        )
        scores[own[first + r]] = -np.inf
        n = 0
        for c in range(len(scores)):
            if scores[c] > above:
                over[n] = c
                over_scores[n] = scores[c]
                n += 1
        bar = np.float32(above)
        ties = n  # how many that are just at the bar find room; those above it all do
        if n > most:
            bar = nth_largest(over_scores[:n].copy(), most)
            ties = most
            for k in range(n):
                if over_scores[k] > bar:
                    ties -= 1
        kept = 0
        for k in range(n):
            if over_scores[k] > bar or (over_scores[k] == bar and ties > 0):
                if over_scores[k] == bar:
                    ties -= 1
                rivals[r, kept] = over[k]
                kept += 1
        found[r] = kept


@compiled
def score_rows(indptr, indices, values, posts, classes, weights, heavy_of, heavy, scales, bias, scores):  # type: ignore[no-untyped-def]
    """Scores float32 [rows, classes]."""
    for r in range(len(scores)):
        _score(indptr, indices, values, r, posts, classes, weights, heavy_of, heavy, scales, bias, scores[r])
