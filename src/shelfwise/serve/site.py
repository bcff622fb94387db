"""The page at / to try a product by hand, and its own files: from this package and from nowhere else."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
_TYPES = {
    "try.html": "text/html; charset=utf-8",
    "try.js": "text/javascript; charset=utf-8",
    "try.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


async def page(request: Request) -> Response:
    """Return the page."""
    return _file("try.html")


async def static(request: Request) -> Response:
    """Return one of the page's files."""
    name = request.path_params["name"]
    return (
        _file(name) if name in _TYPES else Response(b"There is no such file.", 404, media_type="text/plain")
    )


def _file(name: str) -> Response:
    return Response((STATIC / name).read_bytes(), media_type=_TYPES[name])
