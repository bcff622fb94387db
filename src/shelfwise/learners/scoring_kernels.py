"""Compiled kernels behind `kept_weights`: lay out learned weights by feature, score rows in whole numbers.

They hold no lock and write only what belongs to their own rows, so that threads give the same bits in any
number. A row is `indices[indptr[i]:indptr[i+1]]` with `values`.
"""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled
from shelfwise.learners.lanes import CENTRE, FOUR, LANES, MOST, add_up, fetch

_LARGEST = np.float32(MOST)
_AHEAD = 3
"""The list of the feature so many places ahead is asked for in time."""
_TOGETHER = np.float32(16_000_000)
"""The steps of a row are at most so many in all: times 127 they fit into 32 bits, roundings included."""


@compiled
def find_largest(features, values, largest):  # type: ignore[no-untyped-def]
    """Raise `largest` float32 [features] to the size of the largest value of each feature."""
    for k in range(len(features)):
        largest[features[k]] = max(largest[features[k]], abs(values[k]))


@compiled
def lay_out(features, values, sizes, place, posts, scales, classes, weights, tiles):  # type: ignore[no-untyped-def]
    """Turn weights that lie class after class into weights by feature, in units of the feature's scale.

    `place` int32 [features]: which row of the tiles a feature has, -1: none. Written: `tiles` uint8 [tiles,
    heavy, 64] (weight + 128), all others into `classes` and `weights`, those of feature f from posts[f] on;
    `posts` is used up.
    """
    k = 0
    for c in range(len(sizes)):
        for _ in range(sizes[c]):
            f = features[k]
            units = np.rint(values[k] / scales[f])
            units = min(max(units, np.float32(-127)), np.float32(127))
            h = place[f]
            if h >= 0:
                tiles[c // LANES, h, c % LANES] = np.uint8(np.int32(units) + CENTRE)
            else:
                at = posts[f]
                classes[at] = c
                weights[at] = np.int8(units)
                posts[f] = at + 1
            k += 1


@compiled
def score_rows(indptr, indices, values, scales, posts, classes, weights, heavy_of, tiles, bias, scores):  # type: ignore[no-untyped-def]
    """Scores float32 [rows, classes] of the rows that `indptr` [rows + 1] names; see `KeptWeights`.

    A value times its feature's scale is a number of steps; sums of steps x weights are whole. The dense
    features are added up for one tile of classes and all rows, then for the next: a tile stays in the caches,
    where all classes of a feature would have to be fetched anew for each row.
    """
    rows, width = scores.shape
    sums = scores.view(np.int32)
    room = indptr[rows] - indptr[0] + rows * FOUR
    places = np.zeros(room, np.int32)
    steps = np.zeros(2 * room, np.int8)
    ends = np.zeros(rows + 1, np.int64)
    units = np.empty(rows, np.float32)
    centres = np.empty(rows, np.int32)
    used = 0
    for r in range(rows):
        row = sums[r]
        for c in range(width):  # (assigning the slice would compile numpy's messages about shapes)
            row[c] = 0
        largest = np.float32(0)
        together = np.float32(0)
        for k in range(indptr[r], indptr[r + 1]):
            size = abs(values[k] * scales[indices[k]])
            largest = max(largest, size)
            together += size
        unit = max(largest / _LARGEST, together / _TOGETHER)
        units[r] = unit
        centre = np.int32(0)
        inverse = np.float32(1) / unit if unit > 0 else np.float32(0)
        for k in range(indptr[r], indptr[r + 1]):
            f = indices[k]
            if k + _AHEAD < indptr[r + 1]:  # lists lie anywhere in the memory: ask for them in time
                later = indices[k + _AHEAD]
                fetch(classes, posts[later], posts[later + 1])
                fetch(weights, posts[later], posts[later + 1])
            step = np.int32(np.rint(values[k] * scales[f] * inverse))
            step = min(max(step, np.int32(-MOST)), np.int32(MOST))
            h = heavy_of[f]
            if h >= 0:
                places[used] = h
                low = ((step + 64) & 127) - 64
                at = (used // FOUR) * (2 * FOUR) + used % FOUR
                steps[at] = (step - low) >> 7
                steps[at + FOUR] = low
                centre += step
                used += 1
            else:
                begin, end = posts[f], posts[f + 1]
                who, how = classes[begin:end], weights[begin:end]
                for q in range(len(who)):  # (slices and unsigned classes: no check for places from the end)
                    row[who[q]] += np.int32(step * how[q])
        used += -used % FOUR  # filled up by steps of 0
        ends[r + 1] = used
        centres[r] = centre * CENTRE
    tile_sums = np.empty(LANES, np.int32)
    for t in range(len(tiles)):
        tile = tiles[t]
        first = t * LANES
        size = min(LANES, width - first)
        offsets = bias[first : first + size]
        for r in range(rows):
            add_up(tile_sums, tile, places, steps, ends[r], ends[r + 1])
            listed, row = sums[r, first : first + size], scores[r, first : first + size]
            unit, centre = units[r], centres[r]
            for c in range(size):
                tile_sums[c] += listed[c]
            for c in range(size):  # (a loop of its own: the two arrays are one memory)
                row[c] = offsets[c] + unit * np.float32(np.int32(tile_sums[c] - centre))
