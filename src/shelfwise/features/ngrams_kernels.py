"""Compiled kernels behind `ngrams`: hash the n-grams of text segments, weigh and normalise them.

Plain loops over arrays, one thread a call, no Python objects and no lock held (`nogil`), so that a thread
pool runs blocks of rows side by side and the result of a row never depends on which block or thread it was
in. They are compiled once for each machine and cached on disk; few kernels keep the first run short.
"""

from __future__ import annotations

import numpy as np

from shelfwise.features.compiled import compiled, count_bits

_FNV_PRIME = np.uint64(0x100000001B3)
_FNV_BASIS = np.uint64(0xCBF29CE484222325)
_CHAR_BASIS = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0x9E3779B1)


@compiled(inline="always")
def _mix(h, salt):  # type: ignore[no-untyped-def]
    """Finaliser of MurmurHash3 (Appleby 2008) over the hash and the salt of its field."""
    h ^= salt
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@compiled(inline="always")
def _add(h, table, stamp, mark, width, hashes, counts, used):  # type: ignore[no-untyped-def]
    """Count one gram of the segment under way: open addressing, slots count only with today's stamp."""
    slot = np.int64((h * np.uint32(0x9E3779B1)) & width)
    while stamp[slot] == mark:
        seen = table[slot]
        if hashes[seen] == h:
            if counts[seen] < 255:
                counts[seen] += 1
            return used
        slot = np.int64(np.uint32(slot + 1) & width)
    stamp[slot] = mark
    table[slot] = used
    hashes[used] = h
    counts[used] = 1
    return used + 1


@compiled
def hash_segments(text, starts, salts, kinds, grams, mask, hashes, counts, sizes):  # type: ignore[no-untyped-def]
    """Hash word and character n-grams of each segment, without repeats inside a segment.

    text uint32 [characters]; starts int64 [segments + 1]; salts uint64 [fields], segment s is of field s %
    fields; kinds uint8 [code points]: 0 between words, 1 in a word, 2 a script without spaces (its grams
    start at length 1); grams int64 [fields, 3]: longest word gram, shortest and longest character gram.
    Written: hashes uint32 and counts uint8, packed; sizes int64 [segments]. Returns how many were written.
    """
    fields = len(salts)
    longest = np.int64(64)
    for s in range(len(starts) - 1):
        longest = max(longest, starts[s + 1] - starts[s])
    slots = np.int64(256)
    while slots < longest * 10 + 16:  # more than the grams a segment can have, or probing would not end
        slots *= 2
    table = np.empty(slots, np.int64)
    stamp = np.zeros(slots, np.int32)
    used = np.int64(0)
    known = np.uint32(len(kinds))
    for s in range(len(starts) - 1):
        field = s % fields
        salt = salts[field]
        words, lo, hi = grams[field, 0], grams[field, 1], grams[field, 2]
        width = np.uint32(255)  # a small table for a short segment stays in the nearest cache
        while np.int64(width) + 1 < (starts[s + 1] - starts[s]) * 10 + 16:
            width = width * np.uint32(2) + np.uint32(1)
        mark = np.int32(s + 1)
        begin = used
        previous = np.uint64(0)
        i = starts[s]
        end = starts[s + 1]
        while i < end:
            c = text[i]
            if c >= known or kinds[c] == 0:
                i += 1
                continue
            j = i
            h = _FNV_BASIS
            while j < end and text[j] < known and kinds[text[j]] != 0:
                h = (h ^ np.uint64(text[j])) * _FNV_PRIME
                j += 1
            if words >= 1:
                used = _add(np.uint32(_mix(h, salt)) & mask, table, stamp, mark, width, hashes, counts, used)
            if words >= 2 and previous != 0:
                pair = previous * _PAIR + h
                used = _add(
                    np.uint32(_mix(pair, salt)) & mask, table, stamp, mark, width, hashes, counts, used
                )
            previous = h
            padded = j - i + 2  # the word between two blanks
            for a in range(padded):
                g = _CHAR_BASIS
                shortest = lo
                if 0 < a < padded - 1 and kinds[text[i + a - 1]] == 2:
                    shortest = 1
                for n in range(1, hi + 1):
                    p = a + n - 1
                    if p >= padded:
                        break
                    ch = np.uint64(32)
                    if 0 < p < padded - 1:
                        ch = np.uint64(text[i + p - 1])
                    g = (g ^ ch) * _FNV_PRIME
                    if n >= shortest:
                        h2 = np.uint32(_mix(g + np.uint64(n), salt)) & mask
                        used = _add(h2, table, stamp, mark, width, hashes, counts, used)
            i = j
        sizes[s] = used - begin
    return used


@compiled
def count_rows(hashes, rows_with):  # type: ignore[no-untyped-def]
    """Add one to `rows_with` for each hash; in a segment hashes do not repeat, so this counts segments."""
    for k in range(len(hashes)):
        rows_with[hashes[k]] += 1


@compiled
def find_features(hashes, words, features, found):  # type: ignore[no-untyped-def]
    """The feature of each hash, -1 where it has none, into `found` int32 [hashes]."""
    for k in range(len(hashes)):
        word, bit = words[hashes[k] >> np.uint32(5)], np.uint64(1) << np.uint64(hashes[k] & np.uint32(31))
        found[k] = -1
        if word & bit:
            found[k] = features[(word >> np.uint64(32)) + count_bits(word & (bit - np.uint64(1)))]


@compiled
def weigh(hashes, counts, sizes, words, features, idf, weights, indices, values, ends):  # type: ignore[no-untyped-def]
    """Turn hashed counts into rows of weighted features, packed into `indices` and `values`.

    A value is (1 + ln count) x idf; a field has length 1 and then its weight; a row has length 1 (so a
    product without description is as loud as one with). `words` and `features` are of `slots.Slots`. `ends`
    int64 [rows] receives the end of each row. Returns the number of values.
    """
    fields = len(weights)
    log_of = np.empty(256, np.float32)
    for t in range(1, 256):
        log_of[t] = np.float32(1) + np.float32(np.log(np.float32(t)))
    longest = np.int64(0)
    for s in range(len(sizes)):
        longest = max(longest, sizes[s])
    ranks, times = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.uint8)
    read = np.int64(0)
    used = np.int64(0)
    for r in range(len(ends)):
        row_begin = used
        row_square = np.float32(0)
        for f in range(fields):
            begin = used
            square = np.float32(0)
            count = np.int64(0)
            for k in range(read, read + sizes[r * fields + f]):  # (no branch: half of the guesses would fail)
                h = hashes[k]
                word, place = words[h >> np.uint32(5)], np.uint64(h & np.uint32(31))
                below = word & ((np.uint64(1) << place) - np.uint64(1))
                ranks[count] = np.uint32((word >> np.uint64(32)) + count_bits(below))
                times[count] = counts[k]
                count += np.int64((word >> place) & np.uint64(1))
            for k in range(count):  # on their own: all wait for the memory, and so not for each other
                indices[used + k] = features[ranks[k]]
            for k in range(count):
                v = log_of[times[k]] * idf[indices[used + k]]
                values[used + k] = v
                square += v * v
            used += count
            read += sizes[r * fields + f]
            if square > 0:
                scale = weights[f] / np.float32(np.sqrt(square))
                for k in range(begin, used):
                    values[k] *= scale
                row_square += weights[f] * weights[f]
        if row_square > 0:
            scale = np.float32(1) / np.float32(np.sqrt(row_square))
            for k in range(row_begin, used):
                values[k] *= scale
        ends[r] = used
    return used
