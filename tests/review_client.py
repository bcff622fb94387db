"""A real server of the review page in a process of its own, and a client that speaks as the page does."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

START = "from shelfwise.cli.review import review; review()"


class Client:
    """Speaks to one server; `who` is the reviewer."""

    def __init__(self, address: str, who: str = "Ada", process: subprocess.Popen | None = None) -> None:
        self.address, self.who, self.process = address, who, process
        self.host = urlsplit(address).netloc
        self.token = ""
        self.headers: dict[str, str] = {}

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict, bytes]:
        """Status, headers (lower case) and body of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): v for name, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str, **query: object) -> dict:
        """The JSON of /api/PATH; an error's with its status."""
        status, _, body = self.ask("GET", f"/api/{path}" + (f"?{urlencode(query)}" if query else ""))
        return json.loads(body) | ({"status": status} if status != 200 else {})

    def post(self, path: str, /, **body: object) -> dict:
        """The JSON of a POST; an error's with its status."""
        self.token = self.token or self.get("about")["token"]
        headers = {
            "Content-Type": "application/json", "X-Shelfwise": self.token, "X-Reviewer": quote(self.who),
            "Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin",
        }  # fmt: skip
        status, _, answer = self.ask("POST", f"/api/{path}", json.dumps(body).encode(), **headers)
        return json.loads(answer) | ({"status": status} if status != 200 else {})

    def decide(self, *items: dict, key: str | None = None) -> dict:
        """POST /api/decisions."""
        return self.post("decisions", key=key or str(uuid.uuid4()), items=list(items))

    def undo(self) -> dict:
        """POST /api/undo."""
        return self.post("undo", key=str(uuid.uuid4()))


@contextmanager
def served(doubts: Path, *options: str, who: str = "Ada", **popen: object) -> Iterator[Client]:
    """A server of a doubts file until the end of the block."""
    words = [sys.executable, "-c", START, str(doubts), "--no-browser", "--json", *options]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen
    ) as process:
        try:
            yield Client(_address(process), who, process)
        finally:
            process.send_signal(signal.SIGKILL)


def _address(process: subprocess.Popen) -> str:
    told = ""
    for line in process.stdout:
        told += line
        if line.startswith("}"):
            return json.loads(told)["address"]
    raise AssertionError(f"the server did not start: {process.stderr.read()}")
