"""What tests of the server share: comparing answers to the last digit, asking the library, pictures."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import httpx
import msgspec
import numpy as np
import polars as pl


def offline(model, sent, options):
    """What `Categorizer.predict` says of products with the usual fields, as plain rows."""
    roles = model.roles_
    columns = {getattr(roles, role): role for role in ("product_id", "title", "description", "brand")}
    columns.pop(None, None)
    frame = pl.DataFrame(
        {
            column: [None if one.get(role) is None else str(one[role]) for one in sent]
            for column, role in columns.items()
        },
        schema=dict.fromkeys(columns, pl.String),
    )
    if any("picture" in one for one in sent):
        frame = frame.with_columns(
            pl.Series(roles.image or "picture", [one.get("picture") for one in sent], dtype=pl.Binary)
        )
    return model.predict(frame, options).to_dicts()


def same(got, wanted):
    """Whether two values are equal, numbers as float32; `code` is the server's own."""
    if isinstance(wanted, dict):
        got = {name: value for name, value in got.items() if name != "code"}
        return set(got) == set(wanted) and all(same(got[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    if isinstance(wanted, float):
        return np.float32(got) == np.float32(wanted)
    return got == wanted


def rows(answers):
    """Predictions as plain rows."""
    return msgspec.to_builtins(answers)


def png(colour=(200, 30, 30), size=48):
    """A picture of one colour with a stripe, as the bytes of a PNG file."""
    from PIL import Image

    image = Image.new("RGB", (size, size), colour)
    image.paste((255, 255, 255), (0, size // 3, size, size // 2))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@dataclass
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen
    http: str
    grpc: str
    log: list[str] = field(default_factory=list)

    def client(self, **settings):
        """An HTTP client of it."""
        return httpx.Client(base_url=self.http, timeout=30, trust_env=False, **settings)

    def predict(self, body, **settings):
        """Ask once."""
        with self.client() as client:
            return client.post("/v1/predict", json=body, **settings)

    def stop(self, wait=30):
        """Tell it to end; the exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(wait)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.stderr.close()


SMALL = ("--max-items", "50", "--max-body", "200000", "--lame-duck", "0")
"""Options of a server that takes little at a time, and ends at once."""
PATIENT = ("--max-delay", "30", "--steady-delay", "30")
"""Options of a server that refuses nothing, whatever else the machine does."""


def counted(server, door, outcome):
    """How many requests over a door have had an outcome."""
    with server.client() as client:
        page = client.get("/metrics").text
    found = re.search(rf'shelfwise_requests_total{{door="{door}",outcome="{outcome}"}} (\S+)', page)
    return float(found[1]) if found else 0.0


def until(true, seconds=10):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.contextmanager
def serving(*arguments):
    """Run `shelfwise serve` on free ports until the block ends."""
    command = [sys.executable, "-m", "shelfwise", "serve", *map(str, arguments)]
    command += ["--http-port", "0", "--grpc-port", "0", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="backslashreplace"
    )
    running = Running(process, "", "")

    def read():
        with contextlib.suppress(ValueError):
            running.log.extend(line for line in process.stderr)

    threading.Thread(target=read, daemon=True).start()
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        raise AssertionError("the server did not start: " + "".join(running.log))
    said = json.loads(line)
    running.http, running.grpc = said["http"], said["grpc"]
    try:
        yield running
    finally:
        running.stop()
