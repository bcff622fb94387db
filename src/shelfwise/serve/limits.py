"""How much a server takes at once, and of what size; each limit has its own refusal."""

from __future__ import annotations

from dataclasses import dataclass, fields

from shelfwise.errors import RecipeError


@dataclass(frozen=True)
class Limits:
    """Limits of requests and of the queue.

    items
        Products of one request.
    body
        Bytes of one request.
    picture
        Bytes of one picture.
    pixels
        Width x height of one picture, by its header.
    picture_workers
        Processes that decode pictures.
    picture_time
        Seconds in which one picture has to be decoded.
    fetches
        Addresses of pictures that are fetched at a time.
    fetch_time
        Seconds in which one picture has to be fetched.
    top
        Candidates of one answer.
    explained
        Products of one request that asks for evidence, which costs some hundred times as much.
    concurrency
        Requests that are read or answered at a time; one more is refused before its body is read.
    queue
        Products that wait for the model; a request that would make it more is refused at once.
    delay
        Seconds that a request may have to wait, by what the model did lately; longer is refused at once.
    steady
        The same once requests have been waiting for a tenth of a second on end, which is no burst any more;
        but never less than two batches take that are as large as it pays. None is a hundredth of `delay`.
    batch
        Products that go through the model together at most; fewer where more gain little.
    wait
        Seconds that a busy server lets a small batch wait for company. A lone request never waits.
    timeout
        Seconds after which nobody waits for an answer any more.
    drain
        Seconds to finish what was begun when the server is told to end.
    """

    items: int = 1000
    body: int = 16 * 2**20
    picture: int = 8 * 2**20
    pixels: int = 40_000_000
    picture_workers: int = 2
    picture_time: float = 10.0
    fetches: int = 16
    fetch_time: float = 10.0
    top: int = 100
    explained: int = 32
    concurrency: int = 512
    queue: int = 4096
    delay: float = 0.5
    steady: float | None = None
    batch: int = 64
    wait: float = 0.005
    timeout: float = 30.0
    drain: float = 20.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if value < 0 or (value == 0 and field.name not in ("wait", "drain")):
                raise RecipeError(f"the limit {field.name} has to be above 0; got {value:g}")
        if self.queue < self.items:
            raise RecipeError(
                f"a request of {self.items:,} products would never find room in a queue of {self.queue:,}: "
                "make the queue longer or take fewer products a request"
            )


LIMITS = Limits()
