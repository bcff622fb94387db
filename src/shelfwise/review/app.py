"""The routes of the review page: each reads a request, asks the desk, and writes an answer."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from shelfwise.errors import PictureError, ShelfwiseError
from shelfwise.review import answers, bodies, chart, export, site
from shelfwise.review.decisions import DecisionsError
from shelfwise.review.desk import Desk, RefusedError, Wish
from shelfwise.review.pictures import SIZES
from shelfwise.review.security import Guard

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_JSON = "application/json"
_STATUS = {"key": 409, "disk_full": 507, "locked": 503}
_Query = dict[str, str]


def build_app(desk: Desk, hosts: Iterable[str] = (), remote: bool = False) -> ASGIApp:
    """Return the guarded ASGI application of a desk; `hosts` and `remote` as in `security.Guard`."""
    token = secrets.token_urlsafe(24)
    view = _Views(desk, token)
    routes = [
        Route("/", site.page),
        Route("/static/{name:path}", site.static),
        _get("/api/about", view.about),
        _get("/api/doubts", view.doubts),
        _get("/api/products/{id:int}", view.product),
        _get("/api/shelves", view.shelves),
        _get("/api/tree", view.tree),
        _get("/api/changes", view.changes),
        _get("/api/progress", view.progress),
        _get("/api/map", view.map),
        _get("/api/map/legend", view.legend),
        _get("/api/export", view.export),
        _get("/pictures/neighbour/{product:path}", view.neighbour_picture),
        _get("/pictures/{id:int}/{number:int}", view.picture),
        _post("/api/decisions", view.decide),
        _post("/api/bulk", view.bulk),
        _post("/api/undo", view.undo),
        _post("/api/selections", view.select),
        _post("/api/shelves", view.add_shelf),
    ]
    handlers: dict[Any, Any] = {404: _no_such_page, 405: _no_such_page, 500: _broken}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, hosts, remote)


def _get(path: str, work: Callable[[_Query, dict[str, Any]], Response]) -> Route:
    async def endpoint(request: Request) -> Response:
        known = request.headers.get("if-none-match")
        return await _answer(work, dict(request.query_params), {**request.path_params, "known": known})

    return Route(path, endpoint, methods=["GET"])


def _post(path: str, work: Callable[[bytes, str], Response]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            data = await request.body()
        except ClientDisconnect:
            return _error(413, "too_large", "The request broke off, or is too large.")
        return await _answer(work, data, bodies.reviewer(request.headers.get("x-reviewer")))

    return Route(path, endpoint, methods=["POST"])


async def _answer(work: Callable[..., Response], *given: object) -> Response:
    """Work in a thread; what went wrong for a known reason is told in a sentence."""
    try:
        return await run_in_threadpool(work, *given)
    except RefusedError as error:
        return _error(error.status, error.code, str(error))
    except DecisionsError as error:
        return _error(_STATUS.get(error.code, 500), error.code, str(error))
    except PictureError as error:
        return _error(404, error.code, str(error))
    except ShelfwiseError as error:
        return _error(400, "refused", str(error))


class _Views:
    """The answers, one method a route; they run in threads, one at a time under the desk's lock."""

    def __init__(self, desk: Desk, token: str) -> None:
        self._desk, self._token = desk, token

    # -- looking ---------------------------------------------------------------------------------------------

    def about(self, query: _Query, path: dict[str, Any]) -> Response:
        with self._desk.lock:
            return _json(answers.about(self._desk, self._token))

    def doubts(self, query: _Query, path: dict[str, Any]) -> Response:
        asked = bodies.read_filter(query)
        offset = bodies.read_whole(query, "offset", 0, 2**31)
        limit = bodies.read_whole(query, "limit", 50, bodies.MOST)
        with self._desk.lock:
            self._desk.refresh()
            return _json(answers.doubts_page(self._desk, asked, offset, limit))

    def product(self, query: _Query, path: dict[str, Any]) -> Response:
        with self._desk.lock:
            self._desk.refresh()
            return _json(answers.product(self._desk, self._known(path["id"])))

    def shelves(self, query: _Query, path: dict[str, Any]) -> Response:
        limit = bodies.read_whole(query, "limit", 30, bodies.MOST)
        question = query.get("q", "")[:200]
        candidates = []
        if "product" in query and not question.strip():
            candidates = self._desk.candidates(self._known(bodies.read_whole(query, "product", 0, 2**31)))
        with self._desk.lock:
            return _json({"items": answers.shelves(self._desk, question, candidates, limit)})

    def tree(self, query: _Query, path: dict[str, Any]) -> Response:
        with self._desk.lock:
            try:
                return _json(answers.tree(self._desk, bodies.read_whole(query, "node", 0, 2**31)))
            except IndexError as error:
                raise RefusedError("unknown", "There is no such node in the tree.", 404) from error

    def changes(self, query: _Query, path: dict[str, Any]) -> Response:
        since = bodies.read_whole(query, "since", 0, 2**60)
        with self._desk.lock:
            self._desk.refresh()
            items = answers.changes(self._desk, self._desk.ledger.changed_since(since))
            return _json(
                {"seq": self._desk.ledger.seq, "items": items, "progress": self._desk.ledger.progress()}
            )

    def progress(self, query: _Query, path: dict[str, Any]) -> Response:
        with self._desk.lock:
            self._desk.refresh()
            return _json(self._desk.ledger.progress())

    def map(self, query: _Query, path: dict[str, Any]) -> Response:
        with self._desk.lock:
            data = _coloured(chart.points, self._desk, query)
        return Response(data, media_type="application/octet-stream")

    def legend(self, query: _Query, path: dict[str, Any]) -> Response:
        with self._desk.lock:
            return _json(_coloured(chart.legend, self._desk, query))

    def export(self, query: _Query, path: dict[str, Any]) -> Response:
        form = query.get("form", "parquet")
        if form not in export.FORMS:
            raise RefusedError("query", f"form is one of {', '.join(export.FORMS)}; got {form[:20]!r}", 400)
        with self._desk.lock:
            self._desk.refresh()
            data, kind = export.as_bytes(self._desk.store, form)
        name = f"decisions.{form}"
        return Response(
            data, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'}
        )

    def picture(self, query: _Query, path: dict[str, Any]) -> Response:
        place = int(self._desk.products.of_doubt[self._known(path["id"])])
        return self._picture(place if path["number"] == 0 else -1, query, path["known"])

    def neighbour_picture(self, query: _Query, path: dict[str, Any]) -> Response:
        return self._picture(self._desk.products.place_of(path["product"]), query, path["known"])

    def _picture(self, place: int, query: _Query, known: str | None) -> Response:
        """Decoded outside of the lock: a large picture must hold up nobody's decision."""
        size = bodies.read_whole(query, "size", SIZES[-1], SIZES[-1])
        if size not in SIZES:
            raise RefusedError("query", f"size is one of {', '.join(map(str, SIZES))}", 400)
        if place < 0:
            raise RefusedError("missing", "This product has no such picture.", 404)
        # Another doubts file may be served under the same address tomorrow.
        tag = f'"{self._desk.doubts.fingerprint[:16]}-{place}-{size}"'
        headers = {"cache-control": "private, no-cache", "etag": tag}
        if known == tag:
            return Response(status_code=304, headers=headers)
        return Response(self._desk.pictures.jpeg(place, size), media_type="image/jpeg", headers=headers)

    # -- deciding --------------------------------------------------------------------------------------------

    def decide(self, data: bytes, who: str) -> Response:
        body = bodies.read_body(data, bodies.DecisionsBody)
        with self._desk.lock:
            return self._decided(body.key, who, [one.wish() for one in body.items])

    def bulk(self, data: bytes, who: str) -> Response:
        body = bodies.read_body(data, bodies.BulkBody)
        body.check()
        with self._desk.lock:
            kept = self._desk.kept(body.key)
            if kept:  # the same request again: the filter may find others by now
                return self._decided(body.key, who, [Wish(*one, body.new) for one in kept])
            self._desk.refresh()
            found = self._desk.find(body.filter)
            if len(found) != body.expect:
                told = f"The selection has {len(found):,} products by now, not {body.expect:,}. Look again."
                raise RefusedError("changed", told)
            wishes = [Wish(int(n), body.action, body.category, body.new) for n in found]
            return self._decided(body.key, who, wishes)

    def _decided(self, key: str, who: str, wishes: list[Wish]) -> Response:
        conflicts = self._desk.decide(key, who, wishes) if wishes else []
        ledger = self._desk.ledger
        return _json(
            {
                "saved": len(wishes), "seq": ledger.seq, "conflicts": conflicts[: bodies.MOST],
                "progress": ledger.progress(), "next_hint": self._desk.next_open(),
            }
        )  # fmt: skip

    def undo(self, data: bytes, who: str) -> Response:
        body = bodies.read_body(data, bodies.UndoBody)
        with self._desk.lock:
            undone = self._desk.undo(body.key, who)
            ledger = self._desk.ledger
            return _json({"undone": undone, "seq": ledger.seq, "progress": ledger.progress()})

    def select(self, data: bytes, who: str) -> Response:
        body = bodies.read_body(data, bodies.SelectionBody)
        with self._desk.lock:
            name, count = self._desk.select(body.ids)
            return _json({"selection": name, "count": count})

    def add_shelf(self, data: bytes, who: str) -> Response:
        body = bodies.read_body(data, bodies.ShelfBody)
        with self._desk.lock:
            return _json({"category": self._desk.add_shelf(body.category, who)})

    def _known(self, number: int) -> int:
        if not 0 <= number < len(self._desk.doubts):
            raise RefusedError("unknown", f"There is no doubt {number}.", 404)
        return number


def _coloured(make: Callable[[Desk, str], Any], desk: Desk, query: _Query) -> Any:  # noqa: ANN401 - what it makes
    desk.refresh()
    try:
        return make(desk, query.get("colour") or "level1")
    except ValueError as error:
        raise RefusedError("query", str(error), 400) from error


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=_plain), media_type=_JSON)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a {type(value).__name__} cannot be sent")


def _error(status: int, code: str, message: str) -> Response:
    body = msgspec.json.encode({"error": {"code": code, "message": message}})
    return Response(body, status, media_type=_JSON)


async def _no_such_page(request: Request, error: Exception) -> Response:
    return _error(404, "no_page", "There is no such page.")


async def _broken(request: Request, error: Exception) -> Response:
    return _error(
        500, "broken", "Something went wrong in the server; its window says what. Nothing was lost."
    )
