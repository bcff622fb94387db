"""What the HTTP door answers to, as OpenAPI 3.1 from the messages themselves, and as a page to read."""

from __future__ import annotations

import copy
import html
from typing import Any

import msgspec

import shelfwise
from shelfwise.serve import messages, oip
from shelfwise.serve.limits import Limits

_SCHEMAS = "#/components/schemas/"
_PRODUCT = {
    "product_id": "A12",
    "title": "Red leather pumps",
    "brand": "Acme",
    "attributes": {"heel": "7 cm"},
}
_REQUEST = {"products": [_PRODUCT], "top": 2, "promise": 0.95}
_ANSWER = {
    "model": {"name": "shop", "version": "0f3a5c1e9b7d2846"},
    "predictions": [
        {
            "product_id": "A12", "category": "Shoes > Pumps", "confidence": 0.97, "accepted": True,
            "shelf": "Shoes > Pumps", "shelf_confidence": 0.97,
            "candidates": [
                {"category": "Shoes > Pumps", "confidence": 0.97},
                {"category": "Shoes > Sandals", "confidence": 0.02},
            ],
            "status": "ok", "reason": None,
        }
    ],
}  # fmt: skip
_INFER = {
    "inputs": [{"name": "title", "datatype": "BYTES", "shape": [1], "data": ["Red leather pumps"]}],
    "outputs": [{"name": "category"}, {"name": "confidence"}],
}
_REFUSAL = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}
_INFER_REFUSAL = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_REFUSALS = {
    "400": "The body is no JSON, or no form.", "401": "The token is missing or wrong.",
    "403": "This is not switched on, or another web page asked.", "404": "There is no such model or page.",
    "413": "Too large, or too many products.", "415": "Neither JSON nor a form.",
    "422": "The request does not fit; the message says where.",
    "429": "Busy; Retry-After says when to try again.",
    "503": "The server ends, or the model cannot be had.", "504": "The time for the answer was over.",
}  # fmt: skip
_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
_VERSION = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
_MODEL = {"name": "model", "in": "query", "required": False, "schema": {"type": "string"}}
_KINDS = (
    messages.PredictRequest, messages.PredictAnswer, messages.CorrectRequest, messages.CorrectAnswer,
    messages.ModelAbout, oip.InferRequest, oip.InferAnswer,
)  # fmt: skip


def describe(limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI document."""
    _, schemas = msgspec.json.schema_components(_KINDS, ref_template=f"{_SCHEMAS}{{name}}")
    schemas["PredictRequest"]["properties"]["top"]["maximum"] = limits.top
    schemas["Refusal"], schemas["InferRefusal"] = _REFUSAL, _INFER_REFUSAL
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shelfwise", "version": shelfwise.__version__, "description": _about(limits)},
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _about(limits: Limits) -> str:
    return (
        f"Puts products on shelves. A request holds up to {limits.items:,} products, {limits.body:,} bytes. "
        "Fields of a product are those of the catalogue that the model learned, or product_id, title, "
        "description, brand, shop, url, image, attributes, picture (base64) and picture_url."
    )


def _paths() -> dict[str, Any]:
    predict = _operation("Predict the shelves of products", "PredictAnswer", _ANSWER)
    predict["requestBody"] = {"required": True, "content": {**_json("PredictRequest", _REQUEST), **_FORM}}
    infer = _operation("Predict by the Open Inference Protocol", "InferAnswer")
    infer["requestBody"] = {"required": True, "content": _json("InferRequest", _INFER)}
    infer["responses"]["200"]["content"] |= _BINARY
    correct = _operation("Remember products with their right categories", "CorrectAnswer")
    example = {"products": [_PRODUCT], "categories": ["Shoes > Pumps"]}
    correct["requestBody"] = {"required": True, "content": _json("CorrectRequest", example)}
    paths: dict[str, Any] = {
        "/v1/predict": {"post": predict},
        "/v1/corrections": {"post": correct},
        "/v1/models": {"get": _operation("The models that are served")},
        "/v1/models/{name}": {"get": _operation("One model", "ModelAbout"), "parameters": [_NAME]},
        "/v1/models/{name}/reload": {"post": _reload(), "parameters": [_NAME]},
        "/v1/taxonomy": {"get": _operation("The category tree of a model"), "parameters": [_MODEL]},
        "/v2": {"get": _operation("About the server, by the Open Inference Protocol")},
        "/health/live": {"get": _operation("Whether the process lives")},
        "/health/ready": {"get": _operation("Whether requests should be sent here")},
        "/v2/health/live": {"get": _operation("Whether the process lives")},
        "/v2/health/ready": {"get": _operation("Whether requests should be sent here")},
        "/metrics": {"get": _plain("Counters for Prometheus", "text/plain")},
    }
    for path, names in (
        ("/v2/models/{name}", [_NAME]),
        ("/v2/models/{name}/versions/{version}", [_NAME, _VERSION]),
    ):
        paths[path] = {"get": _operation("About a model"), "parameters": names}
        paths[f"{path}/ready"] = {"get": _operation("Whether a model answers"), "parameters": names}
        paths[f"{path}/infer"] = {"post": infer, "parameters": names}
    for path in [path for path in paths if path.startswith("/v2/")]:
        paths[path] = _by_protocol(paths[path])
    return paths


def _by_protocol(entry: dict[str, Any]) -> dict[str, Any]:
    """A path whose refusals are those of the Open Inference Protocol."""
    entry = copy.deepcopy(entry)
    for method in ("get", "post"):
        responses = entry.get(method, {}).get("responses", {})
        responses.pop("422", None)
        for status, response in responses.items():
            if status != "200":
                response["content"]["application/json"]["schema"] = {"$ref": f"{_SCHEMAS}InferRefusal"}
        if "400" in responses:
            responses["400"]["description"] = "The body is no JSON, or does not fit; the message says where."
    return entry


_BINARY = {
    "application/octet-stream": {
        "schema": {"description": "JSON with the bytes of tensors after it, where they were asked for."}
    }
}
_FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "picture": {"type": "string", "contentMediaType": "application/octet-stream"},
                "picture_url": {"type": "string", "format": "uri"},
                "request": {
                    "$ref": f"{_SCHEMAS}PredictRequest",
                    "description": "All of it as JSON, in place of single fields.",
                },
            },
        },
        "encoding": {"picture": {"contentType": "image/*"}, "request": {"contentType": "application/json"}},
    }
}


def _json(name: str, example: object = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"{_SCHEMAS}{name}"}}
    return {"application/json": content | ({"example": example} if example is not None else {})}


def _operation(summary: str, answer: str | None = None, example: object = None) -> dict[str, Any]:
    fine: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    content = _json(answer, example) if answer else fine
    refusals = {
        status: {
            "description": told,
            "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Refusal"}}},
        }
        for status, told in _REFUSALS.items()
    }
    return {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **refusals},
    }


def _reload() -> dict[str, Any]:
    operation = _operation("Load a model anew, beside the one that answers")
    operation["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return operation


def _plain(summary: str, kind: str) -> dict[str, Any]:
    operation = _operation(summary)
    operation["responses"]["200"]["content"] = {kind: {"schema": {"type": "string"}}}
    return operation


def docs_page(limits: Limits) -> str:
    """Return a page that lists the routes with examples; it loads nothing from elsewhere."""
    document = describe(limits)
    parts = [_HEAD, f"<p>{html.escape(_about(limits))}</p>"]
    for path, entry in document["paths"].items():
        for method in ("get", "post"):
            if method in entry:
                parts.append(_section(method.upper(), path, entry[method]))
    return "".join(parts) + "</main>"


_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Shelfwise: HTTP</title>'
    '<link rel="stylesheet" href="/static/try.css"><main><h1>Shelfwise over HTTP</h1>'
    '<p><a href="/">Try a product</a> · <a href="/openapi.json">OpenAPI</a> · '
    '<a href="/metrics">Metrics</a></p>'
)


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    shown = ""
    if body is not None:
        text = msgspec.json.format(msgspec.json.encode(body), indent=2).decode()
        curl = f"curl -H 'Content-Type: application/json' http://localhost:8000{path} -d '{text}'"
        shown = f"<pre>{html.escape(curl)}</pre>"
    answer = operation["responses"]["200"]["content"].get("application/json", {}).get("example")
    if answer is not None:
        text = msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()
        shown += f"<pre>{html.escape(text)}</pre>"
    return f"<h2>{method} {html.escape(path)}</h2><p>{html.escape(operation['summary'])}</p>{shown}"
