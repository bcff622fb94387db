"""The clients: one for programs that wait, one for event loops; either speaks through either door."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from shelfwise.client.retries import Retries
from shelfwise.errors import RecipeError
from shelfwise.serve.messages import PredictAnswer, Prediction, PredictRequest
from shelfwise.serve.refusal import RefusedError

Product = Mapping[str, Any]


@dataclass(frozen=True)
class ClientOptions:
    """How a server is asked.

    token: of the server. timeout: seconds for one attempt. retries: what is done when it refuses.
    certificates: PEM file of the authorities that are trusted, beside those of the system.
    """

    token: str | None = None
    timeout: float = 30.0
    retries: Retries = field(default_factory=Retries)
    certificates: str | None = None


class Door(Protocol):
    """A way to one server; asking raises RefusedError."""

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """Send one request."""

    def close(self) -> None:
        """Close the connections."""


class AsyncDoor(Protocol):
    """A way to one server from an event loop; asking raises RefusedError."""

    async def predict(self, request: PredictRequest) -> PredictAnswer:
        """Send one request."""

    async def close(self) -> None:
        """Close the connections."""


class Client:
    """Asks a server and waits; made by `connect`, closed by `with` or `close`."""

    def __init__(self, door: Door, retries: Retries) -> None:
        self._door, self._retries = door, retries

    def predict(
        self,
        products: Product | Sequence[Product],
        top: int = 5,
        promise: float | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> PredictAnswer:
        """Predict one product or a list of them.

        Args:
            products: fields as in the catalogue, or product_id, title, description, brand, shop, url, image,
                attributes, picture (the bytes of a picture file) and picture_url.
            top: candidates for each.
            promise: accept only what is right this often, such as 0.98.
            explain: give the evidence behind each answer.
            model: which one; the server's first otherwise.

        Raises:
            RefusedError: the server refuses for good, or cannot be reached after all attempts.

        """
        request = PredictRequest(_plain(products), model, top, promise, explain)
        attempt = 1
        while True:
            try:
                return self._door.predict(request)
            except RefusedError as error:
                wait = self._retries.wait(attempt, error)
                if wait is None:
                    raise
                time.sleep(wait)
                attempt += 1

    def predict_all(
        self, products: Iterable[Product], promise: float | None = None, batch: int = 32
    ) -> Iterator[Prediction]:
        """Predict any number of products, in their order, `batch` a request."""
        waiting = iter(products)
        while part := list(islice(waiting, batch)):
            yield from self.predict(part, promise=promise).predictions

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Asks a server from an event loop; made by `connect_async`, closed by `async with` or `close`."""

    def __init__(self, door: AsyncDoor, retries: Retries) -> None:
        self._door, self._retries = door, retries

    async def predict(
        self,
        products: Product | Sequence[Product],
        top: int = 5,
        promise: float | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> PredictAnswer:
        """Predict one product or a list of them; see `Client.predict`."""
        request = PredictRequest(_plain(products), model, top, promise, explain)
        attempt = 1
        while True:
            try:
                return await self._door.predict(request)
            except RefusedError as error:
                wait = self._retries.wait(attempt, error)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
                attempt += 1

    async def predict_all(
        self, products: Iterable[Product], promise: float | None = None, batch: int = 32
    ) -> AsyncIterator[Prediction]:
        """Predict any number of products, in their order, `batch` a request."""
        waiting = iter(products)
        while part := list(islice(waiting, batch)):
            for one in (await self.predict(part, promise=promise)).predictions:
                yield one

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def connect(address: str, options: ClientOptions | None = None) -> Client:
    """Return a client of the server at http://..., https://..., grpc://HOST:PORT or grpcs://HOST:PORT.

    Nothing is sent yet. RecipeError for another address, MissingExtraError where a package is not installed.
    """
    options = options or ClientOptions()
    scheme, where = _split(address)
    if scheme.startswith("http"):
        from shelfwise.client.http import HttpDoor

        return Client(HttpDoor(address, options), options.retries)
    from shelfwise.client.rpc import RpcDoor

    return Client(RpcDoor(where, scheme == "grpcs", options), options.retries)


def connect_async(address: str, options: ClientOptions | None = None) -> AsyncClient:
    """Return a client for an event loop; addresses and errors as for `connect`."""
    options = options or ClientOptions()
    scheme, where = _split(address)
    if scheme.startswith("http"):
        from shelfwise.client.http import AsyncHttpDoor

        return AsyncClient(AsyncHttpDoor(address, options), options.retries)
    from shelfwise.client.rpc import AsyncRpcDoor

    return AsyncClient(AsyncRpcDoor(where, scheme == "grpcs", options), options.retries)


def _split(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.netloc:
        raise RecipeError(f"{address!r} is no server: give http://HOST:PORT or grpc://HOST:PORT")
    return parts.scheme, parts.netloc


def _plain(products: Product | Sequence[Product]) -> Any:  # noqa: ANN401 - either form of a request
    return dict(products) if isinstance(products, Mapping) else [dict(product) for product in products]
