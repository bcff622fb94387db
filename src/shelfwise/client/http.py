"""The HTTP door as a client sees it."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING, Any

import msgspec

from shelfwise.errors import MissingExtraError
from shelfwise.serve.messages import PredictAnswer, PredictRequest
from shelfwise.serve.refusal import HTTP_STATUS, Kind, RefusedError

if TYPE_CHECKING:
    import httpx

    from shelfwise.client.asking import ClientOptions

_KIND: dict[int, Kind] = {status: kind for kind, status in HTTP_STATUS.items()}
_PATH = "/v1/predict"
_HEADERS = {"content-type": "application/json"}


class HttpDoor:
    """Speaks HTTP, with connections that stay open."""

    def __init__(self, address: str, options: ClientOptions) -> None:
        self._client = _httpx().Client(**_settings(address, options))

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """Send one request; RefusedError where it is not answered."""
        httpx = _httpx()
        try:
            response = self._client.post(_PATH, content=_encode(request), headers=_HEADERS)
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return _read(response)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class AsyncHttpDoor:
    """Speaks HTTP from an event loop."""

    def __init__(self, address: str, options: ClientOptions) -> None:
        self._client = _httpx().AsyncClient(**_settings(address, options))

    async def predict(self, request: PredictRequest) -> PredictAnswer:
        """Send one request; RefusedError where it is not answered."""
        httpx = _httpx()
        try:
            response = await self._client.post(_PATH, content=_encode(request), headers=_HEADERS)
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return _read(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _httpx() -> Any:  # noqa: ANN401 - the module, imported at its first use
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("The client over HTTP", "client") from error
    return httpx


def _settings(address: str, options: ClientOptions) -> dict[str, Any]:
    headers = {} if options.token is None else {"authorization": f"Bearer {options.token}"}
    headers["x-timeout-seconds"] = f"{options.timeout:g}"
    settings: dict[str, Any] = {"base_url": address, "timeout": options.timeout, "headers": headers}
    if options.certificates is not None:
        trusted = ssl.create_default_context()
        trusted.load_verify_locations(options.certificates)
        settings["verify"] = trusted
    return settings


def _encode(request: PredictRequest) -> bytes:
    return msgspec.json.encode(
        {
            "products": [_with_text(product) for product in request.listed], "top": request.top,
            "promise": request.promise, "explain": request.explain, "model": request.model,
        }
    )  # fmt: skip


def _with_text(product: dict[str, Any]) -> dict[str, Any]:
    picture = product.get("picture")
    return (
        product | {"picture": base64.b64encode(picture).decode()} if isinstance(picture, bytes) else product
    )


def _read(response: httpx.Response) -> PredictAnswer:
    if response.status_code == 200:
        return msgspec.json.decode(response.content, type=PredictAnswer)
    kind = _KIND.get(response.status_code, "broken" if response.status_code < 502 else "unavailable")
    try:
        told = msgspec.json.decode(response.content)["error"]
        code, message = str(told["code"]), str(told["message"])
    except (msgspec.DecodeError, KeyError, TypeError):  # not the server: something on the way to it
        code, message = "status", f"the answer has the status {response.status_code}"
    later = response.headers.get("retry-after", "")
    raise RefusedError(kind, code, message, float(later) if later.isdigit() else None)


def _unreachable(error: Exception) -> RefusedError:
    return RefusedError(
        "unavailable", "unreachable", f"the server cannot be reached: {error or type(error).__name__}"
    )
