"""Refusals: why a request is not answered, as a value that each door puts into its own words."""

from __future__ import annotations

import math
from typing import Literal

from shelfwise.errors import ShelfwiseError

Kind = Literal[
    "invalid", "malformed", "too_large", "media_type", "busy", "unknown", "unavailable", "late", "token",
    "forbidden", "broken"
]  # fmt: skip


class RefusedError(ShelfwiseError):
    """A request is refused as a whole.

    kind: what sort of refusal, by which doors choose a status. code: why, in a word. retry_after: seconds
    after which it is worth another try, None where another try would be refused as well.
    """

    def __init__(self, kind: Kind, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.code = code
        self.retry_after = retry_after

    @property
    def seconds(self) -> int:
        """`retry_after` in whole seconds, as HTTP wants it."""
        return max(1, math.ceil(self.retry_after or 0))


def invalid(code: str, message: str) -> RefusedError:
    """A request that says something wrong, and always will."""
    return RefusedError("invalid", code, message)


def too_many(count: int, limit: int, explained: bool = False) -> RefusedError:
    """More products than one request may have."""
    with_evidence = " with evidence" if explained else ""
    told = f"{count:,} products in one request; up to {limit:,}{with_evidence} are taken. Send several"
    return RefusedError("too_large", "too_many_products", told)


HTTP_STATUS: dict[Kind, int] = {
    "invalid": 422, "malformed": 400, "too_large": 413, "media_type": 415, "busy": 429, "unknown": 404,
    "unavailable": 503, "late": 504, "token": 401, "forbidden": 403, "broken": 500,
}  # fmt: skip
GRPC_STATUS: dict[Kind, str] = {
    "invalid": "INVALID_ARGUMENT", "malformed": "INVALID_ARGUMENT", "too_large": "INVALID_ARGUMENT",
    "media_type": "INVALID_ARGUMENT",
    "busy": "RESOURCE_EXHAUSTED", "unknown": "NOT_FOUND", "unavailable": "UNAVAILABLE",
    "late": "DEADLINE_EXCEEDED", "token": "UNAUTHENTICATED", "forbidden": "PERMISSION_DENIED",
    "broken": "INTERNAL",
}  # fmt: skip
"""Names of gRPC's status codes."""
