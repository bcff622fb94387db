"""One guarded GET, against a server that does everything wrong."""

import asyncio
import gzip
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shelfwise.addresses import Rules
from shelfwise.collect.polite import Pace
from shelfwise.collect.web import FetchError, Limits, Web

BOMB = gzip.compress(b" " * 50_000_000)  # packed before anyone waits for it


class Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        getattr(self, "do_" + self.path.strip("/"))()

    def answer(self, status=200, body=b"x", length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_fine(self):
        self.answer(X_A="1")

    def do_moved(self):
        self.answer(302, Location="http://169.254.169.254/")

    def do_later(self):
        self.answer(429, Retry_After="100")

    def do_later_by_half(self):
        self.answer(429, body=b"come back", length=100, Retry_After="100")
        self.close_connection = True

    def do_bomb(self):
        self.answer(body=BOMB, Content_Encoding="gzip")

    def do_short(self):
        self.answer(body=b"x" * 10, length=100)
        self.close_connection = True

    def do_dripping(self):
        self.answer(body=b"x", length=100)
        time.sleep(1.5)

    def do_silent(self):
        time.sleep(1.5)

    def do_rubbish(self):
        self.wfile.write(b"this is no answer\r\n\r\n")
        self.close_connection = True

    def do_gone(self):
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
    server.daemon_threads = True
    server.seen = []
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def get(server, path, guard=None, headers=None):
    host = f"127.0.0.1:{server.server_port}"
    url = path if "://" in path else f"http://{host}{path}"
    pace = Pace(0.0)

    async def run():
        web = Web(guard or Rules(hosts=(host,)), pace, "shelfwise/1 (+me)", Limits(1_000_000, 1.0))
        try:
            return await web.get(url, headers)
        finally:
            await web.close()

    return asyncio.run(run()), pace


def test_an_answer_is_as_it_is_and_the_crawler_says_who_it_is(server):
    answer, _ = get(server, "/fine", headers={"If-None-Match": '"1"'})

    assert (answer.status, answer.body, answer.header("x-a")) == (200, b"x", "1")
    headers = server.seen[-1][1]
    assert headers["User-Agent"] == "shelfwise/1 (+me)"
    assert headers["If-None-Match"] == '"1"'
    assert "Cookie" not in headers


def test_redirects_are_not_followed(server):
    answer, _ = get(server, "/moved")

    assert (answer.status, answer.header("location")) == (302, "http://169.254.169.254/")


def test_a_host_that_asks_to_wait_is_held(server):
    _, pace = get(server, "/later")

    assert pace.held(f"127.0.0.1:{server.server_port}") > time.time() + 90


def test_a_host_that_asks_to_wait_is_held_though_its_answer_never_ends(server):
    pace = Pace(0.0)
    host = f"127.0.0.1:{server.server_port}"

    async def run():
        web = Web(Rules(hosts=(host,)), pace, "shelfwise/1 (+me)", Limits(1_000_000, 1.0))
        try:
            await web.get(f"http://{host}/later_by_half")
        finally:
            await web.close()

    with pytest.raises(FetchError) as caught:
        asyncio.run(run())
    assert caught.value.code == "truncated"
    assert pace.held(host) > time.time() + 90


def test_an_answer_that_asks_to_wait_while_a_turn_begins_is_heard_first():
    async def ask():
        pace = Pace(0.0)
        asyncio.get_running_loop().call_soon(lambda: pace.hold("a.example", time.time() + 0.2))
        await Web(Rules(), pace, "me")._turn("a.example")
        return pace.held("a.example"), time.time()

    held, began = asyncio.run(ask())

    assert 0 < held <= began


def test_an_answer_that_came_in_while_the_loop_was_busy_is_heard_first():
    async def ask():
        loop, pace = asyncio.get_running_loop(), Pace(0.0)

        def later(rounds):
            if rounds:
                loop.call_soon(later, rounds - 1)
            else:
                pace.hold("a.example", time.time() + 0.2)

        loop.call_soon(time.sleep, 0.1)
        loop.call_soon(later, 5)
        await Web(Rules(), pace, "me")._turn("a.example")
        return pace.held("a.example"), time.time()

    held, began = asyncio.run(ask())

    assert 0 < held <= began


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/bomb", "too_large"),
        ("/short", "truncated"),
        ("/dripping", "too_slow"),
        ("/silent", "timeout"),
        ("/rubbish", "bad_answer"),
        ("/gone", "reset"),
    ],
)
def test_what_is_no_answer_has_a_code(server, path, code):
    with pytest.raises(FetchError) as caught:
        get(server, path)

    assert caught.value.code == code


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::1]/",
        "http://localhost/",
        "file:///etc/passwd",
        "http://10.0.0.1/",
    ],
)
def test_what_is_not_public_is_not_asked(server, url):
    before = len(server.seen)

    with pytest.raises(FetchError) as caught:
        get(server, url, guard=Rules())

    assert caught.value.code == "private_address"
    assert len(server.seen) == before


def test_a_name_that_leads_to_this_machine_is_not_asked(server, monkeypatch):
    async def look_up(host, port):
        return ["127.0.0.1"]

    monkeypatch.setattr("shelfwise.collect.web._look_up", look_up)
    before = len(server.seen)

    with pytest.raises(FetchError) as caught:
        get(
            server, f"http://shop.example:{server.server_port}/fine", guard=Rules(ports=(server.server_port,))
        )

    assert caught.value.code == "private_address"
    assert len(server.seen) == before


def test_nobody_listening_is_refused(server):
    with serving() as other:
        port = other.server_port

    with pytest.raises(FetchError) as caught:
        get(server, f"http://127.0.0.1:{port}/fine", guard=Rules(hosts=(f"127.0.0.1:{port}",)))

    assert caught.value.code == "refused"
