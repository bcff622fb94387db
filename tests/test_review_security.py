"""Who may ask, by the names of hosts; long bodies are broken off."""

from __future__ import annotations

import asyncio

import pytest

from shelfwise.review.security import BODY, Guard


async def plain(scope, receive, send):
    """Read the whole body and tell how it ended."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            break
    status = 400 if message["type"] == "http.disconnect" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-frame", b"1")]})
    await send({"type": "http.response.body", "body": b""})


def status(guard, method="GET", path="/", chunks=(b"",), **headers):
    sent, waiting = [], list(chunks)

    async def receive():
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    listed = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": listed}
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("host", "local", "remote"),
    [
        ("127.0.0.1", 200, 200), ("localhost:80", 200, 200), ("LOCALHOST", 200, 200), ("[::1]:9", 200, 200),
        ("shop.lan", 403, 200), ("192.168.1.5:8000", 403, 200), ("[fe80::1]:8000", 403, 200),
        ("evil.example", 403, 403), ("", 403, 403), ("localhost:x", 403, 403), ("[::1]x", 403, 403),
        ("localhost.evil.example", 403, 403), ("127.0.0.1@evil.example", 403, 403),
    ],
)  # fmt: skip
def test_a_name_that_others_can_point_here_is_refused(host, local, remote):
    assert status(Guard(plain, "t"), host=host) == local
    assert status(Guard(plain, "t", ["shop.lan"], remote=True), host=host) == remote


def test_a_body_longer_than_it_said_is_broken_off():
    headers = {"host": "localhost", "content_type": "application/json", "x_shelfwise": "t"}
    chunks = [b"x" * (BODY // 2)] * 3
    guard = Guard(plain, "t")
    assert status(guard, "POST", chunks=chunks, **headers) == 400
    assert status(guard, "POST", chunks=[b"x"], **headers) == 200
    assert status(guard, "POST", content_length=str(BODY + 1), **headers) == 413
    assert status(guard, "POST", content_length="-1", **headers) == 413


def test_a_token_with_odd_letters_is_only_wrong():
    headers = {"host": "localhost", "content_type": "application/json", "x_shelfwise": "é\x80"}
    assert status(Guard(plain, "t"), "POST", **headers) == 403
