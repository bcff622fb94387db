"""The page's own files: from this package and from nowhere else."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
"""Where the build of the page puts its files."""

_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript",
    ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
    ".woff2": "font/woff2", ".json": "application/json", ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}  # fmt: skip
_UNBUILT = b"""<!doctype html>
<meta charset="utf-8"><title>Shelfwise</title>
<h1>The review page is not built</h1>
<p>In a checkout, run <code>make page</code> once; a wheel brings the page along. The server itself works.</p>
"""


async def page(request: Request) -> Response:
    """Return the page, or how to build it."""
    index = STATIC / "index.html"
    if not index.is_file() or not (STATIC / "app.js").is_file():
        return Response(_UNBUILT, 503, media_type=_TYPES[".html"])
    return Response(index.read_bytes(), media_type=_TYPES[".html"], headers={"cache-control": "no-cache"})


async def static(request: Request) -> Response:
    """Return one of the page's files."""
    name = request.path_params["name"]
    found = find(name)
    if found is None:
        return Response(b"There is no such file.", 404, media_type="text/plain")
    return Response(
        found.read_bytes(), media_type=_TYPES[found.suffix.lower()], headers={"cache-control": "no-cache"}
    )


def find(name: str) -> Path | None:
    """Return the page's file of that name, None for anything that is not one of them."""
    root = STATIC.resolve()
    try:
        path = (root / name).resolve()
        fine = path.is_relative_to(root) and path.is_file() and path.suffix.lower() in _TYPES
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if fine else None
