"""Compiled kernels behind `linear`: solve one class at a time, find the rivals of the right one.

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


@compiled
def pick_rivals(scores, own, above, rivals, found):  # type: ignore[no-untyped-def]
    """For each row the classes that score higher than `above`, never its own, as many as `rivals` has room.

    `scores` float32 [rows, classes] is changed. Written: rivals int32 [rows, most], found int32 [rows].
    """
    most = rivals.shape[1]
    over = np.empty(scores.shape[1], np.int32)
    over_scores = np.empty(scores.shape[1], np.float32)
    for r in range(len(found)):
        scores[r, own[r]] = -np.inf
        n = 0
        for c in range(scores.shape[1]):
            if scores[r, c] > above:
                over[n] = c
                over_scores[n] = scores[r, c]
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
def count_named(rivals, found, named):  # type: ignore[no-untyped-def]
    """Count the rows that name each class: named[c + 1] for class c, int64 [classes + 1]."""
    for r in range(len(found)):
        for k in range(found[r]):
            named[rivals[r, k] + 1] += 1


@compiled
def merge_rivals(rivals, found, ends, first, rows, alphas, starts, merged, merged_alphas, merged_starts):  # type: ignore[no-untyped-def]
    """Add to the rows of some classes those that name them as rivals and are not among them yet.

    `ends` int64 [some + 1]: running numbers of how many rows name the classes from `first` on. Class c has
    rows[starts[c]:starts[c+1]] with `alphas`; they stay first, in their order. Written: the same of them,
    `merged` with room for every row that is named, after those before `first`. Returns how many there are.
    """
    some = len(ends) - 1
    base = ends[0]
    named = np.empty(ends[some] - base, np.int32)
    place = ends[:some].copy()
    for r in range(len(found)):
        for k in range(found[r]):
            c = rivals[r, k] - first
            if 0 <= c < some:
                named[place[c] - base] = r
                place[c] += 1
    stamp = np.full(len(found), -1, np.int32)
    used = merged_starts[first]
    for s in range(some):
        c = first + s
        for k in range(starts[c], starts[c + 1]):
            stamp[rows[k]] = s
            merged[used] = rows[k]
            merged_alphas[used] = alphas[k]
            used += 1
        for k in range(ends[s] - base, ends[s + 1] - base):
            if stamp[named[k]] != s:
                merged[used] = named[k]
                merged_alphas[used] = 0
                used += 1
        merged_starts[c + 1] = used
    return used


@compiled
def count_active(rows, starts, y, positives, counts):  # type: ignore[no-untyped-def]
    """Rows of each class: its own, and those of others that its support rows[starts[c]:starts[c+1]] names.

    Written: counts[c + 1] for class c, int64 [classes + 1].
    """
    for c in range(len(positives)):
        others = np.int64(0)
        for k in range(starts[c], starts[c + 1]):
            if y[rows[k]] != c:
                others += 1
        counts[c + 1] = positives[c] + others


@compiled
def take_up(rows, alphas, starts, y, own, own_starts, all_starts, taken, taken_alphas):  # type: ignore[no-untyped-def]
    """The own rows of each class, then those of others that its support names, with their dual variables."""
    place = np.empty(len(y), np.int32)  # of each row among those of its own class
    for c in range(len(starts) - 1):
        at = all_starts[c]
        for k in range(own_starts[c], own_starts[c + 1]):
            place[own[k]] = k - own_starts[c]
            taken[at] = own[k]
            taken_alphas[at] = 0
            at += 1
    for c in range(len(starts) - 1):
        at = all_starts[c] + own_starts[c + 1] - own_starts[c]
        for k in range(starts[c], starts[c + 1]):
            if y[rows[k]] == c:
                taken_alphas[all_starts[c] + place[rows[k]]] = alphas[k]
            else:
                taken[at] = rows[k]
                taken_alphas[at] = alphas[k]
                at += 1


@compiled
def count_support(alphas, starts, counts):  # type: ignore[no-untyped-def]
    """How many dual variables of each class are not zero: counts[c + 1] for class c, int64 [classes + 1]."""
    for c in range(len(starts) - 1):
        heard = np.int64(0)
        for k in range(starts[c], starts[c + 1]):
            if alphas[k] != 0:
                heard += 1
        counts[c + 1] = heard


@compiled
def keep_support(rows, alphas, kept, kept_alphas):  # type: ignore[no-untyped-def]
    """Copy the rows whose dual variable is not zero."""
    used = np.int64(0)
    for k in range(len(rows)):
        if alphas[k] != 0:
            kept[used] = rows[k]
            kept_alphas[used] = alphas[k]
            used += 1


@compiled
def cut_blocks(rows, starts, lengths, room, ends):  # type: ignore[no-untyped-def]
    """Cut the classes into runs whose rows, each counted once, have no more than `room` values.

    `lengths` int32 [rows]. Written: the end of each run, int64 [classes]; returns how many runs there are.
    """
    stamp = np.full(len(lengths), -1, np.int32)
    count = np.int64(0)
    size = np.int64(0)
    begin = np.int64(0)
    for c in range(len(starts) - 1):
        more = np.int64(0)
        for k in range(starts[c], starts[c + 1]):
            if stamp[rows[k]] != count:
                stamp[rows[k]] = count
                more += lengths[rows[k]]
        if size + more > room and c > begin:
            ends[count] = c
            count += 1
            begin = np.int64(c)
            size = np.int64(0)
            more = np.int64(0)
            for k in range(starts[c], starts[c + 1]):  # all of its rows are new to the next run
                stamp[rows[k]] = count
                more += lengths[rows[k]]
        size += more
    if begin < len(starts) - 1:
        ends[count] = len(starts) - 1
        count += 1
    return count
