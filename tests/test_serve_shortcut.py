"""The short way to `/v1/predict`: the same bytes as the usual way, and connections that do odd things."""

import json
import socket
import time

import pytest

from serve_shop import counted, serving, until

SENT = {"products": {"title": "red leather boot"}, "top": 2}
BODIES = [
    json.dumps(SENT),
    json.dumps({"products": [{"title": "boot"}, 7, {"nothing": 1}], "promise": 0.6}),
    json.dumps({"products": []}),
    json.dumps({"products": {"title": "x"}, "top": 1000}),
    json.dumps({"product": 1}),
    json.dumps({"products": [{"title": "x"}] * 51}),
    "{",
]


class Wire:
    """One connection, spoken to in bytes."""

    def __init__(self, server):
        host, port = server.http.removeprefix("http://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """Status, headers and body of the next answer; None where the connection has ended."""
        line = self.file.readline()
        if not line:
            return None
        headers = {}
        while (header := self.file.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name] = value
        return int(line.split()[1]), headers, self.file.read(int(headers.get("content-length", 0)))


def request(body, *more, version="1.1"):
    """The bytes of a request."""
    head = [f"POST /v1/predict HTTP/{version}", "Host: x", "Content-Type: application/json", *more]
    length = [] if "Transfer-Encoding: chunked" in more else [f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *length, "", body]).encode()


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("more", [[], ["X-Timeout-Seconds: 0"], ["Sec-Fetch-Site: cross-site"]])
def test_both_ways_give_the_same(server, body, more):
    """`Expect` makes a request go the usual way."""
    more = ["X-Request-Id: mine", *more]
    with Wire(server) as short, Wire(server) as usual:
        short.send(request(body, *more))
        usual.send(request(body, "Expect: 100-continue", *more))
        status, headers, content = short.answer()
        wanted = usual.answer()
        if wanted[0] == 100:
            wanted = usual.answer()

    headers.pop("date")
    wanted[1].pop("date")
    assert (status, headers, content) == wanted


def test_answers_keep_their_order_on_a_connection(server):
    bodies = [json.dumps({"products": {"product_id": str(n), "title": "boot"}}) for n in range(5)]
    with Wire(server) as wire:
        wire.send(
            b"".join(request(body) for body in bodies) + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        answers = [wire.answer() for _ in range(6)]

    ids = [json.loads(body)["predictions"][0]["product_id"] for _, _, body in answers[:5]]
    assert ids == ["0", "1", "2", "3", "4"]
    assert json.loads(answers[5][2]) == {"status": "live"}


def test_bodies_may_come_in_pieces(server):
    body = json.dumps(SENT)
    with Wire(server) as wire:
        whole = request(body)
        for start in range(0, len(whole), 40):
            wire.send(whole[start : start + 40])
            time.sleep(0.002)
        pieces = wire.answer()
        chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (body[:9], body[9:])) + "0\r\n\r\n"
        wire.send(request(chunks, "Transfer-Encoding: chunked"))
        chunked = wire.answer()

    assert pieces[0] == chunked[0] == 200
    assert pieces[2] == chunked[2]


def test_a_body_that_says_nothing_of_its_length_is_bounded(server):
    with Wire(server) as wire:
        wire.send(request("", "Transfer-Encoding: chunked") + b"30d40\r\n" + b"x" * 200_000)
        wire.send(b"\r\n10\r\n" + b"x" * 16)
        status, headers, _ = wire.answer()

        assert (status, headers["connection"]) == (413, "close")
        assert wire.answer() is None


def test_old_clients_are_answered_and_let_go(server):
    with Wire(server) as wire:
        wire.send(request(json.dumps(SENT), version="1.0"))

        assert wire.answer()[0] == 200
        assert wire.answer() is None


def test_a_caller_that_goes_gives_back_its_place(server):
    before = counted(server, "http", "499")
    with Wire(server) as wire:
        wire.send(request(json.dumps(SENT))[:-5])
        time.sleep(0.1)
    until(lambda: counted(server, "http", "499") > before)

    assert counted(server, "http", "499") == before + 1
    with server.client() as client:
        assert "shelfwise_requests_under_way 0.0" in client.get("/metrics").text


def test_a_busy_server_refuses_by_the_headers_and_keeps_the_connection(saved):
    with (
        serving(f"shop={saved}", "--concurrency", "1", "--lame-duck", "0") as server,
        Wire(server) as first,
        Wire(server) as second,
    ):
        whole = request(json.dumps(SENT))
        first.send(whole[:-5])  # its place is taken before its body is there
        time.sleep(0.1)
        second.send(whole[:-5])
        refused = second.answer()
        first.send(whole[-5:])
        answered = first.answer()
        second.send(whole[-5:] + whole)
        then = second.answer()

    assert (refused[0], json.loads(refused[2])["error"]["code"]) == (429, "busy")
    assert int(refused[1]["retry-after"]) >= 1
    assert "connection" not in refused[1]
    assert answered[0] == then[0] == 200
    assert answered[2] == then[2]


def test_a_token_is_asked_for(saved):
    with serving(f"shop={saved}", "--token", "word", "--lame-duck", "0") as server, Wire(server) as wire:
        wire.send(request(json.dumps(SENT)))
        without = wire.answer()
        wire.send(request(json.dumps(SENT), "Authorization: Bearer word"))
        having = wire.answer()

    assert without[0] == 401
    assert "Bearer" in without[1]["www-authenticate"]
    assert having[0] == 200
