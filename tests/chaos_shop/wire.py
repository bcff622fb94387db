"""HTTP/1.1 as a plain asyncio protocol: as fast as one process can, and able to do it wrong on purpose."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import traceback
from dataclasses import dataclass

REASONS = {
    200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 400: "Bad Request",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone", 429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip
LONGEST = 65_536  # bytes of a request's head
RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Request:
    """A request as it came; header names are in small letters."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def host(self):
        return self.headers.get("host", "")

    @property
    def agent(self):
        return self.headers.get("user-agent", "")


@dataclass(slots=True)
class Reply:
    """What is sent, and how.

    data: head and body. label: what kind of answer that is, for the books. delay: seconds before it. end:
    what happens then: "keep" the connection, "close" it, "reset" it, "drip" a byte at a time, "flood"
    without end, or "hang". wait: seconds that a Retry-After in it asks for, None without one.
    """

    data: bytes
    label: str = "page"
    delay: float = 0.0
    end: str = "keep"
    wait: float | None = None


@dataclass
class Limits:
    """When endless answers are given up: after so many seconds, or bytes."""

    seconds: float = 60.0
    flood: int = 200_000_000
    latency: float = 0.0


def message(status, body=b"", kind="text/html; charset=utf-8", headers=(), length=None):
    """A whole answer; `length` is what the head says of the body, where that is not true."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}"]
    if kind:
        lines.append(f"Content-Type: {kind}")
    if status != 304:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def as_json(data, status=200):
    return Reply(message(status, json.dumps(data).encode(), "application/json"))


@dataclass
class Counts:
    """What is open now, and what was at most."""

    open: int = 0
    most_open: int = 0
    running: int = 0
    most_running: int = 0
    bugs: int = 0


class Connection(asyncio.Protocol):
    """One visitor. `answer(request) -> Reply` decides; requests of one connection are answered in turn."""

    def __init__(self, answer, counts, limits):
        self.answer, self.counts, self.limits = answer, counts, limits
        self.buffer, self.busy, self.task, self.room = b"", False, None, asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.room.set()
        self.counts.open += 1
        self.counts.most_open = max(self.counts.most_open, self.counts.open)

    def connection_lost(self, _):
        self.counts.open -= 1
        self.room.set()
        if self.task is not None:
            self.task.cancel()
        self.done()

    def pause_writing(self):
        self.room.clear()

    def resume_writing(self):
        self.room.set()

    def data_received(self, data):
        self.buffer += data
        self.next()

    def next(self):
        while not self.busy and not self.transport.is_closing():
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                if len(self.buffer) > LONGEST:
                    self.transport.abort()
                return
            self.buffer = rest
            request = parse(head)
            if request is None:
                self.transport.write(message(400, b"bad request"))
                self.transport.close()
                return
            self.busy = True
            self.counts.running += 1
            self.counts.most_running = max(self.counts.most_running, self.counts.running)
            reply = self.replied(request)
            delay = reply.delay + self.limits.latency
            if delay or reply.end in ("drip", "flood", "hang"):
                self.task = asyncio.get_running_loop().create_task(self.later(request, reply, delay))
            else:
                self.send(request, reply)

    def replied(self, request):
        try:
            return self.answer(request)
        except Exception:  # a fault of the shop that nobody asked for: seen, counted, and no end of the run
            traceback.print_exc()
            self.counts.bugs += 1
            return Reply(message(500, b"a bug"), "bug", end="close")

    def send(self, request, reply):
        data = reply.data
        if request.method == "HEAD":
            data = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        self.transport.write(data)
        self.finish(request, reply.end)

    def finish(self, request, end):
        self.done()
        if end == "reset":
            there = self.transport.get_extra_info("socket")
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()
        elif end != "keep" or request.headers.get("connection", "").lower() == "close":
            self.transport.close()

    def done(self):
        if self.busy:
            self.busy = False
            self.counts.running -= 1

    async def later(self, request, reply, delay):
        """Answers that take their time."""
        if delay:
            await asyncio.sleep(delay)
        if reply.end not in ("drip", "flood", "hang"):
            self.send(request, reply)
            self.next()
            return
        self.transport.write(reply.data)
        try:
            async with asyncio.timeout(self.limits.seconds):
                await {"drip": self.drip, "flood": self.flood, "hang": asyncio.Event().wait}[reply.end]()
        except TimeoutError:
            pass
        self.finish(request, "close")

    async def drip(self):
        while True:
            self.transport.write(b" ")
            await asyncio.sleep(0.2)

    async def flood(self):
        chunk, sent = b"<p>and so on</p>\n" * 4096, 0
        while sent < self.limits.flood:
            await self.room.wait()
            if self.transport.is_closing():
                return
            self.transport.write(chunk)
            sent += len(chunk)
            await asyncio.sleep(0)


def parse(head):
    """A request, None where it is none."""
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
    except ValueError:
        return None
    if not version.startswith("HTTP/1.") or not target.startswith("/"):
        return None
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return None  # no request has a body here
    return Request(method, target, headers)


async def serve(doors, limits, ready):
    """Listen on 127.0.0.1 until cancelled or terminated.

    doors: pairs of a port and what answers there. ready: told the ports and the counts of the first door.
    """
    loop = asyncio.get_running_loop()
    counts, servers = [], []
    for number, (port, answer) in enumerate(doors):
        counted = Counts()
        limit = limits if number == 0 else Limits()
        servers.append(
            await loop.create_server(
                lambda answer=answer, counted=counted, limit=limit: Connection(answer, counted, limit),
                "127.0.0.1",
                port,
                backlog=1024,
            )
        )
        counts.append(counted)
    asked = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked.set)
    ready([server.sockets[0].getsockname()[1] for server in servers], counts[0])
    try:
        await asked.wait()
    finally:
        for server in servers:
            server.close()
