"""Bodies of HTTP requests: JSON, or a form with the fields of one product and its picture as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import PredictRequest
from shelfwise.serve.refusal import RefusedError, invalid
from shelfwise.serve.tracing import part

if TYPE_CHECKING:
    from starlette.requests import Request

_T = TypeVar("_T")
_ABOUT = ("model", "top", "promise", "explain", "request")
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


async def read_predict(request: Request, limits: Limits) -> PredictRequest:
    """Return what a request asks; RefusedError where it cannot be understood."""
    kind = content_type(request)
    check_encoding(request)
    if kind == "multipart/form-data":
        with part("read"):
            return await _read_form(request, limits)
    if kind != "application/json":
        told = "send JSON (Content-Type: application/json) or a form with a picture (multipart/form-data)"
        raise RefusedError("media_type", "content_type", told)
    with part("read"):
        return decode(await request.body(), PredictRequest)


async def read_json(request: Request, kind: type[_T]) -> _T:
    """Return a body of JSON by type; RefusedError where it is none, or of another type."""
    if content_type(request) != "application/json":
        raise RefusedError("media_type", "content_type", "send JSON (Content-Type: application/json)")
    check_encoding(request)
    with part("read"):
        return decode(await request.body(), kind)


def content_type(request: Request) -> str:
    """The type of a request's body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def seconds_of(said: str | None) -> float | None:
    """Seconds that a caller will wait by the header X-Timeout-Seconds; RefusedError where it holds none."""
    if said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise invalid("timeout", f"X-Timeout-Seconds is a number of seconds; got {said[:40]!r}")
    return seconds


def check_encoding(request: Request) -> None:
    """Raise RefusedError for a compressed body: a small one may unfold into anything."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        told = "send the body as it is, not compressed (no Content-Encoding)"
        raise RefusedError("media_type", "content_encoding", told)


def decode(data: bytes | bytearray | str, kind: type[_T]) -> _T:
    """Return JSON by type; RefusedError says what is wrong in it."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        value: _T = decoder.decode(data)
        return value
    except msgspec.ValidationError as error:
        raise invalid("body", f"the request does not fit: {error}") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise RefusedError("malformed", "json", f"the request is no JSON: {error}") from error


async def _read_form(request: Request, limits: Limits) -> PredictRequest:
    """A form: `picture` as a file, and either `request` as JSON or the fields of one product."""
    from starlette.exceptions import HTTPException

    try:
        async with request.form(max_files=1, max_fields=200, max_part_size=limits.body) as form:
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            upload = form.get("picture")
            picture = None if upload is None or isinstance(upload, str) else await upload.read()
    except HTTPException as error:
        raise RefusedError("malformed", "form", f"the form cannot be read: {error.detail}") from error
    if "request" in fields:
        asked = decode(fields["request"], PredictRequest)
        products = asked.listed
    else:
        about = {name: _value(fields[name]) for name in _ABOUT if name in fields}
        products = [{name: value for name, value in fields.items() if name not in _ABOUT}]
        asked = _converted({"products": products, **about})
    if picture is not None:
        if len(products) != 1 or not isinstance(products[0], dict):
            raise invalid("form", "a picture as a file goes with one product; send several in base64")
        products = [products[0] | {"picture": picture}]
    return msgspec.structs.replace(asked, products=products)


def _value(text: str) -> object:
    """A field of a form that is about the request: numbers and truth as such, all else as text."""
    try:
        found: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return text
    return found if isinstance(found, int | float | bool) else text


def _converted(values: dict[str, object]) -> PredictRequest:
    try:
        return msgspec.convert(values, PredictRequest)
    except msgspec.ValidationError as error:
        raise invalid("body", f"the form does not fit: {error}") from error
