"""When a refused request is sent again: as the server asks for, else later each time, and never in step."""

from __future__ import annotations

import random
from dataclasses import dataclass

from shelfwise.serve.refusal import RefusedError

AGAIN = frozenset({"busy", "unavailable"})
"""Kinds of refusals after which another try may succeed; a prediction changes nothing, so that is safe."""


@dataclass(frozen=True)
class Retries:
    """How often and how late.

    attempts: in all. first: seconds before the second attempt, doubled with each. most: seconds of the
    longest wait. The wait is drawn between half of that and all of it, so that many clients do not come back
    together.
    """

    attempts: int = 6
    first: float = 0.1
    most: float = 5.0

    def wait(self, attempt: int, error: RefusedError) -> float | None:
        """Seconds before the attempt after number `attempt` (from 1); None: give up."""
        if error.kind not in AGAIN or attempt >= self.attempts:
            return None
        grown = min(self.first * float(1 << min(attempt - 1, 30)), self.most)
        return min(max(grown, error.retry_after or 0.0), self.most) * random.uniform(0.5, 1.0)
