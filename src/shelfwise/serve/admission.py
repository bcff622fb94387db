"""Who is let in: a request that would have to wait too long is refused before it costs anything.

What is in the queue, times what one product takes, is the wait (Little's law). A short burst may wait for
`Limits.delay`. A queue that has not run empty for a while is no burst: more comes than can be done, and
everyone in it waits for nothing but for those before; then only `Limits.steady` is allowed (the idea of
CoDel, Nichols and Jacobson 2012, in the form that Maurer, "Fail at scale", 2015 gives it). Under overload the
answers that are given are so as quick as a little before it, and no fewer. A few callers with large requests
who wait for each other are no overload: up to `_FEW` requests may stand there for as long as a burst.
"""

from __future__ import annotations

import time

from shelfwise.serve.limits import Limits
from shelfwise.serve.refusal import RefusedError

_SMOOTH = 0.2
_LEAST = 8  # products a batch counts as at least: small ones would make a product look dear
_FEW = 16
_BATCHES = 2
_BURST = 0.1  # seconds that a queue may be in use without being taken for one that stays


class Admission:
    """Counts what waits, and refuses what would wait too long.

    Parameters
    ----------
    limits: `queue`, `delay`, `steady` and `batch` are read.

    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._steady = limits.delay / 10 if limits.steady is None else limits.steady
        self._seconds = 0.0  # that a product took lately
        self._empty_at = time.monotonic()
        self.waiting = 0
        """Cost in products of everything that waits or is being answered."""
        self.requests = 0
        """How many requests that is."""

    @property
    def delay(self) -> float:
        """Seconds that a request would have to wait now, by what the model did lately."""
        return self.waiting * self._seconds

    def check(self, now: float | None = None) -> None:
        """Raise RefusedError where any request would have to wait too long."""
        delay, limits = self.waiting * self._seconds, self._limits
        if delay > limits.delay:
            raise self._busy()
        steady = max(self._steady, _BATCHES * limits.batch * self._seconds)  # a slow model needs full batches
        if delay <= steady or self.requests < _FEW:
            return
        if (time.monotonic() if now is None else now) - self._empty_at > _BURST:
            raise self._busy()

    def enter(self, cost: int, now: float) -> None:
        """Count a request in, or raise RefusedError; `now` by `time.monotonic`."""
        if not self.waiting:  # whatever it costs, nobody is before it
            self._empty_at = now
        else:
            if self.waiting + cost > self._limits.queue:
                raise self._busy()
            self.check(now)
        self.waiting += cost
        self.requests += 1

    def leave(self, cost: int) -> None:
        """A request that was let in has been answered, or is not waited for any more."""
        self.waiting -= cost
        self.requests -= 1

    def emptied(self, now: float) -> None:
        """The last one that waited has reached the model."""
        self._empty_at = now

    def took(self, cost: int, seconds: float) -> None:
        """A batch of that cost took so many seconds in the model."""
        each = seconds / max(cost, _LEAST)
        self._seconds = each if not self._seconds else self._seconds + _SMOOTH * (each - self._seconds)

    def _busy(self) -> RefusedError:
        told = "the server has more to do than it can in time; try again later"
        return RefusedError("busy", "busy", told, self.delay)
