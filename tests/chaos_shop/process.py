"""Start one of the servers as a process, and read its books."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from chaos_shop.settings import PictureSettings, arguments

TESTS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Running:
    """A server that answers: where, and where its books are."""

    address: str
    control: str
    pid: int

    def ask(self, path, post=False):
        with urllib.request.urlopen(
            urllib.request.Request(self.control + path, method="POST" if post else "GET"), timeout=60
        ) as answer:
            return answer.read()

    def stats(self):
        """Numbers about all requests since the last `clear`."""
        return json.loads(self.ask("/stats"))

    def hits(self):
        """How often each address was asked for."""
        return json.loads(self.ask("/hits"))

    def requests(self):
        """Every request: time, host, target, agent, label of the answer."""
        return json.loads(self.ask("/requests"))

    def truth(self, agent=""):
        """What there is: see the README of this folder."""
        return pl.read_parquet(io.BytesIO(self.ask(f"/truth.parquet?agent={agent}")))

    def clear(self):
        """Forget all requests, not the faults that were given."""
        self.ask("/clear", post=True)

    def become(self, version):
        """Turn the shop into another version of itself."""
        self.ask(f"/version?n={version}", post=True)


@contextmanager
def running(settings):
    """A server with these settings until the end of the block."""
    kind = "pictures" if isinstance(settings, PictureSettings) else "shop"
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "chaos_shop", kind, *arguments(settings)]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server did not start: {' '.join(command)}")
            yield Running(**json.loads(line))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
