"""Who is let in: a request that would have to wait too long is refused before it costs anything.

What is in the queue, times what one product takes, is the wait (Little's law). A short burst may wait for
`Limits.delay`. A queue that does not run empty is no burst: more comes than can be done, and everyone in it
waits for nothing but for those before (the idea of CoDel, Nichols and Jacobson 2012, in the form that Maurer,
"Fail at scale", 2015 gives it). So the longer a queue has been in use, the less may wait; after `_BURST` no
more than keeps the model at work: a batch in it and one that comes next (or `Limits.steady`, where that is
more). Under overload the answers that are given are so as quick as a little before it, and no fewer.

A few callers with large requests who wait for each other are no overload: up to `_FEW` requests may stand
there for as long as a burst. But where one was refused in the last second (`_AGAIN`: then it is told to come
again), there are more than these few.

How many products go through the model together is bounded by what they gain. Where a sentence encoder takes
2 ms for a batch and 3 ms for each product in it, the last fifty of a batch of 64 make nothing cheaper, and
everyone waits 150 ms longer.
"""

from __future__ import annotations

import math
import time

from shelfwise.serve.limits import Limits
from shelfwise.serve.refusal import RefusedError

_SMOOTH = 0.2
_LEAST = 8  # products a batch counts as at least: small ones would make a product look dear
_FEW = 8
_BATCHES = 2  # one in the model, and one that waits
_BURST = 0.1  # seconds that a queue may be in use without being taken for one that stays
_AGAIN = 1.0  # seconds after which the first of those who were refused may be back
_STEADY = 0.01  # the wait in a queue that stays, as a share of that in a burst
_GAIN = 0.15  # what a batch costs by itself may be this share of what its products cost
_MEMORY = 0.95  # what the batches before one count for beside it
_SPREAD = 0.03  # variance of sizes, over their mean squared, below which they tell nothing
_DOUBT = 128  # batches that tell nothing, after which larger ones are tried
_PROBE = 16  # one batch in so many is a small one: all of one size would tell nothing
_SMALL = 0.25  # how large, beside the others


class Pace:
    """What batches take: something for each batch, and something for each of its products.

    A line through the sizes and times of the last batches, by least squares; older ones count less. Where all
    are of about one size for long, twice as much may go together for once: one slow batch must not make all
    small for good.
    """

    def __init__(self) -> None:
        self._sums = [0.0] * 5  # weights, sizes, times, sizes squared, sizes times times
        self._same = 0  # batches since one was of another size
        self.batch = self.product = 0.0
        """Seconds of a batch, and of each product in it; both 0: not known."""

    def took(self, cost: int, seconds: float) -> None:
        """A batch of that cost took so many seconds."""
        new = (1.0, cost, seconds, cost * cost, cost * seconds)
        self._sums = [_MEMORY * old + more for old, more in zip(self._sums, new, strict=True)]
        weight, *others = self._sums
        size, time_, squares, products = (one / weight for one in others)
        spread = squares - size * size
        if spread > _SPREAD * size * size:
            slope = (products - size * time_) / spread
            self.product = min(max(slope, 0.0), time_ / size)
            self.batch = time_ - self.product * size
            self._same = 0
        else:
            self._same += 1
            if self._same % _DOUBT == 0:
                self.batch = max(self.batch, 2 * size * self.product * _GAIN)

    def enough(self, most: int) -> int:
        """How many products make a batch so large that a larger one gains little; `most` at most."""
        if self.product * most * _GAIN <= self.batch:  # also where nothing is known
            return most
        return min(max(math.ceil(self.batch / (self.product * _GAIN)), _LEAST), most)


class Admission:
    """Counts what waits, and refuses what would wait too long.

    Parameters
    ----------
    limits: `queue`, `delay`, `steady` and `batch` are read.

    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._steady = limits.delay * _STEADY if limits.steady is None else limits.steady
        self._seconds = 0.0  # that a product took lately
        self._pace, self._batches = Pace(), 0
        self._empty_at, self._refused_at = time.monotonic(), -math.inf
        self.waiting = 0
        """Cost in products of everything that waits or is being answered."""
        self.requests = 0
        """How many requests that is."""

    @property
    def delay(self) -> float:
        """Seconds that a request would have to wait now, by what the model did lately."""
        return self.waiting * self._seconds

    @property
    def batch(self) -> int:
        """How many products go through the model together, if there are as many."""
        enough = self._pace.enough(self._limits.batch)
        return math.ceil(enough * _SMALL) if self._batches % _PROBE == _PROBE - 1 else enough

    def check(self, now: float | None = None) -> None:
        """Raise RefusedError where any request would have to wait too long."""
        delay = self.waiting * self._seconds
        if delay <= self._limits.delay and (delay <= self._steady or self._is_short()):
            return
        now = time.monotonic() if now is None else now
        if delay > self._patience(now):
            raise self._busy(now)

    def _is_short(self) -> bool:
        """Whether what is there is no more than keeps the model at work."""
        most = _BATCHES * self._pace.enough(self._limits.batch)
        return self.requests < _BATCHES or self.waiting < most

    def _patience(self, now: float) -> float:
        """Seconds that a request may wait in a queue that is not short."""
        if self.requests < _FEW and now - self._refused_at > _AGAIN:
            return self._limits.delay
        return self._limits.delay * (1 - (now - self._empty_at) / _BURST)

    def enter(self, cost: int, now: float) -> None:
        """Count a request in, or raise RefusedError; `now` by `time.monotonic`."""
        if not self.waiting:  # whatever it costs, nobody is before it
            self._lull(now)
        else:
            if self.waiting + cost > self._limits.queue:
                raise self._busy(now)
            self.check(now)
        self.waiting += cost
        self.requests += 1

    def leave(self, cost: int) -> None:
        """A request that was let in has been answered, or is not waited for any more."""
        self.waiting -= cost
        self.requests -= 1

    def emptied(self, now: float, cost: int = 0) -> None:
        """The last one that waited has reached the model, in a batch of that cost.

        A batch that is more than half full is no lull: it took what had come while the model was busy.
        """
        if 2 * cost <= self._pace.enough(self._limits.batch):
            self._lull(now)

    def took(self, cost: int, seconds: float) -> None:
        """A batch of that cost took so many seconds in the model."""
        self._batches += 1
        self._pace.took(cost, seconds)
        each = seconds / max(cost, _LEAST)
        self._seconds = each if not self._seconds else self._seconds + _SMOOTH * (each - self._seconds)

    def _lull(self, now: float) -> None:
        """Nobody waits. While some are still refused that is no lull: they would be the next burst."""
        if now - self._refused_at > _BURST:
            self._empty_at = now

    def _busy(self, now: float) -> RefusedError:
        self._refused_at = now
        told = "the server has more to do than it can in time; try again later"
        return RefusedError("busy", "busy", told, self.delay)
