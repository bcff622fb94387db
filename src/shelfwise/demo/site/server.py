"""The web shop's server: the standard library's, a thread for each connection."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl

from shelfwise.demo.site.content import Answer, Content
from shelfwise.demo.site.stock import Stock
from shelfwise.demo.site.truth import hazards, truth
from shelfwise.errors import RecipeError

IDLE = 30.0  # seconds after which a silent connection is closed
HITS = "/__hits"


@dataclass(frozen=True)
class ShopOptions:
    """What to sell and where to listen.

    products: at least 300. port: 0 takes a free one. count_hits: answer /__hits with how often each path was
    asked for.
    """

    products: int = 400
    seed: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    count_hits: bool = False


class WebShop(ThreadingHTTPServer):
    """A bound server; `serve_forever` answers, `server_close` gives the port back.

    Attributes:
        stock: What is sold.
        hits: How often each path was asked for, with its query.

    Raises:
        RecipeError: Too few products, or an address that cannot be listened on.

    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options: ShopOptions) -> None:
        self.address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        try:
            super().__init__((options.host, options.port), _Visit)
        except (OSError, OverflowError) as error:
            told = getattr(error, "strerror", None) or error
            raise RecipeError(
                f"cannot listen on {options.host}, port {options.port}: {told}. Take another port with "
                "--port, or --port 0 for a free one."
            ) from error
        try:
            self.stock = Stock(options.products, options.seed, _base(options.host, self.server_port))
        except BaseException:
            self.server_close()
            raise
        self.content = Content(self.stock)
        self.count_hits = options.count_hits
        self.hits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def server_bind(self) -> None:
        """Bind without asking the name service for this machine's name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of visitors who hang up; anything else is told as usual."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def found(self, target: str) -> Answer:
        """Return the answer to a GET, and count it."""
        if self.count_hits and target == HITS:
            with self._lock:
                return Answer(200, json.dumps(self.hits).encode(), "application/json")
        with self._lock:
            self.hits[target] += 1
        return self.content.answer(target)

    def truth(self) -> pl.DataFrame:
        """Return what a perfect scrape brings home: see `shelfwise.demo.site.truth`."""
        return truth(self.stock)

    def write_truth(self, folder: Path) -> tuple[Path, Path]:
        """Write `truth.parquet` and `hazards.csv` into a folder, which is made where needed; return both."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = folder / "truth.parquet", folder / "hazards.csv"
        self.truth().write_parquet(paths[0])
        hazards(self.stock).write_csv(paths[1])
        return paths


def _base(host: str, port: int) -> str:
    """The address that stands in the pages."""
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Visit(BaseHTTPRequestHandler):
    """One connection."""

    server: WebShop
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "shelfwise-demo", ""
    timeout = IDLE
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a body."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without one."""
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        answer = self.server.found(self.path)
        if answer.delay:
            time.sleep(answer.delay)
        known = answer.status == 200 and self.headers.get("If-None-Match") == answer.tag
        body = b"" if known else answer.body
        self.send_response(304 if known else answer.status)
        if answer.status == 200:
            self.send_header("ETag", answer.tag)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not known:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@contextmanager
def running(options: ShopOptions) -> Iterator[WebShop]:
    """Answer in threads of this process until the end of the block."""
    shop = WebShop(options)
    thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        shop.shutdown()
        thread.join()
        shop.server_close()
